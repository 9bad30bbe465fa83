/** How well a score separates usual from unusual frames, and with what certainty. */
import { binomialQuantile } from '../guard/conformal.ts';

/**
 * Area under the ROC curve: the share of (in, out) pairs whose in-distribution score is the higher,
 * ties counted half. In [0, 1]; NaN when a side is empty. Scores must not be NaN.
 */
export function auroc(inScores: ArrayLike<number>, outScores: ArrayLike<number>): number {
  const inside = Float64Array.from(inScores).sort();
  const outside = Float64Array.from(outScores).sort();
  let below = 0; // of outside, smaller than the current inside score
  let notAbove = 0; // of outside, at most the current inside score
  let wins = 0;
  for (const score of inside) {
    while (below < outside.length && (outside[below] as number) < score) below += 1;
    while (notAbove < outside.length && (outside[notAbove] as number) <= score) notAbove += 1;
    wins += (below + notAbove) / 2;
  }
  return wins / (inside.length * outside.length);
}

/**
 * Share of unusual frames that pass at the highest threshold that passes at least 95% of the usual
 * ones; lower is better. NaN when a side is empty.
 */
export function fprAtTpr95(inScores: ArrayLike<number>, outScores: ArrayLike<number>): number {
  const inside = Float64Array.from(inScores).sort();
  const threshold = inside[inside.length - Math.ceil(0.95 * inside.length)] as number;
  let passed = 0;
  for (let i = 0; i < outScores.length; i++) if ((outScores[i] as number) >= threshold) passed += 1;
  return inside.length === 0 ? NaN : passed / outScores.length;
}

/**
 * The rate that an observed share of `n` draws exceeds with probability at most `1 - confidence`
 * when the true rate is `rate`: the exact binomial quantile, divided by `n`.
 */
export function binomialUpper(n: number, rate: number, confidence: number): number {
  return rate >= 1 ? 1 : binomialQuantile(n, rate, confidence) / n;
}
