/**
 * CBOR as a tree of heads, so that single items can be changed and everything around them still
 * fits; written apart from the project's own decoder and encoder. Byte strings that hold CBOR are
 * opened, as SUIT and COSE wrap it.
 */
import { compareBytes, concatBytes } from '../../src/core/base/bytes.ts';

/** How a head is written wrongly. */
export type HeadLie = 'wide' | 'indefinite' | 'reserved' | 'one-more' | 'one-less' | 'huge';

export interface CborItem {
  major: number;
  /** The number, tag or simple value; not used where content or children say it. */
  argument: bigint;
  /** Of a string; of a float its 2, 4 or 8 bytes. */
  content?: Uint8Array;
  /** Of a map keys and values in turn; of a byte string the document inside. */
  children: CborItem[];
  lie?: HeadLie;
}

const BYTES = 2;
const LIST = 4;
const MAP = 5;
const TAG = 6;
const FLOAT_BYTES: Readonly<Record<number, number>> = { 25: 2, 26: 4, 27: 8 };
const WIDTHS: readonly (readonly [info: number, bytes: number, limit: bigint])[] = [
  [24, 1, 0x100n],
  [25, 2, 0x1_0000n],
  [26, 4, 0x1_0000_0000n],
  [27, 8, 1n << 64n],
];

/** The tree of one well-formed document of definite lengths, `undefined` for anything else. */
export function readTree(bytes: Uint8Array): CborItem | undefined {
  const cursor = { bytes, at: 0 };
  const item = readItem(cursor, 0);
  return cursor.at === bytes.length ? item : undefined;
}

/** With `sorted` the keys of every map are put in their deterministic order, each once. */
export function writeTree(item: CborItem, sorted: boolean): Uint8Array {
  const { major, children, content } = item;
  if (major === 7 && content !== undefined) {
    const info = content.length === 2 ? 25 : content.length === 4 ? 26 : 27;
    return concatBytes(new Uint8Array([0xe0 | info]), content);
  }
  const parts = children.map((child) => writeTree(child, sorted));
  if (major === BYTES || major === 3) {
    const body = content ?? concatBytes(...parts);
    return concatBytes(headOf(item, BigInt(body.length)), body);
  }
  if (major === LIST) return concatBytes(headOf(item, BigInt(parts.length)), ...parts);
  if (major === TAG) return concatBytes(headOf(item, item.argument), ...parts);
  if (major !== MAP) return headOf(item, item.argument);
  const pairs = pairsOf(parts);
  const written = sorted ? inOrder(pairs) : pairs;
  return concatBytes(headOf(item, BigInt(written.length)), ...written.flat());
}

export function copyTree(item: CborItem): CborItem {
  return { ...item, children: item.children.map(copyTree) };
}

export interface CborPlace {
  readonly item: CborItem;
  readonly parent: CborItem | undefined;
  /** Among the parent's children. */
  readonly index: number;
}

/** Every item of the tree, the root first. */
export function placesOf(root: CborItem): CborPlace[] {
  const places: CborPlace[] = [{ item: root, parent: undefined, index: 0 }];
  for (let i = 0; i < places.length; i++) {
    const parent = (places[i] as CborPlace).item;
    parent.children.forEach((item, index) => {
      places.push({ item, parent, index });
    });
  }
  return places;
}

/** How many children of the parent belong together: a key and its value, or one item. */
export function strideOf(parent: CborItem): 1 | 2 {
  return parent.major === MAP ? 2 : 1;
}

function pairsOf(parts: readonly Uint8Array[]): [Uint8Array, Uint8Array][] {
  return Array.from({ length: parts.length >> 1 }, (_, i) => [
    parts[2 * i] as Uint8Array,
    parts[2 * i + 1] as Uint8Array,
  ]);
}

function inOrder(pairs: readonly [Uint8Array, Uint8Array][]): [Uint8Array, Uint8Array][] {
  const ordered = pairs.toSorted(([a], [b]) => compareBytes(a, b));
  return ordered.filter(([key], i) => {
    const before = ordered[i - 1];
    return before === undefined || compareBytes(before[0], key) !== 0;
  });
}

function headOf({ major, lie }: CborItem, argument: bigint): Uint8Array {
  if (lie === 'indefinite') return new Uint8Array([(major << 5) | 31]);
  if (lie === 'reserved') return new Uint8Array([(major << 5) | 28]);
  if (lie === 'huge') return head(major, (1n << 64n) - 1n);
  if (lie === 'one-more') return head(major, BigInt.asUintN(64, argument + 1n));
  if (lie === 'one-less') return head(major, argument > 0n ? argument - 1n : 0n);
  return head(major, argument, lie === 'wide');
}

function head(major: number, argument: bigint, wide: boolean = false): Uint8Array {
  if (argument < 24n && !wide) return new Uint8Array([(major << 5) | Number(argument)]);
  const fit = argument < 24n ? -1 : WIDTHS.findIndex(([, , limit]) => argument < limit);
  const [info, count] = WIDTHS[Math.min(wide ? fit + 1 : fit, 3)] as (typeof WIDTHS)[number];
  const bytes = new Uint8Array(1 + count);
  bytes[0] = (major << 5) | info;
  for (let i = 0; i < count; i++) bytes[count - i] = Number((argument >> BigInt(8 * i)) & 255n);
  return bytes;
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function take(cursor: Cursor, count: number): Uint8Array | undefined {
  if (count > cursor.bytes.length - cursor.at) return undefined;
  cursor.at += count;
  return cursor.bytes.subarray(cursor.at - count, cursor.at);
}

function readItem(cursor: Cursor, depth: number): CborItem | undefined {
  const initial = take(cursor, 1)?.[0];
  if (initial === undefined || depth > 64) return undefined;
  const major = initial >> 5;
  const info = initial & 31;
  if (major === 7 && FLOAT_BYTES[info] !== undefined) {
    const content = take(cursor, FLOAT_BYTES[info]);
    return content && { major, argument: BigInt(info), content, children: [] };
  }
  const argument = readArgument(cursor, info);
  if (argument === undefined) return undefined;
  if (major === BYTES || major === 3) {
    const content = take(cursor, Number(argument));
    if (content === undefined) return undefined;
    const inner = major === BYTES && (content[0] ?? 0) >> 5 >= LIST ? readTree(content) : undefined;
    const opened = inner !== undefined && inner.major <= TAG;
    return opened
      ? { major, argument: 0n, children: [inner] }
      : { major, argument: 0n, content, children: [] };
  }
  const count = major === LIST ? argument : major === MAP ? 2n * argument : major === TAG ? 1n : 0n;
  if (count > BigInt(cursor.bytes.length)) return undefined;
  const children: CborItem[] = [];
  for (let i = 0; i < Number(count); i++) {
    const child = readItem(cursor, depth + 1);
    if (child === undefined) return undefined;
    children.push(child);
  }
  return { major, argument, children };
}

function readArgument(cursor: Cursor, info: number): bigint | undefined {
  if (info < 24) return BigInt(info);
  const width = WIDTHS.find(([known]) => known === info);
  const bytes = width && take(cursor, width[1]);
  return bytes?.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
