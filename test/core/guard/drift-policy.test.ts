import { describe, expect, it } from 'vitest';
import { attempt, type Result } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { CALIBRATION_ROWS_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  type DriftPolicy,
  type DriftTerms,
  driftPolicy,
  driftPolicyMap,
  driftRowsMin,
  readDriftPolicy,
} from '../../../src/core/guard/drift-policy.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const TERMS: DriftTerms = { alpha: 0.01, delta: 0.02, bankRows: 500, classCounts: [3, 0, 500] };

const made = (change: Partial<DriftTerms>): Result<DriftPolicy> =>
  attempt(() => driftPolicy({ ...TERMS, ...change }));

function readBack(map: unknown, classes: number | undefined): Result<DriftPolicy> {
  return attempt(() => readDriftPolicy(Fields.of('drift', map), 500, classes));
}

describe('a drift policy', () => {
  it('comes back from its map as it was, with and without classes', () => {
    const { classCounts: _, ...plain } = TERMS;
    for (const policy of [driftPolicy(TERMS), driftPolicy(plain)]) {
      const bytes = encodeCbor(driftPolicyMap(policy));
      const back = readBack(accepted(decodeCbor(bytes)), policy.classCounts?.length);
      expect(accepted(back)).toEqual(policy);
    }
  });

  it('allows what Hoeffding allows', () => {
    expect(driftPolicy(TERMS).allowance).toBeCloseTo(Math.sqrt(Math.log(100) / 1000), 12);
  });

  it('says how small a bank may be', () => {
    const rows = driftRowsMin(0.01);
    expect(rows).toBe(43);
    expect(codeOf(made({ delta: 0.01, bankRows: rows }))).toBe('accepted');
    expect(codeOf(made({ delta: 0.01, bankRows: rows - 1 }))).toBe('policy.values');
  });

  it.each<[string, Partial<DriftTerms>]>([
    ['no alpha', { alpha: 0 }],
    ['a certain alarm', { alpha: 1 }],
    ['NaN', { delta: Number.NaN }],
    ['no rows', { bankRows: Number.NaN }],
    ['one class', { classCounts: [5] }],
    ['no answers', { classCounts: [0, 0] }],
    ['half an answer', { classCounts: [0.5, 2] }],
    ['fewer than none', { classCounts: [-1, 2] }],
    ['too many', { classCounts: [CALIBRATION_ROWS_MAX, 1] }],
  ])('refuses %s', (_, change) => {
    expect(codeOf(made(change))).toBe('policy.values');
  });

  it.each<[string, string, (map: Map<unknown, unknown>) => void]>([
    ['another number of classes', 'field.range', (map) => map.set('class-counts', [1, 2])],
    ['more classes', 'field.range', (map) => map.set('class-counts', [1, 2, 3, 4])],
    ['counts that are words', 'field.type', (map) => map.set('class-counts', ['1', '2', '3'])],
    ['NaN', 'field.type', (map) => map.set('alpha', Number.NaN)],
    ['no delta', 'field.missing', (map) => map.delete('delta')],
    ['a member too many', 'field.unknown', (map) => map.set('beta', 1)],
  ])('refuses a map with %s', (_, code, change) => {
    const map = new Map<unknown, unknown>(driftPolicyMap(driftPolicy(TERMS)));
    change(map);
    expect(codeOf(readBack(map, 3))).toBe(code);
  });

  it('refuses class counts for a model that answers no classes', () => {
    expect(codeOf(readBack(driftPolicyMap(driftPolicy(TERMS)), undefined))).toBe('field.unknown');
  });
});
