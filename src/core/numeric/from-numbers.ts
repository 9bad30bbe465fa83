/** Tensor data of any numeric element type from plain numbers that it can hold. */
import { numberToHalf } from './float16.ts';
import type { DType, TensorData } from './tensor.ts';

/** The caller has checked that whole-number types get whole numbers in their range. */
export function dataFromNumbers(
  dtype: Exclude<DType, 'string'>,
  values: readonly number[],
): TensorData {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'float16':
      return Uint16Array.from(values, numberToHalf);
    case 'int8':
      return Int8Array.from(values);
    case 'int16':
      return Int16Array.from(values);
    case 'int32':
      return Int32Array.from(values);
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(values);
    case 'uint16':
      return Uint16Array.from(values);
    case 'uint32':
      return Uint32Array.from(values);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
  }
}
