import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalGroups } from '../../../src/core/guard/output-groups.ts';
import { fitRanks, ranksMap, ranksScore } from '../../../src/core/guard/reference-ranks.ts';
import {
  type RegressionPolicy,
  readRegression,
  regressionCount,
  regressionMap,
  regressionScore,
  regressionStatistics,
} from '../../../src/core/guard/regression.ts';
import { codeOf, readBack } from './policy-map.ts';

/** Two values together, one alone. */
const grouped = { values: 3, groups: { kind: 'ranges', ends: [2, 3] } } as const;
const columns = [
  [1, 2, 3, 4, 5],
  [-2, -1, 0, 1, 2],
  [0.1, 0.2, 0.3, 0.4, 0.5],
];
const policy: RegressionPolicy = { grouped, ranks: fitRanks(columns, 'two') };

describe('regressionStatistics', () => {
  it('are means, then deviations of groups of several values', () => {
    expect(regressionCount(grouped)).toBe(3);
    expect(regressionStatistics(grouped, [1, 3, 7])).toEqual(Float64Array.of(2, 7, 1));
    expect(regressionStatistics(equalGroups(3, 3), [1, 3, 7])).toEqual(Float64Array.of(1, 3, 7));
    const last = { values: 4, groups: { kind: 'channels-last', channels: 2 } } as const;
    expect(regressionStatistics(last, [1, 10, 3, 10])).toEqual(Float64Array.of(2, 10, 1, 0));
  });

  it('do not exist for another length, or what is not finite', () => {
    for (const output of [
      [1, 2],
      [1, 2, 3, 4],
      [1, NaN, 3],
      [1, 2, Infinity],
      [1e200, -1e200, 0],
    ]) {
      expect(regressionStatistics(grouped, output)).toBeUndefined();
    }
  });
});

describe('regressionScore', () => {
  it('finds values too low and too high', () => {
    const usual = regressionScore(policy, [2.7, 3.3, 0]);
    expect(usual).toBeCloseTo(ranksScore(policy.ranks, [3, 0, 0.3]), 9);
    for (const output of [
      [2.7, 3.3, 9],
      [2.7, 3.3, -9],
      [13, 13.6, 0],
      [-7, 13, 0],
      [3, 3, 0],
    ]) {
      expect(regressionScore(policy, output)).toBeLessThan(usual - 1);
    }
  });

  it('is -Infinity for what it cannot judge, and never NaN or above 0', () => {
    expect(regressionScore(policy, [])).toBe(-Infinity);
    fc.assert(
      fc.property(fc.array(fc.float(), { minLength: 3, maxLength: 3 }), (output) => {
        const score = regressionScore(policy, output);
        expect(score).toBeLessThanOrEqual(0);
        if (!output.every(Number.isFinite)) expect(score).toBe(-Infinity);
      }),
    );
  });
});

describe('a regression policy as bytes', () => {
  it('comes back as it was', () => {
    expect(readBack(regressionMap(policy), readRegression)).toEqual({ ok: true, value: policy });
  });

  it.each([
    ['one side', 'field.range', { ranks: ranksMap({ ...policy.ranks, sides: 'one' }) }],
    ['a deviation too few', 'policy.length', { ranks: ranksMap(fitRanks([[1], [2]], 'two')) }],
    ['a hidden member', 'field.unknown', { more: 1 }],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(regressionMap(policy), readRegression, changes)).toBe(code);
  });
});
