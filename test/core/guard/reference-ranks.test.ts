import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt, need } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { REFERENCE_QUANTILES_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { logP } from '../../../src/core/guard/conformal.ts';
import {
  fitRanks,
  type ReferenceRanks,
  ranksMap,
  ranksScore,
  readRanks,
  referenceLogP,
} from '../../../src/core/guard/reference-ranks.ts';

const TEN = Float64Array.from({ length: 10 }, (_, i) => i); // the unit is 5 below and above

describe('ln p of a value', () => {
  it('one-sided is logP of its negative', () => {
    const mirrored = TEN.map((value) => -value).sort();
    for (const value of [-7, 0, 0.5, 3, 8.9, 9, 9.1, 100]) {
      expect(referenceLogP(TEN, 'one', value)).toBeCloseTo(logP(mirrored, -value), 12);
    }
  });

  it('two-sided is twice the smaller share', () => {
    expect(referenceLogP(TEN, 'two', 1)).toBeCloseTo(Math.log((2 * 2) / 11), 12);
    expect(referenceLogP(TEN, 'two', 8)).toBeCloseTo(Math.log((2 * 2) / 11), 12);
    expect(referenceLogP(TEN, 'two', 8.25)).toBeCloseTo(Math.log((2 * 1.75) / 11), 12);
    expect(referenceLogP(TEN, 'two', 4.5)).toBeCloseTo(0, 12);
    expect(referenceLogP(TEN, 'two', -10)).toBeCloseTo(Math.log(2 / 11) - 2, 12);
    expect(referenceLogP(TEN, 'two', 19)).toBeCloseTo(Math.log(2 / 11) - 2, 12);
  });

  it('never ties beyond the reference', () => {
    for (const sides of ['one', 'two'] as const) {
      for (const far of [10, 1e3, 1e9, 1e15]) {
        expect(referenceLogP(TEN, sides, far * 2)).toBeLessThan(referenceLogP(TEN, sides, far));
      }
    }
    expect(referenceLogP(TEN, 'two', -20)).toBeLessThan(referenceLogP(TEN, 'two', -10));
    expect(referenceLogP(TEN, 'one', -20)).toBeGreaterThan(referenceLogP(TEN, 'one', -10));
  });

  it('counts ties on both sides, and takes the range as unit where half lie on an end', () => {
    const zeros = Float64Array.of(0, 0, 0, 0, 4);
    expect(referenceLogP(zeros, 'two', 0)).toBe(0);
    expect(referenceLogP(zeros, 'two', 4)).toBeCloseTo(Math.log(2 / 6), 12);
    expect(referenceLogP(zeros, 'two', -8)).toBeCloseTo(Math.log(2 / 6) - 2, 12);
    expect(referenceLogP(zeros, 'two', 12)).toBeCloseTo(Math.log(2 / 6) - 2, 12);
  });

  it('is 0 at a constant, and far out beside it', () => {
    const [constant, zero] = [new Float64Array(7).fill(-50), new Float64Array(7)];
    for (const sides of ['one', 'two'] as const) {
      expect(referenceLogP(constant, sides, -50)).toBe(0);
      expect(referenceLogP(zero, sides, 0)).toBe(0);
    }
    // A hundredth of the constant, or of 1, is one unit below p = 1 / 8.
    expect(referenceLogP(constant, 'one', -49)).toBeCloseTo(-2 - Math.log(8), 12);
    expect(referenceLogP(constant, 'two', -51)).toBeCloseTo(-2 - Math.log(4), 12);
    expect(referenceLogP(zero, 'one', 1)).toBeCloseTo(-100 - Math.log(8), 12);
    expect(referenceLogP(zero, 'two', -1e-9)).toBeCloseTo(-Math.log(4), 6);
    expect(referenceLogP(constant, 'one', -50.5)).toBe(0);
  });

  it('does not take rounding for variation', () => {
    const rounding = Float64Array.of(1, 1 + 1e-15, 1 + 2e-15);
    expect(referenceLogP(rounding, 'two', 1 + 1e-12)).toBeGreaterThan(-2);
    expect(referenceLogP(rounding, 'two', 1.1)).toBeLessThan(-1e4);
  });
});

describe('ranksScore', () => {
  const ranks: ReferenceRanks = { sorted: [TEN, TEN.map((value) => value * 2)], sides: 'two' };

  it('adds 2 ln p', () => {
    const sum = referenceLogP(TEN, 'two', 1) + referenceLogP(TEN, 'two', 7);
    expect(ranksScore(ranks, [1, 14])).toBeCloseTo(2 * sum, 12);
  });

  it('is -Infinity for what cannot be judged', () => {
    for (const bad of [[NaN, 1], [1, Infinity], [-Infinity, 1], [1], [1, 2, 3], []]) {
      expect(ranksScore(ranks, bad)).toBe(-Infinity);
    }
  });

  it('is at most 0 and monotone in distance, whatever the reference and the value', () => {
    const doubles = fc.double({ noNaN: true, min: -1e100, max: 1e100 });
    fc.assert(
      fc.property(
        fc.array(doubles, { minLength: 1, maxLength: 30 }),
        doubles,
        fc.constantFrom('one', 'two'),
        (reference, value, sides) => {
          const fitted = fitRanks([reference], sides);
          const score = ranksScore(fitted, [value]);
          expect(score).toBeLessThanOrEqual(0);
          // From a value at or above all of the reference on, further is never more usual.
          const above = Math.max(...reference) + Math.abs(value);
          const further = Math.max(...reference) + 2 * Math.abs(value);
          const rounding = 1 + 1e-12;
          expect(ranksScore(fitted, [further]) * rounding).toBeLessThanOrEqual(
            ranksScore(fitted, [above]),
          );
        },
      ),
    );
  });
});

describe('fitRanks', () => {
  it('keeps every value of a small reference, sorted', () => {
    expect(fitRanks([[3, 1, 2]], 'one').sorted[0]).toEqual(Float64Array.of(1, 2, 3));
  });

  it('thins out a large one with both ends', () => {
    const column = Float64Array.from({ length: 5_000 }, (_, i) => 4_999 - i);
    const [sorted] = fitRanks([column], 'two').sorted;
    expect(sorted).toHaveLength(REFERENCE_QUANTILES_MAX);
    expect([sorted?.at(0), sorted?.at(-1)]).toEqual([0, 4_999]);
    expect(sorted?.[512]).toBeCloseTo(2_502, 0);
    expect(sorted?.every((value, i) => i === 0 || value > (sorted[i - 1] as number))).toBe(true);
  });

  it('asserts columns of one length, finite', () => {
    expect(() => fitRanks([[1], [1, 2]], 'one')).toThrow('one length');
    expect(() => fitRanks([[]], 'one')).toThrow('at least one row');
    expect(() => fitRanks([[NaN]], 'one')).toThrow('finite');
  });
});

describe('reference ranks as bytes', () => {
  const ranks = fitRanks([TEN, TEN.map((value) => value - 3)], 'two');
  const map = (changes: object = {}): Map<unknown, unknown> =>
    new Map([
      ...(need(decodeCbor(encodeCbor(ranksMap(ranks)))) as Map<string, unknown>),
      ...Object.entries(changes),
    ]);
  const read = (value: unknown, count = 2): unknown =>
    attempt(() => readRanks(Fields.of('ranks', value), count));

  it('come back as they were', () => {
    expect(read(map())).toEqual({ ok: true, value: ranks });
  });

  it('are refused with other sides than the one that makes sense', () => {
    const only = (sides: 'one' | 'two'): unknown =>
      attempt(() => readRanks(Fields.of('ranks', map()), 2, sides));
    expect(only('two')).toEqual({ ok: true, value: ranks });
    expect(only('one')).toMatchObject({ ok: false, fault: { code: 'field.range' } });
  });

  const column = (...values: number[]): Uint8Array =>
    new Uint8Array(Float64Array.from(values).buffer);
  it.each([
    ['three sides', 'field.range', { sides: 'three' }],
    ['no quantiles', 'field.range', { quantiles: 0 }],
    ['too many quantiles', 'field.range', { quantiles: REFERENCE_QUANTILES_MAX + 1 }],
    ['other lengths', 'policy.length', { quantiles: 9 }],
    ['a column too few', 'policy.length', { sorted: [column(1)] }],
    ['a column too many', 'field.range', { sorted: [column(1), column(1), column(1)] }],
    ['NaN', 'policy.values', { quantiles: 1, sorted: [column(1), column(NaN)] }],
    ['a falling column', 'policy.order', { quantiles: 2, sorted: [column(1, 2), column(2, 1)] }],
    ['a number as column', 'field.type', { quantiles: 1, sorted: [column(1), 1] }],
    ['a hidden member', 'field.unknown', { more: 1 }],
  ])('with %s are refused with %s', (_, code, changes) => {
    expect(read(map(changes))).toMatchObject({ ok: false, fault: { code } });
  });
});

describe('two sides', () => {
  it('are twice the smaller of one side and of the mirrored one, wherever the value lies', () => {
    const values = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 2 });
    fc.assert(
      fc.property(values, fc.double({ min: -120, max: 120, noNaN: true }), (column, any) => {
        const sorted = Float64Array.from(column).sort();
        const mirrored = sorted.map((value) => -value).reverse();
        // Anywhere, at a reference value, and between two of them.
        const [a, b] = [sorted[0] as number, sorted[1] as number];
        for (const value of [any, a, sorted.at(-1) as number, (a + b) / 2]) {
          const both = referenceLogP(sorted, 'two', value);
          const large = referenceLogP(sorted, 'one', value);
          const small = referenceLogP(mirrored, 'one', -value);
          const wanted = Math.min(0, Math.LN2 + Math.min(large, small));
          expect(both).toBeCloseTo(wanted, 9);
        }
      }),
    );
  });
});
