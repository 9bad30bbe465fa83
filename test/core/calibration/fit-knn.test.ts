import { describe, expect, it } from 'vitest';
import { attempt, need } from '../../../src/core/base/fault.ts';
import { fitKnn } from '../../../src/core/calibration/fit-knn.ts';
import { type Rows, rowOf } from '../../../src/core/calibration/rows.ts';
import { knnMap, knnScore, readKnn } from '../../../src/core/guard/knn.ts';
import { normalised } from '../../../src/core/guard/novelty-detectors.ts';
import type { Projection } from '../../../src/core/guard/pca.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { readBack } from '../guard/policy-map.ts';
import { rowsOf } from './gaussian.ts';

const three = (count: number): Rows => rowsOf(count, 3, 1, (_, column, n) => 3 * column + n());

describe('fitKnn', () => {
  it('holds at most 2,000 rows, each of length 1', () => {
    const policy = fitKnn(three(5_000), undefined);
    expect([policy.holdsSamples, policy.width, policy.k]).toEqual([true, 3, 2]);
    expect(policy.bank).toHaveLength(6_000);
    expect(need(readBack(knnMap(policy), readKnn))).toEqual(policy);
  });

  it('knows its own rows again, and one doubled by both', () => {
    const rows = three(50);
    const doubled = { width: 3, data: Float32Array.of(...rows.data, ...rowOf(rows, 7)) };
    const policy = fitKnn(doubled, undefined);
    const score = (row: number): number =>
      knnScore(policy, referenceKernels, normalised(rowOf(rows, row)));
    expect(score(7)).toBeCloseTo(1, 6);
    const alone = { ...policy, k: 1 };
    for (let row = 0; row < 50; row++) {
      const x = normalised(rowOf(rows, row));
      expect(knnScore(alone, referenceKernels, x)).toBeCloseTo(1, 6);
    }
    expect(knnScore(policy, referenceKernels, Float64Array.of(0, -1, 0))).toBeLessThan(0.5);
  });

  it('keeps projected rows where features are projected', () => {
    const projection: Projection = {
      features: 3,
      components: 2,
      directions: Float64Array.of(1, 0, 0, 0, 0, 1),
    };
    const policy = fitKnn(three(20), projection, 5);
    expect([policy.width, policy.k, policy.bank.length]).toEqual([2, 5, 40]);
  });
});

describe('fitKnn refuses', () => {
  const fault = (rows: Rows, k?: number, projection?: Projection): string => {
    const result = attempt(() => fitKnn(rows, projection, k));
    return result.ok ? 'fitted' : `${result.fault.code}: ${result.fault.message}`;
  };

  it.each([0, 1.5, 2_000, NaN])('neighbour %d', (k) => {
    expect(fault(three(3), k)).toContain('calibration.shape');
  });

  it('fewer rows than the neighbour needs', () => {
    expect(fault(three(2))).toContain('calibration.fit-rows: 2 fit rows; neighbour 2');
    expect(fault(three(2))).toContain('need 3, 1 more');
  });

  it('rows that all point one way', () => {
    const scaled = rowsOf(9, 3, 1, (row, column) => (row + 1) * (column + 1));
    expect(fault(scaled)).toContain('calibration.constant');
  });

  it('a row that the projection leaves nothing of', () => {
    const directions = Float64Array.of(1, 0, 0);
    const rows = { width: 3, data: Float32Array.of(1, 2, 3, 0, 1, 1, 5, 0, 0) };
    expect(fault(rows, 1, { features: 3, components: 1, directions })).toContain(
      'calibration.values: fit row 1',
    );
  });
});
