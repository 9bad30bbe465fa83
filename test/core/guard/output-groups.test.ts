import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  equalGroups,
  type GroupedValues,
  groupCount,
  groupedMap,
  groupName,
  groupSpan,
  groupsProblem,
  readGrouped,
} from '../../../src/core/guard/output-groups.ts';
import { codeOf, readBack } from './policy-map.ts';

const channels: GroupedValues = { values: 6, groups: { kind: 'channels-last', channels: 3 } };

/** How often each value is in a group: once, if the groups divide the values. */
function coverage(grouped: GroupedValues): number[] {
  const seen = Array.from({ length: grouped.values }, () => 0);
  for (let g = 0; g < groupCount(grouped.groups); g++) {
    const { start, end, step, size } = groupSpan(grouped, g);
    let count = 0;
    for (let i = start; i < end; i += step) {
      seen[i] = (seen[i] as number) + 1;
      count += 1;
    }
    expect(count).toBe(size);
  }
  return seen;
}

describe('groups of output values', () => {
  it('are one by default, and as equal as they can be', () => {
    expect(equalGroups(7).groups).toEqual({ kind: 'ranges', ends: [7] });
    expect(equalGroups(10, 3).groups).toEqual({ kind: 'ranges', ends: [3, 7, 10] });
    expect(groupCount(equalGroups(2, 5).groups)).toBe(2);
  });

  it('hold every value once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 30 }), (n, count) => {
        const ranges = equalGroups(n, count);
        expect(groupsProblem(ranges)).toBeUndefined();
        expect(coverage(ranges).every((times) => times === 1)).toBe(true);
        const last: GroupedValues = {
          values: n * count,
          groups: { kind: 'channels-last', channels: count },
        };
        expect(groupsProblem(last)).toBeUndefined();
        expect(coverage(last).every((times) => times === 1)).toBe(true);
      }),
    );
  });

  it('are named by what they hold', () => {
    expect(groupName(equalGroups(640, 5), 3)).toBe('group 3 (values 384 to 511)');
    expect(groupName(channels, 1)).toBe('channel 1');
  });

  it('have their faults told', () => {
    const ranges = (values: number, ...ends: number[]): string | undefined =>
      groupsProblem({ values, groups: { kind: 'ranges', ends } });
    expect(ranges(4, 2, 3)).toBe('groups that end at 3 of 4 values');
    expect(ranges(4, 2, 2, 4)).toBe('a group from 2 to 2');
    expect(ranges(4)).toContain('0 groups');
    expect(ranges(0, 0)).toBe('0 values a frame');
    expect(groupsProblem({ ...channels, values: 7 })).toBe('7 values in 3 channels');
  });
});

describe('groups as bytes', () => {
  it('come back as they were', () => {
    for (const grouped of [channels, equalGroups(640, 5)]) {
      expect(readBack(groupedMap(grouped), readGrouped)).toEqual({ ok: true, value: grouped });
    }
  });

  it.each([
    ['ends that stop short', 'policy.values', { ends: [4, 8] }],
    ['ends that fall', 'policy.values', { ends: [8, 4, 10] }],
    ['an end that is true', 'policy.values', { ends: [true, 10] }],
    ['no ends', 'policy.values', { ends: [] }],
    ['257 groups', 'field.range', { values: 257, ends: Array.from({ length: 257 }, (_, i) => i) }],
    ['no values', 'field.range', { values: 0 }],
    ['both kinds', 'field.unknown', { channels: 2 }],
    ['no kind', 'field.missing', { ends: undefined }],
  ])('with %s are refused with %s', (_, code, changes) => {
    expect(codeOf(groupedMap(equalGroups(10, 2)), readGrouped, changes)).toBe(code);
  });

  it('refuse channels that do not divide the values', () => {
    expect(codeOf(groupedMap(channels), readGrouped, { channels: 4 })).toBe('policy.values');
  });
});
