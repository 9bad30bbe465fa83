/** The novelty detectors: how usual one frame's logits and features are; higher = more usual. */

import type { Kernels } from '../numeric/kernels.ts';
import { indexOfLargest } from '../numeric/vectors.ts';
import { type KnnPolicy, knnScore } from './knn.ts';
import { type Projection, project } from './pca.ts';
import { type VimPolicy, vimScore } from './vim.ts';

/** In this order they stand in every policy; a policy may have further ones after them. */
export const FULL_DETECTORS: readonly string[] = ['fDBD', 'MDS++', 'RMDS++'];
export const REDUCED_DETECTORS: readonly string[] = ['GEN'];
export const FURTHER_DETECTORS = ['vim', 'knn'] as const;
export type FurtherDetector = (typeof FURTHER_DETECTORS)[number];

/** What a policy scores with, in the order of its half A. */
export function detectorsOf(statistics: FeatureStatistics | undefined): readonly string[] {
  if (statistics === undefined) return REDUCED_DETECTORS;
  return [...FULL_DETECTORS, ...FURTHER_DETECTORS.filter((name) => statistics[name] !== undefined)];
}

const GEN_GAMMA = 0.1;

/**
 * What the feature detectors know of the fit set: `d` features, `K` classes. `m` is the width of
 * what MDS++ and RMDS++ see: `d`, or the components of the projection.
 */
export interface FeatureStatistics {
  /** `d`. */
  readonly features: number;
  /** Of wide features; without it MDS++ and RMDS++ see f/|f|. fDBD never sees it. */
  readonly projection?: Projection;
  /** Mean of the fit features as they are, not normalised; `d` values. */
  readonly mean: Float64Array;
  /** `|w_c - w_j|` of the last layer's weight rows at `packedPair(c, j)`; `K (K - 1) / 2`. */
  readonly headDistances: Float64Array;
  /** Inverse Cholesky factor of their tied class covariance; lower triangle by rows, `m` wide. */
  readonly classWhitener: Float64Array;
  /** Whitened class means, `K x m`. */
  readonly classCentres: Float64Array;
  /** The same for the whole fit set as one class. */
  readonly wholeWhitener: Float64Array;
  /** `m` values. */
  readonly wholeCentre: Float64Array;
  /** Further detectors, by choice; the bank of kNN holds samples of the fit set. */
  readonly vim?: VimPolicy;
  readonly knn?: KnnPolicy;
}

/** Where the pair of classes `c != j` stands in `headDistances`. */
export function packedPair(c: number, j: number): number {
  return c > j ? (c * (c - 1)) / 2 + j : (j * (j - 1)) / 2 + c;
}

/**
 * Scores one frame with every detector of its mode; `undefined` when they cannot tell: a value that
 * is not finite, a feature vector of zeros, or the very mean of the fit set.
 *
 * @param statistics `undefined` in reduced mode
 * @param logits `K` values
 * @param features `d` values in full mode
 */
export function detectorScores(
  statistics: FeatureStatistics | undefined,
  kernels: Kernels,
  logits: Float32Array,
  features: Float32Array | undefined,
): Float64Array | undefined {
  if (!kernels.scan(logits).finite) return undefined;
  let scores: Float64Array;
  if (statistics === undefined) {
    scores = Float64Array.of(kernels.gen(logits, GEN_GAMMA));
  } else {
    if (features === undefined || features.length !== statistics.features) return undefined;
    scores = featureScores(statistics, kernels, logits, features);
  }
  return scores.every(Number.isFinite) ? scores : undefined;
}

/**
 * fDBD (Liu & Qin 2024): `sum over j != c of |z_c - z_j| / |w_c - w_j|`, divided by `|f - mean|`.
 * The paper has three regularisers of the same sum; this is the one by distance to the mean of the
 * fit features, all taken before any normalisation.
 */
export function fdbd(
  statistics: FeatureStatistics,
  logits: Float32Array,
  features: Float32Array,
): number {
  const c = indexOfLargest(logits);
  let sum = 0;
  for (let j = 0; j < logits.length; j++) {
    if (j === c) continue;
    const margin = (logits[c] as number) - (logits[j] as number);
    sum += margin / (statistics.headDistances[packedPair(c, j)] as number);
  }
  let squared = 0;
  for (let i = 0; i < features.length; i++) {
    const difference = (features[i] as number) - (statistics.mean[i] as number);
    squared += difference * difference;
  }
  return sum / Math.sqrt(squared);
}

/**
 * fDBD and, on `x = f/|f|`, MDS++ and RMDS++ (Mueller & Hein 2025; Ren et al. 2021): minus the
 * smallest squared Mahalanobis distance to a class, and the same less the distance to the whole fit
 * set; then those that the policy has beside them.
 */
function featureScores(
  statistics: FeatureStatistics,
  kernels: Kernels,
  logits: Float32Array,
  features: Float32Array,
): Float64Array {
  const x = directionOf(statistics, features);
  const toClass = kernels.nearestSquared(statistics.classWhitener, statistics.classCentres, x);
  const toWhole = kernels.nearestSquared(statistics.wholeWhitener, statistics.wholeCentre, x);
  const scores = [fdbd(statistics, logits, features), -toClass, toWhole - toClass];
  const { vim, knn } = statistics;
  if (vim !== undefined) scores.push(vimScore(vim, logits, features));
  if (knn !== undefined) scores.push(knnScore(knn, kernels, x));
  return Float64Array.from(scores);
}

let projected = new Float64Array(0);

function directionOf({ projection }: FeatureStatistics, features: Float32Array): Float64Array {
  if (projection === undefined) return normalised(features);
  // One thread judges one frame, as for the kernels: nothing is allocated after the first.
  if (projected.length !== projection.components) {
    projected = new Float64Array(projection.components);
  }
  return project(projection, features, projected);
}

/** `f / |f|` in doubles; all NaN for a vector of zeros. */
export function normalised(features: Float32Array): Float64Array {
  const x = new Float64Array(features);
  let squared = 0;
  for (let i = 0; i < x.length; i++) squared += (x[i] as number) ** 2;
  const norm = Math.sqrt(squared);
  for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) / norm;
  return x;
}
