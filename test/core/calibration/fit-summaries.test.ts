import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import {
  fitDetection,
  fitReconstruction,
  fitRegression,
  type StatisticRows,
} from '../../../src/core/calibration/fit-summaries.ts';
import { logP, promisedRank } from '../../../src/core/guard/conformal.ts';
import {
  type DetectionLayout,
  detectionMap,
  readDetection,
} from '../../../src/core/guard/detection-summary.ts';
import { equalGroups } from '../../../src/core/guard/output-groups.ts';
import {
  readReconstruction,
  reconstructionErrors,
  reconstructionMap,
} from '../../../src/core/guard/reconstruction.ts';
import { ranksScore } from '../../../src/core/guard/reference-ranks.ts';
import {
  readRegression,
  regressionMap,
  regressionStatistics,
} from '../../../src/core/guard/regression.ts';
import { readBack } from '../guard/policy-map.ts';
import { normals } from './gaussian.ts';

const layout: DetectionLayout = { candidates: 9, classes: 1, threshold: 0.5, boxes: 'corners' };
const two = equalGroups(8, 2);

function statistics(count: number, width: number, seed: number): Float64Array[] {
  const normal = normals(seed);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: width }, () => normal() ** 2),
  );
}

/** An autoencoder that is off by noise, in one half of its values more where `strangeness` is. */
function reconstructed(count: number, seed: number, strangeness = 0): Float64Array[] {
  const normal = normals(seed);
  return Array.from({ length: count }, () => {
    const input = Array.from({ length: 8 }, normal);
    const output = input.map((x, i) => x + normal() * (i < 4 ? 1 + strangeness : 1));
    return reconstructionErrors(two, input, output) as Float64Array;
  });
}

describe('fits of models that are no classifiers', () => {
  it('come back from bytes', () => {
    const errors = fitReconstruction(two, statistics(100, 2, 1));
    expect(readBack(reconstructionMap(errors), readReconstruction)).toEqual({
      ok: true,
      value: errors,
    });
    const regression = fitRegression(two, statistics(100, 4, 2));
    expect(readBack(regressionMap(regression), readRegression)).toEqual({
      ok: true,
      value: regression,
    });
    const detection = fitDetection(layout, statistics(2_000, 4, 3));
    expect(readBack(detectionMap(detection), readDetection)).toEqual({
      ok: true,
      value: detection,
    });
  });

  it('give a score that keeps a promise by rank, and finds what differs', () => {
    const { ranks } = fitReconstruction(two, reconstructed(200, 4));
    const score = (row: Float64Array): number => ranksScore(ranks, row);
    const halfA = Float64Array.from(reconstructed(500, 5), score).sort();
    const halfB = Float64Array.from(reconstructed(500, 6), (row) => logP(halfA, score(row))).sort();
    const threshold = halfB[promisedRank(500, 0.05, 0.95) - 1] as number;
    const alarms = (rows: Float64Array[]): number =>
      rows.filter((row) => logP(halfA, score(row)) < threshold).length / rows.length;
    expect(alarms(reconstructed(2_000, 7))).toBeLessThan(0.05);
    expect(alarms(reconstructed(2_000, 7))).toBeGreaterThan(0.01);
    expect(alarms(reconstructed(200, 8, 4))).toBeGreaterThan(0.9);
  });

  it('take rows that repeat, and a class that the fit set does not have', () => {
    const [row] = statistics(1, 2, 9) as [Float64Array];
    const rows = [...Array.from({ length: 150 }, () => row), ...statistics(50, 2, 10)];
    expect(ranksScore(fitReconstruction(two, rows).ranks, row)).toBeGreaterThan(-2);
    const classes = { ...layout, classes: 2 };
    const cats = statistics(100, 6, 11).map((counts) => counts.with(5, 0));
    const { ranks } = fitDetection(classes, cats);
    const usual = cats[0] as Float64Array;
    expect(ranksScore(ranks, usual.with(5, 1))).toBeLessThan(ranksScore(ranks, usual) - 100);
  });

  it('take a group whose mean stands still while it spreads', () => {
    const rows = statistics(100, 2, 12).map(([spread]) =>
      regressionStatistics(equalGroups(2), [5 - (spread as number), 5 + (spread as number)]),
    ) as Float64Array[];
    expect(fitRegression(equalGroups(2), rows).ranks.sorted).toHaveLength(2);
  });
});

describe('they refuse', () => {
  const fault = (fit: () => unknown): string => {
    const result = attempt(fit);
    return result.ok ? 'fitted' : `${result.fault.code}: ${result.fault.message}`;
  };
  const rows = statistics(100, 2, 1);
  const constant = (at: number, value: number): StatisticRows =>
    rows.map((row) => row.with(at, value));

  it('too few rows, and say how many are missing', () => {
    const missing = 'calibration.fit-rows: 60 fit rows; ranks of the statistics need 100, 40 more';
    expect(fault(() => fitReconstruction(two, rows.slice(40)))).toBe(missing);
    expect(fault(() => fitRegression(equalGroups(1), rows.slice(40)))).toBe(missing);
    expect(fault(() => fitDetection(layout, rows.slice(40)))).toBe(missing);
  });

  it('a group without any error, or an output that never moves', () => {
    expect(fault(() => fitReconstruction(two, constant(1, 0)))).toBe(
      'calibration.constant: the error of group 1 (values 4 to 7) is 0 on all 100 fit rows',
    );
    expect(fault(() => fitRegression(equalGroups(2, 2), constant(0, 7)))).toBe(
      'calibration.constant: the mean of group 0 (values 0 to 0) is 7 on all 100 fit rows',
    );
    const still = statistics(100, 1, 2).map(() => Float64Array.of(1, 2));
    expect(fault(() => fitRegression(equalGroups(2), still))).toContain('calibration.constant');
    const silent = statistics(100, 1, 2).map(() => Float64Array.of(0, 1, 0, 0));
    expect(fault(() => fitDetection(layout, silent))).toBe(
      'calibration.constant: no statistic varies: the count of 9 candidates is 0 on all 100 fit rows',
    );
  });

  it('rows of another length, and values that are not finite', () => {
    expect(fault(() => fitReconstruction(equalGroups(8, 3), rows))).toBe(
      'calibration.shape: fit row 0 has 2 statistics, there are 3',
    );
    expect(fault(() => fitDetection(layout, constant(1, NaN)))).toContain('calibration.shape');
    expect(fault(() => fitReconstruction(two, constant(1, NaN)))).toBe(
      'calibration.values: statistic 1 of fit row 0 is NaN',
    );
  });

  it('groups and layouts that cannot be', () => {
    const short = { values: 8, groups: { kind: 'ranges', ends: [4, 7] } } as const;
    expect(fault(() => fitReconstruction(short, rows))).toBe(
      'calibration.shape: declared: groups that end at 7 of 8 values',
    );
    expect(fault(() => fitRegression(short, rows))).toContain('calibration.shape');
    expect(fault(() => fitDetection({ ...layout, threshold: NaN }, rows))).toContain(
      'calibration.shape: declared: a threshold of NaN',
    );
  });
});
