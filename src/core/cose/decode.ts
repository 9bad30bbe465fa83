/**
 * The strict gate: THE decoder for signed data. It accepts exactly what `encodeCbor` writes
 * (RFC 8949 4.2.1) and refuses the rest by name: indefinite lengths, heads that are not minimal,
 * floats that are not shortest or that hold a whole number, unsorted or duplicate keys, invalid
 * UTF-8, simple values other than false, true and null, and every tag the caller does not allow.
 */
import { compareBytes, fromUtf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../base/limits.ts';
import { encodeCbor } from './encode.ts';
import { refuseCose } from './faults.ts';
import { type CborKey, CborTag, type CborValue } from './value.ts';

export interface GateOptions {
  /** Tags that may appear; none by default. */
  readonly tags?: readonly number[];
  /** Larger documents are refused before a byte is read. */
  readonly bytesMax?: number;
}

/** Byte strings in the result are views of `bytes`. Faults: every `cbor.*` code. */
export function decodeCbor(bytes: Uint8Array, options: GateOptions = {}): Result<CborValue> {
  return attempt(() => {
    if (options.bytesMax !== undefined && bytes.length > options.bytesMax) {
      throw refuseCose('cbor.size', `${bytes.length} bytes, at most ${options.bytesMax} allowed`);
    }
    const reader = new Reader(bytes, options.tags ?? []);
    const value = reader.value(0);
    if (reader.at !== bytes.length) {
      throw refuseCose('cbor.trailing', `${bytes.length - reader.at} bytes follow the document`);
    }
    return value;
  });
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #tags: readonly number[];
  #items = 0;
  at = 0;

  constructor(bytes: Uint8Array, tags: readonly number[]) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tags = tags;
  }

  value(depth: number): CborValue {
    if (depth > CBOR_DEPTH_MAX) {
      throw refuseCose('cbor.depth', `more than ${CBOR_DEPTH_MAX} levels at byte ${this.at}`);
    }
    this.#items++;
    if (this.#items > CBOR_ITEMS_MAX) {
      throw refuseCose('cbor.items', `more than ${CBOR_ITEMS_MAX} items`);
    }
    const start = this.at;
    const initial = this.#bytes[this.#advance(1)] as number;
    const major = initial >> 5;
    if (major === 7) return this.#simpleOrFloat(initial & 31, start);
    const argument = this.#argument(initial & 31, start);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return typeof argument === 'bigint' ? -1n - argument : negative(argument);
      case 2:
        return this.#slice(argument);
      case 3:
        return this.#text(argument, start);
      case 4:
        return this.#list(argument, depth);
      case 5:
        return this.#map(argument, depth);
      default:
        return this.#tagged(argument, depth, start);
    }
  }

  /** Moves past `count` bytes and gives the place they start at. */
  #advance(count: number): number {
    const start = this.at;
    if (count > this.#bytes.length - start) {
      throw refuseCose('cbor.truncated', `${count} bytes wanted at byte ${start}`);
    }
    this.at = start + count;
    return start;
  }

  #argument(info: number, start: number): number | bigint {
    if (info < 24) return info;
    if (info === 31) throw refuseCose('cbor.indefinite', `an indefinite length at byte ${start}`);
    if (info > 27) throw refuseCose('cbor.reserved', `a reserved head at byte ${start}`);
    const [value, least] = this.#wideArgument(info);
    if (value < least) {
      throw refuseCose('cbor.not-minimal', `a head longer than needed at byte ${start}`);
    }
    if (typeof value === 'bigint' && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    return value;
  }

  #wideArgument(info: number): readonly [value: number | bigint, least: number | bigint] {
    if (info === 24) return [this.#view.getUint8(this.#advance(1)), 24];
    if (info === 25) return [this.#view.getUint16(this.#advance(2)), 0x100];
    if (info === 26) return [this.#view.getUint32(this.#advance(4)), 0x1_0000];
    return [this.#view.getBigUint64(this.#advance(8)), 0x1_0000_0000n];
  }

  #slice(length: number | bigint): Uint8Array {
    const start = this.#advance(Number(length));
    return this.#bytes.subarray(start, this.at);
  }

  #text(length: number | bigint, start: number): string {
    const text = fromUtf8(this.#slice(length));
    if (text === undefined) throw refuseCose('cbor.utf8', `invalid UTF-8 at byte ${start}`);
    return text;
  }

  // A declared count is never trusted for an allocation: entries are appended as they are read.
  #list(count: number | bigint, depth: number): CborValue[] {
    this.#boundCount(count);
    const list: CborValue[] = [];
    for (let i = 0; i < Number(count); i++) list.push(this.value(depth + 1));
    return list;
  }

  #map(count: number | bigint, depth: number): Map<CborKey, CborValue> {
    this.#boundCount(count);
    const map = new Map<CborKey, CborValue>();
    let previous: Uint8Array | undefined;
    for (let i = 0; i < Number(count); i++) {
      const start = this.at;
      const key = this.value(depth + 1);
      if (!Number.isSafeInteger(key) && typeof key !== 'string') {
        throw refuseCose('cbor.key-type', `a map key at byte ${start} is no whole number or text`);
      }
      const encoded = this.#bytes.subarray(start, this.at);
      const order = previous === undefined ? -1 : compareBytes(previous, encoded);
      if (order === 0) throw refuseCose('cbor.key-duplicate', `the key at byte ${start} repeats`);
      if (order > 0) throw refuseCose('cbor.key-order', `the key at byte ${start} is out of order`);
      previous = encoded;
      map.set(key as CborKey, this.value(depth + 1));
    }
    return map;
  }

  #boundCount(count: number | bigint): void {
    // Every entry takes at least one byte.
    if (count > this.#bytes.length - this.at) {
      throw refuseCose('cbor.truncated', `${count} entries announced at byte ${this.at}`);
    }
  }

  #tagged(tag: number | bigint, depth: number, start: number): CborTag {
    if (typeof tag === 'bigint' || !this.#tags.includes(tag)) {
      throw refuseCose('cbor.tag', `tag ${tag} at byte ${start}`);
    }
    return new CborTag(tag, this.value(depth + 1));
  }

  #simpleOrFloat(info: number, start: number): boolean | null | number {
    if (info === 20) return false;
    if (info === 21) return true;
    if (info === 22) return null;
    if (info === 25 || info === 26 || info === 27) return this.#float(info, start);
    if (info === 31) throw refuseCose('cbor.indefinite', `a break at byte ${start}`);
    if (info > 27) throw refuseCose('cbor.reserved', `a reserved head at byte ${start}`);
    throw refuseCose('cbor.simple', `the simple value ${info} at byte ${start}`);
  }

  #float(info: number, start: number): number {
    let value: number;
    if (info === 25) value = fromHalf(this.#view.getUint16(this.#advance(2)));
    else if (info === 26) value = this.#view.getFloat32(this.#advance(4));
    else value = this.#view.getFloat64(this.#advance(8));
    // One value, one encoding: whatever our encoder would write differently is refused.
    if (compareBytes(encodeCbor(value), this.#bytes.subarray(start, this.at)) !== 0) {
      throw refuseCose('cbor.float', `a float that is not in its one form at byte ${start}`);
    }
    return value;
  }
}

function negative(argument: number): number | bigint {
  const value = -1 - argument;
  return Number.isSafeInteger(value) ? value : -1n - BigInt(argument);
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
