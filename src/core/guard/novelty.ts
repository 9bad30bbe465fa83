/** Judges after inference whether a frame is like those the model was fitted and calibrated on. */
import type { Kernels } from '../numeric/kernels.ts';
import { fuse, pValue } from './conformal.ts';
import { detectorScores } from './novelty-detectors.ts';
import type { NoveltyPolicy } from './policy.ts';

export interface NoveltyScore {
  /** Fused score, at most 0, higher = more usual; `-Infinity` when the frame cannot be judged. */
  readonly score: number;
  /** `(1 + #{half B <= score}) / (n + 1)`, in (0, 1]. */
  readonly p: number;
  readonly threshold: number;
  /** `score < threshold`; the same as `p <= rank / (n + 1)`. */
  readonly alarm: boolean;
}

/**
 * Scores one row of a model's outputs. Total: a row of the wrong length, missing features, NaN,
 * infinities or a zero feature vector alarm with the smallest p there is.
 *
 * @param logits raw class scores, before any softmax
 * @param features input of the last linear layer; ignored in reduced mode
 */
export function scoreNovelty(
  policy: NoveltyPolicy,
  kernels: Kernels,
  logits: Float32Array,
  features: Float32Array | undefined,
): NoveltyScore {
  const score = usualness(policy, kernels, logits, features);
  const { halfB, threshold } = policy;
  return { score, p: pValue(halfB, score), threshold, alarm: !(score >= threshold) };
}

function usualness(
  policy: NoveltyPolicy,
  kernels: Kernels,
  logits: Float32Array,
  features: Float32Array | undefined,
): number {
  if (logits.length !== policy.classes) return -Infinity;
  const scores = detectorScores(policy.statistics, kernels, logits, features);
  if (scores === undefined) return -Infinity;
  const score = fuse(policy.halfA, scores);
  return Number.isNaN(score) ? -Infinity : score;
}
