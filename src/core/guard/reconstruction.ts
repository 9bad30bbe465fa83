/**
 * Models that put out their own input again (autoencoders): how well they did, group by group,
 * against how well they did on the fit set. The one kind of novelty that needs the input too.
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

export interface ReconstructionPolicy {
  /** Of the model's input, and of the output that has its shape. */
  readonly grouped: GroupedValues;
  /** One-sided: mean squared errors of the fit set, a column for each group. */
  readonly ranks: ReferenceRanks;
}

/**
 * Fisher's sum of `2 ln p` over the groups, `p` the share of fit rows with an error as large: at
 * most 0, higher = more usual, `-Infinity` for what cannot be judged.
 *
 * @param input as the model got it, after any conversion
 */
export function reconstructionScore(
  policy: ReconstructionPolicy,
  input: ArrayLike<number>,
  output: ArrayLike<number>,
): number {
  const errors = reconstructionErrors(policy.grouped, input, output);
  return errors === undefined ? -Infinity : ranksScore(policy.ranks, errors);
}

/**
 * Mean squared error of each group: what a recording keeps of a frame. `undefined` for tensors of
 * another length, or where an error is not finite.
 */
export function reconstructionErrors(
  grouped: GroupedValues,
  input: ArrayLike<number>,
  output: ArrayLike<number>,
): Float64Array | undefined {
  if (input.length !== grouped.values || output.length !== grouped.values) return undefined;
  const errors = new Float64Array(groupCount(grouped.groups));
  for (let g = 0; g < errors.length; g++) {
    const { start, end, step, size } = groupSpan(grouped, g);
    let sum = 0;
    for (let i = start; i < end; i += step) {
      const error = (input[i] as number) - (output[i] as number);
      sum += error * error;
    }
    errors[g] = sum / size;
  }
  return errors.every(Number.isFinite) ? errors : undefined;
}

export function reconstructionMap({ grouped, ranks }: ReconstructionPolicy): CborMap {
  return cborMap(['groups', groupedMap(grouped)], ['ranks', ranksMap(ranks)]);
}

/** Faults: `policy.length`, `policy.values`, `policy.order`, `field.*`. */
export function readReconstruction(fields: Fields): ReconstructionPolicy {
  const grouped = readGrouped(fields.map('groups'));
  const ranks = readRanks(fields.map('ranks'), groupCount(grouped.groups), 'one');
  fields.done();
  return { grouped, ranks };
}
