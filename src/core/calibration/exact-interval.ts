/** The exact interval of a rate from a count (Clopper & Pearson 1934). */

/** Halvings of [0, 1]: below the precision of a double near 1. */
const HALVINGS = 60;

/**
 * The rates under which neither at most nor at least `count` of `n` draws is less likely than
 * `(1 - confidence) / 2`: the true rate lies within with probability `confidence` or more.
 * `count` is from 0 to `n`, `n` at least 1.
 */
export function exactInterval(
  count: number,
  n: number,
  confidence: number,
): { readonly low: number; readonly high: number } {
  const level = (1 - confidence) / 2;
  return { low: 1 - highest(n - count, n, level), high: highest(count, n, level) };
}

/** The largest rate under which at most `count` of `n` has a probability of `level` or more. */
function highest(count: number, n: number, level: number): number {
  if (count >= n) return 1;
  const lnWays = lnChoose(n, count);
  let low = count / n;
  let high = 1;
  for (let i = 0; i < HALVINGS; i++) {
    const rate = (low + high) / 2;
    if (lnWays + lnAtMost(count, n, rate) >= Math.log(level)) low = rate;
    else high = rate;
  }
  return high;
}

/**
 * `ln P(Binomial(n, rate) <= count)` less that of the ways to choose `count` of `n`; `rate` is at
 * least `count / n`, so that the largest term of the sum is the first.
 */
function lnAtMost(count: number, n: number, rate: number): number {
  const odds = rate / (1 - rate);
  let term = 1; // in units of P(count)
  let sum = 1;
  for (let k = count; k > 0 && term > Number.EPSILON * sum; k--) {
    term *= k / (n - k + 1) / odds;
    sum += term;
  }
  return Math.log(sum) + count * Math.log(rate) + (n - count) * Math.log1p(-rate);
}

/** `ln (n over k)`. */
function lnChoose(n: number, k: number): number {
  const fewer = Math.min(k, n - k);
  let sum = 0;
  for (let i = 1; i <= fewer; i++) sum += Math.log1p((n - fewer) / i);
  return sum;
}
