/** Curves of scores: the area under them, their ends, their limits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rocPoints, scoreHistogram } from '../../../src/core/calibration/curves.ts';
import { auroc } from '../../../src/core/calibration/evaluate.ts';
import { ROC_POINTS_MAX } from '../../../src/core/calibration/evaluation.ts';

const score = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, min: -5, max: 5 }),
  fc.constant(-Infinity),
);
const scores = fc.array(score, { minLength: 1, maxLength: 50 });

/** By trapezia, which counts ties half. */
function area(points: readonly (readonly [number, number])[]): number {
  return points.slice(1).reduce((sum, [x, y], i) => {
    const [beforeX, beforeY] = points[i] as readonly [number, number];
    return sum + ((x - beforeX) * (y + beforeY)) / 2;
  }, 0);
}

describe('rocPoints', () => {
  it('has the area that auroc gives, from one corner to the other', () => {
    fc.assert(
      fc.property(scores, scores, (usual, unusual) => {
        const points = rocPoints(usual, unusual);
        expect(points[0]).toEqual([0, 0]);
        expect(points.at(-1)).toEqual([1, 1]);
        expect(area(points)).toBeCloseTo(auroc(usual, unusual), 9);
      }),
    );
  });

  it('is thinned out without losing its shape', () => {
    const usual = Array.from({ length: 5000 }, (_, i) => Math.sin(i) + 1);
    const unusual = Array.from({ length: 300 }, (_, i) => 2 * Math.cos(3 * i));
    const points = rocPoints(usual, unusual);
    expect(points.length).toBeLessThanOrEqual(ROC_POINTS_MAX);
    expect(points.length).toBeGreaterThan(ROC_POINTS_MAX / 2);
    expect(area(points)).toBeCloseTo(auroc(usual, unusual), 3);
    for (const [i, [x, y]] of points.slice(1).entries()) {
      const [beforeX, beforeY] = points[i] as readonly [number, number];
      expect(x >= beforeX && y >= beforeY).toBe(true);
    }
    expect(rocPoints(usual, unusual, 2)).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  it('is empty where a side is', () => {
    expect(rocPoints([], [1])).toEqual([]);
    expect(rocPoints([1], [])).toEqual([]);
  });
});

describe('scoreHistogram', () => {
  it('counts every frame once, also those far out', () => {
    const sides = fc.array(fc.oneof(score, fc.constantFrom(1e300, -1e300)), { maxLength: 80 });
    fc.assert(
      fc.property(sides, sides, fc.integer({ min: 1, max: 60 }), (usual, unusual, bins) => {
        const histogram = scoreHistogram(usual, unusual, bins);
        if (![...usual, ...unusual].some(Number.isFinite)) {
          expect(histogram).toBeUndefined();
          return;
        }
        const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
        expect(total(histogram?.usual ?? [])).toBe(usual.length);
        expect(total(histogram?.unusual ?? [])).toBe(unusual.length);
        expect(histogram?.edges).toHaveLength(bins + 1);
        expect(histogram?.usual).toHaveLength(bins);
      }),
    );
  });

  it('does not let one score far out push all others into one bin', () => {
    const usual = Array.from({ length: 200 }, (_, i) => i / 200);
    const histogram = scoreHistogram([...usual, -1e9], [], 10);
    expect(Math.max(...(histogram?.usual ?? []))).toBeLessThan(40);
  });

  it('has a bin of some width for equal scores', () => {
    expect(scoreHistogram([3, 3], [3], 2)).toEqual({
      ...{ edges: [3, 3.5, 4], usual: [2, 0], unusual: [1, 0] },
    });
  });
});
