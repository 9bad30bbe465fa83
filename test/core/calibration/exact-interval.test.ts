/** The exact interval: published values, its definition, and its ends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactInterval } from '../../../src/core/calibration/exact-interval.ts';

/** P(X <= count) by plain summing; fine for small n, from the end where the first term is large. */
function atMost(count: number, n: number, rate: number): number {
  if (rate > 0.5) return 1 - atMost(n - count - 1, n, 1 - rate);
  if (count < 0) return 0;
  let term = (1 - rate) ** n;
  let sum = term;
  for (let k = 1; k <= count; k++) {
    term *= ((n - k + 1) / k) * (rate / (1 - rate));
    sum += term;
  }
  return sum;
}

describe('exactInterval', () => {
  // Clopper & Pearson 1934, as tabulated for 95%.
  it.each([
    [0, 10, 0, 0.3085],
    [1, 10, 0.0025, 0.445],
    [5, 10, 0.1871, 0.8129],
    [10, 10, 0.6915, 1],
    [4, 20, 0.0573, 0.4366],
    [10, 100, 0.049, 0.1762],
  ])('%i of %i is from %f to %f', (count, n, low, high) => {
    const interval = exactInterval(count, n, 0.95);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  it('is where either tail has exactly its share', () => {
    const draws = fc
      .integer({ min: 1, max: 200 })
      .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(draws, fc.double({ min: 0.5, max: 0.999, noNaN: true }), ([count, n], level) => {
        const { low, high } = exactInterval(count, n, level);
        const tail = (1 - level) / 2;
        if (count < n) expect(atMost(count, n, high)).toBeCloseTo(tail, 8);
        if (count > 0) expect(1 - atMost(count - 1, n, low)).toBeCloseTo(tail, 8);
        expect(low <= count / n && count / n <= high).toBe(true);
      }),
    );
  });

  it('holds for a million draws', () => {
    const { low, high } = exactInterval(10_000, 1_000_000, 0.95);
    expect(low).toBeCloseTo(0.0098055, 6);
    expect(high).toBeCloseTo(0.0101969, 6);
    expect(exactInterval(0, 1_000_000, 0.95).high).toBeCloseTo(3.6889e-6, 9);
  });
});
