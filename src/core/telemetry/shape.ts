/**
 * Records as data: one table says how each member of a record is written to CBOR and read back, so
 * that a writer and its reader cannot drift apart.
 */
import { assert } from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import type { CborKey, CborMap, CborValue } from '../cose/value.ts';

/** How one member travels. */
export interface Member<T> {
  /** The key on the wire; the member's own name by default. */
  readonly key?: CborKey;
  readonly optional?: boolean;
  /** `undefined` leaves an optional member out. */
  write(value: T): CborValue | undefined;
  read(fields: Fields, key: CborKey): T;
}

export interface OptionalMember<T> extends Member<T> {
  readonly optional: true;
}

/** Every member of `T` by name; a member that may be absent in `T` needs an optional entry. */
export type Shape<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalMember<Exclude<T[K], undefined>>
    : Member<T[K]>;
};

export function writeRecord<T extends object>(shape: Shape<T>, record: T): CborMap {
  const map = new Map<CborKey, CborValue>();
  for (const [name, member] of Object.entries(shape) as [keyof T & string, Member<unknown>][]) {
    const value = record[name];
    const written = value === undefined ? undefined : member.write(value);
    if (written !== undefined) map.set(member.key ?? name, written);
    else assert(member.optional === true, `${name} must be given`);
  }
  return map;
}

/** Refuses by throwing, for use inside `attempt`; unknown members are refused. */
export function readRecord<T extends object>(shape: Shape<T>, fields: Fields): T {
  const record: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape) as [string, Member<unknown>][]) {
    const key = member.key ?? name;
    if (member.optional === true && !fields.has(key)) continue;
    record[name] = member.read(fields, key);
  }
  fields.done();
  return record as T;
}

/** Gives a member another key on the wire. */
export function keyed<T>(key: CborKey, member: Member<T>): Member<T> {
  return { ...member, key };
}

export function optional<T>(member: Member<T>): OptionalMember<T> {
  return { ...member, optional: true };
}

/** At most `charsMax` characters; a longer text is cut when it is written. */
export function text(charsMax: number): Member<string> {
  return {
    write: (value) => value.slice(0, charsMax),
    read: (fields, key) => fields.text(key, charsMax),
  };
}

export function oneOf<T extends string>(choices: readonly T[]): Member<T> {
  return { write: (value) => value, read: (fields, key) => fields.oneOf(key, choices) };
}

/** A whole number from `min` to the largest safe one; anything else is clamped into it on writing. */
export function whole(min: number = 0, max: number = Number.MAX_SAFE_INTEGER): Member<number> {
  return {
    write: (value) => Math.min(max, Math.max(min, Number.isNaN(value) ? min : Math.trunc(value))),
    read: (fields, key) => fields.integer(key, min, max),
  };
}

/** A measured value: a value that is not finite is left out, for the code already says so. */
export function measured(min: number = -Infinity, max: number = Infinity): OptionalMember<number> {
  return optional({
    write: (value) => (Number.isFinite(value) ? value : undefined),
    read: (fields, key) => fields.number(key, min, max),
  });
}

export function flag(): Member<boolean> {
  return { write: (value) => value, read: (fields, key) => fields.boolean(key) };
}

/** A byte string of `min` to `max` bytes. */
export function bytes(min: number, max: number = min): Member<Uint8Array> {
  return {
    write: (value) => value,
    read(fields, key) {
      const value = fields.bytes(key);
      if (value.length >= min && value.length <= max) return value;
      throw refuseField(
        'field.range',
        `${fields.at(key)} has ${value.length} bytes, not ${min} to ${max}`,
      );
    },
  };
}

/** A SHA-256 digest. */
export const digest: Member<Uint8Array> = bytes(32);

export function record<T extends object>(shape: Shape<T>): Member<T> {
  return {
    write: (value) => writeRecord(shape, value),
    read: (fields, key) => readRecord(shape, fields.map(key)),
  };
}

/** At most `countMax` entries; further ones are left out when it is written. */
export function listOf<T>(entry: Member<T>, countMax: number): Member<readonly T[]> {
  return {
    write: (values) => values.slice(0, countMax).map((value) => entry.write(value) ?? null),
    read(fields, key) {
      const entries = new Fields(fields.at(key), new Map(fields.list(key, countMax).entries()));
      return entries.keys().map((index) => entry.read(entries, index as number));
    },
  };
}
