/** Counts of values in equal bins. */

/**
 * Adds `count` values to four tables that lie behind each other, each `bins + 1` u32: equal values
 * in a row would otherwise wait for each other's counter. The last counter of a table takes NaN.
 *
 * @param values `count` f32; room for three more behind them, which are overwritten
 * @param scale bins for each unit: `bins / (high - low)`
 */
export function histogram(
  values: usize,
  count: u32,
  low: f64,
  scale: f64,
  bins: u32,
  tables: usize,
): void {
  const end = values + ((<usize>count) << 2);
  store<f32>(end, NaN);
  store<f32>(end, NaN, 4);
  store<f32>(end, NaN, 8);
  const tables1 = tables + ((<usize>(bins + 1)) << 2);
  const tables2 = tables1 + ((<usize>(bins + 1)) << 2);
  const tables3 = tables2 + ((<usize>(bins + 1)) << 2);
  const from = f64x2.splat(low);
  const by = f64x2.splat(scale);
  const last = f64x2.splat(<f64>(bins - 1));
  const none = i32x4.splat(<i32>bins);
  const zero = i32x4.splat(0);
  for (let at = values; at < end; at += 16) {
    const four = v128.load(at);
    const upper = v128.shuffle<f32>(four, four, 2, 3, 0, 1);
    const a = f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(four), from), by);
    const b = f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(upper), from), by);
    const i = i32x4.trunc_sat_f64x2_s_zero(f64x2.pmin(a, last));
    const j = i32x4.trunc_sat_f64x2_s_zero(f64x2.pmin(b, last));
    const places = i32x4.max_s(v128.shuffle<i32>(i, j, 0, 1, 4, 5), zero);
    const bin = v128.bitselect(places, none, f32x4.eq(four, four));
    increment(tables, i32x4.extract_lane(bin, 0));
    increment(tables1, i32x4.extract_lane(bin, 1));
    increment(tables2, i32x4.extract_lane(bin, 2));
    increment(tables3, i32x4.extract_lane(bin, 3));
  }
}

function increment(table: usize, bin: i32): void {
  const at = table + ((<usize>bin) << 2);
  store<u32>(at, load<u32>(at) + 1);
}
