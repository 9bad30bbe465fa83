/** One well-formed record of each kind, and arbitrary ones, for the tests of the telemetry room. */
import fc from 'fast-check';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { type Signer, signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import {
  type Birth,
  BOOT_REASONS,
  FLOOR_TIERS,
  ueidOf,
} from '../../../src/core/telemetry/birth.ts';
import {
  NO_PREVIOUS,
  type SealedEnvelope,
  type SealInput,
  sealEnvelope,
} from '../../../src/core/telemetry/envelope.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { encodeEvent, HOLD_ENDS } from '../../../src/core/telemetry/event.ts';
import type { Health } from '../../../src/core/telemetry/health.ts';
import { CLOCK_STATES, MODES, VERDICTS } from '../../../src/core/telemetry/vocabulary.ts';

export const signer: Signer = signerFromSeed(new Uint8Array(32).fill(7));
export const stranger: Signer = signerFromSeed(new Uint8Array(32).fill(8));
export const EVENT_TOPIC = 'edgeward/v1/line-4/press_7/event';
export const BIRTH_TOPIC = 'edgeward/v1/line-4/press_7/birth';

export const birth: Birth = {
  issuedAtSeconds: 1_790_000_000,
  nonce: new Uint8Array(8).fill(1),
  ueid: ueidOf(signer.thumbprint),
  uptimeSeconds: 3,
  bootCount: 12,
  bootSeed: new Uint8Array(32).fill(2),
  softwareName: 'edgeward',
  softwareVersion: '0.1.0',
  board: 'raspberry-pi-5',
  identity: signer.thumbprint,
  bundles: [
    {
      name: 'bearing',
      version: '1.2.0',
      digest: new Uint8Array(32).fill(3),
      signers: [new Uint8Array(32).fill(4)],
      securityVersion: 5,
    },
  ],
  policyDigest: new Uint8Array(32).fill(6),
  floorTier: 'T0',
  bootReason: 'start',
  clockState: 'synced',
  metrics: ['verdicts', 'latencyUs'],
  evidence: 'self-asserted',
  mode: 'nominal',
};

export const health: Health = {
  mode: 'degraded',
  uptimeMs: 61_000,
  verdicts: { release: 10, flag: 2, substitute: 1, hold: 0, withhold: 3 },
  latencyUs: { p50: 900, p95: 1500, p99: 4000 },
  queue: { messages: 4, bytes: 2000, dropped: 1 },
  flashBytesWritten: 8192,
  memoryBytes: 90_000_000,
  temperatureMilliC: -4500,
  throttled: false,
};

export const event: Extract<EdgeEvent, { readonly type: 'anomaly.novelty' }> = {
  type: 'anomaly.novelty',
  frame: 42,
  verdict: 'flag',
  bundleDigest: new Uint8Array(32).fill(3),
  findings: [{ code: 'novelty.score', value: -13.5, threshold: -2.25, p: 0.001 }],
};

export function sealInput(changes: Partial<SealInput> = {}): SealInput {
  return {
    topic: EVENT_TOPIC,
    type: 'event',
    device: 'press_7',
    epoch: 12,
    sequence: 5,
    previous: new Uint8Array(32).fill(9),
    unixMs: 1_790_000_000_123 as UnixMs,
    clockState: 'synced',
    uptimeMs: 65_000,
    body: encodeEvent(event),
    signer,
    ...changes,
  };
}

export function sealed(changes: Partial<SealInput> = {}): SealedEnvelope {
  const result = sealEnvelope(sealInput(changes));
  if (!result.ok) throw new Error(result.fault.message);
  return result.value;
}

export const birthHead: Partial<SealInput> = {
  topic: BIRTH_TOPIC,
  type: 'birth',
  sequence: 0,
  previous: NO_PREVIOUS,
};

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const one = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const word = fc.string({ maxLength: 64 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const real = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

export const anyBirth: fc.Arbitrary<Birth> = fc.record(
  {
    issuedAtSeconds: count,
    nonce: fc.uint8Array({ minLength: 8, maxLength: 64 }),
    ueid: digest.map(ueidOf),
    uptimeSeconds: count,
    bootCount: count,
    bootSeed: fc.uint8Array({ minLength: 16, maxLength: 64 }),
    softwareName: word,
    softwareVersion: word,
    board: word,
    identity: digest,
    bundles: fc.array(
      fc.record({
        name: word,
        version: word,
        digest,
        signers: fc.array(digest, { maxLength: 8 }),
        securityVersion: count,
      }),
      { maxLength: 8 },
    ),
    policyDigest: digest,
    floorTier: fc.constantFrom(...FLOOR_TIERS),
    bootReason: fc.constantFrom(...BOOT_REASONS),
    clockState: fc.constantFrom(...CLOCK_STATES),
    metrics: fc.array(word, { maxLength: 64 }),
    evidence: fc.constant('self-asserted' as const),
    mode: fc.constantFrom(...MODES),
  },
  {
    requiredKeys: [
      'ueid',
      'uptimeSeconds',
      'bootCount',
      'bootSeed',
      'softwareName',
      'softwareVersion',
      'board',
      'identity',
      'bundles',
      'floorTier',
      'bootReason',
      'clockState',
      'metrics',
      'evidence',
      'mode',
    ],
  },
);

export const anyHealth: fc.Arbitrary<Health> = fc.record(
  {
    mode: fc.constantFrom(...MODES),
    uptimeMs: count,
    verdicts: fc.record({
      release: count,
      flag: count,
      substitute: count,
      hold: count,
      withhold: count,
    }),
    latencyUs: fc.record({ p50: count, p95: count, p99: count }),
    queue: fc.record({ messages: count, bytes: count, dropped: count }),
    flashBytesWritten: count,
    memoryBytes: count,
    temperatureMilliC: fc.integer({ min: -273_150, max: 1_000_000 }),
    throttled: fc.boolean(),
  },
  {
    requiredKeys: ['mode', 'uptimeMs', 'verdicts', 'queue', 'flashBytesWritten', 'memoryBytes'],
  },
);

const anyFinding = fc.record(
  {
    code: word,
    tensor: word,
    value: real,
    threshold: real,
    p: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
  },
  { requiredKeys: ['code'] },
);

const frameMembers = {
  frame: count,
  verdict: fc.constantFrom(...VERDICTS),
  bundleDigest: digest,
  findings: fc.array(anyFinding, { maxLength: 16 }),
};
const bundle = fc.record({ name: word, version: word, digest, securityVersion: count });
const type = <T extends EdgeEvent['type']>(name: T): { readonly type: fc.Arbitrary<T> } => ({
  type: fc.constant(name),
});

export const anyEvent: fc.Arbitrary<EdgeEvent> = fc.oneof(
  fc.record(
    { ...type('integrity.boot-verified'), bundle, slot: word },
    { requiredKeys: ['type', 'bundle'] },
  ),
  fc.record(
    { ...type('integrity.boot-refused'), fault: word, slot: word },
    { requiredKeys: ['type', 'fault'] },
  ),
  fc.record(
    { ...type('integrity.installed'), bundle, slot: word },
    { requiredKeys: ['type', 'bundle'] },
  ),
  fc.record(
    { ...type('integrity.install-refused'), fault: word, name: word },
    { requiredKeys: ['type', 'fault'] },
  ),
  fc.record({ ...type('integrity.model-changed'), expected: digest, found: digest }),
  fc.record({ ...type('anomaly.novelty'), ...frameMembers }),
  fc.record({ ...type('anomaly.drift'), ...frameMembers }),
  fc.record({ ...type('anomaly.caller'), ...frameMembers, principal: word }),
  fc.record({ ...type('input.finding'), ...frameMembers }),
  fc.record({ ...type('output.finding'), ...frameMembers }),
  fc.record({
    ...type('inference.deadline'),
    frame: count,
    deadlineMs: fc.integer({ min: 1, max: 600_000 }),
  }),
  fc.record({ ...type('inference.worker-respawned'), cause: word, respawns: count }),
  fc.record({ ...type('inference.budget-exhausted'), respawns: count }),
  fc.record({
    ...type('mode.changed'),
    from: fc.constantFrom(...MODES),
    to: fc.constantFrom(...MODES),
    cause: word,
  }),
  fc.record({ ...type('operator.held'), hold: one, frame: count, deadlineMs: one }),
  fc.record(
    {
      ...type('operator.hold-ended'),
      ...{ hold: one, frame: count, ending: fc.constantFrom(...HOLD_ENDS), operator: digest },
    },
    { requiredKeys: ['type', 'hold', 'frame', 'ending'] },
  ),
  fc.record(
    {
      ...type('operator.act'),
      ...{ verb: word, from: fc.constantFrom(...MODES), to: fc.constantFrom(...MODES) },
      ...{ about: word, id: word, operator: digest },
    },
    { requiredKeys: ['type', 'verb', 'from', 'to'] },
  ),
  fc.record({ ...type('operator.refused'), fault: word }),
  fc.record({ ...type('update.slot-changed'), slot: word, from: word, to: word, cause: word }),
  fc.record(
    {
      ...type('telemetry.dropped'),
      info: count,
      warning: count,
      critical: count,
      sequenced: count,
      firstSequence: count,
      lastSequence: count,
    },
    { requiredKeys: ['type', 'info', 'warning', 'critical', 'sequenced'] },
  ),
);
