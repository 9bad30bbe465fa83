import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auroc, binomialUpper, fprAtTpr95 } from '../../../src/core/calibration/evaluate.ts';

describe('auroc', () => {
  it('knows the plain cases', () => {
    expect(auroc([2, 3], [0, 1])).toBe(1);
    expect(auroc([0, 1], [2, 3])).toBe(0);
    expect(auroc([1, 1, 1], [1, 1])).toBe(0.5);
    expect(auroc([1, 2, 3], [2])).toBe(0.5);
    expect(auroc([], [1])).toBeNaN();
  });

  it('is the share of pairs won, ties at half', () => {
    const scores = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(scores, scores, (inside, outside) => {
        let wins = 0;
        for (const a of inside) for (const b of outside) wins += a > b ? 1 : a === b ? 0.5 : 0;
        expect(auroc(inside, outside)).toBeCloseTo(wins / (inside.length * outside.length), 12);
      }),
    );
  });
});

describe('fprAtTpr95', () => {
  it('passes 95% of the usual frames and counts the unusual ones that pass too', () => {
    const inside = Array.from({ length: 100 }, (_, i) => i + 1); // the threshold is 6
    expect(fprAtTpr95(inside, [5, 6, 7, 0])).toBe(0.5);
    expect(fprAtTpr95(inside, [0, 1])).toBe(0);
    expect(fprAtTpr95([1, 1], [1])).toBe(1);
    expect(fprAtTpr95([], [1])).toBeNaN();
    expect(fprAtTpr95([1], [])).toBeNaN();
  });
});

describe('binomialUpper', () => {
  // Quantiles from SciPy's binomial distribution.
  it.each([
    [2000, 0.01, 0.95, 28],
    [2829, 0.01, 0.95, 37],
    [200, 0.05, 0.95, 15],
    [100, 0, 0.95, 0],
    [10, 0.5, 0.95, 8],
  ])('%d draws at rate %d, confidence %d: %d', (n, rate, confidence, count) => {
    expect(binomialUpper(n, rate, confidence)).toBe(count / n);
  });

  it('is 1 for a rate of 1', () => {
    expect(binomialUpper(50, 1, 0.95)).toBe(1);
  });
});
