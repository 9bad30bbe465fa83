import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DetectionLayout,
  type DetectionPolicy,
  detectionMap,
  detectionNames,
  detectionScore,
  detectionStatistics,
  layoutProblem,
  readDetection,
} from '../../../src/core/guard/detection-summary.ts';
import { fitRanks, ranksMap, ranksScore } from '../../../src/core/guard/reference-ranks.ts';
import { codeOf, readBack } from './policy-map.ts';

/** Three candidates; nothing, cat or dog. */
const layout: DetectionLayout = {
  candidates: 3,
  classes: 3,
  background: 0,
  threshold: 0.5,
  boxes: 'corners',
};
const scores = [0.1, 0.8, 0.1, 0.9, 0.04, 0.06, 0.2, 0.3, 0.5];
const boxes = [0, 0, 2, 3, 0, 0, 9, 9, 1, 1, 2, 2];
const columns = [0, 1, 2, 3, 4, 5].map((j) =>
  Array.from({ length: 9 }, (_, i) => i * 0.5 * (j + 1)),
);
const policy: DetectionPolicy = { layout, ranks: fitRanks(columns, 'two') };

describe('detectionStatistics', () => {
  it('are count, mass, areas and classes', () => {
    expect(detectionNames(layout)).toEqual([
      'count',
      'score mass',
      'area sum',
      'area mean',
      'count of class 1',
      'count of class 2',
    ]);
    const statistics = detectionStatistics(layout, scores, boxes) as Float64Array;
    expect(statistics[1]).toBeCloseTo(0.8 + 0.06 + 0.5, 12);
    expect([...statistics].toSpliced(1, 1)).toEqual([2, 7, 3.5, 1, 1]);
  });

  it('read boxes about their centre, and take those turned inside out for empty', () => {
    const centre = { ...layout, boxes: 'centre' } as const;
    expect(detectionStatistics(centre, scores, boxes)?.[2]).toBe(2 * 3 + 2 * 2);
    const turned = [2, 3, 0, 0, 0, 0, 9, 9, 1, 1, 2, -2];
    expect(detectionStatistics(layout, scores, turned)?.[2]).toBe(0);
    expect(detectionStatistics(centre, scores, turned)?.[2]).toBe(0);
  });

  it('of a frame without objects are zeros beside the mass', () => {
    const nothing = scores.map((score) => score / 2);
    expect(detectionStatistics(layout, nothing, boxes)).toEqual(
      Float64Array.of(0, 0.68, 0, 0, 0, 0),
    );
  });

  it('count one class of objects once, and every column without a background', () => {
    const face = {
      candidates: 2,
      classes: 2,
      background: 1,
      threshold: 0,
      boxes: 'corners',
    } as const;
    expect(detectionNames(face)).toHaveLength(4);
    expect(detectionStatistics(face, [1, 5, -1, 7], new Float32Array(8))).toEqual(
      Float64Array.of(1, 0, 0, 0),
    );
    const { background: _, ...all } = layout;
    expect(detectionNames(all)).toHaveLength(7);
    expect(detectionStatistics(all, scores, boxes)?.[0]).toBe(3);
  });

  it('do not exist for other lengths, or what is not finite, counted or not', () => {
    const at = (values: number[], i: number, value: number): number[] => values.with(i, value);
    const bad: [number[], number[]][] = [
      [scores.slice(1), boxes],
      [scores, [...boxes, 0]],
      [[], []],
      [at(scores, 3, NaN), boxes],
      [at(scores, 0, -Infinity), boxes],
      [scores, at(boxes, 5, NaN)],
      [scores, at(boxes, 7, Infinity)],
      [scores, at(at(boxes, 2, 1e200), 3, 1e200)],
    ];
    for (const [z, b] of bad) {
      expect(detectionStatistics(layout, z, b)).toBeUndefined();
      expect(detectionScore(policy, z, b)).toBe(-Infinity);
    }
  });
});

describe('detectionScore', () => {
  it('is that of the statistics', () => {
    const statistics = detectionStatistics(layout, scores, boxes) as Float64Array;
    expect(detectionScore(policy, scores, boxes)).toBe(ranksScore(policy.ranks, statistics));
  });

  it('is never NaN or above 0', () => {
    const floats = (length: number): fc.Arbitrary<number[]> =>
      fc.array(fc.float(), { minLength: length, maxLength: length });
    fc.assert(
      fc.property(floats(9), floats(12), (z, b) => {
        const score = detectionScore(policy, z, b);
        expect(score).toBeLessThanOrEqual(0);
        if (![...z, ...b].every(Number.isFinite)) expect(score).toBe(-Infinity);
      }),
    );
  });
});

describe('a detection policy as bytes', () => {
  it('comes back as it was', () => {
    expect(readBack(detectionMap(policy), readDetection)).toEqual({ ok: true, value: policy });
    const { background: _, ...all } = layout;
    const without = {
      layout: all,
      ranks: fitRanks([...columns, [1, 2, 3, 4, 5, 6, 7, 8, 9]], 'two'),
    };
    expect(readBack(detectionMap(without), readDetection)).toEqual({ ok: true, value: without });
  });

  const other = (changes: object): object => ({
    layout: new Map(
      Object.entries({ ...layout, ...changes }).filter(([, value]) => value !== undefined),
    ),
  });
  it.each([
    ['no candidates', 'policy.values', other({ candidates: 0 })],
    ['more values than a tensor', 'policy.values', other({ candidates: 2 ** 25 })],
    ['only background', 'policy.values', other({ classes: 1 })],
    ['a background beyond the columns', 'policy.values', other({ background: 3 })],
    ['258 classes', 'policy.values', other({ classes: 258 })],
    ['an endless threshold', 'field.type', other({ threshold: Infinity })],
    ['another box', 'field.range', other({ boxes: 'polar' })],
    ['a class more than columns', 'policy.length', other({ classes: 4 })],
    ['one side', 'field.range', { ranks: ranksMap({ ...policy.ranks, sides: 'one' }) }],
    ['a hidden member', 'field.unknown', other({ labels: 1 })],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(detectionMap(policy), readDetection, { ...changes })).toBe(code);
  });

  it('tells what is wrong with a declared layout', () => {
    expect(layoutProblem(layout)).toBeUndefined();
    expect(layoutProblem({ ...layout, background: 0.5 })).toBe('background in column 0.5');
    expect(layoutProblem({ ...layout, threshold: NaN })).toBe('a threshold of NaN');
  });
});
