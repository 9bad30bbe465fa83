/** What deterministic CBOR documents are made of here. */

export type CborKey = string | number;

export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | CborTag
  | readonly CborValue[]
  | CborMap;

/** A map in the order of the document; the encoder sorts. */
export interface CborMap extends ReadonlyMap<CborKey, CborValue> {}

/** A tagged value, only where the reader allows the tag. */
export class CborTag {
  readonly tag: number;
  readonly value: CborValue;
  constructor(tag: number, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** A map from pairs; pairs with an `undefined` value are left out. */
export function cborMap(
  ...pairs: readonly (readonly [CborKey, CborValue | undefined])[]
): ReadonlyMap<CborKey, CborValue> {
  const map = new Map<CborKey, CborValue>();
  for (const [key, value] of pairs) if (value !== undefined) map.set(key, value);
  return map;
}
