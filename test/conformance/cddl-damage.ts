/** Every small change of a document: a member taken out, put in, renamed, or of another kind. */
import { concatBytes, equalBytes } from '../../src/core/base/bytes.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { type CborKey, CborTag, type CborValue } from '../../src/core/cose/value.ts';
import type { CddlEntry, CddlType, Grammar } from './cddl-grammar.ts';

/** A byte string that holds CBOR, opened so that damage reaches inside. */
export class Wrapped {
  readonly inner: Node;
  constructor(inner: Node) {
    this.inner = inner;
  }
}

export type Node = Exclude<CborValue, CborTag | readonly CborValue[]> | Wrapped | Tagged | Node[];
export class Tagged {
  readonly tag: number;
  readonly inner: Node;
  constructor(tag: number, inner: Node) {
    this.tag = tag;
    this.inner = inner;
  }
}
type NodeMap = ReadonlyMap<CborKey, Node>;
type Step = CborKey | 'inner';

/** Opens every byte string that is a whole CBOR list, map or tag. */
export function opened(value: CborValue): Node {
  if (value instanceof CborTag) return new Tagged(value.tag, opened(value.value));
  if (Array.isArray(value)) return value.map(opened);
  if (value instanceof Map) {
    return new Map([...value].map(([key, member]) => [key, opened(member)])) as unknown as Node;
  }
  if (!(value instanceof Uint8Array)) return value as Node;
  const inside = decodeCbor(value, { tags: [18, 107] });
  const whole = inside.ok && typeof inside.value === 'object' && inside.value !== null;
  return whole && !(inside.value instanceof Uint8Array) ? new Wrapped(opened(inside.value)) : value;
}

export function closed(node: Node): CborValue {
  if (node instanceof Wrapped) return encodeCbor(closed(node.inner));
  if (node instanceof Tagged) return new CborTag(node.tag, closed(node.inner));
  if (Array.isArray(node)) return node.map(closed);
  if (isMap(node)) return new Map([...node].map(([key, member]) => [key, closed(member)]));
  return node as CborValue;
}

export interface Damage {
  readonly what: string;
  readonly node: Node;
}

/** Every changed copy of a document. */
export function* damaged(document: Node, odd: Odd): Generator<Damage> {
  for (const path of pathsOf(document)) {
    const at = path.join('.');
    const old = read(document, path);
    const put = (what: string, node: Node): Damage => ({
      what: `${what} at "${at}"`,
      node: replaced(document, path, () => node),
    });
    if (typeof path.at(-1) !== 'undefined' && path.at(-1) !== 'inner') {
      yield { what: `without ${at}`, node: replaced(document, path, () => undefined) };
    }
    for (const other of odd.values(old)) yield put(shown(other), other);
    if (isMap(old)) {
      yield put('a member too many', new Map([...old, ['unheardOf', 1]]) as unknown as Node);
      yield put('a numbered member', new Map([...old, [99, 1]]) as unknown as Node);
      for (const key of old.keys()) {
        const entries = [...old].map(([k, v]) => [k === key ? renamed(k) : k, v] as const);
        yield put(`${key} renamed`, new Map(entries) as unknown as Node);
      }
    }
    if (Array.isArray(old)) {
      for (const length of odd.lengths) {
        if (length > 0 && old.length === 0) continue;
        const list = Array.from({ length }, (_, i) => old[i % old.length] as Node);
        yield put(`${length} entries`, list);
        if (old.length < 2 || length > 64) continue;
        const more = list.map((_, i) => old[Math.min(i, old.length - 1)] as Node);
        yield put(`${length} entries, the last again and again`, more);
      }
      yield put('an entry too many', [...old, null]);
    }
  }
}

export interface Odd {
  values(old: Node): Node[];
  readonly lengths: readonly number[];
}

const KINDS: readonly Node[] = [
  ...[null, true, false, 0, 1, -1, 0.5, Number.NaN, Infinity, 2n ** 53n, '', 'x'],
  ...[new Uint8Array(0), new Uint8Array(32), [], [0], new Map() as unknown as Node],
  new Tagged(18, 0),
];

/** Another kind of value everywhere, and beside each value of its own kind the ends of all ranges. */
export function oddValues(grammar: Grammar, rule: string): Odd {
  const literals = literalsBelow(grammar, rule);
  const whole = literals.filter((value) => Number.isSafeInteger(value)) as number[];
  const numbers = new Set(whole.flatMap((n) => [n - 1, n, n + 1]));
  for (const n of literals) if (typeof n === 'number' && !Number.isSafeInteger(n)) numbers.add(n);
  for (const n of [0.25, 1.5, -1e-9, 1e101]) numbers.add(n);
  const sizes = [...new Set(whole.filter((n) => n > 0 && n <= 2100))];
  const texts = new Set(literals.filter((value) => typeof value === 'string'));
  for (const n of [...sizes, 500, 2000, 2048]) {
    texts
      .add('x'.repeat(n))
      .add('x'.repeat(n + 1))
      .add('\u20ac'.repeat(n));
  }
  for (const text of ['.', '..', 'a/b', '1.2', '01.2.3', '1.2.3-rc.1', '#meta', 'a\nb']) {
    texts.add(text);
  }
  // Of lists; what lies between is the size of a text.
  const counts = whole.filter((n) => (n > 3 && n <= 64) || n === 4096);
  const around = [...new Set(sizes.flatMap((n) => [n - 1, n, n + 1]))].filter((n) => n <= 65);
  return {
    lengths: [0, 1, 2, 3, ...counts.flatMap((n) => [n, n + 1])],
    values(old) {
      if (typeof old === 'number') return [...KINDS, ...numbers];
      if (typeof old === 'string') return [...KINDS, ...texts];
      if (old instanceof Uint8Array) {
        return [...KINDS, ...around.map((n) => new Uint8Array(n)), ...sameLength(old)];
      }
      return [...KINDS];
    },
  };
}

/** The document with fresh signatures where the old one still stands in a COSE_Sign1. */
export function resigned(
  node: Node,
  old: Uint8Array,
  sign: (header: Uint8Array, payload: CborValue) => Uint8Array,
): Node {
  const again = (inner: Node): Node => resigned(inner, old, sign);
  if (node instanceof Wrapped) return new Wrapped(again(node.inner));
  if (node instanceof Tagged) return new Tagged(node.tag, again(node.inner));
  if (isMap(node)) {
    return new Map([...node].map(([key, member]) => [key, again(member)])) as unknown as Node;
  }
  if (!Array.isArray(node)) return node;
  const [header, unprotected, payload, signature] = node.map(closed);
  if (node.length !== 4 || !(header instanceof Uint8Array)) return node.map(again);
  if (!(signature instanceof Uint8Array) || !equalBytes(signature, old)) return node.map(again);
  return [header, unprotected as Node, payload as Node, sign(header, payload as CborValue)];
}

/** All zero, all ones (doubles that are NaN), and the eight-byte pieces in reverse. */
function sameLength(old: Uint8Array): Uint8Array[] {
  const pieces = Array.from({ length: Math.ceil(old.length / 8) }, (_, i) =>
    old.subarray(8 * i, 8 * i + 8),
  );
  const { length } = old;
  return [
    new Uint8Array(length),
    new Uint8Array(length).fill(0xff),
    concatBytes(...pieces.reverse()),
  ];
}

function isMap(node: Node): node is Node & NodeMap {
  return node instanceof Map;
}

function renamed(key: CborKey): CborKey {
  return typeof key === 'number' ? key + 1000 : `${key}x`;
}

function* pathsOf(node: Node, path: readonly Step[] = []): Generator<readonly Step[]> {
  yield path;
  for (const [step, inner] of childrenOf(node)) yield* pathsOf(inner, [...path, step]);
}

function childrenOf(node: Node): (readonly [Step, Node])[] {
  if (node instanceof Wrapped || node instanceof Tagged) return [['inner', node.inner]];
  if (Array.isArray(node)) return node.map((inner, index) => [index, inner] as const);
  return isMap(node) ? [...node] : [];
}

function read(node: Node, path: readonly Step[]): Node {
  return path.reduce<Node>((at, step) => {
    const child = childrenOf(at).find(([name]) => name === step);
    if (child === undefined) throw new Error(`nothing at ${String(step)}`);
    return child[1];
  }, node);
}

/** A copy with the node at the path changed; `undefined` takes it out of its list or map. */
function replaced(
  node: Node,
  [step, ...rest]: readonly Step[],
  change: (old: Node) => Node | undefined,
): Node {
  if (step === undefined) return change(node) as Node;
  const children = childrenOf(node).flatMap(([name, inner]) => {
    if (name !== step) return [[name, inner] as const];
    const next = rest.length === 0 ? change(inner) : replaced(inner, rest, change);
    return next === undefined ? [] : [[name, next] as const];
  });
  if (node instanceof Wrapped) return new Wrapped(children[0]?.[1] as Node);
  if (node instanceof Tagged) return new Tagged(node.tag, children[0]?.[1] as Node);
  return Array.isArray(node)
    ? children.map(([, inner]) => inner)
    : (new Map(children) as unknown as Node);
}

/** The texts and numbers that a rule and those below it are made of. */
function literalsBelow(grammar: Grammar, rule: string): (string | number)[] {
  const seen = new Set<string>();
  const found: (string | number)[] = [];
  const step = (type: CddlType): void => {
    if (type.kind === 'literal') found.push(type.value);
    else if (type.kind === 'range') {
      const { low, high, float } = type;
      found.push(low, high);
      // A range that is too narrow shows just beyond its ends.
      for (const end of float ? [low, high] : []) found.push(end * (1 - 1e-9), end * (1 + 1e-9));
    } else if (type.kind === 'choice') type.types.forEach(step);
    else if (type.kind === 'tag') step(type.type);
    else if (type.kind === 'control') [type.target, type.argument].forEach(step);
    else if (type.kind === 'name') stepRule(type.name);
    else type.entries.forEach(stepEntry);
  };
  const stepEntry = ({ min, max, value, group = [] }: CddlEntry): void => {
    if (Number.isFinite(max)) found.push(min, max);
    if (value !== undefined) step(value);
    group.forEach(stepEntry);
  };
  const stepRule = (name: string): void => {
    const below = grammar.get(name);
    if (below === undefined || seen.has(name)) return;
    seen.add(name);
    if (below.kind === 'type') step(below.type);
    else below.entries.forEach(stepEntry);
  };
  stepRule(rule);
  return found;
}

function shown(node: Node): string {
  if (node instanceof Uint8Array) return `${node.length} bytes`;
  if (typeof node === 'string') return `"${node.slice(0, 20)}" (${node.length})`;
  return typeof node === 'object' && node !== null ? node.constructor.name : String(node);
}
