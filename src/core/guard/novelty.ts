/** Judges after inference whether a frame is like those the model was fitted and calibrated on. */
import type { Kernels } from '../numeric/kernels.ts';
import { fuse } from './conformal.ts';
import { detectorScores, FULL_DETECTORS } from './novelty-detectors.ts';
import type { Companion } from './perturbation.ts';
import type { NoveltyPolicy } from './policy.ts';

export interface NoveltyScores {
  /** The fused score: at most 0, higher = more usual; `-Infinity` when the frame cannot be judged. */
  readonly score: number;
  /** MDS++ among half A, in full detection: what the tripwire is judged together with. */
  readonly companion: Companion | undefined;
}

const MDSPP = FULL_DETECTORS.indexOf('MDS++');

/**
 * Scores one row of a model's outputs. Total: a row of the wrong length, missing features, NaN,
 * infinities or a zero feature vector give `-Infinity`.
 *
 * @param logits raw class scores, before any softmax
 * @param features input of the last linear layer; ignored in reduced mode
 */
export function scoreNovelty(
  policy: NoveltyPolicy,
  kernels: Kernels,
  logits: Float32Array,
  features: Float32Array | undefined,
): NoveltyScores {
  const scores =
    logits.length === policy.classes
      ? detectorScores(policy.statistics, kernels, logits, features)
      : undefined;
  const fused = scores === undefined ? -Infinity : fuse(policy.halfA, scores);
  return {
    score: Number.isNaN(fused) ? -Infinity : fused,
    companion: companionOf(policy, scores),
  };
}

export function companionOf(
  { statistics, halfA }: NoveltyPolicy,
  scores: Float64Array | undefined,
): Companion | undefined {
  const sorted = halfA[MDSPP];
  if (statistics === undefined || sorted === undefined) return undefined;
  return { halfA: sorted, score: scores?.[MDSPP] ?? -Infinity };
}
