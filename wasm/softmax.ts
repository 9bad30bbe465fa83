/** Softmax of a row of logits, the sum its energy is made of, and generalised entropy. */

const LOG2_E: f64 = Math.LOG2E;
/** ln 2 in two parts, the first with 21 zero bits at its end: k times it is exact (fdlibm). */
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
/** Below it exp is 0 even as a subnormal. */
const EXP_LEAST: f64 = -746;

/**
 * Writes `exp(z_j - max)` as f64 for every class and returns their sum without the top class's own,
 * which is 1; the same sum in a second pass divided out gives the probabilities.
 *
 * @param logits `count` f32, at least one; room for three more behind them, which are overwritten
 * @param exps room for `count + 3` f64
 */
export function exponentials(logits: usize, count: u32, exps: usize, top: u32): f64 {
  const max = f64x2.splat(<f64>load<f32>(logits + ((<usize>top) << 2)));
  const end = logits + ((<usize>count) << 2);
  // What lies behind the last one would otherwise be added: exp(-Infinity) is 0.
  store<f32>(end, -Infinity);
  store<f32>(end, -Infinity, 4);
  store<f32>(end, -Infinity, 8);
  let sum = f64x2.splat(0);
  let sum1 = sum;
  let to = exps;
  const topAt = exps + ((<usize>top) << 3);
  for (let at = logits; at < end; at += 16) {
    const four = v128.load(at);
    const low = f64x2.promote_low_f32x4(four);
    const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 0, 1));
    const e0 = exponential(f64x2.sub(low, max));
    const e1 = exponential(f64x2.sub(high, max));
    v128.store(to, e0);
    v128.store(to, e1, 16);
    // The top class apart: where the model is very sure the others would be lost beside its 1.
    if (to <= topAt && topAt < to + 32) {
      store<f64>(topAt, 0);
      sum = f64x2.add(sum, v128.load(to));
      sum1 = f64x2.add(sum1, v128.load(to, 16));
      store<f64>(topAt, 1);
    } else {
      sum = f64x2.add(sum, e0);
      sum1 = f64x2.add(sum1, e1);
    }
    to += 32;
  }
  sum = f64x2.add(sum, sum1);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/**
 * `sum over j of (p_j (1 - p_j))^gamma`.
 *
 * @param exps as `exponentials` left them
 * @param others what it returned
 */
export function entropy(exps: usize, count: u32, top: u32, others: f64, gamma: f64): f64 {
  const total = 1 + others;
  // 1 - p of the top class would cancel to nothing: it is the others' share.
  let sum = ((1 / total) * (others / total)) ** gamma;
  for (let j: u32 = 0; j < count; ++j) {
    if (j === top) continue;
    const p = load<f64>(exps + ((<usize>j) << 3)) / total;
    sum += (p * (1 - p)) ** gamma;
  }
  return sum;
}

/** Divides `count` f64, and up to three behind them, by `total`. */
export function divide(values: usize, count: u32, total: f64): void {
  const by = f64x2.splat(total);
  const end = values + ((<usize>count) << 3);
  for (let at = values; at < end; at += 32) {
    v128.store(at, f64x2.div(v128.load(at), by));
    v128.store(at, f64x2.div(v128.load(at, 16), by), 16);
  }
}

/**
 * e^x for x <= 0, NaN for NaN: x = k ln 2 + r with |r| <= ln 2 / 2, the Taylor series of e^r to
 * r^13 (its rest is below 2^-57), and 2^k in two factors so that subnormal results round as such.
 */
function exponential(x: v128): v128 {
  // pmax keeps a NaN that stands first.
  const bounded = f64x2.pmax(x, f64x2.splat(EXP_LEAST));
  const k = f64x2.nearest(f64x2.mul(bounded, f64x2.splat(LOG2_E)));
  const r = f64x2.sub(
    f64x2.sub(bounded, f64x2.mul(k, f64x2.splat(LN2_HIGH))),
    f64x2.mul(k, f64x2.splat(LN2_LOW)),
  );
  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  // Sums of pairs, of fours, of eights: a chain of thirteen would wait for itself.
  const a = pair(r, 1 / 2.0, 1 / 6.0);
  const b = pair(r, 1 / 24.0, 1 / 120.0);
  const c = pair(r, 1 / 720.0, 1 / 5040.0);
  const d = pair(r, 1 / 40320.0, 1 / 362880.0);
  const e = pair(r, 1 / 3628800.0, 1 / 39916800.0);
  const f = pair(r, 1 / 479001600.0, 1 / 6227020800.0);
  const low = f64x2.add(a, f64x2.mul(r2, b));
  const middle = f64x2.add(c, f64x2.mul(r2, d));
  const high = f64x2.add(e, f64x2.mul(r2, f));
  const rest = f64x2.add(low, f64x2.mul(r4, f64x2.add(middle, f64x2.mul(r4, high))));
  // The small before the large: the last addition alone rounds at the size of the result.
  const sum = f64x2.add(f64x2.splat(1), f64x2.add(r, f64x2.mul(r2, rest)));
  const power = i32x4.trunc_sat_f64x2_s_zero(k);
  const half = i32x4.shr_s(power, 1);
  return f64x2.mul(f64x2.mul(sum, powerOfTwo(half)), powerOfTwo(i32x4.sub(power, half)));
}

function pair(r: v128, first: f64, second: f64): v128 {
  return f64x2.add(f64x2.splat(first), f64x2.mul(r, f64x2.splat(second)));
}

/** 2^n of the two lower lanes, for -1022 <= n <= 1023. */
function powerOfTwo(n: v128): v128 {
  return i64x2.shl(i64x2.extend_low_i32x4_s(i32x4.add(n, i32x4.splat(1023))), 52);
}
