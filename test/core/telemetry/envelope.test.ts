import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/base/bytes.ts';
import { ENVELOPE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { externalAad } from '../../../src/core/cose/domain.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { sign1 } from '../../../src/core/cose/sign1.ts';
import type { CborKey, CborValue } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { encodeBirth } from '../../../src/core/telemetry/birth.ts';
import {
  ENVELOPE_TYP,
  type KeyOfDevice,
  NO_PREVIOUS,
  openEnvelope,
  sealEnvelope,
} from '../../../src/core/telemetry/envelope.ts';
import { decodeEvent, encodeEvent } from '../../../src/core/telemetry/event.ts';
import { CLOCK_STATES } from '../../../src/core/telemetry/vocabulary.ts';
import {
  anyEvent,
  BIRTH_TOPIC,
  birth,
  birthHead,
  EVENT_TOPIC,
  event,
  sealed,
  sealInput,
  signer,
  stranger,
} from './samples.ts';

const keyOf: KeyOfDevice = (kid, device) =>
  device === 'press_7' && equalBytes(kid, signer.thumbprint) ? signer.publicKey : undefined;

/** Signed by the right key over whatever payload. */
function forge(payload: CborValue, topic: string = EVENT_TOPIC): Uint8Array {
  return sign1({
    payload: encodeCbor(payload),
    typ: ENVELOPE_TYP,
    externalAad: externalAad('telemetry', topic),
    signer,
  });
}

const payload = new Map<CborKey, CborValue>([
  ['v', 1],
  ['t', 'event'],
  ['d', 'press_7'],
  ['e', 12],
  ['s', 5],
  ['p', new Uint8Array(32).fill(9)],
  ['ts', 1_790_000_000_123],
  ['cs', 'synced'],
  ['up', 65_000],
  ['b', new Map()],
]);

describe('envelope', () => {
  it('opens what was sealed', () => {
    const { bytes, hash } = sealed();
    const opened = openEnvelope(bytes, EVENT_TOPIC, keyOf);
    const { topic: _, signer: __, body: ___, ...head } = sealInput();
    expect(opened).toMatchObject({
      ok: true,
      value: { ...head, group: 'line-4', hash, kid: signer.thumbprint },
    });
    expect(opened.ok && decodeEvent(opened.value.body)).toEqual({ ok: true, value: event });
    expect(hash).toEqual(sha256(bytes));
  });

  it('carries a birth at the start of the chain', () => {
    const { bytes } = sealed({ ...birthHead, body: encodeBirth(birth) });
    expect(openEnvelope(bytes, BIRTH_TOPIC, keyOf)).toMatchObject({
      ok: true,
      value: { type: 'birth', sequence: 0, previous: NO_PREVIOUS },
    });
  });

  it('refuses arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(openEnvelope(noise, EVENT_TOPIC, keyOf).ok).toBe(false);
      }),
    );
  });

  it.each([
    ['another device', 'edgeward/v1/line-4/press_8/event', 'cose.unknown-key'],
    ['another group', 'edgeward/v1/line-5/press_7/event', 'crypto.bad-signature'],
    ['another kind', 'edgeward/v1/line-4/press_7/health', 'crypto.bad-signature'],
    ['no topic of ours', 'spBv1.0/line-4/DDATA/press_7', 'telemetry.topic'],
    ['a hint', 'edgeward/v1/line-4/press_7/status', 'crypto.bad-signature'],
  ])('refuses a message that was moved to %s', (_, topic, code) => {
    expect(openEnvelope(sealed().bytes, topic, keyOf)).toMatchObject({
      ok: false,
      fault: { code },
    });
  });

  it('refuses a device that signs with its own key for another', () => {
    const asked: string[] = [];
    const topic = 'edgeward/v1/line-4/press_8/event';
    const { bytes } = sealed({ topic, device: 'press_8' });
    const opened = openEnvelope(bytes, topic, (kid, device) => {
      asked.push(device);
      return keyOf(kid, device);
    });
    expect(opened).toMatchObject({ ok: false, fault: { code: 'cose.unknown-key' } });
    expect(asked).toEqual(['press_8']);
  });

  it('refuses an unknown signer, and a known name with a stranger’s signature', () => {
    const { bytes } = sealed({ signer: stranger });
    expect(openEnvelope(bytes, EVENT_TOPIC, keyOf)).toMatchObject({
      ok: false,
      fault: { code: 'cose.unknown-key' },
    });
    expect(openEnvelope(bytes, EVENT_TOPIC, () => signer.publicKey)).toMatchObject({
      ok: false,
      fault: { code: 'crypto.bad-signature' },
    });
  });

  it('refuses what the same key signed for another use', () => {
    const command = sign1({
      payload: encodeCbor(payload),
      typ: ENVELOPE_TYP,
      externalAad: externalAad('command', EVENT_TOPIC),
      signer,
    });
    expect(openEnvelope(command, EVENT_TOPIC, keyOf)).toMatchObject({
      ok: false,
      fault: { code: 'crypto.bad-signature' },
    });
  });

  it.each<[string, [CborKey, CborValue | undefined][], string]>([
    ['nothing', [], 'accepted'],
    [
      'a newer version with other members',
      [
        ['v', 2],
        ['zz', 1],
      ],
      'telemetry.version',
    ],
    ['another type than the topic', [['t', 'health']], 'telemetry.type'],
    ['another device than the topic', [['d', 'press_8']], 'telemetry.device'],
    ['no previous after the start', [['p', NO_PREVIOUS]], 'telemetry.chain-start'],
    [
      'a start that is no birth',
      [
        ['s', 0],
        ['p', NO_PREVIOUS],
      ],
      'telemetry.chain-start',
    ],
    ['a start with a previous', [['s', 0]], 'telemetry.chain-start'],
    ['an unknown member', [['x', 1]], 'field.unknown'],
    ['a missing member', [['cs', undefined]], 'field.missing'],
    ['a short previous', [['p', new Uint8Array(31)]], 'field.range'],
    ['a negative sequence', [['s', -1]], 'field.range'],
    ['a sequence beyond 53 bits', [['s', 2n ** 60n]], 'field.type'],
    ['a body that is no map', [['b', [1]]], 'field.type'],
  ])('reads a well-signed payload strictly: %s', (_, changes, code) => {
    const map = new Map(payload);
    for (const [key, value] of changes) {
      if (value === undefined) map.delete(key);
      else map.set(key, value);
    }
    const opened = openEnvelope(forge(map), EVENT_TOPIC, keyOf);
    expect(opened.ok ? 'accepted' : opened.fault.code).toBe(code);
  });

  it('refuses a payload that is no map, and one on an unsigned topic', () => {
    expect(openEnvelope(forge([1]), EVENT_TOPIC, keyOf)).toMatchObject({
      ok: false,
      fault: { code: 'field.type' },
    });
    const status = 'edgeward/v1/line-4/press_7/status';
    expect(openEnvelope(forge(payload, status), status, keyOf)).toMatchObject({
      ok: false,
      fault: { code: 'telemetry.kind' },
    });
  });

  it('refuses to seal a head that its topic contradicts', () => {
    const codes = [
      sealEnvelope(sealInput({ type: 'health' })),
      sealEnvelope(sealInput({ device: 'press_8' })),
      sealEnvelope(sealInput({ topic: 'edgeward/v1/line-4/press_7/status' })),
      sealEnvelope(sealInput({ topic: 'edgeward/v1/line 4/press_7/event' })),
      sealEnvelope(sealInput({ previous: NO_PREVIOUS })),
    ].map((result) => (result.ok ? 'sealed' : result.fault.code));
    expect(codes).toEqual([
      'telemetry.type',
      'telemetry.device',
      'telemetry.kind',
      'telemetry.id',
      'telemetry.chain-start',
    ]);
  });

  it('bounds what is sealed and what is opened', () => {
    const body = new Map<CborKey, CborValue>([['x', new Uint8Array(ENVELOPE_BYTES_MAX)]]);
    expect(sealEnvelope(sealInput({ body }))).toMatchObject({
      ok: false,
      fault: { code: 'telemetry.size' },
    });
    const asked: unknown[] = [];
    const large = new Uint8Array(ENVELOPE_BYTES_MAX + 1);
    expect(
      openEnvelope(large, EVENT_TOPIC, (kid) => {
        asked.push(kid);
        return undefined;
      }),
    ).toMatchObject({ ok: false, fault: { code: 'telemetry.size' } });
    expect(asked).toEqual([]);
  });

  it('shares no memory with the bytes that came in', () => {
    const bytes = new Uint8Array(sealed().bytes);
    const opened = openEnvelope(bytes, EVENT_TOPIC, keyOf);
    bytes.fill(0);
    expect(opened.ok && opened.value.previous).toEqual(new Uint8Array(32).fill(9));
  });
});

describe('every event', () => {
  it('comes back with its head, under its own topic only', () => {
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const anyHead = fc.record({
      epoch: count,
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      previous: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .filter((hash) => hash.some(Boolean)),
      unixMs: count.map((value) => value as UnixMs),
      clockState: fc.constantFrom(...CLOCK_STATES),
      uptimeMs: count,
    });
    fc.assert(
      fc.property(anyHead, anyEvent, (head, one) => {
        const { bytes, hash } = sealed({ ...head, body: encodeEvent(one) });
        const opened = openEnvelope(bytes, EVENT_TOPIC, keyOf);
        expect(opened).toMatchObject({ ok: true, value: { ...head, type: 'event', hash } });
        expect(opened.ok && decodeEvent(opened.value.body)).toEqual({ ok: true, value: one });
      }),
      { seed: 86, numRuns: 60 },
    );
  });
});
