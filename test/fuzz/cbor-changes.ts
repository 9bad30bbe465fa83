/** Changes to a CBOR tree: items, keys, heads, nesting, and the values that readers compare with. */
import { concatBytes, fromHex, fromUtf8, utf8 } from '../../src/core/base/bytes.ts';
import { changeBytes, noise } from './byte-changes.ts';
import {
  type CborItem,
  type CborPlace,
  copyTree,
  type HeadLie,
  placesOf,
  readTree,
  strideOf,
  writeTree,
} from './cbor-tree.ts';
import type { Random } from './random.ts';

const LIES: readonly HeadLie[] = ['wide', 'indefinite', 'reserved', 'one-more', 'one-less', 'huge'];
export const TELLING_NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  23n,
  24n,
  255n,
  256n,
  65_535n,
  65_536n,
  1n << 26n,
  (1n << 31n) - 1n,
  1n << 32n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 64n) - 1n,
];
/** In their shortest form, so that the gate lets them pass: 0.5, -0.5, NaN, infinities, 1e300, ... */
const TELLING_FLOATS: readonly string[] = [
  '3800',
  'b800',
  '7e00',
  '7c00',
  'fc00',
  '0001',
  '7e37e43c8800759c',
  'fe37e43c8800759c',
  '3e112e0be826d695',
  '3feff7ced916872b',
];
const TELLING_TEXTS: readonly string[] = ['', '.', '..', '__proto__', 'a/b', 'x'.repeat(70)];

/**
 * A changed document. Three of four stay deterministic CBOR in their outer form, so that what reads
 * behind the gate is reached; the others have lying heads, unsorted keys or damaged bytes.
 */
export function changeCbor(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(400)) return abyss(bytes, random);
  const tree = readTree(bytes);
  if (tree === undefined) return changeBytes(bytes, random);
  const honest = !random.oneIn(4);
  for (let count = random.few(6); count > 0; count--) changeTree(tree, random);
  if (!honest && random.oneIn(2)) lieSomewhere(tree, random);
  const written = writeTree(tree, honest || random.oneIn(2));
  return !honest && random.oneIn(2) ? changeBytes(written, random) : written;
}

/** Nested deeper than any stack reaches; as bytes, for this writer's stack is no deeper. */
function abyss(bytes: Uint8Array, random: Random): Uint8Array {
  const opening = random.pick([[0x81], [0xa1, 0x00], [0xd2], [0x82, 0x00]]);
  const levels = Uint8Array.from({ length: 30_000 }, (_, i) => opening[i % opening.length] ?? 0);
  return concatBytes(levels, bytes);
}

/** Changes one item of the tree, in place. */
export function changeTree(root: CborItem, random: Random): void {
  const places = placesOf(root);
  const place = random.pick(places);
  const { item, parent } = place;
  const kind = random.below(14);
  if (isKey(place) && kind !== 2 && kind !== 3 && !random.oneIn(16)) {
    changeValue(item, random, places);
  } else if (kind === 0) become(item, anyItem(random));
  else if (kind === 1) become(item, copyTree(random.pick(places).item));
  else if (kind === 2) remove(place);
  else if (kind === 3) repeat(place);
  else if (kind === 4 && parent !== undefined) exchange(parent, random);
  else if (kind === 5) nest(item, random.oneIn(8) ? 40 : 1, random);
  else if (kind === 6 && parent !== undefined) insert(parent, random, places);
  else changeValue(item, random, places);
}

function isKey({ parent, index }: CborPlace): boolean {
  return parent?.major === 5 && index % 2 === 0;
}

/** Of the same kind, so that the reader of its type goes on to judge the value. */
function changeValue(item: CborItem, random: Random, places: readonly CborPlace[]): void {
  const { content } = item;
  if (item.major <= 1) {
    if (random.oneIn(8)) item.major = 1 - item.major;
    const near = item.argument + BigInt(random.below(5)) - 2n;
    const other = random.oneIn(2) ? random.pick(TELLING_NUMBERS) : near;
    item.argument = BigInt.asUintN(64, other < 0n ? 0n : other);
    if (random.oneIn(8)) become(item, float(random));
  } else if (item.major === 3 && content !== undefined) {
    item.content = changedText(content, random, places);
  } else if (item.major === 2 && content !== undefined) {
    item.content = random.oneIn(6) ? noise(random.below(80), random) : changeBytes(content, random);
  } else if (item.major === 7) {
    if (content === undefined) item.argument = BigInt(20 + random.below(random.oneIn(8) ? 12 : 3));
    else become(item, float(random));
  } else if (item.children.length > 0) changeValue(random.pick(item.children), random, places);
}

function changedText(
  content: Uint8Array,
  random: Random,
  places: readonly CborPlace[],
): Uint8Array {
  const texts = places.flatMap(({ item }) =>
    item.major === 3 && item.content ? [item.content] : [],
  );
  const text = fromUtf8(content) ?? '';
  switch (random.below(5)) {
    case 0:
      return random.pick(texts);
    case 1:
      return utf8(random.pick(TELLING_TEXTS));
    case 2:
      return utf8(`${text}${String.fromCharCode(32 + random.below(96))}`);
    case 3:
      return utf8(text.slice(0, random.below(text.length)));
    default:
      return random.oneIn(4) ? changeBytes(content, random) : utf8(text.toUpperCase());
  }
}

export function remove({ parent, index }: CborPlace): void {
  if (parent === undefined) return;
  const stride = strideOf(parent);
  parent.children.splice(index - (index % stride), stride);
}

export function repeat({ parent, index }: CborPlace): void {
  if (parent === undefined) return;
  const stride = strideOf(parent);
  const start = index - (index % stride);
  const again = parent.children.slice(start, start + stride).map(copyTree);
  parent.children.splice(start, 0, ...again);
}

function exchange(parent: CborItem, random: Random): void {
  const stride = strideOf(parent);
  const count = parent.children.length / stride;
  const [from, to] = [random.below(count) * stride, random.below(count) * stride];
  for (let i = 0; i < stride; i++) {
    const moved = parent.children[from + i];
    const other = parent.children[to + i];
    if (moved === undefined || other === undefined) return;
    parent.children[from + i] = other;
    parent.children[to + i] = moved;
  }
}

function insert(parent: CborItem, random: Random, places: readonly CborPlace[]): void {
  const stride = strideOf(parent);
  const at = random.below(parent.children.length / stride + 1) * stride;
  const items = Array.from({ length: stride }, () =>
    random.oneIn(2) ? anyItem(random) : copyTree(random.pick(places).item),
  );
  parent.children.splice(at, 0, ...items);
}

function nest(item: CborItem, levels: number, random: Random): void {
  const major = random.oneIn(8) ? 6 : random.pick([2, 4, 5]);
  for (let i = 0; i < levels; i++) {
    const inner = { ...item };
    const key: CborItem = { major: 0, argument: 0n, children: [] };
    const children = major === 5 ? [key, inner] : [inner];
    become(item, { major, argument: BigInt(random.pick([18, 107, 0])), children });
  }
}

function lieSomewhere(root: CborItem, random: Random): void {
  random.pick(placesOf(root)).item.lie = random.pick(LIES);
}

function anyItem(random: Random): CborItem {
  switch (random.below(random.oneIn(4) ? 7 : 6)) {
    case 0:
      return { major: random.below(2), argument: random.pick(TELLING_NUMBERS), children: [] };
    case 1:
      return { major: 2, argument: 0n, content: noise(random.below(40), random), children: [] };
    case 2:
      return { major: 3, argument: 0n, content: utf8(random.pick(TELLING_TEXTS)), children: [] };
    case 3:
      return { major: 4 + random.below(2), argument: 0n, children: [] };
    case 4:
      return {
        major: 7,
        argument: BigInt(20 + random.below(random.oneIn(8) ? 12 : 3)),
        children: [],
      };
    case 5:
      return float(random);
    default:
      return { major: 6, argument: 18n, children: [anyItem(random)] };
  }
}

function float(random: Random): CborItem {
  const content = fromHex(random.pick(TELLING_FLOATS)) ?? new Uint8Array(2);
  return { major: 7, argument: 0n, content, children: [] };
}

function become(item: CborItem, other: CborItem): void {
  // `content` decides how a string is written, so a stale one must not stay.
  delete item.content;
  delete item.lie;
  Object.assign(item, other);
}
