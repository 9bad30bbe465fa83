/**
 * Reads protobuf messages field by field. Only what onnx.proto uses is accepted (no groups); every
 * error of the underlying reader becomes `onnx.malformed` here and nowhere else.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Bytes, concatBytes, fromUtf8 } from '../base/bytes.ts';
import { ONNX_NAME_BYTES_MAX } from '../base/limits.ts';
import { refuseOnnx } from './faults.ts';

/** One field as it lies in the message; `body` is a view: the varint, the fixed or the bytes. */
export interface WireField {
  readonly no: number;
  readonly type: WireType;
  readonly body: Bytes;
}

/** The fields of a message in their order; an `onnx.malformed` refusal where the bytes are none. */
export function* wireFields(message: Bytes): Generator<WireField> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) yield readingWire(() => nextField(reader));
}

/** The payload of a message, a text or a byte string. */
export function bytesOf(field: WireField): Bytes {
  needType(field, WireType.LengthDelimited);
  return field.body;
}

/** A text of at most `ONNX_NAME_BYTES_MAX` bytes. */
export function textOf(field: WireField): string {
  const bytes = bytesOf(field);
  if (bytes.length > ONNX_NAME_BYTES_MAX) {
    throw refuseOnnx('onnx.limit', `a name has ${bytes.length} bytes, over ${ONNX_NAME_BYTES_MAX}`);
  }
  return utf8TextOf(bytes);
}

export function utf8TextOf(bytes: Bytes): string {
  const text = fromUtf8(bytes);
  if (text === undefined) throw refuseOnnx('onnx.malformed', 'a text is not UTF-8');
  return text;
}

/** A signed integer within the safe range of doubles. */
export function integerOf(field: WireField): number {
  const value = Number(int64Of(field));
  if (Number.isSafeInteger(value)) return value;
  throw refuseOnnx('onnx.malformed', `field ${field.no} holds ${value}, which no count or size is`);
}

export function int64Of(field: WireField): bigint {
  needType(field, WireType.Varint);
  return readingWire(() => BigInt(new BinaryReader(field.body).int64()));
}

/** The integers of a repeated field, packed or one of them alone; rounded beyond 2^53. */
export function* integersOf(field: WireField): Generator<number> {
  if (field.type === WireType.Varint) {
    yield Number(int64Of(field));
    return;
  }
  const reader = new BinaryReader(bytesOf(field));
  while (reader.pos < reader.len) yield Number(readingWire(() => reader.int64()));
}

export function floatOf(field: WireField): number {
  needType(field, WireType.Bit32);
  return readingWire(() => new BinaryReader(field.body).float());
}

/**
 * The merged message of a singular field that occurs more than once: protobuf merges by field,
 * which is what reading the concatenation does.
 */
export function merged(chunks: readonly Bytes[]): Bytes {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : concatBytes(...chunks);
}

/** Runs `read` on a reader of the wire package, whose errors all mean malformed bytes. */
export function readingWire<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw refuseOnnx('onnx.malformed', `not a protobuf message: ${reason}`);
  }
}

function nextField(reader: BinaryReader): WireField {
  const [no, type] = reader.tag();
  if (type === WireType.StartGroup || type === WireType.EndGroup) {
    throw new Error(`field ${no} is a group`);
  }
  if (type === WireType.LengthDelimited) return { no, type, body: reader.bytes() };
  const body = reader.skip(type, no);
  if (body.length > 10) throw new Error(`field ${no} is a varint of ${body.length} bytes`);
  return { no, type, body };
}

function needType(field: WireField, type: WireType): void {
  if (field.type === type) return;
  throw refuseOnnx(
    'onnx.malformed',
    `field ${field.no} has the wire type ${field.type}, not ${type}`,
  );
}
