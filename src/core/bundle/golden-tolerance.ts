/**
 * How far an output may be from its golden value, so that another CPU passes and another model does
 * not: |seen - expected| <= absolute + relative * |expected|, as numpy.isclose has it.
 */
import { halfToNumber } from '../numeric/float16.ts';
import type { DType, Tensor } from '../numeric/tensor.ts';

export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** One element that is too far off. */
export interface Difference {
  /** Its place in row-major order; -1 where the type or the dimensions differ. */
  readonly element: number;
  /** For example `0.5 where 0.25 was expected, 0.25 off, 0.001 allowed`. */
  readonly words: string;
}

/** Loosest that a signature makes a device accept: beyond it nothing would be compared. */
const RELATIVE_MAX = 0.125;
/** ONNX's own backend tests (onnx/backend/test/loader: rtol = 1e-3, atol = 1e-7). */
const FLOAT_RELATIVE = 1e-3;
const FLOAT_ABSOLUTE_MIN = 1e-7;
/**
 * Of the largest value of the output. An element that cancels to almost nothing still carries the
 * rounding of the terms it was summed from: at most n * 2^-24 of their size (Higham, Accuracy and
 * Stability of Numerical Algorithms, 3.1), which is 6e-5 for n = 1,024 terms in another order. Native
 * ONNX Runtime with fused multiply-add stays within a fiftieth of this from WebAssembly on eight models.
 */
const FLOAT_OF_LARGEST = 1e-4;
/** Sixteen units in the last place of eleven bits, for each of the two. */
const HALF_SHARE = 2 ** -7;

/** The tolerance for an output, from its golden values; exact for whole numbers, bools and texts. */
export function toleranceOf(golden: readonly Tensor[]): Tolerance {
  const dtype = golden[0]?.dtype ?? 'string';
  if (isExact(dtype)) return { absolute: 0, relative: 0 };
  const largest = largestOf(golden);
  return dtype === 'float16'
    ? { absolute: Math.max(HALF_SHARE * largest, 2 ** -24), relative: HALF_SHARE }
    : {
        absolute: Math.max(FLOAT_OF_LARGEST * largest, FLOAT_ABSOLUTE_MIN),
        relative: FLOAT_RELATIVE,
      };
}

/** Whether a tolerance still tells models apart: exact types exact, others within an eighth. */
export function isUseful({ absolute, relative }: Tolerance, golden: readonly Tensor[]): boolean {
  if (golden.some(({ dtype }) => isExact(dtype))) return absolute === 0 && relative === 0;
  const absoluteMax = Math.max(RELATIVE_MAX * largestOf(golden), FLOAT_ABSOLUTE_MIN);
  return absolute >= 0 && absolute <= absoluteMax && relative >= 0 && relative <= RELATIVE_MAX;
}

/** The first element that is too far from the golden one; NaN is always too far. */
export function differenceIn(
  expected: Tensor,
  seen: Tensor,
  tolerance: Tolerance,
): Difference | undefined {
  const form = ({ dtype, dims }: Tensor): string => `${dtype} [${dims.join(', ')}]`;
  if (form(expected) !== form(seen) || expected.data.length !== seen.data.length) {
    return { element: -1, words: `${form(seen)} where ${form(expected)} was expected` };
  }
  if (isExact(expected.dtype)) return firstUnequal(expected, seen);
  const { absolute, relative } = tolerance;
  const half = expected.dtype === 'float16';
  const [golden, given] = [expected.data, seen.data] as [Float64Array, Float64Array];
  for (let i = 0; i < golden.length; i++) {
    const want = half ? halfToNumber(golden[i] as number) : (golden[i] as number);
    const got = half ? halfToNumber(given[i] as number) : (given[i] as number);
    const allowed = absolute + relative * Math.abs(want);
    const off = Math.abs(got - want);
    if (off <= allowed) continue;
    const words = `${got} where ${want} was expected, ${off} off, ${allowed} allowed`;
    return { element: i, words };
  }
  return undefined;
}

/** Every number of a tensor is finite; texts have none. */
export function isFiniteTensor({ dtype, data }: Tensor): boolean {
  if (isExact(dtype)) return true;
  const numbers = data as Float64Array;
  return dtype === 'float16'
    ? numbers.every((bits) => Number.isFinite(halfToNumber(bits)))
    : numbers.every(Number.isFinite);
}

function firstUnequal(expected: Tensor, seen: Tensor): Difference | undefined {
  for (let i = 0; i < expected.data.length; i++) {
    const [want, got] = [expected.data[i], seen.data[i]];
    if (want === got) continue;
    return { element: i, words: `${quoted(got)} where ${quoted(want)} was expected` };
  }
  return undefined;
}

function quoted(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value);
}

function isExact(dtype: DType): boolean {
  return !dtype.startsWith('float');
}

function largestOf(tensors: readonly Tensor[]): number {
  let largest = 0;
  for (const { dtype, data } of tensors) {
    for (const value of data as Float64Array) {
      const size = Math.abs(dtype === 'float16' ? halfToNumber(value) : value);
      if (size > largest) largest = size;
    }
  }
  return largest;
}
