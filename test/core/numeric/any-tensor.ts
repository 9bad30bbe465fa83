/** Arbitrary tensors of every element type, small, with every bit pattern that the type has. */
import fc from 'fast-check';
import { copyData, DTYPES, type DType, type Tensor } from '../../../src/core/numeric/tensor.ts';

const BYTES_EACH: Readonly<Record<Exclude<DType, 'string'>, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
};
const VIEWS: Readonly<Record<Exclude<DType, 'string'>, (buffer: ArrayBuffer) => Tensor['data']>> = {
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
  float16: (buffer) => new Uint16Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  bool: (buffer) => new Uint8Array(buffer).map((byte) => byte & 1),
};

const anyDims = fc.array(fc.nat(4), { maxLength: 4 });

export const anyNumericTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...DTYPES.filter((dtype) => dtype !== 'string')), anyDims)
  .chain(([dtype, dims]) => {
    const length = dims.reduce((product, size) => product * size, BYTES_EACH[dtype]);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
      const buffer = new ArrayBuffer(length);
      new Uint8Array(buffer).set(bytes);
      return { dtype, dims, data: copyData(dtype, VIEWS[dtype](buffer)) };
    });
  });

export const anyTextTensor: fc.Arbitrary<Tensor> = anyDims.chain((dims) => {
  const length = dims.reduce((product, size) => product * size, 1);
  return fc
    .array(fc.string({ unit: 'grapheme' }), { minLength: length, maxLength: length })
    .map((data) => ({ dtype: 'string', dims, data }));
});
