/** The parts of a policy beside novelty: which recordings give which, and from which rows. */
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { type CalibrationInput, fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { splitHalves } from '../../../src/core/calibration/split.ts';
import type { InputPolicy } from '../../../src/core/guard/input-policy.ts';
import { statisticsScore } from '../../../src/core/guard/input-statistics.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { wholeInput } from '../guard/whole-model.ts';

const INPUT = wholeInput();
const fitted = (change: Partial<CalibrationInput> = {}): GuardPolicy =>
  need(fitGuardPolicy({ ...INPUT, ...change }));
const WHOLE = fitted();
const { input: _, probed: __, drift: ___, ...bare } = INPUT;
const parts = (policy: GuardPolicy): readonly string[] =>
  (['input', 'perturbation', 'drift', 'callers'] as const).filter((part) => policy[part]);
const STATISTICS = INPUT.input as NonNullable<CalibrationInput['input']>;

describe('the parts of a policy', () => {
  it.each([
    ['nothing else', bare, ['callers'], ['novelty']],
    ['statistics', { ...bare, input: INPUT.input }, ['input', 'callers'], ['input', 'novelty']],
    [
      'smoothed rows',
      { ...bare, probed: INPUT.probed },
      ['perturbation', 'callers'],
      ['novelty', 'perturbation'],
    ],
    ['drift', { ...bare, drift: INPUT.drift }, ['drift', 'callers'], ['novelty']],
  ] as const)('are those that %s were recorded for', (_words, given, wanted, checks) => {
    const policy = need(fitGuardPolicy(given as CalibrationInput));
    expect(parts(policy)).toEqual(wanted);
    expect(Object.keys(policy.checks.scales)).toEqual(checks);
    const shares = Object.values(policy.checks.scales).map(({ share }) => share);
    expect(shares).toEqual(checks.map(() => 1 / checks.length));
    for (const check of checks) expect(policy.promise.statement).toContain(check);
  });

  it('compare no callers without features', () => {
    const alone = ({ logits, sha256 }: CalibrationInput['fit']) => ({ logits, sha256 });
    const policy = fitted({
      outputs: { scores: 'logits' },
      fit: alone(INPUT.fit),
      calibration: alone(INPUT.calibration),
    });
    expect(policy.detection).toBe('reduced');
    expect(parts(policy)).toEqual(['input', 'perturbation', 'drift']);
  });

  it('score calibration rows by what scores frames, on half B as on half A', () => {
    const { b } = splitHalves(118);
    const scores = Float64Array.from(b, (row) =>
      statisticsScore(WHOLE.input as InputPolicy, STATISTICS.calibration[row] as Float64Array),
    ).sort();
    expect(WHOLE.checks.scales.input?.halfB).toEqual(scores);
  });

  it('learn from no row of half B what the threshold is held against', () => {
    const { b } = splitHalves(118);
    const strange = STATISTICS.calibration.map((values, row) =>
      b.includes(row) ? (values as Float64Array).map((value) => value * 1.5) : values,
    );
    const other = fitted({ input: { ...STATISTICS, calibration: strange } });
    expect(other.input).toEqual(WHOLE.input);
    expect(other.perturbation).toEqual(WHOLE.perturbation);
    expect(other.checks.scales.input?.halfA).toEqual(WHOLE.checks.scales.input?.halfA);
    expect(other.checks.scales.input?.halfB).not.toEqual(WHOLE.checks.scales.input?.halfB);
    expect(other.checks.threshold).toBeLessThan(WHOLE.checks.threshold);
  });

  it('count every answer of the calibration set, and no class where not asked to', () => {
    const counts = WHOLE.drift?.classCounts ?? [];
    expect(counts).toHaveLength(3);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(118);
    const { drift } = fitted({ drift: { alpha: 0.05, classes: false } });
    expect(drift).toMatchObject({ alpha: 0.05, bankRows: 59, frequencies: undefined });
  });

  it('follow the shares that are given', () => {
    const shares = { input: 0.125, novelty: 0.625, perturbation: 0.25 };
    const { checks } = fitted({ shares });
    for (const [check, share] of Object.entries(shares)) {
      expect(checks.scales[check as keyof typeof shares]?.share).toBe(share);
    }
    // A smaller share makes the same score look more usual.
    expect(checks.threshold).not.toBe(WHOLE.checks.threshold);
  });

  it('take rows that a sensor check stops for alarms of the budget', () => {
    const { a, b } = splitHalves(118);
    expect(fitted({ stopped: new Set(a) })).toEqual(WHOLE);
    const one = fitGuardPolicy({ ...INPUT, stopped: new Set([b[0] as number]) });
    // Rank 1 of 59 rows has no row to spare.
    expect(one).toMatchObject({ ok: false, fault: { code: 'calibration.stopped' } });
    const spare = { falseAlarms: 0.2, stopped: new Set([b[0] as number]) };
    const { checks } = fitted(spare);
    expect(checks.rank).toBe(fitted({ falseAlarms: 0.2 }).checks.rank);
    expect(checks.threshold).toBeLessThanOrEqual(fitted({ falseAlarms: 0.2 }).checks.threshold);
    expect(checks.halfB[0]).toBe(-1e9);
  });
});
