/**
 * The port behind which the guard's arithmetic runs: the plain kernels in `reference.ts` are its
 * specification, faster ones may stand in for them.
 *
 * Arrays that belong to a policy (whitener, centres, bank) are constants: an implementation may keep
 * a copy of its own and know it again by the array object, so nobody writes to one after its first
 * use. No implementation needs to be re-entrant: one thread judges one frame.
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

  /**
   * The k-th smallest squared Euclidean distance of `x` to the rows of a bank, as a detector of
   * novelty: Sun et al. 2022 (deep nearest neighbours). NaN when any distance is NaN, `Infinity`
   * when the bank has fewer than `k` rows.
   *
   * @param bank `N x d`, row-major
   * @param x `d` values, at least one
   * @param k at least 1
   */
  kthNearestSquared(bank: Float32Array, x: Float32Array, k: number): number;

  /**
   * Writes the softmax of `logits` into `probabilities` and returns `log(sum over j of e^z_j)`, the
   * negative free energy, higher for what is more usual. Source: Liu et al. 2020 (Energy).
   *
   * @param logits finite, at least one
   * @param probabilities as many as there are logits
   */
  softmaxEnergy(logits: Float32Array, probabilities: Float64Array): number;

  /**
   * Overwrites `counts` with how many values fall into each of `counts.length` equal bins over
   * `[low, high]`. What lies outside is counted in the bin at that end, infinities too, so that a
   * value beyond a rail is one at the rail; NaN is counted nowhere.
   *
   * @param low finite, below `high`
   * @param counts at least one
   */
  histogram(values: Float32Array, low: number, high: number, counts: Uint32Array): void;
}
