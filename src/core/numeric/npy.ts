/**
 * NumPy's `.npy` files as tensors: format versions 1.0 to 3.0, C order, little-endian (also the
 * byte order of every host this runs on). Everything else is refused.
 *
 * Source: numpy.lib.format. The header is a Python literal and is read by a grammar, never run.
 */
import type { Bytes } from '../base/bytes.ts';
import { assert, attempt, type Result } from '../base/fault.ts';
import { NPY_FILE_BYTES_MAX, NPY_HEADER_BYTES_MAX } from '../base/limits.ts';
import { refuseNumeric } from './faults.ts';
import { halfToNumber, numberToHalf } from './float16.ts';
import { type DType, elementCount, type Tensor, type TensorData } from './tensor.ts';

type NumberData = Exclude<TensorData, readonly string[]>;
type NumberDType = Exclude<DType, 'string'>;

interface ElementType {
  readonly descr: string;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, byteOffset: number, length: number) => NumberData;
  readonly make: (length: number) => NumberData;
}

type ArrayClass = {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumberData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumberData;
};

const ELEMENT_TYPES: Readonly<Record<NumberDType, ElementType>> = {
  float32: elementType('<f4', Float32Array),
  float64: elementType('<f8', Float64Array),
  float16: elementType('<f2', Uint16Array),
  int8: elementType('|i1', Int8Array),
  int16: elementType('<i2', Int16Array),
  int32: elementType('<i4', Int32Array),
  int64: elementType('<i8', BigInt64Array),
  uint8: elementType('|u1', Uint8Array),
  uint16: elementType('<u2', Uint16Array),
  uint32: elementType('<u4', Uint32Array),
  uint64: elementType('<u8', BigUint64Array),
  bool: elementType('|b1', Uint8Array),
};

/** Significant bits that every value of a type fits in; a float type holds any integer of so many. */
const FLOAT_BITS: Partial<Record<DType, number>> = { float16: 11, float32: 24, float64: 53 };
const UNSIGNED_BITS: Partial<Record<DType, number>> = {
  bool: 1,
  uint8: 8,
  uint16: 16,
  uint32: 32,
  uint64: 64,
};
const SIGNED_BITS: Partial<Record<DType, number>> = { int8: 7, int16: 15, int32: 31, int64: 63 };

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Reads an `.npy` file. The data are a view of `bytes` where those are aligned, else a copy; the
 * caller must not change `bytes` afterwards. Faults: every `npy.*` code.
 */
export function decodeNpy(bytes: Bytes): Result<Tensor> {
  return attempt(() => {
    const { header, dataStart } = splitFile(bytes);
    const { descr, fortranOrder, shape } = readHeader(header);
    const dtype = dtypeOf(descr);
    if (fortranOrder) throw refuseNumeric('npy.order', 'the array is in Fortran order');
    const count = elementCount(shape);
    if (count === undefined) {
      throw refuseNumeric('npy.limit', `the shape (${shape.join(', ')}) is beyond the limits`);
    }
    const type = ELEMENT_TYPES[dtype];
    const needed = count * type.bytes;
    const present = bytes.length - dataStart;
    if (present < needed) {
      throw refuseNumeric('npy.truncated', `${needed} bytes of data announced, ${present} present`);
    }
    if (present > needed) {
      throw refuseNumeric('npy.trailing', `${present - needed} bytes follow the data`);
    }
    const start = bytes.byteOffset + dataStart;
    const data =
      start % type.bytes === 0
        ? type.view(bytes.buffer, start, count)
        : type.view(new Uint8Array(bytes.subarray(dataStart)).buffer, 0, count);
    if (dtype === 'bool') refuseWildBools(data as Uint8Array);
    return { dtype, dims: shape, data };
  });
}

/** The `.npy` file (version 1.0) of a tensor of numbers; a string tensor is a programmer error. */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const { dtype, dims, data } = tensor;
  assert(dtype !== 'string' && ArrayBuffer.isView(data), 'a string tensor has no .npy form here');
  assert(data.length === elementCount(dims), 'the data do not fill the dimensions');
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const { descr } = ELEMENT_TYPES[dtype];
  const literal = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const dataStart = Math.ceil((10 + literal.length + 1) / 64) * 64;
  const out = new Uint8Array(dataStart + data.byteLength);
  out.set(MAGIC);
  out.set([1, 0, (dataStart - 10) & 0xff, (dataStart - 10) >> 8], 6);
  const text = `${literal.padEnd(dataStart - 11)}\n`;
  for (let i = 0; i < text.length; i++) out[10 + i] = text.charCodeAt(i);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart);
  return out;
}

/** Row `index` of the first axis, with a leading dimension of 1; numbers are a view, not a copy. */
export function rowOf(tensor: Tensor, index: number): Tensor {
  const rows = tensor.dims[0];
  assert(rows !== undefined, 'a scalar has no rows');
  assert(Number.isInteger(index) && index >= 0 && index < rows, `no row ${index} of ${rows}`);
  const size = tensor.data.length / rows;
  const { data } = tensor;
  const row = ArrayBuffer.isView(data)
    ? data.subarray(index * size, (index + 1) * size)
    : data.slice(index * size, (index + 1) * size);
  return { dtype: tensor.dtype, dims: [1, ...tensor.dims.slice(1)], data: row };
}

/**
 * The same values in another type: `value * scale + offset`, computed in binary64 and rounded once.
 * The type must hold every value of the old one exactly, whatever the data happen to be, so that
 * a conversion that works on one frame works on all; a scale or offset needs a float type.
 * Without any change the same tensor is given back. Faults: `tensor.string`, `tensor.lossy`,
 * `tensor.scale`.
 */
export function convertTensor(
  tensor: Tensor,
  dtype: DType,
  scale: number = 1,
  offset: number = 0,
): Result<Tensor> {
  return attempt(() => {
    const scaled = scale !== 1 || offset !== 0;
    if (tensor.dtype === dtype && !scaled) return tensor;
    if (tensor.dtype === 'string' || dtype === 'string') {
      throw refuseNumeric('tensor.string', `${tensor.dtype} cannot become ${dtype}`);
    }
    if (!holds(tensor.dtype, dtype)) {
      throw refuseNumeric(
        'tensor.lossy',
        `${dtype} does not hold every ${tensor.dtype}, so the data are not converted to it`,
      );
    }
    const finite = Number.isFinite(scale) && Number.isFinite(offset);
    if (scaled && (!finite || FLOAT_BITS[dtype] === undefined)) {
      throw refuseNumeric('tensor.scale', `scale ${scale} and offset ${offset} to ${dtype}`);
    }
    const from = tensor.data as NumberData;
    const to = ELEMENT_TYPES[dtype].make(from.length);
    convertInto(to, dtype, from, tensor.dtype, scale, offset);
    return { dtype, dims: tensor.dims, data: to };
  });
}

function elementType(descr: string, ArrayType: ArrayClass): ElementType {
  return {
    descr,
    bytes: ArrayType.BYTES_PER_ELEMENT,
    view: (buffer, byteOffset, length) => new ArrayType(buffer, byteOffset, length),
    make: (length) => new ArrayType(length),
  };
}

function splitFile(bytes: Bytes): { header: string; dataStart: number } {
  if (bytes.length > NPY_FILE_BYTES_MAX) {
    throw refuseNumeric('npy.limit', `the file has more than ${NPY_FILE_BYTES_MAX} bytes`);
  }
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw refuseNumeric('npy.magic', 'the file does not start with \\x93NUMPY');
  }
  const major = bytes[6];
  const minor = bytes[7];
  if (major === undefined || minor === undefined) {
    throw refuseNumeric('npy.truncated', 'the file ends before its version');
  }
  if (major < 1 || major > 3 || minor !== 0) {
    throw refuseNumeric('npy.version', `format version ${major}.${minor}`);
  }
  const lengthBytes = major === 1 ? 2 : 4;
  const headerStart = 8 + lengthBytes;
  if (bytes.length < headerStart) {
    throw refuseNumeric('npy.truncated', 'the file ends before its header');
  }
  let length = 0;
  for (let i = lengthBytes - 1; i >= 0; i--) length = length * 256 + (bytes[8 + i] as number);
  if (length > NPY_HEADER_BYTES_MAX) {
    throw refuseNumeric('npy.limit', `the header has ${length} of ${NPY_HEADER_BYTES_MAX} bytes`);
  }
  const dataStart = headerStart + length;
  if (bytes.length < dataStart) {
    throw refuseNumeric('npy.truncated', 'the file ends within its header');
  }
  const header = String.fromCharCode(...bytes.subarray(headerStart, dataStart));
  return { header, dataStart };
}

/**
 * The three members of numpy's header, in any order, each once; only what numpy itself writes.
 * Each pattern is anchored and has one way to match, so that no header makes it slow.
 */
function readHeader(header: string): { descr: string; fortranOrder: boolean; shape: number[] } {
  let rest = header;
  const take = (pattern: RegExp, what: string): string => {
    const match = pattern.exec(rest);
    if (match === null) {
      const at = header.length - rest.length;
      throw refuseNumeric('npy.header', `${what} expected at character ${at} of the header`);
    }
    rest = rest.slice(match[0].length);
    return match[1] ?? '';
  };
  const members = new Map<string, string>();
  take(/^\{ */, 'an opening brace');
  while (!rest.startsWith('}')) {
    const name = take(/^'(descr|fortran_order|shape)' *: */, 'descr, fortran_order or shape');
    if (members.has(name)) throw refuseNumeric('npy.header', `${name} is given twice`);
    if (name === 'descr') members.set(name, take(/^'([^']{1,16})'/, 'a plain type'));
    else if (name === 'fortran_order') members.set(name, take(/^(True|False)/, 'True or False'));
    else members.set(name, take(/^\(([0-9, ]*)\)/, 'a tuple of numbers'));
    if (!/^ *\}/.test(rest)) take(/^ *, */, 'a comma');
    else take(/^ */, 'the end');
  }
  take(/^\} *\n$/, 'the end of the header');
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((k) => members.get(k));
  if (descr === undefined || order === undefined || shape === undefined) {
    throw refuseNumeric('npy.header', 'descr, fortran_order or shape is missing');
  }
  return { descr, fortranOrder: order === 'True', shape: readShape(shape) };
}

/** What stands within the parentheses of a Python tuple of whole numbers. */
function readShape(text: string): number[] {
  if (text === '') return [];
  const parts = text.split(',').map((part) => part.trim());
  // (3,) is a tuple of one and (3) is none at all.
  if (parts.length === 1) throw refuseNumeric('npy.header', `(${text}) is not a tuple`);
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part) => {
    if (!/^(0|[1-9][0-9]{0,15})$/.test(part)) {
      throw refuseNumeric('npy.header', `the shape (${text}) is not a tuple of whole numbers`);
    }
    return Number(part);
  });
}

function dtypeOf(descr: string): NumberDType {
  // For one byte the order says nothing: numpy writes '|', other writers '<'.
  const written = /^<[iub]1$/.test(descr) ? `|${descr.slice(1)}` : descr;
  for (const [dtype, type] of Object.entries(ELEMENT_TYPES)) {
    if (type.descr === written) return dtype as NumberDType;
  }
  throw refuseNumeric('npy.dtype', `the array's type is ${JSON.stringify(descr)}`);
}

function refuseWildBools(data: Uint8Array): void {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) throw refuseNumeric('npy.bool', `element ${at} is ${data[at]}`);
}

/** Whether `to` holds every value of `from` exactly. */
function holds(from: DType, to: DType): boolean {
  if (from === to) return true;
  const floatTo = FLOAT_BITS[to];
  const floatFrom = FLOAT_BITS[from];
  if (floatFrom !== undefined) return floatTo !== undefined && floatTo > floatFrom;
  const unsigned = UNSIGNED_BITS[from];
  const bits = unsigned ?? SIGNED_BITS[from] ?? Infinity;
  if (floatTo !== undefined) return bits <= floatTo;
  if (SIGNED_BITS[to] !== undefined) return bits <= (SIGNED_BITS[to] as number);
  return unsigned !== undefined && bits <= (UNSIGNED_BITS[to] ?? 0);
}

function convertInto(
  to: NumberData,
  toDtype: NumberDType,
  from: NumberData,
  fromDtype: DType,
  scale: number,
  offset: number,
): void {
  if (to instanceof BigInt64Array || to instanceof BigUint64Array) {
    for (let i = 0; i < to.length; i++) to[i] = BigInt(from[i] as number | bigint);
    return;
  }
  const half = fromDtype === 'float16';
  const toHalf = toDtype === 'float16';
  // Unscaled values skip the arithmetic: -0 + 0 would lose the sign.
  const scaled = scale !== 1 || offset !== 0;
  for (let i = 0; i < to.length; i++) {
    const raw = from[i] as number;
    const plain = half ? halfToNumber(raw) : raw;
    const value = scaled ? plain * scale + offset : plain;
    to[i] = toHalf ? numberToHalf(value) : value;
  }
}
