/**
 * The values of one tensor in groups that are judged apart: a sensor each, a band each, a channel
 * each. What is wrong in one of many channels would drown in the mean over all of them.
 */
import type { Fields } from '../base/fields.ts';
import { OUTPUT_GROUPS_MAX, TENSOR_ELEMENTS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { refusePolicy } from './policy-faults.ts';

export interface GroupedValues {
  /** How many values a frame's tensor has. */
  readonly values: number;
  readonly groups: OutputGroups;
}

/**
 * `ranges`: group `g` holds the values from `ends[g - 1]` (0 for the first) up to before `ends[g]`;
 * channels that come first (CHW) are equal ranges. `channels-last` (HWC): value `i` is of group
 * `i` modulo `channels`.
 */
export type OutputGroups =
  | { readonly kind: 'ranges'; readonly ends: readonly number[] }
  | { readonly kind: 'channels-last'; readonly channels: number };

/** The values `start, start + step, ...` before `end`, `size` of them. */
export interface GroupSpan {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly size: number;
}

export function groupCount(groups: OutputGroups): number {
  return groups.kind === 'ranges' ? groups.ends.length : groups.channels;
}

/** `count` ranges as equal as they can be, at most one a value; 1 is the default of every kind. */
export function equalGroups(values: number, count: number = 1): GroupedValues {
  const ranges = Math.min(values, count);
  const ends = Array.from({ length: ranges }, (_, g) => Math.round(((g + 1) * values) / ranges));
  return { values, groups: { kind: 'ranges', ends } };
}

export function groupSpan({ values, groups }: GroupedValues, group: number): GroupSpan {
  if (groups.kind === 'channels-last') {
    const { channels } = groups;
    return { start: group, end: values, step: channels, size: values / channels };
  }
  const start = group === 0 ? 0 : (groups.ends[group - 1] as number);
  const end = groups.ends[group] as number;
  return { start, end, step: 1, size: end - start };
}

/** The group in words, for refusals. */
export function groupName(grouped: GroupedValues, group: number): string {
  const { start, end, step } = groupSpan(grouped, group);
  return step === 1 ? `group ${group} (values ${start} to ${end - 1})` : `channel ${group}`;
}

/** What is wrong with groups that a maker or a policy declares, in words. */
export function groupsProblem({ values, groups }: GroupedValues): string | undefined {
  const count = groupCount(groups);
  if (!(Number.isSafeInteger(values) && values >= 1 && values <= TENSOR_ELEMENTS_MAX)) {
    return `${values} values a frame`;
  }
  if (!(Number.isSafeInteger(count) && count >= 1 && count <= OUTPUT_GROUPS_MAX)) {
    return `${count} groups, 1 to ${OUTPUT_GROUPS_MAX} can be`;
  }
  if (groups.kind === 'channels-last') {
    return values % count === 0 ? undefined : `${values} values in ${count} channels`;
  }
  let start = 0;
  for (const end of groups.ends) {
    if (!(Number.isSafeInteger(end) && end > start)) return `a group from ${start} to ${end}`;
    start = end;
  }
  return start === values ? undefined : `groups that end at ${start} of ${values} values`;
}

export function groupedMap({ values, groups }: GroupedValues): CborMap {
  return cborMap(
    ['values', values],
    ['ends', groups.kind === 'ranges' ? groups.ends : undefined],
    ['channels', groups.kind === 'channels-last' ? groups.channels : undefined],
  );
}

/** Faults: `policy.values` (groups that do not divide the values), `field.*`. */
export function readGrouped(fields: Fields): GroupedValues {
  const values = fields.integer('values', 1, TENSOR_ELEMENTS_MAX);
  const channels = fields.optional('channels', (name) =>
    fields.integer(name, 1, OUTPUT_GROUPS_MAX),
  );
  const groups: OutputGroups =
    channels === undefined
      ? { kind: 'ranges', ends: readEnds(fields) }
      : { kind: 'channels-last', channels };
  fields.done();
  const grouped = { values, groups };
  const problem = groupsProblem(grouped);
  if (problem === undefined) return grouped;
  throw refusePolicy('policy.values', `${fields.path}: ${problem}`);
}

function readEnds(fields: Fields): number[] {
  // What is not a number is no end, and `groupsProblem` says so.
  return fields.list('ends', OUTPUT_GROUPS_MAX).map((end) => (typeof end === 'number' ? end : NaN));
}
