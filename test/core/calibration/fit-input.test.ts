import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import {
  INPUT_REFERENCE_VALUES_MAX,
  REFERENCE_QUANTILES_MAX,
  TABLE_COLUMNS_MAX,
} from '../../../src/core/base/limits.ts';
import { fitInput, REFERENCE_ROWS_MIN } from '../../../src/core/calibration/fit-input.ts';
import { pValue } from '../../../src/core/guard/conformal.ts';
import { statisticsScore } from '../../../src/core/guard/input-statistics.ts';
import { randomNumbers } from './simulated.ts';

const table = (columns: number) => ({ kind: 'table', columns }) as const;

function rows(count: number, columns: number, seed = 1): Float64Array[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: columns }, () => random()),
  );
}

describe('fitting the input statistics', () => {
  it('keeps each statistic sorted, with its ends, and no frame', () => {
    const given = rows(50, 2);
    const policy = need(fitInput('x', table(2), given));
    expect(policy).toMatchObject({ input: 'x', layout: table(2), ranks: { sides: 'two' } });
    for (const j of [0, 1]) {
      const column = Float64Array.from(given, (row) => row[j] as number).sort();
      expect(policy.ranks.sorted[j]).toEqual(column);
    }
  });

  it('is bounded: quantiles of many frames, fewer frames of a wide table', () => {
    const many = need(fitInput('x', table(1), rows(5_000, 1)));
    expect(many.ranks.sorted[0]).toHaveLength(REFERENCE_QUANTILES_MAX);
    const wide = need(fitInput('x', table(TABLE_COLUMNS_MAX), rows(600, TABLE_COLUMNS_MAX)));
    const kept = wide.ranks.sorted[0]?.length ?? 0;
    expect(kept * TABLE_COLUMNS_MAX).toBeLessThanOrEqual(INPUT_REFERENCE_VALUES_MAX);
    expect(kept).toBeGreaterThanOrEqual(200);
  });

  it('gives scores whose rank among fresh ones is uniform', () => {
    const policy = need(fitInput('x', table(5), rows(500, 5)));
    const score = (row: Float64Array): number => statisticsScore(policy, row);
    const half = Float64Array.from(rows(999, 5, 2), score).sort();
    const alarms = rows(4_000, 5, 3).filter((row) => pValue(half, score(row)) <= 0.05).length;
    // 5% of 4,000, and five standard deviations of the draw of both sets.
    expect(Math.abs(alarms / 4_000 - 0.05)).toBeLessThan(0.039);
    expect(alarms).toBeGreaterThan(0);
  });

  it('refuses too few frames, and says how many it needs', () => {
    const result = fitInput('x', table(2), rows(REFERENCE_ROWS_MIN - 1, 2));
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.fit-rows' } });
    expect(fitInput('x', table(2), []).ok).toBe(false);
    expect(fitInput('x', table(2), rows(REFERENCE_ROWS_MIN, 2)).ok).toBe(true);
  });

  it.each<[string, Float64Array | undefined]>([
    ['could not be measured', undefined],
    ['has a statistic too few', Float64Array.of(1)],
    ['has NaN', Float64Array.of(1, NaN)],
    ['is infinite', Float64Array.of(-Infinity, 1)],
  ])('refuses a frame that %s, and names its row', (_, bad) => {
    const result = fitInput('cam', table(2), [...rows(30, 2), bad, ...rows(5, 2)]);
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.values' } });
    expect(result.ok ? '' : result.fault.message).toContain('row 30 of "cam"');
  });

  it('refuses a recording that never varies, but not one constant statistic', () => {
    const stuck = Array.from({ length: 40 }, () => Float64Array.of(3, 0));
    const result = fitInput('x', table(2), stuck);
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.constant' } });
    const half = rows(40, 2).map((row) => Float64Array.of(row[0] as number, 7));
    const policy = need(fitInput('x', table(2), half));
    const usual = statisticsScore(policy, Float64Array.of(0.5, 7));
    expect(statisticsScore(policy, Float64Array.of(0.5, 8))).toBeLessThan(usual - 10);
  });
});
