import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure, type Result } from '../../../src/core/base/fault.ts';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborKey, CborMap, CborValue } from '../../../src/core/cose/value.ts';
import {
  type Birth,
  decodeBirth,
  EAT_PROFILE,
  encodeBirth,
} from '../../../src/core/telemetry/birth.ts';
import {
  decodeEvent,
  EVENT_FAMILIES,
  EVENT_TYPES,
  encodeEvent,
  familyOf,
  severityOf,
} from '../../../src/core/telemetry/event.ts';
import {
  decodeHealth,
  encodeHealth,
  HEALTH_METRICS,
  mirrorHealth,
} from '../../../src/core/telemetry/health.ts';
import { anyBirth, anyEvent, anyHealth, birth, event, health } from './samples.ts';

const anyCbor: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(fc.string(), fc.integer()), tie('value')), { maxLength: 4 })
      .map((pairs) => new Map<CborKey, CborValue>(pairs)),
  ),
})).value;

function throughCbor(body: CborMap): CborValue {
  const result = decodeCbor(encodeCbor(body));
  if (!result.ok) throw new Error(result.fault.message);
  return result.value;
}

function changed(body: CborMap, ...pairs: [CborKey, CborValue | undefined][]): CborMap {
  const map = new Map(body);
  for (const [key, value] of pairs) {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
  return map;
}

/** Every member of a body left out or replaced by another type: a fault or a legal absence. */
function damage(body: CborMap, decode: (value: CborValue) => Result<unknown>): string[] {
  const accepted: string[] = [];
  for (const key of body.keys()) {
    expect(decode(changed(body, [key, [[]]]))).toMatchObject({ ok: false });
    if (decode(changed(body, [key, undefined])).ok) accepted.push(String(key));
  }
  expect(decode(changed(body, ['intruder', 1]))).toMatchObject({
    ok: false,
    fault: { code: 'field.unknown' },
  });
  return accepted;
}

describe('event', () => {
  it('reads what it writes, for every type', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyEvent, (sample) => {
        seen.add(sample.type);
        expect(decodeEvent(throughCbor(encodeEvent(sample)))).toEqual({ ok: true, value: sample });
      }),
      { numRuns: 500 },
    );
    expect([...seen].sort()).toEqual([...EVENT_TYPES].sort());
  });

  it('has a known family and a severity for every type', () => {
    for (const type of EVENT_TYPES) {
      expect(EVENT_FAMILIES).toContain(familyOf(type));
      expect(['info', 'warning', 'critical']).toContain(severityOf(type));
    }
    expect(severityOf('integrity.boot-refused')).toBe('critical');
    expect(severityOf('anomaly.novelty')).toBe('warning');
  });

  it('leaves out values that are not finite: a NaN found in an input is still reported', () => {
    const finding = { code: 'contract.not-finite', tensor: 'x', value: NaN, threshold: Infinity };
    const written = encodeEvent({ ...event, type: 'input.finding', findings: [finding] });
    expect(decodeEvent(throughCbor(written))).toMatchObject({
      ok: true,
      value: { findings: [{ code: 'contract.not-finite', tensor: 'x' }] },
    });
  });

  it('bounds texts and lists when it writes', () => {
    const written = encodeEvent({
      type: 'anomaly.novelty',
      frame: 1,
      verdict: 'flag',
      bundleDigest: new Uint8Array(32),
      findings: Array.from({ length: 40 }, () => ({ code: 'x'.repeat(100) })),
    });
    const read = decodeEvent(throughCbor(written));
    expect(read.ok && read.value.type === 'anomaly.novelty' && read.value.findings).toEqual(
      Array.from({ length: 16 }, () => ({ code: 'x'.repeat(64) })),
    );
  });

  it('refuses a missing, foreign or unknown member and an unknown type', () => {
    expect(damage(encodeEvent(event), decodeEvent)).toEqual([]);
    expect(decodeEvent(changed(encodeEvent(event), ['type', 'anomaly.unheard']))).toMatchObject({
      ok: false,
      fault: { code: 'field.range' },
    });
  });

  it('is total', () => {
    fc.assert(
      fc.property(anyCbor, (value) => {
        expect(decodeEvent(value).ok).toBe(false);
      }),
    );
  });
});

describe('birth', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(anyBirth, (sample) => {
        expect(decodeBirth(throughCbor(encodeBirth(sample)))).toEqual({ ok: true, value: sample });
      }),
    );
  });

  it('carries the claims under the numbers of RFC 9711, and private ones below -65536', () => {
    const claims = encodeBirth(birth);
    expect(claims.get(6)).toBe(birth.issuedAtSeconds);
    expect(claims.get(10)).toEqual(birth.nonce);
    expect(claims.get(256)).toEqual(birth.ueid);
    expect(claims.get(261)).toBe(3);
    expect(claims.get(265)).toBe(EAT_PROFILE);
    expect(claims.get(267)).toBe(12);
    expect(claims.get(268)).toEqual(birth.bootSeed);
    expect(claims.get(270)).toBe('edgeward');
    expect(claims.get(271)).toEqual(['0.1.0', 16384]);
    const registered = [6, 10, 256, 261, 265, 267, 268, 270, 271];
    for (const key of claims.keys()) {
      expect(registered.includes(key as number) || (key as number) < -65536).toBe(true);
    }
  });

  it('says that it is self-asserted, and nothing of secure boot or debug', () => {
    expect(encodeBirth(birth).get(-70009)).toBe('self-asserted');
    expect([...encodeBirth(birth).keys()]).not.toContain(262);
    expect([...encodeBirth(birth).keys()]).not.toContain(263);
  });

  it('refuses a missing, foreign or unknown claim; time, nonce and policy may be absent', () => {
    expect(damage(encodeBirth(birth), decodeBirth)).toEqual(['6', '10', '-70004']);
  });

  it.each([
    ['a UEID of another type', 256, new Uint8Array(33).fill(2)],
    ['a UEID of another length', 256, new Uint8Array(20).fill(1)],
    ['a version of another scheme', 271, ['1.0.0', 1]],
    ['a version without its scheme', 271, ['1.0.0']],
  ])('refuses %s', (_, key, value) => {
    expect(decodeBirth(changed(encodeBirth(birth), [key, value]))).toMatchObject({
      ok: false,
      fault: { code: 'telemetry.claim' },
    });
  });

  it.each([
    ['a long version', 271, ['x'.repeat(65), 16384]],
    ['a short nonce', 10, new Uint8Array(7)],
    ['a long nonce', 10, new Uint8Array(65)],
    ['another profile', 265, 'urn:uuid:00000000-0000-4000-8000-000000000000'],
  ])('refuses %s', (_, key, value) => {
    expect(decodeBirth(changed(encodeBirth(birth), [key, value]))).toMatchObject({
      ok: false,
      fault: { code: 'field.range' },
    });
  });

  it('is total', () => {
    fc.assert(
      fc.property(anyCbor, (value) => {
        expect(decodeBirth(value).ok).toBe(false);
      }),
    );
  });

  it('will not be written without a member that it needs', () => {
    const { mode: _, ...rest } = birth;
    expect(() => encodeBirth(rest as Birth)).toThrow(AssertionFailure);
  });
});

describe('health', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(anyHealth, (sample) => {
        const read = decodeHealth(throughCbor(encodeHealth(sample)));
        expect(read).toEqual({ ok: true, value: sample });
      }),
    );
  });

  it('refuses a missing, foreign or unknown member', () => {
    expect(damage(encodeHealth(health), decodeHealth)).toEqual([
      'latencyUs',
      'temperatureMilliC',
      'throttled',
    ]);
  });

  it('writes whole numbers in range, whatever a probe measured', () => {
    const odd = { ...health, memoryBytes: 1.5, uptimeMs: -3, temperatureMilliC: NaN };
    expect(decodeHealth(throughCbor(encodeHealth(odd)))).toMatchObject({
      ok: true,
      value: { memoryBytes: 1, uptimeMs: 0, temperatureMilliC: -273_150 },
    });
  });

  it('names its metrics and mirrors them as JSON', () => {
    const mirror = JSON.parse(
      new TextDecoder().decode(mirrorHealth('press_7', 1_790_000_000_000 as UnixMs, health)),
    );
    expect(mirror).toEqual({ v: 1, device: 'press_7', unixMs: 1_790_000_000_000, ...health });
    for (const name of HEALTH_METRICS) expect(mirror).toHaveProperty(name);
  });

  it('is total', () => {
    fc.assert(
      fc.property(anyCbor, (value) => {
        expect(decodeHealth(value).ok).toBe(false);
      }),
    );
  });
});
