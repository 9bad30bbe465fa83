/** Looking through the values of a tensor, once: is every one finite and inside its bounds? */
import { halfToNumber } from '../numeric/float16.ts';
import type { DType, Tensor, TensorData } from '../numeric/tensor.ts';
import { carries } from './admission.ts';

/** What a channel may hold; `lows[c]` to `highs[c]`, both included and both finite. */
export interface Bounds {
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

/** Where values were bad; indices are row-major, -1 where there is none. */
export interface BadValues {
  readonly notFinite: number;
  readonly firstNotFinite: number;
  readonly outside: number;
  /** The finite value farthest outside its bounds. */
  readonly worst: number;
  readonly worstValue: number;
}

/**
 * One pass over good data; over bad data a second one, which finds the worst. Row-major data are
 * seen as [outer, channels, inner], where `channels` is the length of the bounds and `inner` how
 * many elements of one channel lie side by side. `undefined` when every value keeps its bounds.
 * Denormals and -0 are ordinary values.
 */
export function findBadValues(
  data: ArrayLike<number | bigint>,
  inner: number,
  bounds: Bounds,
): BadValues | undefined {
  const { lows, highs } = bounds;
  const channels = lows.length;
  const length = channels === 0 || inner === 0 ? 0 : data.length;
  if (length === 0 || allInside(data, inner, bounds)) return undefined;
  let notFinite = 0;
  let firstNotFinite = -1;
  let outside = 0;
  let worst = -1;
  let worstValue = 0;
  let worstBy = -1;
  let channel = 0;
  let low = lows[0] as number;
  let high = highs[0] as number;
  let left = inner;
  for (let at = 0; at < length; at++) {
    const value = data[at] as number | bigint;
    if (!(value >= low && value <= high)) {
      const plain = Number(value);
      const by = Math.max(low - plain, plain - high);
      if (!Number.isFinite(plain)) {
        if (notFinite++ === 0) firstNotFinite = at;
      } else {
        outside++;
        if (by > worstBy) {
          worst = at;
          worstValue = plain;
          worstBy = by;
        }
      }
    }
    if (--left > 0) continue;
    left = inner;
    channel = channel + 1 === channels ? 0 : channel + 1;
    low = lows[channel] as number;
    high = highs[channel] as number;
  }
  return { notFinite, firstNotFinite, outside, worst, worstValue };
}

/** NaN fails both comparisons, and the bounds are finite: one test finds every bad value. */
function allInside(data: ArrayLike<number | bigint>, inner: number, bounds: Bounds): boolean {
  const length = data.length;
  const channels = bounds.lows.length;
  for (let channel = 0; channel < channels; channel++) {
    const low = bounds.lows[channel] as number;
    const high = bounds.highs[channel] as number;
    // Channels last: a stride instead of blocks of one, three times as fast.
    const block = inner === 1 ? length : inner;
    const step = inner === 1 ? channels : 1;
    const jump = inner === 1 ? length : inner * channels;
    for (let start = channel * inner; start < length; start += jump) {
      const end = Math.min(start + block, length);
      for (let at = start; at < end; at += step) {
        const value = data[at] as number | bigint;
        if (!(value >= low && value <= high)) return false;
      }
    }
  }
  return true;
}

/**
 * Whether no value is NaN or infinite: either turns its sum into NaN, so no value is tested. Four
 * sums at a time, as the additions of one would wait for each other.
 */
export function isFinite32(values: Float32Array): boolean {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < values.length; i += 4) {
    s0 += (values[i] as number) * 0;
    s1 += (values[i + 1] as number) * 0;
    s2 += (values[i + 2] as number) * 0;
    s3 += (values[i + 3] as number) * 0;
  }
  for (; i < values.length; i++) s0 += (values[i] as number) * 0;
  return s0 + s1 + s2 + s3 === 0;
}

/** True for element types that can hold NaN and infinities. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16';
}

/** The numbers of a tensor; float16 patterns decoded; `undefined` for strings. */
export function numbersOf(tensor: Tensor): ArrayLike<number | bigint> | undefined {
  if (tensor.dtype === 'float16') return decodeHalves(tensor.data as Uint16Array);
  if (tensor.dtype === 'string') return undefined;
  return tensor.data as Exclude<TensorData, readonly string[]>;
}

/** Float data as float32, or `undefined` for anything else. float32 is not copied. */
export function asFloat32(tensor: Tensor): Float32Array | undefined {
  if (!carries(tensor.dtype, tensor.data)) return undefined;
  if (tensor.dtype === 'float32') return tensor.data as Float32Array;
  if (tensor.dtype === 'float64') return new Float32Array(tensor.data as Float64Array);
  return tensor.dtype === 'float16' ? decodeHalves(tensor.data as Uint16Array) : undefined;
}

function decodeHalves(patterns: Uint16Array): Float32Array {
  const out = new Float32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) out[i] = halfToNumber(patterns[i] as number);
  return out;
}
