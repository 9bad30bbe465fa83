import { describe, expect, it } from 'vitest';
import { CALLERS_DECLARED_MAX, CALLERS_MAX } from '../../../src/core/base/limits.ts';
import { judgeCaller } from '../../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../../src/core/guard/caller-plan.ts';
import { type CallersState, NO_CALLERS } from '../../../src/core/guard/caller-state.ts';
import { nudged, REFERENCE, settings, usualFrames } from './caller-frames.ts';
import { ms } from './frames.ts';

const declared = { kind: 'query', perSecond: 1, burst: 5, budget: 0 } as const;
const SETTINGS = settings({
  principals: new Map([['app', declared]]),
  undeclared: { perSecond: 1, burst: 3, budget: 0 },
  kills: 1,
});

/** Everybody asks once at the same time; who was let through. */
function askAll(
  state: CallersState,
  names: readonly string[],
): { readonly state: CallersState; readonly passed: readonly string[] } {
  let now = state;
  const passed = names.filter((name) => {
    const step = planCaller(now, SETTINGS, name, ms(0));
    now = step.state;
    return step.findings.length === 0;
  });
  return { state: now, passed };
}

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('the table of callers', () => {
  it('has room for strangers when as many as may be are declared', () => {
    expect(CALLERS_DECLARED_MAX).toBeLessThan(CALLERS_MAX);
  });

  it('is bounded, and newcomers without a place share one bucket', () => {
    const { state, passed } = askAll(NO_CALLERS, names('n', 1_000));
    // All but the place of the declared one, and three of everybody else.
    expect(state.records.size).toBe(CALLERS_MAX - 1);
    expect(passed).toHaveLength(CALLERS_MAX - 1 + 3);
    expect(askAll(state, names('m', 1_000)).passed).toEqual([]);
  });

  it('keeps a place for who is declared', () => {
    const full = askAll(NO_CALLERS, names('n', 1_000)).state;
    const { state, passed } = askAll(full, Array<string>(9).fill('app'));
    expect(passed).toHaveLength(5);
    expect(state.records.size).toBe(CALLERS_MAX);
  });

  it('lets nobody reset his own record by a flood of names', () => {
    const quarantined = judgeCaller(
      askAll(NO_CALLERS, ['bad']).state,
      { settings: SETTINGS },
      'bad',
      { killed: true },
      ms(0),
    ).state;
    const record = quarantined.records.get('bad');
    const flooded = askAll(quarantined, names('n', 10_000)).state;
    expect(flooded.records.get('bad')).toBe(record);
    expect(planCaller(flooded, SETTINGS, 'bad', ms(1)).findings).toMatchObject([
      { code: 'caller.quarantined' },
    ]);
  });

  it('shares guilt as well: evidence against one of those who share is against all', () => {
    let state = askAll(NO_CALLERS, names('n', 1_000)).state;
    const next = usualFrames(3);
    const start = next();
    const chance = usualFrames(4);
    const rules = { settings: SETTINGS, reference: REFERENCE };
    let found: readonly string[] = [];
    for (let i = 0; i < 100 && found.length === 0; i++) {
      const frame = nudged(start, () => (chance().noveltyP ?? 0) as number);
      const step = judgeCaller(state, rules, `late${i}`, frame, ms(i));
      state = step.state;
      found = step.findings.map(({ code }) => code);
    }
    expect(found).toContain('caller.probing');
    expect(planCaller(state, SETTINGS, 'later', ms(200)).findings).toMatchObject([
      { code: 'caller.quarantined' },
    ]);
    expect(planCaller(state, SETTINGS, 'n0', ms(200)).findings).toEqual([]);
  });

  it('gives no record to a name that cannot be written down', () => {
    const { state } = askAll(NO_CALLERS, ['', 'x'.repeat(129), 'a\ud800']);
    expect(state.records.size).toBe(0);
    expect(state.shared).toBeDefined();
  });
});
