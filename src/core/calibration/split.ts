/** Splits calibration rows into halves, and finds rows that two sets share. */
import { type CheckedSet, rowOf } from './rows.ts';
import { seededNumbers, shuffled } from './seeded-numbers.ts';

export interface Halves {
  /** Row indices; as many as in B, or one more. */
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/** Fixed and public: the split depends on nothing but the number of rows. */
const SPLIT_SEED = 0;

/**
 * A Fisher-Yates shuffle with a fixed seed, cut in the middle. A file sorted by class, or by hour,
 * is split as fairly as a shuffled one, and anyone can repeat the split.
 */
export function splitHalves(count: number): Halves {
  const order = shuffled(count, seededNumbers(SPLIT_SEED));
  const middle = Math.ceil(count / 2);
  return { a: order.slice(0, middle), b: order.slice(middle) };
}

/** How many rows of `second` have the very same outputs as some row of `first`. */
export function sharedRows(first: CheckedSet, second: CheckedSet): number {
  const seen = new Set<number>();
  for (let row = 0; row < first.count; row++) seen.add(rowHash(first, row));
  let shared = 0;
  for (let row = 0; row < second.count; row++) {
    if (seen.has(rowHash(second, row))) shared += 1;
  }
  return shared;
}

/** How many rows have the very same outputs as an earlier row of the set. */
export function repeatedRows(set: CheckedSet): number {
  const seen = new Set<number>();
  for (let row = 0; row < set.count; row++) seen.add(rowHash(set, row));
  return set.count - seen.size;
}

/** 53 bits of two FNV-like hashes of a row's bit patterns: chance twins are too few to matter. */
function rowHash(set: CheckedSet, row: number): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (const rows of [set.logits, set.features]) {
    if (rows === undefined) continue;
    const values = rowOf(rows, row);
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) {
      low = Math.imul(low ^ (bits[i] as number), 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ (bits[i] as number), 0x85ebca6b);
      high ^= high >>> 13;
    }
  }
  return (low >>> 0) * 2 ** 21 + (high >>> 11);
}
