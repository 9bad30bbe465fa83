/**
 * The deterministic CBOR encoder (RFC 8949 4.2.1): shortest heads and floats, definite lengths,
 * map keys sorted bytewise. A whole number always travels as an integer, never as a float, so that
 * every value has exactly one encoding.
 */
import { compareBytes, utf8 } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { type CborKey, CborTag, type CborValue } from './value.ts';

/** Grows by doubling; kept per call so that encoding is re-entrant. */
class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  room(count: number): DataView {
    if (this.#length + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#length += count;
    return new DataView(this.#bytes.buffer, this.#length - count, count);
  }

  /** One initial byte, then a view of the `count` bytes behind it. */
  head(count: number, initial: number): DataView {
    this.room(1).setUint8(0, initial);
    return this.room(count);
  }

  put(bytes: Uint8Array): void {
    const at = this.#length;
    this.room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Total over `CborValue`; asserts that numbers fit (integers within 64 bits, tags below 2^32). */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new Writer();
  write(writer, value);
  return writer.done();
}

function write(writer: Writer, value: CborValue): void {
  if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'string') writeBytes(writer, 0x60, utf8(value));
  else if (typeof value === 'bigint') writeBigInt(writer, value);
  else if (typeof value === 'boolean') writer.room(1).setUint8(0, value ? 0xf5 : 0xf4);
  else if (value === null) writer.room(1).setUint8(0, 0xf6);
  else if (value instanceof Uint8Array) writeBytes(writer, 0x40, value);
  else if (value instanceof CborTag) {
    writeHead(writer, 0xc0, value.tag);
    write(writer, value.value);
  } else if (isList(value)) {
    writeHead(writer, 0x80, value.length);
    for (const entry of value) write(writer, entry);
  } else writeMap(writer, value);
}

// `Array.isArray` does not narrow readonly arrays away.
function isList(value: object): value is readonly CborValue[] {
  return Array.isArray(value);
}

function writeMap(writer: Writer, map: ReadonlyMap<CborKey, CborValue>): void {
  const entries = [...map].map(([key, value]) => ({ key: encodeCbor(key), value }));
  entries.sort((a, b) => compareBytes(a.key, b.key));
  writeHead(writer, 0xa0, entries.length);
  for (const { key, value } of entries) {
    writer.put(key);
    write(writer, value);
  }
}

function writeBytes(writer: Writer, major: number, bytes: Uint8Array): void {
  writeHead(writer, major, bytes.length);
  writer.put(bytes);
}

function writeHead(writer: Writer, major: number, argument: number): void {
  assert(Number.isSafeInteger(argument) && argument >= 0, 'a CBOR argument is a whole number');
  if (argument < 24) writer.room(1).setUint8(0, major | argument);
  else if (argument <= 0xff) writer.head(1, major | 24).setUint8(0, argument);
  else if (argument <= 0xffff) writer.head(2, major | 25).setUint16(0, argument);
  else if (argument <= 0xffff_ffff) writer.head(4, major | 26).setUint32(0, argument);
  else writeHead64(writer, major, BigInt(argument));
}

function writeHead64(writer: Writer, major: number, argument: bigint): void {
  writer.head(8, major | 27).setBigUint64(0, argument);
}

function writeBigInt(writer: Writer, value: bigint): void {
  const argument = value < 0n ? -1n - value : value;
  assert(argument <= 0xffff_ffff_ffff_ffffn, 'a CBOR integer has at most 64 bits');
  const major = value < 0n ? 0x20 : 0x00;
  if (argument <= BigInt(Number.MAX_SAFE_INTEGER)) {
    writeHead(writer, major, Number(argument));
  } else writeHead64(writer, major, argument);
}

function writeNumber(writer: Writer, value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value < 0) writeHead(writer, 0x20, -1 - value);
    else writeHead(writer, 0x00, value);
    return;
  }
  const half = halfBits(value);
  if (half !== undefined) writer.head(2, 0xf9).setUint16(0, half);
  else if (Math.fround(value) === value) writer.head(4, 0xfa).setFloat32(0, value);
  else writer.head(8, 0xfb).setFloat64(0, value);
}

/** The 16-bit pattern when the value fits binary16 exactly; NaN is always 0x7e00. */
function halfBits(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  if (size > 65504) return undefined;
  if (size < 2 ** -14) {
    const mantissa = size * 2 ** 24;
    return Number.isInteger(mantissa) ? sign | mantissa : undefined;
  }
  const exponent = exponentOf(size);
  const mantissa = (size / 2 ** exponent - 1) * 1024;
  return Number.isInteger(mantissa) ? sign | ((exponent + 15) << 10) | mantissa : undefined;
}

/** The binary exponent, read from the bits: `Math.log2` may round across a power of two. */
function exponentOf(size: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, size);
  return ((view.getUint16(0) >> 4) & 0x7ff) - 1023;
}
