/** One pass over a tensor: smallest, largest, and whether all is finite. */

/** Where memory is free: what the compiler placed itself ends here. */
export const heapStart: usize = __heap_base;

/**
 * Writes three f32 at `result`: the minimum (Infinity when there are no values), the maximum
 * (-Infinity), and a sum that is 0 when all values are finite and NaN when one is not.
 *
 * @param values `count` f32
 */
export function scan(values: usize, count: u32, result: usize): void {
  const end = values + ((<usize>count) << 2);
  const zero = f32x4.splat(0);
  let least = f32x4.splat(Infinity);
  let least1 = least;
  let least2 = least;
  let least3 = least;
  let most = f32x4.splat(-Infinity);
  let most1 = most;
  let most2 = most;
  let most3 = most;
  let poison = zero;
  let poison1 = zero;
  let at = values;
  for (; at + 64 <= end; at += 64) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);
    // pmin(x, y) is `y < x ? y : x`: one instruction, and a NaN stays out as in the reference.
    least = f32x4.pmin(least, a);
    least1 = f32x4.pmin(least1, b);
    least2 = f32x4.pmin(least2, c);
    least3 = f32x4.pmin(least3, d);
    most = f32x4.pmax(most, a);
    most1 = f32x4.pmax(most1, b);
    most2 = f32x4.pmax(most2, c);
    most3 = f32x4.pmax(most3, d);
    poison = f32x4.add(poison, f32x4.mul(a, zero));
    poison1 = f32x4.add(poison1, f32x4.mul(b, zero));
    poison = f32x4.add(poison, f32x4.mul(c, zero));
    poison1 = f32x4.add(poison1, f32x4.mul(d, zero));
  }
  least = f32x4.pmin(f32x4.pmin(least, least1), f32x4.pmin(least2, least3));
  most = f32x4.pmax(f32x4.pmax(most, most1), f32x4.pmax(most2, most3));
  poison = f32x4.add(poison, poison1);
  for (; at < end; at += 4) {
    const value = v128.load32_splat(at);
    least = f32x4.pmin(least, value);
    most = f32x4.pmax(most, value);
    poison = f32x4.add(poison, f32x4.mul(value, zero));
  }
  least = f32x4.pmin(least, v128.shuffle<f32>(least, least, 2, 3, 0, 1));
  least = f32x4.pmin(least, v128.shuffle<f32>(least, least, 1, 0, 3, 2));
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 1, 0, 3, 2));
  poison = f32x4.add(poison, v128.shuffle<f32>(poison, poison, 2, 3, 0, 1));
  poison = f32x4.add(poison, v128.shuffle<f32>(poison, poison, 1, 0, 3, 2));
  store<f32>(result, f32x4.extract_lane(least, 0));
  store<f32>(result, f32x4.extract_lane(most, 0), 4);
  store<f32>(result, f32x4.extract_lane(poison, 0), 8);
}
