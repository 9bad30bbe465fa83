/** A part of a policy through CBOR and back, as it was or with members changed. */
import { attempt, need, type Result } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborMap } from '../../../src/core/cose/value.ts';

export function readBack<T>(
  map: CborMap,
  read: (fields: Fields) => T,
  changes: Readonly<Record<string, unknown>> = {},
): Result<T> {
  const members = need(decodeCbor(encodeCbor(map))) as ReadonlyMap<string, unknown>;
  const changed = new Map([...members, ...Object.entries(changes)]);
  return attempt(() => read(Fields.of('part', changed)));
}

/** The fault code of a hostile part, `accepted` for one that is not refused. */
export function codeOf<T>(
  map: CborMap,
  read: (fields: Fields) => T,
  changes: Readonly<Record<string, unknown>>,
): string {
  const result = readBack(map, read, changes);
  return result.ok ? 'accepted' : result.fault.code;
}

/** Doubles as a policy holds them, on a little-endian machine. */
export function doubles(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

/** The same values, one of them another. */
export function withValue(values: Float64Array, at: number, value: number): Uint8Array {
  return doubles(values.map((old, i) => (i === at ? value : old)));
}
