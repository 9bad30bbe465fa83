import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLASS_GROUPS_MAX } from '../../../src/core/base/limits.ts';
import { lnWealth } from '../../../src/core/guard/drift-capital.ts';
import {
  CLASSES_AT_START,
  type ClassFrequencies,
  type ClassState,
  classFrequencies,
  stepClasses,
  strangestGroup,
} from '../../../src/core/guard/drift-classes.ts';

const wealth = ({ capital }: ClassState): number => Math.exp(lnWealth(capital));

/** Frequencies within the bounds that add up to 1: towards the upper ones in a given order. */
function allowed({ low, high }: ClassFrequencies, order: readonly number[]): number[] {
  const given = [...low];
  let left = 1 - low.reduce((sum, share) => sum + share, 0);
  const groups = low.map((_, g) => g).sort((a, b) => (order[a] ?? 0) - (order[b] ?? 0));
  for (const g of groups) {
    const more = Math.min(left, (high[g] as number) - (low[g] as number));
    given[g] = (low[g] as number) + more;
    left -= more;
  }
  return given;
}

describe('classFrequencies', () => {
  it('bounds the true share as Chernoff does', () => {
    const { low, high, shares } = classFrequencies([0, 500, 500], 0.01);
    // n kl(0, pi) = -n ln(1 - pi) = ln(2 G / delta)
    expect(low[0]).toBe(0);
    expect(high[0]).toBeCloseTo(1 - Math.exp(-Math.log(600) / 1000), 9);
    expect(high[1]).toBeCloseTo(0.5565, 3);
    expect(1 - (low[1] as number)).toBeCloseTo(high[1] as number, 9);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it('lets neighbours share a group where there are too many classes', () => {
    const { shares, classes } = classFrequencies(Array<number>(1000).fill(2), 0.01);
    expect([shares.length, classes]).toEqual([CLASS_GROUPS_MAX, 1000]);
    expect(Math.max(...shares) / Math.min(...shares)).toBeLessThan(1.1);
  });
});

describe('stepClasses', () => {
  const counts = [5, 20, 0, 75];
  const frequencies = classFrequencies(counts, 0.01);
  const past = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 80 });
  const stepped = (answers: readonly number[]): ClassState =>
    answers.reduce((state, answer) => stepClasses(state, frequencies, answer), CLASSES_AT_START);

  it('gains nothing on average under any frequencies the counts allow, whatever came before', () => {
    const order = fc.array(fc.integer(), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(past, order, (answers, places) => {
        const state = stepped(answers);
        const truth = allowed(frequencies, places);
        expect(truth.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
        const mean = truth.reduce(
          (sum, share, g) => sum + share * wealth(stepClasses(state, frequencies, g)),
          0,
        );
        expect(mean).toBeLessThanOrEqual(wealth(state) * (1 + 1e-9));
      }),
      { seed: 2 },
    );
  });

  it('gains where one class comes all the time, and says which', () => {
    const state = stepped(Array<number>(12).fill(0));
    expect(wealth(state)).toBeGreaterThan(100);
    expect(strangestGroup(state, frequencies)).toBe(
      'class 0 makes up 100.0% of the recent answers, 5.4% in calibration',
    );
  });

  it('names the classes of a group', () => {
    const many = classFrequencies(Array<number>(130).fill(10), 0.01);
    const state = stepClasses(CLASSES_AT_START, many, 129);
    expect(strangestGroup(state, many)).toMatch(/^classes 128 to 129 make up 100.0% /);
  });

  it('gives every class of any model a group', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4096 }), fc.nat(), (classes, any) => {
        const some = classFrequencies(Array<number>(classes).fill(1), 0.01);
        const { recent } = stepClasses(CLASSES_AT_START, some, any % classes);
        expect(recent.filter((count) => count === 1)).toHaveLength(1);
        expect(recent).toHaveLength(some.shares.length);
      }),
      { seed: 3, numRuns: 30 },
    );
  });

  it('forgets: no memory is larger than 200 answers', () => {
    const state = stepped(Array<number>(5_000).fill(3));
    const total = state.recent.reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThan(199);
    expect(total).toBeLessThanOrEqual(200);
  });
});
