/** Small signed releases, the root that trusts them, and a device's surroundings for their tests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MonotonicMs, UnixMs } from '../../../src/core/base/time.ts';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import type { ModelMetadata } from '../../../src/core/bundle/metadata.ts';
import { packBundleBytes } from '../../../src/core/bundle/pack.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import type { CborMap } from '../../../src/core/cose/value.ts';
import { type Signer, signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { encodeModel, type OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';
import type { TrustContext } from '../../../src/core/trust/admissible.ts';
import { EMPTY_FLOOR } from '../../../src/core/trust/floor.ts';
import { draftRevocations, type RevocationContent } from '../../../src/core/trust/revocation.ts';
import { decodeRoot, type RootSet, sealRoot } from '../../../src/core/trust/root.ts';
import type { Quorum, RootContent } from '../../../src/core/trust/root-codec.ts';
import type { BoardLimits } from '../../../src/host/runtime/loaded-model.ts';
import { trustContext } from '../../../src/host/runtime/trust-state.ts';
import { accepted } from '../../core/base/outcome.ts';
import { simulatedInput, simulatedModel } from '../../core/calibration/simulated.ts';

export const RELEASE_KEY: Signer = signerFromSeed(new Uint8Array(32).fill(11));
export const NEXT_RELEASE_KEY: Signer = signerFromSeed(new Uint8Array(32).fill(12));
const ROOT_KEY: Signer = signerFromSeed(new Uint8Array(32).fill(21));
const REVOCATION_KEY: Signer = signerFromSeed(new Uint8Array(32).fill(24));
export const ISSUED_S = 1_700_000_000;
export const CLASS = 'test-class';

export const BOARD: BoardLimits = {
  runDeadlineMs: 60_000,
  sessionDeadlineMs: 60_000,
  wasmPagesMax: 4096,
};

/** Stands still until it is moved. */
export function stillClock(unixMs: number = (ISSUED_S + 1000) * 1000) {
  let now = 0;
  return {
    monotonicMs: () => now as MonotonicMs,
    unixMs: () => (unixMs + now) as UnixMs,
    advance(ms: number): void {
      now += ms;
    },
  };
}

/** One signature of one of these keys. */
export function oneOf(...signers: readonly Signer[]): Quorum {
  const keys = signers.map(({ publicKey }) => ({ publicKey, development: false }));
  return { threshold: 1, keys };
}

/** `root.cbor` with other members. */
export function rootBytes(change: Partial<RootSet> = {}): Uint8Array {
  const root = {
    version: 3,
    production: true,
    issuedS: ISSUED_S,
    roles: {
      root: oneOf(ROOT_KEY),
      release: oneOf(RELEASE_KEY),
      revocation: oneOf(REVOCATION_KEY),
    },
    scope: { modelPrefixes: [], classes: [] },
    ...change,
  };
  return accepted(sealRoot(root, [ROOT_KEY]));
}

/** The root file that follows this one, with other members. */
export function rootAfter(bytes: Uint8Array, change: Partial<RootContent> = {}): Uint8Array {
  const { sha256, ...before } = accepted(decodeRoot(bytes));
  const { version, issuedS } = before;
  const previous = { sha256, root: before.roles.root };
  const next = { ...before, version: version + 1, issuedS: issuedS + 10, previous, ...change };
  return accepted(sealRoot(next, [ROOT_KEY]));
}

/** A revocation list that the revocation key of these roots signed. */
export function revocationBytes(change: Partial<RevocationContent> = {}): Uint8Array {
  const empty = { version: 1, issuedS: ISSUED_S, keys: [], manifests: [], minimums: [] };
  return accepted(draftRevocations({ ...empty, ...change }, [REVOCATION_KEY], ROOT));
}

export const ROOT: RootSet = accepted(decodeRoot(rootBytes()));

export const CONTEXT: TrustContext = trustContext(
  ROOT,
  EMPTY_FLOOR,
  'production',
  CLASS,
  stillClock(),
);

export const row = { name: 'N', min: 1, max: 4 };
export const ECHO_IO: IoSchema = {
  inputs: [{ name: 'x', dtype: 'float32', dims: [row, 2] }],
  outputs: [
    { name: 'y', dtype: 'float32', dims: [row, 2], role: 'other', range: { min: -9, max: 9 } },
  ],
};

/** One input `x` and one output `y`, rows of two, with these nodes between them. */
export function rowsModel(
  nodes: readonly OnnxNodeSpec[],
  initializers: Readonly<Record<string, Tensor>> = {},
): Uint8Array {
  const port = (name: string) => ({ name, dtype: 'float32', dims: ['N', 2] }) as const;
  return encodeModel({
    graph: { name: 'rows', nodes, initializers, inputs: [port('x')], outputs: [port('y')] },
  });
}

/** Gives back what it gets. */
export const ECHO: Uint8Array = rowsModel([{ op: 'Identity', inputs: ['x'], outputs: ['y'] }]);

/** `x / x`: NaN where there is nothing. */
export const NAN_ON_ZEROS: Uint8Array = rowsModel([
  { op: 'Div', inputs: ['x', 'x'], outputs: ['y'] },
]);

export const SAFE: CborMap = new Map([['outputs', new Map([['y', [1, 2]]])]]);

export interface ReleaseChange extends Partial<Omit<ModelMetadata, 'files' | 'safeOutput'>> {
  readonly safe?: CborMap | 'none';
  readonly model?: Uint8Array;
  readonly policy?: Uint8Array;
  readonly golden?: Uint8Array;
  /** Bytes that take their time on the disk. */
  readonly notice?: Uint8Array;
  readonly sequenceNumber?: number;
  readonly signer?: Signer;
}

/** A signed bundle of the echo model, or of what `change` says. */
export function release(change: ReleaseChange = {}): Uint8Array {
  const {
    model = ECHO,
    policy,
    golden,
    notice,
    sequenceNumber = 9,
    signer = RELEASE_KEY,
    ...rest
  } = change;
  const { safe = SAFE, ...metadata } = rest;
  const guard = policy && ({ path: 'guard.cbor', role: 'guard', bytes: policy } as const);
  const vectors = golden && ({ path: 'golden.cbor', role: 'golden', bytes: golden } as const);
  const text = notice && ({ path: 'notice', role: 'notice', bytes: notice } as const);
  return accepted(
    packBundleBytes({
      metadata: {
        name: 'echo',
        version: '1.0.0',
        securityVersion: 5,
        vendor: 'vendor.invalid',
        hardwareClass: CLASS,
        guardVersionMin: '0.1.0',
        rootVersionMin: 1,
        onnx: { ir: 8, opset: 17 },
        io: ECHO_IO,
        budgets: {},
        detection: 'contract-only',
        intendedUses: [],
        prohibitedUses: [],
        guard: new Map(),
        ...(safe === 'none' ? {} : { safeOutput: safe }),
        ...metadata,
      },
      files: [
        { path: 'model.onnx', role: 'model', bytes: model },
        ...(guard ? [guard] : []),
        ...(vectors ? [vectors] : []),
        ...(text ? [text] : []),
      ],
      sequenceNumber,
      signers: [signer],
    }),
  );
}

/** Writes a release into a folder and gives its path. */
export function shipped(folder: string, change: ReleaseChange = {}, name = 'new.bundle'): string {
  const path = join(folder, name);
  writeFileSync(path, release(change));
  return path;
}

/** A frame of one row. */
export function frame(a: number, b: number): Map<string, Tensor> {
  return new Map([['x', { dtype: 'float32', dims: [1, 2], data: Float32Array.of(a, b) }]]);
}

/** The row of an output `y`. */
export function rowOf(outputs: ReadonlyMap<string, Tensor> | undefined): number[] | undefined {
  const data = outputs?.get('y')?.data;
  return data instanceof Float32Array ? [...data] : undefined;
}

/** Never answers: a Loop that counts for longer than anybody lives, whatever comes in. */
export function stuckModel(): Uint8Array {
  const scalar = { dtype: 'int64', dims: [] } as const;
  const truth = { dtype: 'bool', dims: [] } as const;
  const rows = { dtype: 'float32', dims: ['N', 2] } as const;
  const body = {
    name: 'body',
    nodes: [
      { op: 'Identity', inputs: ['go'], outputs: ['goOn'] },
      { op: 'Add', inputs: ['kept', 'kept'], outputs: ['next'] },
    ],
    inputs: [
      { name: 'i', ...scalar },
      { name: 'go', ...truth },
      { name: 'kept', ...rows },
    ],
    outputs: [
      { name: 'goOn', ...truth },
      { name: 'next', ...rows },
    ],
  };
  const attributes = { body: { graph: body } };
  return rowsModel([{ op: 'Loop', inputs: ['n', 'yes', 'x'], outputs: ['y'], attributes }], {
    n: { ...scalar, data: BigInt64Array.of(2n ** 62n) },
    yes: { ...truth, data: Uint8Array.of(1) },
  });
}

/** A policy that is sound in itself, for the model of this digest, reading this output. */
export function policyFor(modelSha256: Uint8Array, scores = 'y'): Uint8Array {
  const input = simulatedInput(simulatedModel(2, 4));
  const { logits: fit, sha256: fitSha } = input.fit;
  const { logits, sha256: calibrationSha } = input.calibration;
  const policy = fitGuardPolicy({
    ...input,
    modelSha256,
    outputs: { scores },
    fit: { logits: fit, sha256: fitSha },
    calibration: { logits, sha256: calibrationSha },
  });
  return encodeGuardPolicy(accepted(policy));
}
