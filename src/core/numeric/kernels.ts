/**
 * The port behind which the guard's arithmetic runs: the plain kernels in `reference.ts` are its
 * specification, faster ones may stand in for them.
 */

/** One pass over a tensor. */
export interface Scan {
  /** False when any value is NaN or infinite; `min` and `max` then say nothing. */
  readonly finite: boolean;
  /** `Infinity` when there are no values. */
  readonly min: number;
  /** `-Infinity` when there are no values. */
  readonly max: number;
}

export interface Kernels {
  /** For records: which implementation computed a score. */
  readonly name: string;

  scan(values: Float32Array): Scan;

  /**
   * The smallest squared Mahalanobis distance of `x` to a set of centres that share one covariance:
   * `min over k of |L x - centre_k|^2`, where `L` is the inverse of the covariance's lower Cholesky
   * factor and the centres are whitened already.
   *
   * @param whitener lower triangle of `L`, row by row, `d (d + 1) / 2` values
   * @param centres `K x d`, row-major, each one `L m_k`; at least one row
   * @param x `d` values
   */
  nearestSquared(whitener: Float64Array, centres: Float64Array, x: Float64Array): number;

  /**
   * Generalised entropy of the softmax of `logits`, negated so that higher means more confident:
   * `-sum over j of p_j^gamma (1 - p_j)^gamma`, over all classes. Source: Liu et al. 2023 (GEN).
   *
   * @param logits finite, at least one
   */
  gen(logits: Float32Array, gamma: number): number;
}
