import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt, need } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { PROBE_SAMPLING_MAX, PROBES_PER_MINUTE_MAX } from '../../../src/core/base/limits.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { logP } from '../../../src/core/guard/conformal.ts';
import { doublesToBytes } from '../../../src/core/guard/doubles.ts';
import {
  askProbe,
  countProbe,
  DEFAULT_PROBE_SETTINGS,
  instability,
  PERTURBATION_LIMITS,
  type PerturbationPolicy,
  type ProbeFrame,
  type ProbeSettings,
  type ProbeState,
  perturbationMap,
  perturbationScore,
  probesAtStart,
  readPerturbation,
  wantsProbe,
} from '../../../src/core/guard/perturbation.ts';

const ms = (value: number): MonotonicMs => value as MonotonicMs;
const key = Uint8Array.from({ length: 32 }, (_, i) => i);
const atStart = probesAtStart(key, ms(0));
const settings: ProbeSettings = {
  when: 'both',
  riskP: 0.1,
  sampleEvery: 20,
  probesPerMinute: 60,
};
const policy: PerturbationPolicy = {
  ...settings,
  kind: 'median-2x2',
  stability: Float64Array.of(-1.9, -0.5, -0.25, -1e-9, 0),
};

describe('instability', () => {
  it('is the L1 distance of the softmax outputs', () => {
    expect(instability([1, 2, 3], [1, 2, 3])).toBe(0);
    // softmax(0, ln 3) = (1/4, 3/4); softmax(0, 0) = (1/2, 1/2).
    expect(instability([0, Math.log(3)], [0, 0])).toBeCloseTo(0.5, 12);
    expect(instability([0, 800], [800, 0])).toBe(2);
    expect(instability([5], [-5])).toBe(0);
    // The sum of these shares rounds up.
    const low = [-900, -900, -900];
    expect(instability([1.8, 1.9, 0.3, ...low], [...low, 1.8, 1.9, 0.3])).toBe(2);
  });

  it('ignores what softmax ignores, is symmetric and never above 2', () => {
    const logits = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(logits, logits, fc.integer({ min: -99, max: 99 }), (before, drawn, shift) => {
        const after = before.map((_, i) => drawn[i % drawn.length] as number);
        const distance = instability(before, after);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(distance).toBeLessThanOrEqual(2);
        expect(instability(after, before)).toBeCloseTo(distance, 12);
        const shifted = before.map((z) => z + shift);
        expect(instability(shifted, after)).toBeCloseTo(distance, 9);
      }),
    );
  });

  it('is infinite for what cannot be compared', () => {
    const good = [1, 2, 3];
    for (const bad of [
      [],
      [1, 2],
      [1, 2, 3, 4],
      [1, NaN, 3],
      [1, Infinity, 3],
      [1, -Infinity, 3],
    ]) {
      expect(instability(good, bad)).toBe(Infinity);
      expect(instability(bad, good)).toBe(Infinity);
    }
    expect(instability([], [])).toBe(Infinity);
    expect(instability([NaN], [NaN])).toBe(Infinity);
    const low = [-Infinity, -Infinity];
    expect(instability(low, low)).toBe(Infinity);
  });
});

describe('the score of a probed frame', () => {
  const halfA = Float64Array.of(-40, -30, -20, -10);

  it('is the smaller of the two ln p', () => {
    const steady = logP(policy.stability, -0.1);
    expect(perturbationScore(policy, 0.1, undefined)).toBe(steady);
    expect(perturbationScore(policy, 0.1, { halfA, score: -10 })).toBe(steady);
    const strange = logP(halfA, -60);
    expect(strange).toBeLessThan(steady);
    expect(perturbationScore(policy, 0.1, { halfA, score: -60 })).toBe(strange);
  });

  it('is -Infinity when it cannot be told', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(perturbationScore(policy, bad, undefined)).toBe(-Infinity);
      expect(perturbationScore(policy, bad, { halfA, score: -10 })).toBe(-Infinity);
      expect(perturbationScore(policy, 0, { halfA, score: bad })).toBe(-Infinity);
    }
  });

  it('falls as the answer gets less steady or the companion stranger, and stays a number', () => {
    const unstable = fc.double({ min: 0, max: 2, noNaN: true });
    const score = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(unstable, unstable, score, score, (u1, u2, s1, s2) => {
        const [calm, shaky] = [Math.min(u1, u2), Math.max(u1, u2)];
        const [strange, usual] = [Math.min(s1, s2), Math.max(s1, s2)];
        const best = perturbationScore(policy, calm, { halfA, score: usual });
        const worst = perturbationScore(policy, shaky, { halfA, score: strange });
        expect(worst).toBeLessThanOrEqual(best);
        expect(best).toBeLessThanOrEqual(0);
        expect(Number.isFinite(worst)).toBe(true);
      }),
    );
  });
});

describe('asking for a probe', () => {
  const usual: ProbeFrame = { noveltyP: 0.5, nowMs: ms(0), frame: 1 };

  it('on risk: below the quantile, and when p is unknown', () => {
    const risk: ProbeSettings = { ...settings, when: 'risk' };
    const answers = [0.01, 0.0999, 0.1, 0.5, 1, NaN].map((noveltyP) =>
      askProbe(risk, atStart, { ...usual, noveltyP }),
    );
    expect(answers).toEqual(['risk', 'risk', 'no', 'no', 'no', 'risk']);
  });

  it('sampled: about one in N, whatever the novelty, and each frame for itself', () => {
    const sampled: ProbeSettings = { ...settings, when: 'sampled' };
    const chosen = framesAsked(sampled, atStart, 20_000, 0.001);
    // 1,000 expected, with a standard deviation of 31.
    expect(Math.abs(chosen.length - 1000)).toBeLessThan(150);
    const gaps = new Set(chosen.slice(1).map((frame, i) => frame - (chosen[i] as number)));
    expect(gaps.size).toBeGreaterThan(30);
    expect(askProbe(sampled, atStart, { ...usual, frame: chosen[0] as number })).toBe('sampled');
  });

  it('sampled: the choice follows from the key alone', () => {
    const sampled: ProbeSettings = { ...settings, when: 'sampled' };
    const chosen = framesAsked(sampled, atStart, 2000);
    expect(framesAsked(sampled, probesAtStart(key.slice(), ms(9)), 2000)).toEqual(chosen);
    const other = framesAsked(
      sampled,
      probesAtStart(
        key.map((byte) => byte ^ 1),
        ms(0),
      ),
      2000,
    );
    const both = chosen.filter((frame) => other.includes(frame)).length;
    // Independent choices share one in N of those 100.
    expect(both).toBeLessThan(25);
  });

  it('both: risk comes first, and 1 in 1 is every frame', () => {
    expect(askProbe(settings, atStart, { ...usual, noveltyP: 0.01 })).toBe('risk');
    expect(framesAsked({ ...settings, sampleEvery: 1 }, atStart, 50)).toHaveLength(50);
  });

  it('refuses a sampling key that could be guessed', () => {
    expect(() => probesAtStart(new Uint8Array(15), ms(0))).toThrow('16 bytes');
  });

  it('is pure: nothing but `countProbe` spends, and it leaves the old state as it was', () => {
    const frame = { ...usual, noveltyP: 0 };
    for (let i = 0; i < 100; i++) expect(wantsProbe(settings, atStart, frame)).toBe(true);
    const later = countProbe(settings, atStart, ms(5));
    expect(later).toEqual({ key, spent: 1, atMs: 5 });
    expect(atStart.spent).toBe(0);
  });

  it('says so when the budget is spent, and grants again as it comes back', () => {
    const risk: ProbeSettings = { ...settings, when: 'risk', probesPerMinute: 6 };
    let state = atStart;
    const answers: string[] = [];
    // A frame every 2.5 s for two minutes, all at risk.
    for (let at = 0; at < 120_000; at += 2500) {
      const frame = { noveltyP: 0, nowMs: ms(at), frame: at };
      answers.push(askProbe(risk, state, frame));
      if (wantsProbe(risk, state, frame)) state = countProbe(risk, state, frame.nowMs);
    }
    expect(answers.slice(0, 8)).toEqual([...new Array<string>(7).fill('risk'), 'over-budget']);
    // 6 at once, and 6 a minute after that.
    expect(answers.filter((answer) => answer === 'risk')).toHaveLength(6 + 11);
  });

  it('never grants more than the budget of the time and of one minute, whatever the clock says', () => {
    const times = fc.array(fc.oneof(fc.integer({ min: -1e6, max: 1e6 }), fc.constant(NaN)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 9 }), (moments, probesPerMinute) => {
        const risk: ProbeSettings = { ...settings, when: 'risk', probesPerMinute };
        let state: ProbeState = atStart;
        let granted = 0;
        for (const at of moments) {
          const frame = { noveltyP: 0, nowMs: ms(at), frame: 0 };
          if (!wantsProbe(risk, state, frame)) continue;
          granted += 1;
          state = countProbe(risk, state, frame.nowMs);
        }
        const allowed = probesPerMinute + (state.atMs * probesPerMinute) / 60_000;
        expect(granted).toBeLessThanOrEqual(allowed + 1e-6);
      }),
    );
  });
});

describe('the policy of the tripwire as bytes', () => {
  const bytes = encodeCbor(perturbationMap(policy));

  it('comes back as it was', () => {
    expect(need(read(bytes))).toEqual(policy);
    const defaults = { ...policy, ...DEFAULT_PROBE_SETTINGS, kind: 'median-3' } as const;
    expect(need(read(encodeCbor(perturbationMap(defaults))))).toEqual(defaults);
  });

  const cases: [string, string, string, CborValue][] = [
    ['names another filter', 'field.range', 'kind', 'median-5'],
    ['asks at another time', 'field.range', 'when', 'never'],
    ['finds no frame at risk', 'field.range', 'risk-p', 0],
    ['has a p above 1', 'field.range', 'risk-p', 1.1],
    ['samples never', 'field.range', 'sample-every', PROBE_SAMPLING_MAX + 1],
    ['samples 1 in 0', 'field.range', 'sample-every', 0],
    ['samples 1 in 2.5', 'field.type', 'sample-every', 2.5],
    ['has no budget', 'field.range', 'probes-per-minute', 0],
    ['has any budget', 'field.range', 'probes-per-minute', PROBES_PER_MINUTE_MAX + 1],
    ['hides a member', 'field.unknown', 'backdoor', true],
    ['has no numbers', 'field.type', 'stability', 'calm'],
    ['has a number too few', 'policy.length', 'stability', numbers(-1, -0.5, -0.1, 0)],
    ['has half a number', 'policy.length', 'stability', new Uint8Array(39)],
    ['says NaN', 'policy.values', 'stability', numbers(-1, -0.5, NaN, -0.1, 0)],
    ['is steadier than can be', 'policy.values', 'stability', numbers(-1, -0.5, -0.1, 0, 0.1)],
    ['is less steady than can be', 'policy.values', 'stability', numbers(-2.1, -1, -0.1, 0, 0)],
    ['is unsorted', 'policy.order', 'stability', numbers(-1, -0.5, -0.6, -0.1, 0)],
    ['never varies', 'policy.order', 'stability', numbers(-1, -1, -1, -0.1, 0)],
  ];
  it.each(cases)('that %s is refused with %s', (_, code, name, value) => {
    const map = new Map(perturbationMap(policy)).set(name, value);
    expect(read(encodeCbor(map))).toMatchObject({ ok: false, fault: { code } });
  });

  it('with a member left out, with no rows, or cut short is refused', () => {
    for (const name of perturbationMap(policy).keys()) {
      const map = new Map(perturbationMap(policy));
      map.delete(name);
      expect(read(encodeCbor(map))).toMatchObject({ ok: false, fault: { code: 'field.missing' } });
    }
    const none = new Map(perturbationMap(policy)).set('stability', new Uint8Array());
    expect(read(encodeCbor(none), 0)).toMatchObject({
      ok: false,
      fault: { code: 'policy.values' },
    });
    for (let length = 0; length < bytes.length; length++) {
      expect(read(bytes.subarray(0, length)).ok).toBe(false);
    }
  });

  it('with any byte changed is refused, or asks and scores without a crash', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const damaged = bytes.slice();
        damaged[place] = (damaged[place] as number) ^ flip;
        const result = read(damaged);
        if (!result.ok) return;
        accepted += 1;
        for (const unstable of [0, 1, 2]) {
          expect(perturbationScore(result.value, unstable, undefined)).toBeLessThanOrEqual(0);
        }
        const frame = { noveltyP: 0, nowMs: ms(0), frame: 1 };
        expect(typeof wantsProbe(result.value, atStart, frame)).toBe('boolean');
      }),
      { numRuns: 1000, seed: 5 },
    );
    expect(accepted).toBeGreaterThan(10);
  });
});

describe('what is said about the tripwire', () => {
  it('calls it a tripwire and promises no protection', () => {
    expect(PERTURBATION_LIMITS).toContain('a tripwire, not protection');
    expect(PERTURBATION_LIMITS).toContain('not shown to be clean');
  });
});

function framesAsked(
  asked: ProbeSettings,
  state: ProbeState,
  frames: number,
  noveltyP: number = 0.5,
): number[] {
  const numbered = Array.from({ length: frames }, (_, frame) => frame);
  return numbered.filter((frame) => wantsProbe(asked, state, { noveltyP, nowMs: ms(0), frame }));
}

function read(bytes: Uint8Array, rows: number = 5): ReturnType<typeof attempt<PerturbationPolicy>> {
  return attempt(() => readPerturbation(Fields.of('perturbation', need(decodeCbor(bytes))), rows));
}

function numbers(...values: number[]): Uint8Array {
  return doublesToBytes(Float64Array.from(values));
}
