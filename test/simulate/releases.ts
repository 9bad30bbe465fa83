/** Tiny signed releases of one model, of another one, and the root that trusts them. */
import { need } from '../../src/core/base/fault.ts';
import type { UnixMs } from '../../src/core/base/time.ts';
import type { ModelMetadata } from '../../src/core/bundle/metadata.ts';
import { packBundleBytes } from '../../src/core/bundle/pack.ts';
import { type Signer, signerFromSeed } from '../../src/core/crypto/ed25519.ts';
import { decodeRoot, sealRoot } from '../../src/core/trust/root.ts';
import type { Trust } from '../../src/core/update/slot-set.ts';

const keyOf = (fill: number): Signer => signerFromSeed(new Uint8Array(32).fill(fill));
const ROOT_KEY = keyOf(21);
export const RELEASE_KEY: Signer = keyOf(11);
const STRANGER_KEY = keyOf(13);
const ISSUED_S = 1_700_000_000;

const METADATA: Omit<ModelMetadata, 'files' | 'version' | 'securityVersion'> = {
  name: 'rotor',
  vendor: 'example.com',
  hardwareClass: 'generic-arm64',
  guardVersionMin: '0.1.0',
  rootVersionMin: 1,
  onnx: { ir: 8, opset: 17 },
  io: {
    inputs: [{ name: 'x', dtype: 'float32', dims: [1, 4] }],
    outputs: [{ name: 'logits', dtype: 'float32', dims: [1, 2], role: 'scores' }],
  },
  budgets: {},
  detection: 'contract-only',
  intendedUses: [],
  prohibitedUses: [],
  guard: new Map(),
};

export interface Release {
  readonly name: string;
  readonly securityVersion: number;
  readonly bundle: Uint8Array;
  /** The bytes of `model.onnx`, which must come back unchanged when it boots. */
  readonly model: Uint8Array;
}

interface Wanted {
  readonly securityVersion: number;
  readonly sequenceNumber: number;
  readonly change?: Partial<ModelMetadata>;
  readonly signer?: Signer;
  readonly modelBytes?: number;
}

/** A release whose model differs from every other one's; the notice is the same in all. */
export function release(name: string, wanted: Wanted): Release {
  const { securityVersion, sequenceNumber, change, signer, modelBytes = 700 } = wanted;
  const salt = [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0);
  const model = Uint8Array.from({ length: modelBytes }, (_, i) => (i * 7 + salt) & 255);
  const bundle = need(
    packBundleBytes({
      metadata: { ...METADATA, version: `${sequenceNumber}.0.0`, securityVersion, ...change },
      files: [
        { path: 'model.onnx', role: 'model', bytes: model },
        { path: 'notice.txt', role: 'notice', bytes: new Uint8Array(64).fill(65) },
      ],
      sequenceNumber,
      signers: [signer ?? RELEASE_KEY],
    }),
  );
  return { name, securityVersion, bundle, model };
}

export const GOLDEN: Release = release('golden', { securityVersion: 1, sequenceNumber: 0 });
export const FIRST: Release = release('first', { securityVersion: 1, sequenceNumber: 1 });
export const SECOND: Release = release('second', { securityVersion: 2, sequenceNumber: 2 });
export const THIRD: Release = release('third', { securityVersion: 2, sequenceNumber: 3 });
/** Does not fit into the room of another. */
export const LARGE: Release = release('large', {
  securityVersion: 2,
  sequenceNumber: 4,
  modelBytes: 2600,
});
/** Never to be booted, whatever happens. */
export const STRANGE: Release = release('strange', {
  securityVersion: 9,
  sequenceNumber: 9,
  signer: STRANGER_KEY,
});
export const OTHER_MODEL: Release = release('other model', {
  securityVersion: 9,
  sequenceNumber: 9,
  change: { name: 'stator' },
});

export const RELEASES: readonly Release[] = [GOLDEN, FIRST, SECOND, THIRD];

const roleOf = (signer: Signer) => ({
  threshold: 1,
  keys: [{ publicKey: signer.publicKey, development: false }],
});

export const TRUST: Trust = {
  root: need(
    decodeRoot(
      need(
        sealRoot(
          {
            version: 3,
            production: true,
            issuedS: ISSUED_S,
            roles: { root: roleOf(ROOT_KEY), release: roleOf(RELEASE_KEY) },
            scope: { modelPrefixes: [], classes: [] },
          },
          [ROOT_KEY],
        ),
      ),
    ),
  ),
  profile: 'production',
  hardwareClass: METADATA.hardwareClass,
  guardVersion: '0.1.0',
  nowMs: ((ISSUED_S + 1000) * 1000) as UnixMs,
};
