/**
 * A small validator for the part of CDDL (RFC 8610) that `firmware-manifests/edgeward.cddl` uses.
 *
 * The package registry has one CDDL package, a parser for a code generator: it matches no document
 * and its read-me warns against using it. So here is a parser and a matcher, which decodes with
 * cbor-x and shares no code with the readers that it is compared with.
 *
 * Left out, and refused by the parser: sockets, generics, unwrapping, group choices, enumerations
 * from groups, controls other than `.size`, `.cbor` and `.regexp`. A whole number that a double
 * holds exactly counts as an integer, however it was encoded.
 */
import { Decoder, Tag } from 'cbor-x';
import { type CddlEntry, type CddlType, type Grammar, PRELUDE } from './cddl-grammar.ts';

const decoder = new Decoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });

/** `undefined` when the bytes are a document of the rule, else where and why they are not. */
export function mismatch(grammar: Grammar, rule: string, bytes: Uint8Array): string | undefined {
  return matchCbor(grammar, { kind: 'name', name: rule }, bytes, rule);
}

function matchCbor(
  grammar: Grammar,
  type: CddlType,
  bytes: Uint8Array,
  at: string,
): string | undefined {
  let value: unknown;
  try {
    value = decoder.decode(bytes);
  } catch (thrown) {
    return `${at}: no CBOR: ${String(thrown)}`;
  }
  return matchType(grammar, type, value, at);
}

function matchType(
  grammar: Grammar,
  type: CddlType,
  value: unknown,
  at: string,
): string | undefined {
  switch (type.kind) {
    case 'choice': {
      const misses = type.types.map((one) => matchType(grammar, one, value, at));
      return misses.includes(undefined) ? undefined : misses.join(' | ');
    }
    case 'name': {
      const known = PRELUDE.get(type.name);
      if (known !== undefined) return known(value) ? undefined : `${at}: no ${type.name}`;
      const rule = grammar.get(type.name);
      if (rule?.kind !== 'type') throw new Error(`${type.name} is no type`);
      return matchType(grammar, rule.type, value, at);
    }
    case 'literal':
      return equals(type.value, value) ? undefined : `${at}: not ${JSON.stringify(type.value)}`;
    case 'range':
      return inRange(type, value) ? undefined : `${at}: not in ${type.low}..${type.high}`;
    case 'tag':
      if (!(value instanceof Tag) || tagOf(value) !== type.tag) return `${at}: no tag ${type.tag}`;
      return matchType(grammar, type.type, value.value, at);
    case 'array':
      return matchArray(grammar, type.entries, value, at);
    case 'map':
      return matchMap(grammar, type.entries, value, at);
    case 'control':
      return matchControl(grammar, type, value, at);
  }
}

function matchControl(
  grammar: Grammar,
  type: Extract<CddlType, { kind: 'control' }>,
  value: unknown,
  at: string,
): string | undefined {
  const outer = matchType(grammar, type.target, value, at);
  if (outer !== undefined) return outer;
  if (type.operator === '.cbor') {
    return matchCbor(grammar, type.argument, value as Uint8Array, at);
  }
  if (type.operator === '.size') {
    const size = typeof value === 'string' ? Buffer.byteLength(value) : (value as Buffer).length;
    return matchType(grammar, type.argument, size, `${at}: its size`);
  }
  const { argument } = type;
  if (argument.kind !== 'literal') throw new Error('.regexp takes a text');
  // XSD patterns are anchored; those in use mean the same in both dialects.
  const pattern = new RegExp(`^(?:${String(argument.value)})$`, 'u');
  return pattern.test(String(value)) ? undefined : `${at}: does not match ${argument.value}`;
}

function matchArray(
  grammar: Grammar,
  entries: readonly CddlEntry[],
  value: unknown,
  at: string,
): string | undefined {
  if (!Array.isArray(value)) return `${at}: no array`;
  const end = matchGroup(grammar, entries, value, 0, at);
  if (typeof end === 'string') return end;
  return end === value.length ? undefined : `${at}: more entries than ${end}`;
}

/** Greedy and without going back (RFC 8610 appendix A); the next place, or what is wrong. */
function matchGroup(
  grammar: Grammar,
  entries: readonly CddlEntry[],
  list: readonly unknown[],
  start: number,
  at: string,
): number | string {
  let next = start;
  for (const entry of entries) {
    let count = 0;
    let miss = '';
    while (count < entry.max) {
      const end = matchOnce(grammar, entry, list, next, at);
      if (typeof end === 'string') {
        miss = end;
        break;
      }
      next = end;
      count++;
    }
    if (count < entry.min) return miss;
  }
  return next;
}

function matchOnce(
  grammar: Grammar,
  entry: CddlEntry,
  list: readonly unknown[],
  next: number,
  at: string,
): number | string {
  const group = groupOf(grammar, entry);
  if (group !== undefined) return matchGroup(grammar, group, list, next, at);
  if (next >= list.length) return `${at}: ends after ${next} entries`;
  return matchType(grammar, entry.value as CddlType, list[next], `${at}[${next}]`) ?? next + 1;
}

function matchMap(
  grammar: Grammar,
  entries: readonly CddlEntry[],
  value: unknown,
  at: string,
): string | undefined {
  if (!(value instanceof Map)) return `${at}: no map`;
  const left = new Map(
    [...value].map(([key, member]) => [isInteger(key) ? Number(key) : key, member]),
  );
  if (left.size !== value.size) return `${at}: one key twice`;
  for (const { key, min, max, value: type } of members(grammar, entries)) {
    if (key === undefined || type === undefined) throw new Error(`${at}: a member has no key`);
    const keys = [...left.keys()].filter((name) => matchType(grammar, key, name, at) === undefined);
    if (keys.length < min) return `${at}: ${nameOf(key)} is missing`;
    if (keys.length > max) return `${at}: more than ${max} members`;
    for (const name of keys) {
      const miss = matchType(grammar, type, left.get(name), `${at}.${String(name)}`);
      if (miss !== undefined) return miss;
      left.delete(name);
    }
  }
  return left.size === 0 ? undefined : `${at}: ${[...left.keys()].join(', ')} not known`;
}

/** The members of a map with those of named groups in their place. */
function members(grammar: Grammar, entries: readonly CddlEntry[]): CddlEntry[] {
  return entries.flatMap((entry) => {
    const group = groupOf(grammar, entry);
    if (group === undefined) return [entry];
    if (entry.min !== 1 || entry.max !== 1) throw new Error('a group in a map stands once');
    return members(grammar, group);
  });
}

function groupOf(grammar: Grammar, entry: CddlEntry): readonly CddlEntry[] | undefined {
  if (entry.group !== undefined) return entry.group;
  if (entry.key !== undefined || entry.value?.kind !== 'name') return undefined;
  const rule = grammar.get(entry.value.name);
  return rule?.kind === 'group' ? rule.entries : undefined;
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

function equals(literal: string | number, value: unknown): boolean {
  return isInteger(value) ? Number(value) === literal : value === literal;
}

function inRange(range: Extract<CddlType, { kind: 'range' }>, value: unknown): boolean {
  const right = range.float
    ? typeof value === 'number' && !Number.isSafeInteger(value)
    : isInteger(value);
  return right && (value as number) >= range.low && (value as number) <= range.high;
}

// The package's types leave the number of a tag out.
function tagOf(tag: Tag): unknown {
  return (tag as unknown as { readonly tag: unknown }).tag;
}

function nameOf(key: CddlType): string {
  return key.kind === 'literal' ? String(key.value) : 'a member';
}
