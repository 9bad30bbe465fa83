/**
 * The door for tensors from outside: what a caller hands over is read once, member by member, and
 * copied; the guard and the model see only the copy. Proxies, getters that change their mind and
 * subclasses with their own iterators get one chance to answer. An object whose getter never
 * returns hangs its own process: no check in the same thread can help against that.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import {
  MODEL_PORTS_MAX,
  TENSOR_BYTES_MAX,
  TENSOR_ELEMENTS_MAX,
  TENSOR_NAME_CHARS_MAX,
  TENSOR_RANK_MAX,
} from '../base/limits.ts';
import {
  DTYPES,
  type DType,
  type NamedTensors,
  type Tensor,
  type TensorData,
} from '../numeric/tensor.ts';
import { refuseGuard } from './faults.ts';
import { quoted } from './findings.ts';

/**
 * Copies a `Map` or a plain object of name to `{ dtype, dims, data }` into tensors of our own.
 * `bytesMax` bounds all data of the frame together; a string costs its reference and two bytes a
 * character. Whether the tensors suit a model is the contract's question, not asked here.
 * Faults: `guard.tensors`, `guard.tensor-*`, `guard.unreadable`.
 */
export function admitTensors(
  value: unknown,
  bytesMax: number = TENSOR_BYTES_MAX,
): Result<NamedTensors> {
  return attempt(() => {
    const tensors = new Map<string, Tensor>();
    let bytesLeft = bytesMax;
    for (const [name, member] of reading('the frame', () => entriesOf(value))) {
      const shown = typeof name === 'string' ? quoted(name) : String(typeof name);
      if (typeof name !== 'string' || name === '' || name.length > TENSOR_NAME_CHARS_MAX) {
        throw refuseGuard(
          'guard.tensor-name',
          `${shown} is no name of 1 to ${TENSOR_NAME_CHARS_MAX} characters`,
        );
      }
      const { dtype, dims, data } = reading(shown, () => membersOf(shown, member));
      const admittedDims = reading(shown, () => admitDims(shown, dims));
      const copy = reading(shown, () => admitData(shown, dtype, data, bytesLeft));
      bytesLeft -= copy.bytes;
      tensors.set(name, { dtype, dims: admittedDims, data: copy.data });
    }
    return tensors;
  });
}

/** Whether the array is of the class that carries the element type; subclasses count. */
export function carries(dtype: DType, data: unknown): data is TensorData {
  if (dtype === 'string') return Array.isArray(data);
  return classNameOf(data) === CLASSES[dtype].name;
}

type NumericData = Exclude<TensorData, readonly string[]>;

const CLASSES: Record<
  Exclude<DType, 'string'>,
  { readonly name: string; readonly copy: (data: NumericData) => NumericData }
> = {
  float32: { name: 'Float32Array', copy: (data) => new Float32Array(data as Float32Array) },
  float64: { name: 'Float64Array', copy: (data) => new Float64Array(data as Float64Array) },
  float16: { name: 'Uint16Array', copy: (data) => new Uint16Array(data as Uint16Array) },
  int8: { name: 'Int8Array', copy: (data) => new Int8Array(data as Int8Array) },
  int16: { name: 'Int16Array', copy: (data) => new Int16Array(data as Int16Array) },
  int32: { name: 'Int32Array', copy: (data) => new Int32Array(data as Int32Array) },
  int64: { name: 'BigInt64Array', copy: (data) => new BigInt64Array(data as BigInt64Array) },
  uint8: { name: 'Uint8Array', copy: (data) => new Uint8Array(data as Uint8Array) },
  uint16: { name: 'Uint16Array', copy: (data) => new Uint16Array(data as Uint16Array) },
  uint32: { name: 'Uint32Array', copy: (data) => new Uint32Array(data as Uint32Array) },
  uint64: { name: 'BigUint64Array', copy: (data) => new BigUint64Array(data as BigUint64Array) },
  bool: { name: 'Uint8Array', copy: (data) => new Uint8Array(data as Uint8Array) },
};

/** The answers of typed arrays themselves; own members and subclasses cannot change them. */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const tagGetter = getterOf(typedArray, Symbol.toStringTag);
const lengthGetter = getterOf(typedArray, 'length');
const byteLengthGetter = getterOf(typedArray, 'byteLength');
const mapEntries = Map.prototype.entries;

function getterOf(prototype: object, name: PropertyKey): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: unknown) => unknown;
}

/** `undefined` for everything that is not a typed array, whatever it says about itself. */
function classNameOf(data: unknown): unknown {
  return tagGetter.call(data);
}

/** Whatever a hostile object throws while it is read becomes one fault; ours pass through. */
function reading<T>(place: string, read: () => T): T {
  let outcome: Result<T>;
  try {
    outcome = attempt(read);
  } catch {
    // The thrown value is the caller's own object: it is not looked at either.
    throw refuseGuard('guard.unreadable', `${place} threw while it was read`);
  }
  return need(outcome);
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || classNameOf(value)) {
    throw refuseGuard('guard.tensors', 'the frame is neither a Map nor an object of tensors');
  }
  const entries: [unknown, unknown][] = [];
  const source =
    value instanceof Map
      ? (mapEntries.call(value) as Iterable<[unknown, unknown]>)
      : Object.keys(value);
  for (const item of source) {
    if (entries.length === MODEL_PORTS_MAX) {
      throw refuseGuard('guard.tensors', `the frame has more than ${MODEL_PORTS_MAX} tensors`);
    }
    entries.push(
      typeof item === 'string' ? [item, (value as Record<string, unknown>)[item]] : item,
    );
  }
  return entries;
}

function membersOf(shown: string, member: unknown): { dtype: DType; dims: unknown; data: unknown } {
  if (typeof member !== 'object' || member === null) {
    throw refuseGuard('guard.tensors', `${shown} is not a tensor { dtype, dims, data }`);
  }
  const { dtype, dims, data } = member as Record<'dtype' | 'dims' | 'data', unknown>;
  if (typeof dtype !== 'string' || !(DTYPES as readonly string[]).includes(dtype)) {
    const given = typeof dtype === 'string' ? quoted(dtype) : typeof dtype;
    throw refuseGuard('guard.tensor-dtype', `${shown} has the element type ${given}`);
  }
  return { dtype: dtype as DType, dims, data };
}

function admitDims(shown: string, dims: unknown): readonly number[] {
  const rank = Array.isArray(dims) ? dims.length : -1;
  if (!(rank >= 0 && rank <= TENSOR_RANK_MAX)) {
    throw refuseGuard(
      'guard.tensor-dims',
      `the dimensions of ${shown} are no list of at most ${TENSOR_RANK_MAX}`,
    );
  }
  const copy: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const size: unknown = (dims as unknown[])[axis];
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      const given = typeof size === 'number' ? String(size) : typeof size;
      throw refuseGuard('guard.tensor-dims', `dimension ${axis} of ${shown} is ${given}`);
    }
    copy.push(size + 0); // -0 + 0 is 0
  }
  return copy;
}

function admitData(
  shown: string,
  dtype: DType,
  data: unknown,
  bytesMax: number,
): { data: TensorData; bytes: number } {
  if (!carries(dtype, data)) {
    const needed = dtype === 'string' ? 'a list of texts' : `a ${CLASSES[dtype].name}`;
    throw refuseGuard('guard.tensor-data', `the data of ${shown} (${dtype}) must be ${needed}`);
  }
  if (dtype === 'string') return admitTexts(shown, data as readonly unknown[], bytesMax);
  const bytes = byteLengthGetter.call(data) as number;
  const length = lengthGetter.call(data) as number;
  needRoom(shown, length, bytes, bytesMax);
  const copy = CLASSES[dtype].copy(data as NumericData);
  if (dtype === 'bool') {
    for (let i = 0; i < copy.length; i++) {
      if ((copy[i] as number) <= 1) continue;
      throw refuseGuard('guard.tensor-data', `element ${i} of ${shown} (bool) is not 0 or 1`);
    }
  }
  return { data: copy, bytes };
}

const REFERENCE_BYTES = 8;

function admitTexts(
  shown: string,
  data: readonly unknown[],
  bytesMax: number,
): { data: readonly string[]; bytes: number } {
  const length = data.length;
  let bytes = length * REFERENCE_BYTES;
  needRoom(shown, length, bytes, bytesMax);
  const copy: string[] = [];
  for (let i = 0; i < length; i++) {
    const text = data[i];
    if (typeof text !== 'string') {
      throw refuseGuard('guard.tensor-data', `element ${i} of ${shown} (string) is no text`);
    }
    bytes += 2 * text.length;
    needRoom(shown, length, bytes, bytesMax);
    copy.push(text);
  }
  return { data: copy, bytes };
}

function needRoom(shown: string, length: number, bytes: number, bytesMax: number): void {
  // A proxied array may answer anything for its length: NaN is refused too.
  if (length >= 0 && length <= TENSOR_ELEMENTS_MAX && bytes <= bytesMax) return;
  throw refuseGuard(
    'guard.tensor-bytes',
    `${shown} brings ${length} elements and ${bytes} bytes; ${bytesMax} bytes are left`,
  );
}
