/** Changes to JSON as a tree, and to its text. */
import { utf8 } from '../../src/core/base/bytes.ts';
import { changeBytes } from './byte-changes.ts';
import type { Random } from './random.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const TELLING: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1,
  0.5,
  1e21,
  -1e308,
  2 ** 53,
  2 ** 53 - 1,
  '',
  'x',
  '..',
  '2027-12-31',
  'x'.repeat(3000),
  '\ud800',
  [],
  {},
];
const TELLING_NAMES: readonly string[] = ['', '__proto__', 'constructor', 'toString', 'x', '0'];

/** The text of a changed document; one in six is damaged as text too. */
export function changeJson(document: unknown, random: Random): Uint8Array {
  if (random.oneIn(400)) return abyss(document, random);
  const root = { document: structuredClone(document) as Json };
  for (let count = random.few(5); count > 0; count--) changeMember(root, random);
  const text = utf8(JSON.stringify(root.document));
  if (!random.oneIn(6)) return text;
  return random.oneIn(3) ? doubled(text, random) : changeBytes(text, random);
}

/** One member nested deeper than any stack reaches; as text, for JSON.stringify has a stack too. */
function abyss(document: unknown, random: Random): Uint8Array {
  const name = JSON.stringify(random.pick(Object.keys(document as object)));
  const [open, close] = random.oneIn(2) ? ['[', ']'] : ['{"a":', '}'];
  const levels = 30_000;
  return utf8(`{${name}:${open.repeat(levels)}1${close.repeat(levels)}}`);
}

function changeMember(root: { [name: string]: Json }, random: Random): void {
  const owners = ownersOf(root);
  const owner = random.pick(owners);
  const names = Object.keys(owner);
  const name = random.pick(names);
  if (name === undefined) return;
  const members = owner as { [name: string]: Json };
  const value = members[name] as Json;
  switch (random.below(9)) {
    case 0:
      if (owner !== root) delete members[name];
      break;
    case 1:
      if (owner === root || Array.isArray(owner)) break;
      delete members[name];
      set(members, random.oneIn(2) ? random.pick(TELLING_NAMES) : nearName(name, random), value);
      break;
    case 2:
      members[name] = structuredClone(random.pick(ownersOf(root)));
      break;
    case 3:
      if (Array.isArray(owner)) owner.push(...structuredClone(owner));
      else if (owner !== root) set(members, random.pick(TELLING_NAMES), random.pick(TELLING));
      break;
    case 4:
      members[name] = nested(value, random.oneIn(6) ? 60 : 1, random.oneIn(2));
      break;
    case 5:
      members[name] = structuredClone(random.pick(TELLING));
      break;
    default:
      members[name] = changedValue(value, random);
  }
}

/** Of the same kind, so that its reader goes on to judge it. */
function changedValue(value: Json, random: Random): Json {
  if (typeof value === 'number') {
    const other = random.pick(TELLING.filter((entry) => typeof entry === 'number'));
    return random.oneIn(2) ? other : value + random.below(5) - 2;
  }
  if (typeof value === 'string') {
    const other = random.pick(TELLING.filter((entry) => typeof entry === 'string'));
    return random.oneIn(2) ? other : nearName(value, random);
  }
  if (typeof value === 'boolean') return !value;
  return value;
}

function nearName(name: string, random: Random): string {
  const at = random.below(name.length + 1);
  const char = String.fromCharCode(random.oneIn(8) ? random.below(0xffff) : 32 + random.below(95));
  return `${name.slice(0, at)}${char}${name.slice(at + random.below(2))}`;
}

function nested(value: Json, levels: number, list: boolean): Json {
  let inner = value;
  for (let i = 0; i < levels; i++) inner = list ? [inner] : { a: inner };
  return inner;
}

/** A plain assignment to `__proto__` would set the prototype instead of a member. */
function set(members: { [name: string]: Json }, name: string, value: Json): void {
  Object.defineProperty(members, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function ownersOf(root: { [name: string]: Json }): (Json[] | { [name: string]: Json })[] {
  const owners: (Json[] | { [name: string]: Json })[] = [root];
  for (let i = 0; i < owners.length; i++) {
    for (const value of Object.values(owners[i] as object) as Json[]) {
      if (typeof value === 'object' && value !== null) owners.push(value);
    }
  }
  return owners;
}

/** The same member twice: JSON.parse keeps the last one, and no reader may fail over it. */
function doubled(text: Uint8Array, random: Random): Uint8Array {
  const open = [...text.keys()].filter((at) => text[at] === 0x7b && text[at + 1] === 0x22);
  const at = open.length === 0 ? 0 : random.pick(open);
  const end = text.indexOf(0x2c, at);
  const member = text.slice(at + 1, end < 0 ? at + 1 : end + 1);
  return Uint8Array.from([...text.slice(0, at + 1), ...member, ...text.slice(at + 1)]);
}
