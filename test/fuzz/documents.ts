/** One good document of each kind that the fuzzer changes, and the means to sign changed ones. */
import { readFileSync } from 'node:fs';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { concatBytes, equalBytes } from '../../src/core/base/bytes.ts';
import { need, type Result } from '../../src/core/base/fault.ts';
import { encodeGolden } from '../../src/core/bundle/golden-codec.ts';
import type { IoSchema } from '../../src/core/bundle/io-schema.ts';
import {
  type BundleFile,
  encodeMetadata,
  type ModelMetadata,
} from '../../src/core/bundle/metadata.ts';
import type { GraphPort } from '../../src/core/bundle/metadata-json.ts';
import { fitGuardPolicy } from '../../src/core/calibration/fit.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { externalAad } from '../../src/core/cose/domain.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { mlDsaSign1, openMlDsaSign1 } from '../../src/core/cose/ml-dsa-sign1.ts';
import { type OpenInput, sign1 } from '../../src/core/cose/sign1.ts';
import { CborTag, type CborValue, cborMap } from '../../src/core/cose/value.ts';
import { sha256 } from '../../src/core/crypto/digest.ts';
import type { Signer } from '../../src/core/crypto/ed25519.ts';
import {
  ML_DSA_65_PUBLIC_KEY_BYTES,
  ML_DSA_65_SIGNATURE_BYTES,
} from '../../src/core/crypto/ml-dsa.ts';
import { thumbprintOf } from '../../src/core/crypto/thumbprint.ts';
import { encodeGuardPolicy } from '../../src/core/guard/policy-codec.ts';
import { encodeNpy } from '../../src/core/numeric/npy.ts';
import type { DType, Tensor, TensorData } from '../../src/core/numeric/tensor.ts';
import { encodeModel, type OnnxNodeSpec } from '../../src/core/onnx/writer.ts';
import { encodeDigest } from '../../src/core/suit/digest.ts';
import { META_URI, sealEnvelope } from '../../src/core/suit/envelope.ts';
import { encodeManifest, type SuitManifest } from '../../src/core/suit/manifest.ts';
import { encodeBirth } from '../../src/core/telemetry/birth.ts';
import { ENVELOPE_TYP } from '../../src/core/telemetry/envelope.ts';
import { type EdgeEvent, encodeEvent } from '../../src/core/telemetry/event.ts';
import { encodeHealth } from '../../src/core/telemetry/health.ts';
import type { TrustContext } from '../../src/core/trust/admissible.ts';
import { GUARD, MODEL, manifestOf, metadataOf, RELEASE } from '../core/bundle/specimen.ts';
import { simulatedInput, simulatedModel } from '../core/calibration/simulated.ts';
import { wholeInput } from '../core/guard/whole-model.ts';
import { floats, GEMM_TAIL, tinyClassifier } from '../core/onnx/tiny-classifier.ts';
import { birth, EVENT_TOPIC, event, health, sealed, signer } from '../core/telemetry/samples.ts';
import { CONTEXT, ROOT_KEY } from '../core/trust/trusting.ts';
import { type TarMember, tarOf } from './archive-changes.ts';
import type { Random } from './random.ts';
import {
  FLOOR_BODY,
  REVOCATION_PAYLOAD,
  REVOCATIONS,
  ROOT,
  ROOT_PAYLOAD,
  rootBlock,
} from './trust-documents.ts';

// Bundles
const rich: Partial<ModelMetadata> = {
  description: 'what it is for',
  installExpiryS: 1_900_000_000,
  budgets: { runDeadlineMs: 500, sessionDeadlineMs: 9000, wasmPagesMax: 2048 },
  intendedUses: ['bearings'],
  prohibitedUses: ['people'],
  guard: new Map<string, CborValue>([
    [
      'actions',
      new Map([
        ['novelty', 'flag'],
        ['sensor', 'withhold'],
      ]),
    ],
    ['frozenFrames', 5],
    ['probabilitySumTolerance', 0.25],
  ]),
  safeOutput: new Map([['outputs', new Map([['logits', [0.5, 1]]])]]),
  provenance: new Map([['data', 'a day']]),
  io: {
    inputs: [
      {
        name: 'x',
        dtype: 'float32',
        dims: [{ name: 'N', min: 1, max: 64 }, 3, 8, 8],
        layout: 'NCHW',
        channelRanges: [0, 1, 2].map((min) => ({ min, max: 255.5 })),
      },
    ],
    outputs: [
      { name: 'logits', dtype: 'float32', dims: [1, 2], role: 'scores', labels: ['good', 'bad'] },
      { name: 'features', dtype: 'float32', dims: [1, 8], role: 'features' },
    ],
  },
};
export const METADATA: ModelMetadata = metadataOf(rich);
export const FILES: readonly BundleFile[] = METADATA.files;
export const META: Uint8Array = encodeMetadata(METADATA);
export const MANIFEST: Uint8Array = manifestFor(META);
export const ENVELOPE: Uint8Array = signedEnvelope(MANIFEST, META);
export const BUNDLE_MEMBERS: readonly TarMember[] = membersOf(ENVELOPE);
export const BUNDLE: Uint8Array = tarOf(BUNDLE_MEMBERS);
export const TRUST: TrustContext = CONTEXT;

export function manifestFor(meta: Uint8Array): Uint8Array {
  return encodeManifest(manifestOf(meta, FILES));
}

export function signedEnvelope(manifest: Uint8Array, meta: Uint8Array): Uint8Array {
  return sealEnvelope(manifest, meta, [RELEASE]);
}

/** An envelope around any manifest with the right digest and a signature of something else. */
export function refitted(manifest: Uint8Array, meta: Uint8Array): Uint8Array {
  const wrapper = encodeCbor([encodeDigest(sha256(encodeCbor(manifest))), new Uint8Array(80)]);
  return encodeCbor(new CborTag(107, cborMap([2, wrapper], [3, manifest], [META_URI, meta])));
}

export function bundleOf(envelope: Uint8Array): Uint8Array {
  return tarOf(membersOf(envelope));
}

/** A manifest that the template gives for other parameters: some of them must be refused. */
export function anyManifest(random: Random): SuitManifest {
  const count = random.oneIn(8) ? random.below(40) : 2 + random.below(4);
  return {
    sequenceNumber: random.pick([0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]),
    vendorId: new Uint8Array(random.oneIn(8) ? 15 : 16),
    classId: new Uint8Array(random.oneIn(8) ? 17 : 16),
    model: random.pick(['rotor', '', '..', 'x'.repeat(64), 'x'.repeat(65), 'a/b']),
    components: Array.from({ length: count }, (_, i) => ({
      path: i === 0 ? META_URI : `file-${random.below(40)}`,
      sizeBytes: random.pick([0, 1, 2 ** 31, 2 ** 31 + 1]),
      sha256: new Uint8Array(random.oneIn(16) ? 31 : 32),
    })),
  };
}

function membersOf(envelope: Uint8Array): readonly TarMember[] {
  return [{ path: 'manifest.suit', bytes: envelope }, MODEL, GUARD];
}

// Golden vectors
const port = (dtype: DType, data: TensorData): Tensor => ({ dtype, dims: [1, data.length], data });
export const GOLDEN: Uint8Array = encodeGolden({
  modelSha256: new Uint8Array(32).fill(6),
  tolerances: new Map([
    ['logits', { absolute: 0.125, relative: 0.001 }],
    ['label', { absolute: 0, relative: 0 }],
  ]),
  vectors: [1, 2].map((value) => ({
    inputs: new Map([['x', port('float16', Uint16Array.of(0x3c00, value))]]),
    outputs: new Map([
      ['logits', port('float32', Float32Array.of(value, -4))],
      ['label', port('string', ['worn'])],
    ]),
  })),
});

// Telemetry
export const DEVICE: Signer = signer;
export const TOPIC: string = EVENT_TOPIC;
export const SEALED: Uint8Array = sealed().bytes;
export const SEALED_PAYLOAD: Uint8Array = payloadOf(SEALED);
export const BIRTH: Uint8Array = encodeCbor(encodeBirth(birth));
export const HEALTH: Uint8Array = encodeCbor(encodeHealth(health));
const bundle = { name: 'a', version: '1.0.0', digest: new Uint8Array(32), securityVersion: 1 };
const EVENT_VALUES: readonly EdgeEvent[] = [
  event,
  { type: 'integrity.boot-verified', bundle, slot: 'a' },
  { type: 'integrity.model-changed', expected: bundle.digest, found: bundle.digest },
  { type: 'mode.changed', from: 'nominal', to: 'safe', cause: 'x' },
  { type: 'inference.deadline', frame: 3, deadlineMs: 5 },
  { type: 'telemetry.dropped', info: 1, warning: 2, critical: 3, sequenced: 4, firstSequence: 9 },
];
export const EVENTS: readonly Uint8Array[] = EVENT_VALUES.map((one) =>
  encodeCbor(encodeEvent(one)),
);
export const STATUS: unknown = { v: 1, status: 'online' };

export function resealed(payload: Uint8Array): Uint8Array {
  const aad = externalAad('telemetry', EVENT_TOPIC);
  return sign1({ payload, typ: ENVELOPE_TYP, externalAad: aad, signer });
}

function payloadOf(block: Uint8Array): Uint8Array {
  const { value } = need(decodeCbor(block, { tags: [18] })) as CborTag;
  return (value as readonly CborValue[])[2] as Uint8Array;
}

// Signature blocks
const keyOf = (kid: Uint8Array): Uint8Array | undefined =>
  [RELEASE, ROOT_KEY, signer].find(({ thumbprint }) => equalBytes(thumbprint, kid))?.publicKey;
const digestBytes = encodeDigest(sha256(encodeCbor(MANIFEST)));
const none = new Uint8Array(0);
export const SIGN1_BLOCKS: readonly { readonly block: Uint8Array; readonly open: OpenInput }[] = [
  {
    block: sign1({ payload: digestBytes, detached: true, externalAad: none, signer: RELEASE }),
    open: { externalAad: none, detachedPayload: digestBytes, keyOf },
  },
  {
    block: rootBlock(ROOT_PAYLOAD),
    open: {
      typ: 'application/edgeward-root+cbor',
      externalAad: externalAad('root', ''),
      detachedPayload: ROOT_PAYLOAD,
      keyOf,
    },
  },
  {
    block: SEALED,
    open: { typ: ENVELOPE_TYP, externalAad: externalAad('telemetry', EVENT_TOPIC), keyOf },
  },
];

const ML_DSA_KEY = new Uint8Array(ML_DSA_65_PUBLIC_KEY_BYTES).fill(3);
/** With a signature of the right length only: real ones differ each time, and cases are replayed. */
export const ML_DSA_BLOCK: Uint8Array = mlDsaSign1(digestBytes, {
  publicKey: ML_DSA_KEY,
  thumbprint: thumbprintOf(ML_DSA_KEY),
  sign: () => new Uint8Array(ML_DSA_65_SIGNATURE_BYTES).fill(5),
});
export const openMlDsa = (block: Uint8Array, known: boolean): Result<Uint8Array> =>
  openMlDsaSign1(block, digestBytes, () => (known ? ML_DSA_KEY : undefined));

export const CBOR_DOCUMENTS: readonly Uint8Array[] = [
  META,
  MANIFEST,
  ENVELOPE,
  ROOT,
  ROOT_PAYLOAD,
  REVOCATIONS,
  REVOCATION_PAYLOAD,
  SEALED,
  SEALED_PAYLOAD,
  BIRTH,
  FLOOR_BODY,
  encodeCbor([0.5, -1.5, NaN, Infinity, 1e300, 2n ** 63n, -(2n ** 64n), true, false, null, 'ü']),
];

// The guard room
const simulated = simulatedModel(3, 4);
const { outputs: _, ...calibration } = simulatedInput(simulated);
const { logits, sha256: fitSha } = calibration.fit;
export const POLICIES: readonly Uint8Array[] = [
  wholeInput(),
  { ...calibration, outputs: { scores: 'logits', features: 'features' } },
  {
    ...calibration,
    outputs: { scores: 'logits' },
    fit: { logits, sha256: fitSha },
    calibration: {
      logits: calibration.calibration.logits,
      sha256: calibration.calibration.sha256,
    },
  },
].map((input) => encodeGuardPolicy(need(fitGuardPolicy(input))));
export const GUARD_IO: IoSchema = METADATA.io;
export const GUARD_MAPS: readonly CborValue[] = [
  METADATA.guard,
  new Map([
    [
      'outputs',
      new Map<string, CborValue>([
        ['logits', 'bad'],
        ['features', [1, 2, 3, 4, 5, 6, 7, 8]],
      ]),
    ],
  ]),
];

// The maker's files
export const MAKER_JSON: unknown = {
  vendor: 'example.com',
  description: 'd',
  installExpiry: '2027-12-31',
  guardVersionMin: '1.0.0',
  rootVersionMin: 3,
  budgets: { runDeadlineMs: 9, sessionDeadlineMs: 10, wasmPagesMax: 11 },
  intendedUses: ['a'],
  prohibitedUses: ['b'],
  guard: { frozenFrames: 3, actions: { novelty: 'flag' } },
  safeOutput: { outputs: { logits: [0.5, 1] } },
  provenance: { data: 'd', list: [1, 2.5, null, true, 'x'] },
  inputs: { x: { range: [0, 1], layout: 'NCHW', dims: { N: [1, 4] } } },
  outputs: { logits: { role: 'scores', labels: ['good', 'bad'] } },
};
export const GRAPH_INPUTS: readonly GraphPort[] = [
  { name: 'x', dtype: 'float32', dims: ['N', 3, 8, 8] },
];
export const GRAPH_OUTPUTS: readonly GraphPort[] = [
  { name: 'logits', dtype: 'float32', dims: ['N', 2] },
];
export const BOARD: unknown = JSON.parse(
  readFileSync(new URL('../../devices/raspberry-pi-4.json', import.meta.url), 'utf8'),
);
export const NPY: Uint8Array = encodeNpy(
  floats([3, 5], ...Array.from({ length: 15 }, (__, i) => i)),
);

// Models
const quantizedTail: readonly OnnxNodeSpec[] = [
  {
    op: 'DequantizeLinear',
    inputs: ['q', 's', 'z'],
    outputs: ['dq'],
    attributes: { axis: { int: 0 } },
  },
  { op: 'MatMul', inputs: ['features', 'dq'], outputs: ['product'] },
  { op: 'Add', inputs: ['product', 'b'], outputs: ['raw'] },
  { op: 'Softmax', inputs: ['raw'], outputs: ['scores'] },
];
const loopTail: readonly OnnxNodeSpec[] = [
  ...GEMM_TAIL,
  {
    op: 'Loop',
    inputs: ['trips', '', 'features'],
    outputs: ['looped'],
    attributes: { body: { graph: tinyClassifier(GEMM_TAIL).graph }, note: { string: 'x' } },
  },
];
export const MODELS: readonly Uint8Array[] = [
  encodeModel(tinyClassifier(GEMM_TAIL)),
  encodeModel(
    tinyClassifier(quantizedTail, {
      q: { dtype: 'int8', dims: [2, 3], data: Int8Array.of(1, 2, 3, 4, 5, 6) },
      s: floats([2], 0.5, 0.25),
      z: { dtype: 'int8', dims: [2], data: Int8Array.of(0, 1) },
    }),
  ),
  encodeModel(tinyClassifier(loopTail)),
  concatBytes(encodeModel(tinyClassifier(GEMM_TAIL)), typedTensors()),
];

/** A second ModelProto, merged into the first: tensors whose data lie in the typed fields. */
function typedTensors(): Uint8Array {
  const writer = new BinaryWriter().tag(7, WireType.LengthDelimited).fork();
  const tensor = (name: string, dataType: number, write: (to: BinaryWriter) => void): void => {
    writer.tag(5, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(2).tag(2, WireType.Varint).int32(dataType);
    write(writer);
    writer.tag(8, WireType.LengthDelimited).string(name).join();
  };
  const packed = (no: number, write: (to: BinaryWriter) => void) => (to: BinaryWriter) => {
    to.tag(no, WireType.LengthDelimited).fork();
    write(to);
    to.join();
  };
  tensor(
    'tf',
    1,
    packed(4, (to) => to.float(0.5).float(-1)),
  );
  tensor(
    'td',
    11,
    packed(10, (to) => to.double(0.5).double(-1)),
  );
  tensor(
    'ti',
    7,
    packed(7, (to) => to.int64(5).int64(-5)),
  );
  tensor(
    'tb',
    9,
    packed(5, (to) => to.int32(1).int32(0)),
  );
  tensor('ts', 8, (to) => {
    for (const text of ['a', 'b']) to.tag(6, WireType.LengthDelimited).string(text);
  });
  return writer.join().finish();
}
