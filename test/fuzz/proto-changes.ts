/** Protobuf messages as trees of fields, changed and written again; it reads no schema. */
import { concatBytes } from '../../src/core/base/bytes.ts';
import { changeBytes } from './byte-changes.ts';
import { TELLING_NUMBERS } from './cbor-changes.ts';
import type { Random } from './random.ts';

interface ProtoField {
  no: number;
  /** Wire type: 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32. */
  type: number;
  varint: bigint;
  body: Uint8Array;
  /** Where the body is a message. */
  children?: ProtoField[];
  /** Written instead of the true length. */
  length?: number;
}

/** Field numbers of onnx.proto that readers act on. */
const KNOWN_NUMBERS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 20];

/** A changed message; one in eight is damaged as bytes too. */
export function changeProto(message: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(1000)) return abyss();
  const fields = readFields(message);
  if (fields === undefined) return changeBytes(message, random);
  const root: ProtoField = { no: 0, type: 2, varint: 0n, body: message, children: fields };
  for (let count = random.few(5); count > 0; count--) changeField(root, random);
  const written = writeFields(root.children ?? []);
  return random.oneIn(8) ? changeBytes(written, random) : written;
}

function changeField(root: ProtoField, random: Random): void {
  const owners = ownersOf(root);
  const owner = random.pick(owners);
  const list = owner.children ?? [];
  const at = random.below(list.length);
  const field = list[at];
  if (field === undefined) return;
  switch (random.below(11)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(at, 0, copyField(field));
      break;
    case 2:
      list.splice(random.below(list.length), 0, ...list.splice(at, 1));
      break;
    case 3:
      field.no = random.oneIn(4) ? random.below(1 << 20) : random.pick(KNOWN_NUMBERS);
      break;
    case 4:
      field.type = random.pick([0, 1, 2, 3, 4, 5, 6, 7]);
      break;
    case 5:
      field.length = random.pick([0, 1, field.body.length + 1, 127, 128, 0x7fff_ffff, 0xffff_ffff]);
      break;
    case 6: {
      const from = random.pick(ownersOf(root).flatMap(({ children }) => children ?? []));
      list.splice(at, 0, { ...copyField(from), no: random.pick(KNOWN_NUMBERS) });
      break;
    }
    case 7:
      if (random.oneIn(4)) nestGraph(root, 1 + random.below(12));
      break;
    default:
      changeContent(field, random, root);
  }
}

function changeContent(field: ProtoField, random: Random, root: ProtoField): void {
  if (field.type === 2 && field.children === undefined) {
    const others = ownersOf(root).flatMap(({ children }) => children ?? []);
    field.body = random.oneIn(2) ? changeBytes(field.body, random) : random.pick(others).body;
  } else if (field.type === 0) {
    const value = random.pick(TELLING_NUMBERS);
    field.varint = random.oneIn(2) ? value : field.varint + BigInt(random.below(5)) - 2n;
  } else field.body = changeBytes(field.body, random).subarray(0, 8);
}

/** Graph (7) > node (1) > attribute (5) > graph (6), so many times around the model's own graph. */
function nestGraph(root: ProtoField, levels: number): void {
  const graph = root.children?.find(({ no }) => no === 7);
  if (graph?.children === undefined) return;
  let inner = graph.children.map(copyField);
  for (let i = 0; i < levels; i++) {
    inner = [messageField(1, [messageField(5, [messageField(6, inner)])])];
  }
  graph.children.push(...inner);
}

function messageField(no: number, children: ProtoField[]): ProtoField {
  return { no, type: 2, varint: 0n, body: new Uint8Array(0), children };
}

/** A model of graphs within graphs, deeper than any stack reaches. */
function abyss(): Uint8Array {
  const levels = 15_000;
  const heads: Uint8Array[] = [];
  let length = 0;
  for (let i = 0; i < 3 * levels; i++) {
    const head = concatBytes(Uint8Array.of(ABYSS_TAGS[i % 3] ?? 0), varintBytes(BigInt(length)));
    heads.push(head);
    length += head.length;
  }
  return concatBytes(Uint8Array.of((7 << 3) | 2), varintBytes(BigInt(length)), ...heads.reverse());
}

/** From the inside out: graph (6), attribute (5), node (1). */
const ABYSS_TAGS: readonly number[] = [(6 << 3) | 2, (5 << 3) | 2, (1 << 3) | 2];

function ownersOf(root: ProtoField): ProtoField[] {
  const owners = [root];
  for (let i = 0; i < owners.length; i++) {
    const { children = [] } = owners[i] as ProtoField;
    owners.push(...children.filter((child) => child.children !== undefined));
  }
  return owners;
}

function copyField(field: ProtoField): ProtoField {
  const { children } = field;
  return children === undefined ? { ...field } : { ...field, children: children.map(copyField) };
}

function readFields(bytes: Uint8Array): ProtoField[] | undefined {
  const fields: ProtoField[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [no, type] = [Number((tag ?? 0n) >> 3n), Number((tag ?? 0n) & 7n)];
    if (no < 1 || no > 32) return undefined;
    const value = type === 0 || type === 2 ? varint() : BigInt(type === 1 ? 8 : 4);
    if (value === undefined || ![0, 1, 2, 5].includes(type)) return undefined;
    const length = type === 0 ? 0 : Number(value);
    if (length > bytes.length - at) return undefined;
    const body = bytes.subarray(at, at + length);
    at += length;
    const children = type === 2 && length > 0 ? readFields(body) : undefined;
    fields.push({ no, type, varint: value, body, ...(children === undefined ? {} : { children }) });
  }
  return fields;
}

function writeFields(fields: readonly ProtoField[]): Uint8Array {
  return concatBytes(
    ...fields.flatMap((field) => {
      const tag = varintBytes((BigInt(field.no) << 3n) | BigInt(field.type));
      if (field.type === 0) return [tag, varintBytes(field.varint)];
      const body = field.children === undefined ? field.body : writeFields(field.children);
      if (field.type !== 2) return [tag, body];
      return [tag, varintBytes(BigInt(field.length ?? body.length)), body];
    }),
  );
}

function varintBytes(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
