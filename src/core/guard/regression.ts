/**
 * Models that put out quantities: where each group of outputs lies and how far it spreads, against
 * the fit set. It sees an output that is unusual, not an unusual input with a usual output: the
 * weakest kind of novelty, for models that offer nothing else.
 */
import type { Fields } from '../base/fields.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import {
  type GroupedValues,
  groupCount,
  groupedMap,
  groupSpan,
  readGrouped,
} from './output-groups.ts';
import { type ReferenceRanks, ranksMap, ranksScore, readRanks } from './reference-ranks.ts';

export interface RegressionPolicy {
  readonly grouped: GroupedValues;
  /** Two-sided: means of the fit set, a column for each group, then the deviations. */
  readonly ranks: ReferenceRanks;
}

/** `-Infinity` for what cannot be judged; else at most 0, higher = more usual. */
export function regressionScore(policy: RegressionPolicy, output: ArrayLike<number>): number {
  const statistics = regressionStatistics(policy.grouped, output);
  return statistics === undefined ? -Infinity : ranksScore(policy.ranks, statistics);
}

/** How many statistics a frame has: a mean a group, and a deviation where it has values for one. */
export function regressionCount(grouped: GroupedValues): number {
  const count = groupCount(grouped.groups);
  let spread = 0;
  for (let g = 0; g < count; g++) if (groupSpan(grouped, g).size > 1) spread += 1;
  return count + spread;
}

/**
 * The mean of each group, then the standard deviation of each group of several values: what a
 * recording keeps of a frame. `undefined` for an output of another length, or that is not finite.
 */
export function regressionStatistics(
  grouped: GroupedValues,
  output: ArrayLike<number>,
): Float64Array | undefined {
  if (output.length !== grouped.values) return undefined;
  const count = groupCount(grouped.groups);
  const statistics = new Float64Array(regressionCount(grouped));
  let at = count;
  for (let g = 0; g < count; g++) {
    const { start, end, step, size } = groupSpan(grouped, g);
    let sum = 0;
    for (let i = start; i < end; i += step) sum += output[i] as number;
    const mean = sum / size;
    statistics[g] = mean;
    if (size === 1) continue;
    let squared = 0;
    for (let i = start; i < end; i += step) squared += ((output[i] as number) - mean) ** 2;
    statistics[at++] = Math.sqrt(squared / size);
  }
  return statistics.every(Number.isFinite) ? statistics : undefined;
}

export function regressionMap({ grouped, ranks }: RegressionPolicy): CborMap {
  return cborMap(['groups', groupedMap(grouped)], ['ranks', ranksMap(ranks)]);
}

/** Faults: `policy.length`, `policy.values`, `policy.order`, `field.*`. */
export function readRegression(fields: Fields): RegressionPolicy {
  const grouped = readGrouped(fields.map('groups'));
  const ranks = readRanks(fields.map('ranks'), regressionCount(grouped), 'two');
  fields.done();
  return { grouped, ranks };
}
