import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalGroups } from '../../../src/core/guard/output-groups.ts';
import {
  type ReconstructionPolicy,
  readReconstruction,
  reconstructionErrors,
  reconstructionMap,
  reconstructionScore,
} from '../../../src/core/guard/reconstruction.ts';
import { fitRanks, ranksMap, ranksScore } from '../../../src/core/guard/reference-ranks.ts';
import { codeOf, readBack } from './policy-map.ts';

const grouped = equalGroups(4, 2);
const policy: ReconstructionPolicy = {
  grouped,
  ranks: fitRanks(
    [
      [1, 2, 3, 4],
      [10, 20, 30, 40],
    ],
    'one',
  ),
};

describe('reconstructionErrors', () => {
  it('are the mean squares of each group', () => {
    expect(reconstructionErrors(grouped, [1, 2, 3, 4], [1, 4, 0, 0])).toEqual(
      Float64Array.of(2, 12.5),
    );
    const last = { values: 4, groups: { kind: 'channels-last', channels: 2 } } as const;
    expect(reconstructionErrors(last, [1, 2, 3, 4], [1, 4, 0, 0])).toEqual(
      Float64Array.of(4.5, 10),
    );
  });

  it('do not exist for other lengths, or what is not finite', () => {
    const x = [1, 2, 3, 4];
    expect(reconstructionErrors(grouped, x, [1, 2, 3])).toBeUndefined();
    expect(reconstructionErrors(grouped, [...x, 5], x)).toBeUndefined();
    expect(reconstructionErrors(grouped, x, [1, 2, 3, NaN])).toBeUndefined();
    expect(reconstructionErrors(grouped, [Infinity, 2, 3, 4], x)).toBeUndefined();
    expect(reconstructionErrors(grouped, x, [1e200, 2, 3, 4])).toBeUndefined();
  });
});

describe('reconstructionScore', () => {
  it('fuses the groups', () => {
    const score = reconstructionScore(policy, [0, 0, 0, 0], [1, 2, 6, 2]);
    expect(score).toBeCloseTo(ranksScore(policy.ranks, [2.5, 20]), 12);
    expect(score).toBeCloseTo(2 * Math.log(2.5 / 5) + 2 * Math.log(3 / 5), 12);
  });

  it('sees one group that is far out beside one that is well', () => {
    const usual = reconstructionScore(policy, [0, 0, 0, 0], [1, 1, 3, 3]);
    const strange = reconstructionScore(policy, [0, 0, 0, 0], [9, 9, 0, 0]);
    expect(strange).toBeLessThan(usual - 10);
  });

  it('is -Infinity for what it cannot judge, and never NaN or above 0', () => {
    expect(reconstructionScore(policy, [], [])).toBe(-Infinity);
    const four = fc.array(fc.float(), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(four, four, (input, output) => {
        const score = reconstructionScore(policy, input, output);
        expect(score).toBeLessThanOrEqual(0);
        if (![...input, ...output].every(Number.isFinite)) expect(score).toBe(-Infinity);
      }),
    );
  });
});

describe('a reconstruction policy as bytes', () => {
  it('comes back as it was', () => {
    expect(readBack(reconstructionMap(policy), readReconstruction)).toEqual({
      ok: true,
      value: policy,
    });
  });

  const [sorted] = policy.ranks.sorted as [Float64Array];
  it.each([
    ['two sides', 'field.range', { ranks: ranksMap({ ...policy.ranks, sides: 'two' }) }],
    ['a column too few', 'policy.length', { ranks: ranksMap({ sides: 'one', sorted: [sorted] }) }],
    ['no groups', 'field.type', { groups: 1 }],
    ['a hidden member', 'field.unknown', { more: 1 }],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(reconstructionMap(policy), readReconstruction, changes)).toBe(code);
  });
});
