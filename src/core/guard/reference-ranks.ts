/**
 * Ranks of one frame's statistics among those of reference frames: `ln p` for each, fused by Fisher.
 *
 * What it gives is a score, not a promise: the statistics depend on each other, and the reference
 * may be the fit set. The promise comes from the rank of that score among calibration rows.
 */
import { assert } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { REFERENCE_QUANTILES_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { doublesToBytes, needAscending, readDoubles } from './doubles.ts';
import { refusePolicy } from './policy-faults.ts';

export interface ReferenceRanks {
  /** Per statistic its values on the reference frames, ascending, all columns of one length. */
  readonly sorted: readonly Float64Array[];
  /** `one`: only large values are strange, as of errors. `two`: large and small ones are. */
  readonly sides: Sides;
}

export type Sides = 'one' | 'two';

/** Below this share of its magnitude a statistic's spread is rounding, not variation. */
const RESOLUTION = 1e-9;
/** The unit of a statistic that never varied, as a share of its magnitude. */
const CONSTANT_UNIT = 1e-2;

/**
 * `2 sum of ln p_j` over all statistics: at most 0, higher = more usual. `-Infinity` for a value
 * that is not finite, or another number of values than of columns.
 */
export function ranksScore(ranks: ReferenceRanks, values: ArrayLike<number>): number {
  const { sorted, sides } = ranks;
  if (values.length !== sorted.length) return -Infinity;
  let sum = 0;
  for (let j = 0; j < sorted.length; j++) {
    sum += referenceLogP(sorted[j] as Float64Array, sides, values[j] as number);
  }
  return 2 * sum;
}

/**
 * `ln p` of one value, at most 0; `-Infinity` when it is not finite. One-sided it is the share of
 * reference values at least as large; two-sided twice the smaller share of the two directions.
 *
 * It is linear between neighbours and goes on for ever beyond the reference, as `logP` of
 * `conformal.ts` and for its reason: extremes must never tie. The unit beyond an end is its
 * distance to the median. Where half of the reference lies on that end, it is the whole range;
 * where all of it is one value, that value counts 0, and each hundredth of it (of 1 for a zero) by
 * which a frame differs counts one unit: far out after a little, yet on a scale.
 *
 * @param sorted ascending, finite, at least one
 */
export function referenceLogP(sorted: Float64Array, sides: Sides, value: number): number {
  if (!Number.isFinite(value)) return -Infinity;
  const inside = sides === 'two' ? shareInside(sorted, value) : undefined;
  if (inside !== undefined) return Math.min(0, Math.LN2 + Math.log(inside));
  const large = logShare(sorted, value, -1);
  if (sides === 'one') return large;
  return Math.min(0, Math.LN2 + Math.min(large, logShare(sorted, value, 1)));
}

/**
 * At most `REFERENCE_QUANTILES_MAX` evenly spaced quantiles of each column, smallest and largest
 * always among them.
 *
 * @param columns per statistic its value on every reference frame: finite, as many in each
 */
export function fitRanks(columns: readonly ArrayLike<number>[], sides: Sides): ReferenceRanks {
  const rows = columns[0]?.length ?? 0;
  const sorted = columns.map((column) => {
    const all = Float64Array.from(column).sort();
    assert(all.length === rows && rows > 0, 'reference columns of one length, at least one row');
    assert(all.every(Number.isFinite), 'finite reference values');
    if (rows <= REFERENCE_QUANTILES_MAX) return all;
    const step = (rows - 1) / (REFERENCE_QUANTILES_MAX - 1);
    return Float64Array.from(
      { length: REFERENCE_QUANTILES_MAX },
      (_, i) => all[Math.round(i * step)] as number,
    );
  });
  return { sorted, sides };
}

export function ranksMap(ranks: ReferenceRanks): CborMap {
  return cborMap(
    ['sides', ranks.sides],
    ['quantiles', ranks.sorted[0]?.length ?? 0],
    ['sorted', ranks.sorted.map(doublesToBytes)],
  );
}

/**
 * @param count statistics there must be, bounded by the caller
 * @param wanted sides there must be, where only one makes sense
 *
 * Faults: `policy.length`, `policy.values`, `policy.order`, `field.*`.
 */
export function readRanks(fields: Fields, count: number, wanted?: Sides): ReferenceRanks {
  const sides = fields.oneOf<Sides>('sides', wanted === undefined ? ['one', 'two'] : [wanted]);
  const quantiles = fields.integer('quantiles', 1, REFERENCE_QUANTILES_MAX);
  const list = fields.list('sorted', count);
  fields.done();
  if (list.length !== count) {
    throw refusePolicy(
      'policy.length',
      `${fields.at('sorted')} has ${list.length} columns, there are ${count} statistics`,
    );
  }
  const entries = Fields.of(fields.at('sorted'), new Map(list.entries()));
  const sorted = list.map((_, i) => {
    const column = readDoubles(entries, i, quantiles);
    needAscending(entries.at(i), column);
    return column;
  });
  return { sorted, sides };
}

/**
 * `ln` of the share of reference values at most as large as `value` (`sign` 1), or at least as
 * large (`sign` -1, by which the column is read from its other end with its signs turned).
 */
function logShare(sorted: Float64Array, value: number, sign: 1 | -1): number {
  const n = sorted.length;
  const turned = sign * value;
  const min = entry(sorted, 0, sign);
  const max = entry(sorted, n - 1, sign);
  if (min === max && turned >= min) return 0;
  const atMost = countAtMost(sorted, turned, sign);
  if (atMost === 0) return (turned - min) / tailUnit(sorted, sign) - Math.log(n + 1);
  const left = entry(sorted, atMost - 1, sign);
  if (atMost === n) {
    const beyond = (turned - left) / tailUnit(sorted, sign);
    return Math.log((n + 1 - 1 / (1 + beyond)) / (n + 1));
  }
  const right = entry(sorted, atMost, sign);
  return Math.log((atMost + (turned - left) / (right - left)) / (n + 1));
}

/**
 * The smaller of both shares in one search, where most values lie: between two reference values and
 * equal to none. Elsewhere `undefined`.
 */
function shareInside(sorted: Float64Array, value: number): number | undefined {
  const n = sorted.length;
  if (!(value > (sorted[0] as number) && value < (sorted[n - 1] as number))) return undefined;
  const atMost = countAtMost(sorted, value, 1);
  const left = sorted[atMost - 1] as number;
  if (left === value) return undefined;
  const part = (value - left) / ((sorted[atMost] as number) - left);
  return Math.min(atMost + part, n - atMost + 1 - part) / (n + 1);
}

function tailUnit(sorted: Float64Array, sign: 1 | -1): number {
  const n = sorted.length;
  const min = entry(sorted, 0, sign);
  const range = entry(sorted, n - 1, sign) - min;
  const magnitude = Math.max(Math.abs(sorted[0] as number), Math.abs(sorted[n - 1] as number));
  if (range === 0) return CONSTANT_UNIT * (magnitude || 1);
  return Math.max(entry(sorted, n >> 1, sign) - min || range, RESOLUTION * magnitude);
}

/** How many of the column, read in the direction of `sign`, are at most `turned`. */
function countAtMost(sorted: Float64Array, turned: number, sign: 1 | -1): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entry(sorted, middle, sign) <= turned) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entry(sorted: Float64Array, i: number, sign: 1 | -1): number {
  return sign * (sorted[sign > 0 ? i : sorted.length - 1 - i] as number);
}
