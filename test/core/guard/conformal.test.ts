import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  binomialQuantile,
  fuse,
  logP,
  promisedRank,
  pValue,
  rowsForPromise,
} from '../../../src/core/guard/conformal.ts';
import { randomNumbers } from '../calibration/simulated.ts';

/** n, false alarms, confidence, rank: from SciPy's binomial distribution. */
const KNOWN_RANKS: readonly (readonly [number, number, number, number])[] = [
  [58, 0.05, 0.95, 0],
  [59, 0.05, 0.95, 1],
  [298, 0.01, 0.95, 0],
  [299, 0.01, 0.95, 1],
  [1000, 0.01, 0.95, 5],
  [1000, 0.05, 0.95, 39],
  [2994, 0.001, 0.95, 0],
  [2995, 0.001, 0.95, 1],
  [10_000, 0.01, 0.99, 78],
  [100_000, 0.001, 0.95, 84],
  [1_000_000, 0.01, 0.95, 9837],
  [1_000_000, 0.5, 0.95, 499_178],
  [1_000_000, 0.5, 0.999, 498_455],
];

describe('promisedRank', () => {
  it.each(KNOWN_RANKS)('%d rows, %d false alarms at %d: rank %d', (n, rate, confidence, rank) => {
    expect(promisedRank(n, rate, confidence)).toBe(rank);
  });

  it('is as large as the binomial tail allows, and no larger', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ noNaN: true, min: 0.001, max: 0.5 }),
        fc.double({ noNaN: true, min: 0.01, max: 0.99 }),
        (n, rate, level) => {
          const k = binomialQuantile(n, rate, level);
          if (k > 0) expect(tail(n, rate, k - 1)).toBeLessThanOrEqual(level * (1 + 1e-9));
          if (k < n) expect(tail(n, rate, k)).toBeGreaterThan(level * (1 - 1e-9));
        },
      ),
    );
  });

  it('derives the rows that a promise needs', () => {
    expect(rowsForPromise(0.01, 0.95)).toBe(299);
    expect(rowsForPromise(0.001, 0.95)).toBe(2995);
    expect(rowsForPromise(0.05, 0.95)).toBe(59);
    expect(rowsForPromise(0.5, 0.5)).toBe(1);
    expect(rowsForPromise(1e-6, 0.999999999)).toBeGreaterThan(2e7);
  });

  it('keeps the budget as often as it says, over many calibration sets', () => {
    // Scores are uniform, so a threshold IS its false-alarm rate.
    const next = randomNumbers(7);
    const [n, budget, sets] = [299, 0.01, 4000];
    const rank = promisedRank(n, budget, 0.95);
    let broken = 0;
    for (let set = 0; set < sets; set++) {
      const scores = Float64Array.from({ length: n }, next).sort();
      if ((scores[rank - 1] as number) > budget) broken += 1;
    }
    expect(broken).toBeLessThanOrEqual(binomialQuantile(sets, 0.05, 0.999));
    // The largest rank: a promise kept always would waste detections.
    expect(broken).toBeGreaterThan(0.03 * sets);
  });
});

describe('logP', () => {
  const sorted = Float64Array.of(-4, -3, -3, -1, 0, 2, 9);

  it('rises with the score without a step back, from far below to far above', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 2, maxLength: 2 }),
        (pair) => {
          const [low, high] = pair.toSorted((a, b) => a - b) as [number, number];
          expect(logP(sorted, low)).toBeLessThanOrEqual(logP(sorted, high));
          expect(logP(sorted, high)).toBeLessThanOrEqual(0);
        },
      ),
    );
  });

  it('never saturates below the smallest score', () => {
    const steps = [-4, -4.001, -5, -50, -1e3, -1e9, -1e99].map((score) => logP(sorted, score));
    for (let i = 1; i < steps.length; i++) {
      expect(steps[i]).toBeLessThan(steps[i - 1] as number);
    }
    expect(steps[0]).toBeCloseTo(-Math.log(8), 12);
  });

  it('meets the empirical share at every score', () => {
    expect(logP(sorted, -3)).toBeCloseTo(Math.log(3 / 8), 12);
    expect(logP(sorted, -2)).toBeCloseTo(Math.log(3.5 / 8), 12);
    expect(logP(sorted, 9)).toBeCloseTo(Math.log(7 / 8), 12);
    expect(logP(sorted, 1e300)).toBeCloseTo(0, 12);
  });

  it('adds up, twice, over the detectors', () => {
    const scores = Float64Array.of(-2, 2);
    const want = 2 * (logP(sorted, -2) + logP(sorted, 2));
    expect(fuse([sorted, sorted], scores)).toBeCloseTo(want, 12);
  });
});

describe('pValue', () => {
  it('counts itself and every score that is no higher', () => {
    const sorted = Float64Array.of(-3, -2, -2, -1);
    expect([-9, -3, -2.5, -2, 0].map((score) => pValue(sorted, score) * 5)).toEqual([
      1, 2, 2, 4, 5,
    ]);
    expect(pValue(sorted, -Infinity)).toBe(1 / 5);
    expect(pValue(sorted, NaN)).toBe(1 / 5);
  });
});

/** P(Binomial(n, rate) <= k), term by term. */
function tail(n: number, rate: number, k: number): number {
  let sum = 0;
  for (let i = 0; i <= k; i++) {
    let term = (1 - rate) ** (n - i) * rate ** i;
    for (let j = 0; j < i; j++) term *= (n - j) / (j + 1);
    sum += term;
  }
  return sum;
}
