/** TensorProto: the head at once, the data on demand, from `raw_data` or from the typed fields. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Bytes } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { TENSOR_RANK_MAX } from '../base/limits.ts';
import { type DType, elementCount, type Tensor, type TensorData } from '../numeric/tensor.ts';
import { refuseOnnx } from './faults.ts';
import { dtypeOf, TENSOR } from './proto.ts';
import {
  bytesOf,
  integerOf,
  readingWire,
  textOf,
  utf8TextOf,
  type WireField,
  wireFields,
} from './wire.ts';

export interface OnnxTensor {
  readonly name: string;
  /** TensorProto.DataType as written. */
  readonly dataType: number;
  /** `undefined` for an element type that Edgeward does not offer, such as bfloat16. */
  readonly dtype: DType | undefined;
  readonly dims: readonly number[];
  /** The data lie in another file, which Edgeward never opens. */
  readonly external: boolean;
  /** The TensorProto, a view into the model. */
  readonly body: Bytes;
}

/** Reads all but the data. Refuses as `readGraph` does; meant to run inside its `attempt`. */
export function readTensorHead(body: Bytes): OnnxTensor {
  let name = '';
  let dataType = 0;
  let external = false;
  const dims: number[] = [];
  for (const field of wireFields(body)) {
    if (field.no === TENSOR.name) name = textOf(field);
    else if (field.no === TENSOR.dataType) dataType = integerOf(field);
    else if (field.no === TENSOR.dataLocation) external = integerOf(field) !== 0;
    else if (field.no === TENSOR.dims) {
      dims.push(...packedSizes(runOf(field)));
      if (dims.length > TENSOR_RANK_MAX) {
        throw refuseOnnx('onnx.limit', `a tensor has more than ${TENSOR_RANK_MAX} dimensions`);
      }
    }
  }
  if (dims.some((size) => size < 0)) {
    throw refuseOnnx('onnx.malformed', `the tensor ${name} has the dimensions ${dims.join(', ')}`);
  }
  return { name, dataType, dtype: dtypeOf(dataType), dims, external, body };
}

/**
 * The tensor with its data, which are a copy. Faults: `onnx.unsupported` (element type),
 * `onnx.external-data`, `onnx.limit` (elements), `onnx.malformed` (data that do not fill it).
 */
export function decodeTensor(tensor: OnnxTensor): Result<Tensor> {
  return attempt(() => {
    const { dims, dtype, name } = tensor;
    if (dtype === undefined) {
      throw refuseOnnx(
        'onnx.unsupported',
        `the tensor ${name} has the data type ${tensor.dataType}`,
      );
    }
    if (tensor.external) {
      throw refuseOnnx('onnx.external-data', `the data of the tensor ${name} lie in another file`);
    }
    const count = elementCount(dims);
    if (count === undefined) {
      throw refuseOnnx('onnx.limit', `the tensor ${name} of [${dims.join(', ')}] is too large`);
    }
    return { dtype, dims, data: readData(tensor, dtype, count) };
  });
}

interface Storage {
  readonly of: (buffer: ArrayBuffer) => Exclude<TensorData, readonly string[]>;
  readonly bytesEach: number;
  /** The typed field that may hold the elements instead of `raw_data`. */
  readonly field: number;
}

const STORAGE: Readonly<Record<Exclude<DType, 'string'>, Storage>> = {
  float32: { of: (buffer) => new Float32Array(buffer), bytesEach: 4, field: TENSOR.floatData },
  float64: { of: (buffer) => new Float64Array(buffer), bytesEach: 8, field: TENSOR.doubleData },
  float16: { of: (buffer) => new Uint16Array(buffer), bytesEach: 2, field: TENSOR.int32Data },
  int8: { of: (buffer) => new Int8Array(buffer), bytesEach: 1, field: TENSOR.int32Data },
  int16: { of: (buffer) => new Int16Array(buffer), bytesEach: 2, field: TENSOR.int32Data },
  int32: { of: (buffer) => new Int32Array(buffer), bytesEach: 4, field: TENSOR.int32Data },
  int64: { of: (buffer) => new BigInt64Array(buffer), bytesEach: 8, field: TENSOR.int64Data },
  uint8: { of: (buffer) => new Uint8Array(buffer), bytesEach: 1, field: TENSOR.int32Data },
  uint16: { of: (buffer) => new Uint16Array(buffer), bytesEach: 2, field: TENSOR.int32Data },
  uint32: { of: (buffer) => new Uint32Array(buffer), bytesEach: 4, field: TENSOR.uint64Data },
  uint64: { of: (buffer) => new BigUint64Array(buffer), bytesEach: 8, field: TENSOR.uint64Data },
  bool: { of: (buffer) => new Uint8Array(buffer), bytesEach: 1, field: TENSOR.int32Data },
};

function readData(tensor: OnnxTensor, dtype: DType, count: number): TensorData {
  if (dtype === 'string') return readTexts(tensor, count);
  const storage = STORAGE[dtype];
  let raw: Bytes | undefined;
  const chunks: Bytes[] = [];
  for (const field of wireFields(tensor.body)) {
    if (field.no === TENSOR.rawData) raw = bytesOf(field);
    else if (field.no === storage.field) chunks.push(runOf(field));
  }
  const bytes =
    raw === undefined ? typedBytes(tensor, storage, chunks, count) : new Uint8Array(raw);
  if (bytes.length === count * storage.bytesEach) return storage.of(bytes.buffer);
  throw wrongLength(tensor, `${bytes.length} bytes`);
}

/** The packed elements of a repeated field; an unpacked element is a run of one. */
function runOf(field: WireField): Bytes {
  if (field.type === (UNPACKED[field.no] ?? WireType.Varint)) return field.body;
  return bytesOf(field);
}

const UNPACKED: Readonly<Record<number, WireType>> = {
  [TENSOR.floatData]: WireType.Bit32,
  [TENSOR.doubleData]: WireType.Bit64,
};

function readTexts(tensor: OnnxTensor, count: number): readonly string[] {
  const texts: string[] = [];
  for (const field of wireFields(tensor.body)) {
    if (field.no === TENSOR.stringData) texts.push(utf8TextOf(bytesOf(field)));
    if (texts.length > count) break;
  }
  if (texts.length !== count) throw wrongLength(tensor, `${texts.length} texts`);
  return texts;
}

/** The elements of a typed field, as the bytes that `raw_data` would have. */
function typedBytes(
  tensor: OnnxTensor,
  { field, bytesEach }: Storage,
  chunks: readonly Bytes[],
  count: number,
): Uint8Array<ArrayBuffer> {
  // Dimensions are only a claim; an element takes at least a byte here, so that a file of a few
  // bytes never claims hundreds of megabytes of memory.
  if (count > chunks.reduce((sum, chunk) => sum + chunk.length, 0)) {
    throw wrongLength(tensor, 'fewer elements');
  }
  const bytes = new Uint8Array(count * bytesEach);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const chunk of chunks) {
    const reader = new BinaryReader(chunk);
    while (reader.pos < reader.len) {
      if (at >= bytes.length) throw wrongLength(tensor, 'more elements');
      readingWire(() => storeElement(view, at, bytesEach, field, reader));
      at += bytesEach;
    }
  }
  if (at < bytes.length) throw wrongLength(tensor, `${at / bytesEach} elements`);
  return bytes;
}

function storeElement(
  view: DataView,
  at: number,
  bytesEach: number,
  field: number,
  reader: BinaryReader,
): void {
  if (field === TENSOR.floatData) view.setFloat32(at, reader.float(), true);
  else if (field === TENSOR.doubleData) view.setFloat64(at, reader.double(), true);
  else {
    // Narrower integers keep the low bits, as the cast in ONNX Runtime does.
    const value = BigInt(reader.int64());
    if (bytesEach === 8) view.setBigInt64(at, value, true);
    else if (bytesEach === 4) view.setInt32(at, Number(BigInt.asIntN(32, value)), true);
    else if (bytesEach === 2) view.setInt16(at, Number(BigInt.asIntN(16, value)), true);
    else view.setInt8(at, Number(BigInt.asIntN(8, value)));
  }
}

function wrongLength(tensor: OnnxTensor, got: string): Error {
  const shape = tensor.dims.join(', ');
  return refuseOnnx('onnx.malformed', `the tensor ${tensor.name} of [${shape}] has ${got}`);
}

function packedSizes(chunk: Bytes): number[] {
  const sizes: number[] = [];
  const reader = new BinaryReader(chunk);
  while (reader.pos < reader.len && sizes.length <= TENSOR_RANK_MAX) {
    sizes.push(readingWire(() => Number(reader.int64())));
  }
  return sizes;
}
