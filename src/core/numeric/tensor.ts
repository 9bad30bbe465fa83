/** Tensors as the guard sees them: a dtype of ONNX, dimensions, and row-major data. */
import { TENSOR_ELEMENTS_MAX, TENSOR_RANK_MAX } from '../base/limits.ts';

/** ONNX element types that onnxruntime-web offers; `float16` data are the raw 16-bit patterns. */
export const DTYPES: readonly DType[] = [
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'string',
];

export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string';

/** `bool` is one byte an element, 0 or 1; 64-bit integers are bigints; strings a plain array. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

export interface Tensor {
  readonly dtype: DType;
  /** Row-major dimensions; `[]` is a scalar. */
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** Named tensors, as an inference takes and gives them. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** The product of the dimensions, or `undefined` where they are not a shape within the limits. */
export function elementCount(dims: readonly number[]): number | undefined {
  if (dims.length > TENSOR_RANK_MAX) return undefined;
  let count = 1;
  for (const size of dims) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
    if (count > TENSOR_ELEMENTS_MAX) return undefined;
  }
  return count;
}

type NumberArrayClass = {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (data: never, byteOffset?: number, length?: number): NumberArray;
};
type NumberArray = Exclude<TensorData, readonly string[]>;

const ARRAYS: Readonly<Record<Exclude<DType, 'string'>, NumberArrayClass>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** Whether `data` is the kind of array that carries elements of `dtype`; its values may be any. */
export function isDataOf(dtype: DType, data: unknown): data is TensorData {
  if (dtype === 'string') return Array.isArray(data);
  return ArrayBuffer.isView(data) && tagOf(data) === ARRAYS[dtype].name;
}

/** A copy in memory of its own, never shared with another thread; `data` must be of `dtype`. */
export function copyData(dtype: DType, data: TensorData): TensorData {
  // Not data.slice(): a Buffer is a Uint8Array too, and its slice is a view of the same memory.
  return dtype === 'string' ? [...(data as string[])] : new ARRAYS[dtype](data as never);
}

/** `length` elements that lie in other memory, at an offset that suits their size. */
export function viewOf(
  dtype: Exclude<DType, 'string'>,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): NumberArray {
  return new ARRAYS[dtype](buffer as never, byteOffset, length);
}

/** Bytes of one element. */
export function elementBytes(dtype: Exclude<DType, 'string'>): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

function tagOf(view: ArrayBufferView): unknown {
  return (view as Uint8Array)[Symbol.toStringTag];
}
