/**
 * Ranks instead of distributions: p-values from calibration scores, their fusion, and the threshold
 * whose false-alarm rate is promised.
 *
 * Half A of the calibration rows shapes the score (how detectors are put on one scale); half B,
 * which the score has never seen, sets the threshold. Whatever is done with half A, a new frame
 * that is exchangeable with half B ranks among its scores uniformly.
 */

/**
 * `ln p` of a detector's score against the sorted scores of half A; higher scores are more usual.
 *
 * It follows the empirical distribution, linear between neighbours, and goes on for ever below the
 * smallest one: `p = e^-u / (n + 1)`, `u` the distance to it in units of (median - minimum).
 * Without that tail every frame stranger than all of half A would get the same fused score, the
 * smallest score of half B could be that very floor, and a strict `score < threshold` would never
 * alarm. Linear in `u`: one detector that is far out is enough, however content the others are.
 *
 * @param sorted ascending, finite, its median above its minimum
 * @param score finite
 */
export function logP(sorted: Float64Array, score: number): number {
  const n = sorted.length;
  const min = sorted[0] as number;
  const unit = (sorted[n >> 1] as number) - min;
  const below = countAtMost(sorted, score);
  if (below === 0) return (score - min) / unit - Math.log(n + 1);
  const left = sorted[below - 1] as number;
  if (below === n) {
    const above = (score - left) / unit;
    return Math.log((n + 1 - 1 / (1 + above)) / (n + 1));
  }
  const right = sorted[below] as number;
  return Math.log((below + (score - left) / (right - left)) / (n + 1));
}

/**
 * Fisher's fusion as a score: `-T = 2 sum of ln p_j`, at most 0, higher = more usual. The
 * chi-square table does not hold for it, as the detectors depend on each other; its threshold comes
 * from half B.
 */
export function fuse(halfA: readonly Float64Array[], scores: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < halfA.length; j++) {
    sum += logP(halfA[j] as Float64Array, scores[j] as number);
  }
  return Math.min(0, 2 * sum);
}

/** `p = (1 + #{half B <= score}) / (n + 1)`, in (0, 1]; `sorted` ascending. */
export function pValue(sorted: Float64Array, score: number): number {
  return (1 + countAtMost(sorted, score)) / (sorted.length + 1);
}

/**
 * The largest rank `k` for which the `k`-th smallest of `n` scores is a threshold whose false-alarm
 * rate exceeds `falseAlarms` with probability at most `1 - confidence`; 0 when `n` is too small for
 * any. That rate follows Beta(k, n - k + 1), and
 * `P(Beta(k, n - k + 1) > e) = P(Binomial(n, e) <= k - 1)`.
 */
export function promisedRank(n: number, falseAlarms: number, confidence: number): number {
  return binomialQuantile(n, falseAlarms, 1 - confidence);
}

/** The smallest half B that can make the promise: `(1 - e)^n <= 1 - confidence`. */
export function rowsForPromise(falseAlarms: number, confidence: number): number {
  let n = Math.max(1, Math.floor(Math.log(1 - confidence) / Math.log1p(-falseAlarms)));
  while (promisedRank(n, falseAlarms, confidence) === 0) n += 1;
  return n;
}

/**
 * The largest `k` with `P(Binomial(n, rate) <= k - 1) <= level`, at most `n`: a binomial quantile.
 * The tail is summed from 0 upwards with a running power of two, so that `n` of a million neither
 * underflows nor adds up rounding. `rate` in [0, 1), `level` in (0, 1).
 */
export function binomialQuantile(n: number, rate: number, level: number): number {
  const odds = rate / (1 - rate);
  let scale = n * Math.log1p(-rate); // ln of what term and tail are in units of
  let term = 1; // P(X = k)
  let tail = 1; // P(X <= k)
  let k = 0;
  while (k < n && Math.log(tail) + scale <= Math.log(level)) {
    k += 1;
    term *= ((n - k + 1) / k) * odds;
    tail += term;
    if (tail > RESCALE) {
      term /= RESCALE;
      tail /= RESCALE;
      scale += LN_RESCALE;
    }
  }
  return k;
}

const RESCALE: number = 2 ** 512;
const LN_RESCALE: number = 512 * Math.LN2;

/** How many of the ascending values are at most `score`. */
function countAtMost(sorted: Float64Array, score: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
