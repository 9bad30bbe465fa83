/** What a scan asks of a tensor: where its data lie, and whether they fill its dimensions. */
import type { Bytes } from '../base/bytes.ts';
import { TENSOR_BYTES_MAX } from '../base/limits.ts';
import { TENSOR } from './proto.ts';
import type { FindingList } from './scan-findings.ts';
import { int64Of, integersOf, textOf, type WireField, wireFields } from './wire.ts';

/**
 * Bits of an element in `raw_data` by TensorProto.DataType; texts (8) have none. The 4-bit and 2-bit
 * types are packed.
 */
const ELEMENT_BITS: Readonly<Record<number, number>> = {
  ...{ 1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64 },
  ...{ 14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8 },
  ...{ 25: 2, 26: 2 },
};
const STRING = 8;
const COMPLEX: readonly number[] = [14, 15];

/** At least 1; `undefined` for a type without a fixed size. */
export function elementBytes(dataType: number): number | undefined {
  const bits = ELEMENT_BITS[dataType];
  return bits === undefined ? undefined : Math.max(1, bits / 8);
}

export class TensorJudge {
  readonly #found: FindingList;
  readonly #place: () => string;
  #dataType = 0;
  #elements = 1;
  #negative = false;
  #rawBytes: number | undefined;
  /** In the typed fields. */
  #typed = 0;
  #external = false;
  #location: string | undefined;

  constructor(found: FindingList, place: () => string) {
    this.#found = found;
    this.#place = place;
  }

  field(no: number, field: WireField): void {
    const { body } = field;
    if (no === TENSOR.dims) {
      for (const size of integersOf(field)) {
        this.#negative ||= size < 0;
        this.#elements *= size;
      }
    } else if (no === TENSOR.dataType) this.#dataType = Number(int64Of(field));
    else if (no === TENSOR.rawData) this.#rawBytes = body.length;
    else if (no === TENSOR.dataLocation) this.#external ||= int64Of(field) !== 0n;
    else if (no === TENSOR.externalData) this.#addExternal(body);
    else if (no === TENSOR.stringData) this.#typed++;
    else if (no === TENSOR.floatData) this.#typed += body.length / 4;
    else if (no === TENSOR.doubleData) this.#typed += body.length / 8;
    else if (no === TENSOR.int32Data || no === TENSOR.int64Data || no === TENSOR.uint64Data) {
      this.#typed += varintsIn(body);
    }
  }

  end(): void {
    if (this.#negative) {
      this.#found.add('scan.tensor-data', this.#place, 'a dimension is below zero');
      return;
    }
    const bits = this.#dataType === STRING ? 8 : ELEMENT_BITS[this.#dataType];
    if (bits === undefined) {
      const detail = `the data type ${this.#dataType} is none of ONNX`;
      this.#found.add('scan.tensor-data', this.#place, detail);
      return;
    }
    const bytes = Math.ceil((this.#elements * bits) / 8);
    if (bytes > TENSOR_BYTES_MAX) {
      const detail = `${this.#elements} elements are over ${TENSOR_BYTES_MAX} bytes`;
      this.#found.add('scan.tensor-size', this.#place, detail);
    }
    if (this.#external) this.#judgeExternal();
    else this.#judgeData(bytes, bits);
  }

  #judgeData(bytes: number, bits: number): void {
    const raw = this.#rawBytes;
    if (raw !== undefined && (raw !== bytes || this.#typed > 0)) {
      const detail = `${raw} bytes where the dimensions need ${bytes}`;
      const twice = this.#typed > 0 ? `, and ${this.#typed} elements beside them` : '';
      this.#found.add('scan.tensor-data', this.#place, detail + twice);
    }
    if (raw !== undefined) return;
    const packed = bits < 8 ? Math.ceil(this.#elements / (8 / bits)) : this.#elements;
    const count = COMPLEX.includes(this.#dataType) ? 2 * packed : packed;
    if (this.#typed === count) return;
    const detail = `${this.#typed} elements where the dimensions need ${count}`;
    this.#found.add('scan.tensor-data', this.#place, detail);
  }

  #judgeExternal(): void {
    const file = JSON.stringify(this.#location?.slice(0, 128) ?? null);
    this.#found.add('scan.external-data', this.#place, `the data lie in the file ${file}`);
    const flaw = pathFlaw(this.#location ?? '');
    if (flaw !== undefined) {
      this.#found.add('scan.external-path', this.#place, `the path ${file} ${flaw}`);
    }
  }

  #addExternal(entry: Bytes): void {
    this.#external = true;
    let key = '';
    let value = '';
    for (const field of wireFields(entry)) {
      if (field.no === 1) key = textOf(field);
      else if (field.no === 2) value = textOf(field);
    }
    if (key === 'location') this.#location = value;
  }
}

/** Why a path is not a plain one below the model's folder. */
function pathFlaw(path: string): string | undefined {
  if (path === '') return 'names no file';
  // ONNX Runtime takes "*/_ORT_MEM_ADDR_/*" for its own memory, at the offset given.
  if (/[*?<>|"\p{Cc}]/u.test(path)) return 'holds characters that are no part of a file name';
  if (/^[/\\]|^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'is absolute or an address';
  const parts = path.split(/[/\\]/);
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return 'leads out of its folder, or around in it';
  }
  return path.includes('\\') ? 'has a backslash' : undefined;
}

/** Each ends with the one byte whose highest bit is clear. */
function varintsIn(bytes: Bytes): number {
  let count = 0;
  for (const byte of bytes) if (byte < 0x80) count++;
  return count;
}
