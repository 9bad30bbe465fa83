/** Real documents of every kind, made by the code that ships, with what stands in each. */
import { need } from '../../src/core/base/fault.ts';
import { encodeGolden } from '../../src/core/bundle/golden-codec.ts';
import type { IoSchema } from '../../src/core/bundle/io-schema.ts';
import { ioSchemaToCbor } from '../../src/core/bundle/io-schema-codec.ts';
import { readManifestEntry } from '../../src/core/bundle/layout.ts';
import { decodeMetadata, FILE_ROLES, type ModelMetadata } from '../../src/core/bundle/metadata.ts';
import type { PackInput, PayloadFile } from '../../src/core/bundle/pack.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { type CborKey, type CborMap, cborMap } from '../../src/core/cose/value.ts';
import type { Signer } from '../../src/core/crypto/ed25519.ts';
import type { Tensor } from '../../src/core/numeric/tensor.ts';
import { openEnvelope } from '../../src/core/suit/envelope.ts';
import { encodeBirth } from '../../src/core/telemetry/birth.ts';
import type { SealInput } from '../../src/core/telemetry/envelope.ts';
import { type EdgeEvent, encodeEvent } from '../../src/core/telemetry/event.ts';
import { encodeHealth } from '../../src/core/telemetry/health.ts';
import { EMPTY_FLOOR, type FloorRecord } from '../../src/core/trust/floor.ts';
import {
  type OperatorAct,
  type OrderContext,
  signOrder,
} from '../../src/core/trust/operator-act.ts';
import { draftRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot, type RootSet, sealRoot } from '../../src/core/trust/root.ts';
import { keyOf, METADATA, MODEL, packed, RELEASE } from '../core/bundle/specimen.ts';
import { birth, birthHead, event, health, sealed } from '../core/telemetry/samples.ts';
import {
  mlDsaKeyOf,
  REVOCATION_KEY,
  REVOCATIONS,
  REVOKING,
  ROOT,
  ROOT_KEY,
  roleOf,
} from '../core/trust/trusting.ts';
import { MODEL_SHA256, POLICIES, WHOLE_SETTINGS } from './cddl-policies.ts';

const digest = new Uint8Array(32).fill(3);
const LATIN = 'x'.repeat(64);
const batch = { name: 'N', min: 1, max: 64 };

const io: IoSchema = {
  inputs: [
    {
      name: 'image',
      dtype: 'float32',
      dims: [batch, 2, 8],
      layout: 'NCW',
      range: { min: -1, max: 1.5 },
      channelRanges: [
        { min: 0, max: 1 },
        { min: -1, max: 0.25 },
      ],
      convert: { scale: 0.0078125, offset: -1 },
    },
    { name: 'words', dtype: 'string', dims: [] },
  ],
  outputs: [
    {
      name: 'logits',
      dtype: 'float32',
      dims: [batch, 2],
      role: 'scores',
      labels: ['healthy', 'worn'],
      range: { min: -50, max: 50 },
      probabilities: false,
    },
    { name: 'features', dtype: 'float32', dims: [batch, 4], role: 'features' },
    { name: 'map', dtype: 'float32', dims: [batch, 3], role: 'other' },
  ],
};

const safeOutput = cborMap(['outputs', cborMap(['logits', 'worn'], ['map', [0, 0.5, -1]])]);

/** Every member that metadata can have. */
const WHOLE_METADATA: Omit<ModelMetadata, 'files'> = {
  ...METADATA,
  description: 'Tells worn from healthy \u{1f980}',
  installExpiryS: 1_800_000_000,
  budgets: { runDeadlineMs: 50, sessionDeadlineMs: 5000, wasmPagesMax: 512 },
  io,
  detection: 'full',
  intendedUses: ['tests'],
  prohibitedUses: ['anything else', ''],
  waived: ['scan.custom-domain'],
  guard: WHOLE_SETTINGS,
  safeOutput,
  provenance: cborMap(['data', ['recorded', 2026, null]], [7, cborMap(['deep', 1e300])]),
};

const whole = (...values: number[]): Tensor => {
  return { dtype: 'int64', dims: [1, values.length], data: BigInt64Array.from(values, BigInt) };
};
const halves: Tensor = { dtype: 'float16', dims: [], data: Uint16Array.of(0x3c00) };
const words: Tensor = { dtype: 'string', dims: [2], data: ['worn', '\u{1f980}'] };
const sharp = { absolute: 0, relative: 0 };

export const GOLDENS: Readonly<Record<string, Uint8Array>> = {
  plain: encodeGolden({
    modelSha256: MODEL_SHA256,
    tolerances: new Map([['y', { absolute: 0.125, relative: 0.0625 }]]),
    vectors: [{ inputs: new Map([['x', whole(1, 2)]]), outputs: new Map([['y', halves]]) }],
  }),
  texts: encodeGolden({
    modelSha256: MODEL_SHA256,
    tolerances: new Map([
      ['label', sharp],
      ['count', sharp],
    ]),
    vectors: [1, 2].map((value) => ({
      inputs: new Map([['words', words]]),
      outputs: new Map([
        ['label', words],
        ['count', whole(value)],
      ]),
    })),
  }),
};

/** A float16 of infinity: right in form. */
export const INFINITE_GOLDEN: Uint8Array = encodeGolden({
  modelSha256: MODEL_SHA256,
  tolerances: new Map([['y', sharp]]),
  vectors: [1, 2].map(() => {
    const y: Tensor = { ...halves, data: Uint16Array.of(0x7c00) };
    return { inputs: new Map([['x', halves]]), outputs: new Map([['y', y]]) };
  }),
});

const policyFile = (name: string): PayloadFile => ({
  path: 'guard.cbor',
  role: 'guard',
  bytes: POLICIES[name] as Uint8Array,
});
const everyRole = FILE_ROLES.filter((role) => role !== 'model' && role !== 'guard').map(
  (role): PayloadFile => ({ path: `${role}.bin`, role, bytes: new Uint8Array(5) }),
);
const many = Array.from(
  { length: 31 },
  (_, i): PayloadFile => ({ path: `${i}`, role: 'notice', bytes: new Uint8Array(i) }),
);

const INPUTS: Readonly<Record<string, Partial<PackInput>>> = {
  'contract-only': { files: [MODEL] },
  reduced: {
    metadata: { ...METADATA, detection: 'reduced' },
    files: [MODEL, policyFile('reduced')],
    signers: [RELEASE, keyOf(12)],
  },
  'full, every member': {
    metadata: WHOLE_METADATA,
    files: [MODEL, policyFile('full, every part, of images'), ...everyRole],
    sequenceNumber: Number.MAX_SAFE_INTEGER,
    signers: [11, 12, 13, 14, 15, 16, 17, 18].map(keyOf),
  },
  'both kinds of signatures': {
    files: [MODEL],
    signers: [RELEASE, mlDsaKeyOf(1), keyOf(12), mlDsaKeyOf(2)],
  },
  'as many files as there can be': { files: [MODEL, ...many] },
  'the longest names': {
    metadata: { ...METADATA, name: LATIN, vendor: 'v'.repeat(256), hardwareClass: LATIN },
    files: [{ ...MODEL, path: LATIN }],
  },
};

/** Whole archives by variant. */
export const BUNDLES: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  Object.entries(INPUTS).map(([name, input]) => [name, packed(input)]),
);

/** `manifest.suit` of an archive. */
export function manifestSuitOf(bundle: Uint8Array): Uint8Array {
  return need(readManifestEntry(bytesSource(bundle))).bytes;
}

/** The metadata of an archive, as bytes. */
export function metadataBytesOf(bundle: Uint8Array): Uint8Array {
  const { meta } = need(openEnvelope(manifestSuitOf(bundle)));
  need(decodeMetadata(meta));
  return meta;
}

const rootSet = (
  change: Partial<RootSet>,
  ...signers: Parameters<typeof sealRoot>[1]
): Uint8Array => need(sealRoot({ ...ROOT, ...change }, signers));

const eight = [21, 22, 23, 24, 25, 26, 27, 28].map(keyOf);

export const ROOTS: Readonly<Record<string, Uint8Array>> = {
  plain: rootSet(
    {
      roles: { ...ROOT.roles, root: roleOf(1, ROOT_KEY, keyOf(22)) },
      scope: { modelPrefixes: ['rotor'], classes: ['generic-arm64'] },
    },
    ROOT_KEY,
  ),
  whole: rootSet(
    {
      production: false,
      expiresS: 253_402_300_799,
      roles: {
        root: roleOf(8, ...eight),
        release: {
          threshold: 2,
          keys: [11, 12].map((fill) => ({
            publicKey: keyOf(fill).publicKey,
            development: fill === 12,
          })),
        },
      },
      scope: { modelPrefixes: ['rotor', 'x'.repeat(64)], classes: ['generic-arm64'] },
    },
    ...eight,
  ),
  'every role, and the one before': rootSet(
    {
      roles: {
        ...ROOT.roles,
        release: { ...roleOf(2, RELEASE, keyOf(12)), retired: roleOf(1, keyOf(13)) },
        revocation: { ...roleOf(1, keyOf(31)), retired: { threshold: 1, keys: [] } },
        operator: roleOf(1, keyOf(32)),
        runtime: roleOf(1, keyOf(33)),
        enrolment: roleOf(1, keyOf(34)),
        'release-ml-dsa-65': {
          ...roleOf(2, mlDsaKeyOf(35), mlDsaKeyOf(36)),
          retired: roleOf(1, mlDsaKeyOf(37)),
        },
      },
      previous: { sha256: digest, root: roleOf(1, ROOT_KEY, keyOf(22)) },
    },
    ROOT_KEY,
  ),
};

export const FLOORS: Readonly<Record<string, FloorRecord>> = {
  empty: EMPTY_FLOOR,
  whole: {
    generation: 4,
    floors: Array.from({ length: 64 }, (_, i) => ({
      hardwareClass: 'generic-arm64',
      model: `rotor-${i}`,
      securityVersion: i,
      sequenceNumber: 2 * i,
      manifestSha256: digest,
    })),
    rootVersion: 3,
    rootSha256: digest,
    revocationVersion: 7,
    revocationSha256: digest,
    clockFloorMs: 1_700_000_000_000,
    goldenSha256: digest,
    safeOutput,
    safeOutputIo: ioSchemaToCbor(io),
  },
};

const revoking = {
  ...REVOCATIONS,
  keys: [digest, keyOf(12).thumbprint],
  manifests: [digest],
  minimums: [
    { hardwareClass: 'generic-arm64', model: 'rotor', securityVersion: 3 },
    { hardwareClass: LATIN, model: LATIN, securityVersion: 0 },
  ],
};

export const REVOCATION_LISTS: Readonly<Record<string, Uint8Array>> = {
  empty: need(draftRevocations(REVOCATIONS, [REVOCATION_KEY], REVOKING)),
  whole: need(draftRevocations(revoking, [REVOCATION_KEY], REVOKING)),
};

export const OPERATOR_KEY: Signer = keyOf(32);
const ACTS: readonly OperatorAct[] = [
  { verb: 'force-safe' },
  { verb: 'acknowledge', about: 'drift' },
  { verb: 'decide-hold', hold: 2, answer: 'release' },
];

/** By verb: what an operator signs for the device `digest` and its fourth boot. */
export const ORDERS: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  ACTS.map((act) => [
    act.verb,
    need(signOrder({ act, id: 'o-1', device: digest, epoch: 4, counter: 9 }, OPERATOR_KEY)),
  ]),
);

export const ORDER_CONTEXT: OrderContext = {
  root: need(decodeRoot(ROOTS['every role, and the one before'] as Uint8Array)),
  ...{ device: digest, epoch: 4, counterOf: () => 8 },
};

const bundle = { name: 'rotor', version: '1.2.3', digest, securityVersion: 5 };
const frame = { frame: 7, verdict: 'withhold', bundleDigest: digest, findings: [] } as const;

/** One of every type, with every optional member. */
export const EVENTS: readonly EdgeEvent[] = [
  { type: 'integrity.boot-verified', bundle, slot: 'A' },
  { type: 'integrity.boot-refused', fault: 'bundle.header', slot: 'A' },
  { type: 'integrity.installed', bundle, slot: 'B' },
  { type: 'integrity.install-refused', fault: 'rollback.sequence', name: 'rotor' },
  { type: 'integrity.model-changed', expected: digest, found: digest },
  event,
  {
    ...frame,
    type: 'input.finding',
    findings: [
      { code: 'contract.range', tensor: 'image', value: -3, threshold: 0.5, p: 1 },
      { code: 'sensor.frozen' },
    ],
  },
  { ...frame, type: 'output.finding' },
  { ...frame, type: 'anomaly.drift', findings: [{ code: 'drift.input', value: 130.5 }] },
  { ...frame, type: 'anomaly.caller', principal: 'press', findings: [{ code: 'caller.rate' }] },
  { type: 'inference.deadline', frame: 1, deadlineMs: 50 },
  { type: 'inference.worker-respawned', cause: 'deadline', respawns: 1 },
  { type: 'inference.budget-exhausted', respawns: 3 },
  { type: 'mode.changed', from: 'nominal', to: 'safe', cause: 'worker' },
  { type: 'operator.held', hold: 1, frame: 7, deadlineMs: 30_000 },
  { type: 'operator.hold-ended', hold: 1, frame: 7, ending: 'expired', operator: digest },
  {
    ...{ type: 'operator.act', verb: 'acknowledge', from: 'safe', to: 'safe' },
    ...{ about: 'drift', id: 'o-1', operator: digest },
  },
  { type: 'operator.refused', fault: 'operator.old-counter' },
  { type: 'update.slot-changed', slot: 'A', from: 'staged', to: 'trial', cause: 'boot' },
  {
    type: 'telemetry.dropped',
    info: 1,
    warning: 2,
    critical: 0,
    sequenced: 3,
    firstSequence: 4,
    lastSequence: 6,
  },
];

const without = (map: CborMap, ...keys: CborKey[]): CborMap =>
  new Map([...map].filter(([key]) => !keys.includes(key)));
const bareHealth = without(encodeHealth(health), 'latencyUs', 'temperatureMilliC', 'throttled');
const bareBirth = without(encodeBirth({ ...birth, bundles: [] }), 6, 10, -70004);
const HEALTH_HEAD = { topic: 'edgeward/v1/line-4/press_7/health', type: 'health' } as const;

/** What is sealed, by what it is. */
export const MESSAGES: Readonly<Record<string, Partial<SealInput>>> = {
  birth: { ...birthHead, body: encodeBirth(birth) },
  'bare birth': { ...birthHead, body: bareBirth },
  health: { ...HEALTH_HEAD, body: encodeHealth(health) },
  'bare health': { ...HEALTH_HEAD, body: bareHealth },
  ...Object.fromEntries(EVENTS.map((told) => [told.type, { body: encodeEvent(told) }])),
};

export const ENVELOPES: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  Object.entries(MESSAGES).map(([name, input]) => [name, sealed(input).bytes]),
);
