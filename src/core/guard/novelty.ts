/** Judges after inference whether a frame is like those the model was fitted and calibrated on. */
import type { Kernels } from '../numeric/kernels.ts';
import { fuse } from './conformal.ts';
import { detectorScores } from './novelty-detectors.ts';
import type { NoveltyPolicy } from './policy.ts';

/**
 * The fused score of one row of a model's outputs: at most 0, higher = more usual. Total: a row of
 * the wrong length, missing features, NaN, infinities or a zero feature vector give `-Infinity`.
 *
 * @param logits raw class scores, before any softmax
 * @param features input of the last linear layer; ignored in reduced mode
 */
export function noveltyScore(
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
