/** What several rooms ask of a row of numbers. */

/** Where the largest value stands, the first of equals; 0 of nothing. A NaN is never larger. */
export function indexOfLargest(values: ArrayLike<number>): number {
  let top = 0;
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) > (values[top] as number)) top = i;
  }
  return top;
}

/**
 * The product of `length` values of `rows` from `start` on with `x`. Four sums at a time: the
 * additions of one sum would wait for each other.
 */
export function dot(
  rows: Float64Array,
  start: number,
  x: Float32Array | Float64Array,
  length: number,
): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += (rows[start + i] as number) * (x[i] as number);
    s1 += (rows[start + i + 1] as number) * (x[i + 1] as number);
    s2 += (rows[start + i + 2] as number) * (x[i + 2] as number);
    s3 += (rows[start + i + 3] as number) * (x[i + 3] as number);
  }
  for (; i < length; i++) s0 += (rows[start + i] as number) * (x[i] as number);
  return s0 + s1 + (s2 + s3);
}
