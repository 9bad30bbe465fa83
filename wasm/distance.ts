/** Squared distances: Mahalanobis to the nearest centre, and to the k-th nearest row of a bank. */

/**
 * The smallest squared distance of `L x` to a centre; NaN when one is NaN.
 *
 * The triangle lies in panels of eight rows, each panel column by column, eight f64 a column, and
 * ends with the column of its last row; the upper right of its last eight columns is zero. So eight
 * sums grow side by side, no sum is ever added up across a vector, and memory is read in one line.
 *
 * @param panels `blocks` panels: `64 (1 + 2 + ... + blocks)` f64
 * @param centres `count` rows of `8 blocks` f64
 * @param x `8 blocks` f64, zero from the real length on
 * @param white room for `8 blocks` f64
 */
export function nearestSquared(
  panels: usize,
  centres: usize,
  count: u32,
  x: usize,
  white: usize,
  blocks: u32,
): f64 {
  const rowBytes = (<usize>blocks) << 6;
  whiten(panels, x, white, rowBytes);
  const end = centres + <usize>count * rowBytes;
  let nearest: f64 = Infinity;
  for (let row = centres; row < end; row += rowBytes) {
    nearest = min(nearest, squaredDistance(row, white, rowBytes));
  }
  return nearest;
}

function whiten(panels: usize, x: usize, white: usize, rowBytes: usize): void {
  const end = x + rowBytes;
  let column = panels;
  let to = white;
  for (let last = x + 64; last <= end; last += 64) {
    let a0 = f64x2.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = a0;
    let b1 = a0;
    let b2 = a0;
    let b3 = a0;
    for (let at = x; at < last; at += 16) {
      const even = v128.load64_splat(at);
      const odd = v128.load64_splat(at, 8);
      a0 = f64x2.add(a0, f64x2.mul(even, v128.load(column)));
      a1 = f64x2.add(a1, f64x2.mul(even, v128.load(column, 16)));
      a2 = f64x2.add(a2, f64x2.mul(even, v128.load(column, 32)));
      a3 = f64x2.add(a3, f64x2.mul(even, v128.load(column, 48)));
      b0 = f64x2.add(b0, f64x2.mul(odd, v128.load(column, 64)));
      b1 = f64x2.add(b1, f64x2.mul(odd, v128.load(column, 80)));
      b2 = f64x2.add(b2, f64x2.mul(odd, v128.load(column, 96)));
      b3 = f64x2.add(b3, f64x2.mul(odd, v128.load(column, 112)));
      column += 128;
    }
    v128.store(to, f64x2.add(a0, b0));
    v128.store(to, f64x2.add(a1, b1), 16);
    v128.store(to, f64x2.add(a2, b2), 32);
    v128.store(to, f64x2.add(a3, b3), 48);
    to += 64;
  }
}

function squaredDistance(a: usize, b: usize, rowBytes: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let at: usize = 0; at < rowBytes; at += 64) {
    const d0 = f64x2.sub(v128.load(a + at), v128.load(b + at));
    const d1 = f64x2.sub(v128.load(a + at, 16), v128.load(b + at, 16));
    const d2 = f64x2.sub(v128.load(a + at, 32), v128.load(b + at, 32));
    const d3 = f64x2.sub(v128.load(a + at, 48), v128.load(b + at, 48));
    s0 = f64x2.add(s0, f64x2.mul(d0, d0));
    s1 = f64x2.add(s1, f64x2.mul(d1, d1));
    s2 = f64x2.add(s2, f64x2.mul(d2, d2));
    s3 = f64x2.add(s3, f64x2.mul(d3, d3));
  }
  s0 = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  return f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
}

/**
 * The k-th smallest squared distance of `x` to the rows of a bank; Infinity when there are fewer
 * rows, NaN when a distance is not a finite f32.
 *
 * @param bank `rows` rows of `16 blocks` f32
 * @param x `16 blocks` f32, zero from the real length on like every row
 * @param best room for `k` f32, the smallest so far in ascending order
 */
export function kthNearestSquared(
  bank: usize,
  rows: u32,
  x: usize,
  blocks: u32,
  best: usize,
  k: u32,
): f32 {
  const rowBytes = (<usize>blocks) << 6;
  const last = best + ((<usize>(k - 1)) << 2);
  for (let at = best; at <= last; at += 4) store<f32>(at, Infinity);
  let poison: f32 = 0;
  let kth: f32 = Infinity;
  const end = bank + <usize>rows * rowBytes;
  for (let row = bank; row < end; row += rowBytes) {
    const squared = squaredDistance32(row, x, rowBytes);
    poison += squared * 0;
    if (squared < kth) {
      insert(best, last, squared);
      kth = load<f32>(last);
    }
  }
  return poison === 0 ? kth : NaN;
}

/** Moves up what is larger; what was last falls out. */
function insert(best: usize, last: usize, value: f32): void {
  let at = last;
  for (; at > best; at -= 4) {
    const before = load<f32>(at - 4);
    if (before <= value) break;
    store<f32>(at, before);
  }
  store<f32>(at, value);
}

function squaredDistance32(a: usize, b: usize, rowBytes: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let at: usize = 0; at < rowBytes; at += 64) {
    const d0 = f32x4.sub(v128.load(a + at), v128.load(b + at));
    const d1 = f32x4.sub(v128.load(a + at, 16), v128.load(b + at, 16));
    const d2 = f32x4.sub(v128.load(a + at, 32), v128.load(b + at, 32));
    const d3 = f32x4.sub(v128.load(a + at, 48), v128.load(b + at, 48));
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
  }
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  s0 = f32x4.add(s0, v128.shuffle<f32>(s0, s0, 2, 3, 0, 1));
  return f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1);
}
