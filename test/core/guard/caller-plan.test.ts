import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeCaller } from '../../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../../src/core/guard/caller-plan.ts';
import type { CallerSettings } from '../../../src/core/guard/caller-settings.ts';
import { type CallersState, NO_CALLERS } from '../../../src/core/guard/caller-state.ts';
import { settings } from './caller-frames.ts';
import { ms } from './frames.ts';

/** The times at which a caller who asks at `times` gets through. */
function admitted(rules: CallerSettings, times: readonly number[], name = 'a'): readonly number[] {
  let state = NO_CALLERS;
  return times.filter((at) => {
    const step = planCaller(state, rules, name, ms(at));
    if (step.findings.length > 0) expect(step.state).toBe(state);
    state = step.state;
    return step.findings.length === 0;
  });
}

const codeAt = (state: CallersState, rules: CallerSettings, at: number): string | undefined =>
  planCaller(state, rules, 'a', ms(at)).findings[0]?.code;

const gaps = fc.array(fc.oneof(fc.nat(5), fc.nat(3_000)), { minLength: 1, maxLength: 200 });
const timesOf = (steps: readonly number[]): number[] => {
  let at = 1e6;
  return steps.map((gap) => {
    at += gap;
    return at;
  });
};

describe('the rate of a caller', () => {
  it('is never above burst + perSecond T in any span, and never below it for who waits', () => {
    fc.assert(
      fc.property(
        gaps,
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        (steps, perSecond, burst) => {
          const rules = settings({ undeclared: { perSecond, burst, budget: 0 } });
          const times = timesOf(steps);
          const passed = admitted(rules, times);
          for (let i = 0; i < passed.length; i++) {
            for (let j = i; j < passed.length; j++) {
              const spanS = ((passed[j] as number) - (passed[i] as number)) / 1000;
              expect(j - i + 1).toBeLessThanOrEqual(burst + perSecond * spanS + 1e-6);
            }
          }
          expect(passed.length).toBeGreaterThanOrEqual(Math.min(burst, times.length));
          const slow = times.map((_, i) => 1e6 + Math.ceil(1000 / perSecond + 1) * i);
          expect(admitted(rules, slow)).toEqual(slow);
        },
      ),
    );
  });

  it('says how long to wait, and that is enough', () => {
    const rules = settings({ undeclared: { perSecond: 0.5, burst: 1, budget: 0 } });
    const { state } = planCaller(NO_CALLERS, rules, 'a', ms(100));
    const [found] = planCaller(state, rules, 'a', ms(600)).findings;
    expect(found).toMatchObject({ code: 'caller.rate', check: 'caller', value: 1_500 });
    expect(found?.detail).toContain('again in 1.5 s');
    expect(codeAt(state, rules, 2_099)).toBe('caller.rate');
    expect(codeAt(state, rules, 2_100)).toBeUndefined();
  });

  it('gives nothing back for a clock that runs backwards', () => {
    const rules = settings({ undeclared: { perSecond: 1, burst: 1, budget: 0 } });
    expect(admitted(rules, [5_000, 0, 4_000, 5_999, 6_000, 0, 6_500])).toEqual([5_000, 6_000]);
  });
});

describe('the budget of a caller', () => {
  it('is exact in each period, which begins with its first query', () => {
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 30 }), (steps, budget) => {
        const undeclared = { perSecond: 1e6, burst: 1e6, budget };
        const rules = settings({ undeclared, budgetPeriodMs: 10_000 });
        const times = timesOf(steps);
        const passed = new Set(admitted(rules, times).map((_, i) => i));
        let start = Number.NEGATIVE_INFINITY;
        let used = 0;
        let count = 0;
        for (const at of times) {
          if (at - start >= 10_000) {
            start = at;
            used = 0;
          }
          if (used < budget) count += 1;
          used += 1;
        }
        expect(passed.size).toBe(count);
      }),
    );
  });

  it('is not used up by queries that were refused', () => {
    const undeclared = { perSecond: 1, burst: 1, budget: 2 };
    const rules = settings({ undeclared, budgetPeriodMs: 60_000 });
    expect(admitted(rules, [0, 1, 2, 3, 1_000, 2_000, 59_999, 60_000])).toEqual([0, 1_000, 60_000]);
    let state = NO_CALLERS;
    for (const at of [0, 1_000]) state = planCaller(state, rules, 'a', ms(at)).state;
    const [found] = planCaller(state, rules, 'a', ms(2_000)).findings;
    expect(found).toMatchObject({ code: 'caller.budget', value: 2, threshold: 2 });
  });

  it('of 0 is none', () => {
    const rules = settings({ undeclared: { perSecond: 1e6, burst: 1e6, budget: 0 } });
    const times = Array.from({ length: 5_000 }, (_, i) => i);
    expect(admitted(rules, times)).toHaveLength(5_000);
  });
});

describe('quarantine', () => {
  it('lasts as long as it is meant to, and costs neither tokens nor budget', () => {
    const undeclared = { perSecond: 1, burst: 2, budget: 1 };
    const rules = settings({ undeclared, quarantineMs: 5_000, kills: 1 });
    const { state, findings } = judgeCaller(
      NO_CALLERS,
      { settings: rules },
      'a',
      { killed: true },
      ms(1_000),
    );
    expect(findings).toMatchObject([{ code: 'caller.quarantined', value: 1, threshold: 1 }]);
    const [found] = planCaller(state, rules, 'a', ms(2_000)).findings;
    expect(found).toMatchObject({ code: 'caller.quarantined', value: 4_000 });
    expect(found?.detail).toBe('"a" is shut out for 4 s more');
    expect(codeAt(state, rules, 5_999)).toBe('caller.quarantined');
    const after = planCaller(state, rules, 'a', ms(6_000));
    expect(after.findings).toEqual([]);
    expect(codeAt(after.state, rules, 6_001)).toBe('caller.budget');
  });
});
