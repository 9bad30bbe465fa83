import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitKnn } from '../../../src/core/calibration/fit-knn.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import { type KnnPolicy, knnMap, knnScore, readKnn } from '../../../src/core/guard/knn.ts';
import { normalised } from '../../../src/core/guard/novelty-detectors.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { sharedMissing } from '../../shared.ts';
import { readGolden } from './golden.ts';
import { codeOf, readBack } from './policy-map.ts';

const policy: KnnPolicy = {
  holdsSamples: true,
  width: 2,
  k: 2,
  bank: Float32Array.of(1, 0, 0, 1, -1, 0),
};
const score = (...features: number[]): number =>
  knnScore(policy, referenceKernels, normalised(Float32Array.from(features)));

describe.skipIf(sharedMissing)('kNN (needs the shared data)', () => {
  it('agrees with the independent NumPy scores of 40 images', () => {
    const { fit, images, scores } = readGolden();
    const fitted = fitKnn(fit.features, undefined);
    expect([fitted.k, fitted.bank.length]).toEqual([2, 2000 * 64]);
    scores('KNN n=2000 k=2').forEach((want, row) => {
      const x = normalised(rowOf(images.features, row));
      const got = knnScore(fitted, referenceKernels, x);
      expect(Math.abs(got - want) / Math.abs(want), `image ${row}`).toBeLessThanOrEqual(1e-4);
    });
  });
});

describe('knnScore', () => {
  it('is the cosine to the k-th nearest row', () => {
    expect(score(5, 0)).toBeCloseTo(0, 6);
    expect(score(1, 1)).toBeCloseTo(Math.SQRT1_2, 6);
    expect(score(0, -3)).toBeCloseTo(0, 6);
    expect(knnScore({ ...policy, k: 1 }, referenceKernels, Float64Array.of(0, 1))).toBe(1);
  });

  it('is -Infinity for what it cannot judge', () => {
    expect(score(0, 0)).toBe(-Infinity);
    expect(score(NaN, 1)).toBe(-Infinity);
    expect(score(1)).toBe(-Infinity);
    expect(score(1, 2, 3)).toBe(-Infinity);
    expect(knnScore({ ...policy, k: 4 }, referenceKernels, Float64Array.of(1, 0))).toBe(-Infinity);
  });

  it('stays within [-1, 1] for every direction', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        const got = score(a, b);
        if (got === -Infinity)
          expect(normalised(Float32Array.of(a, b)).some(Number.isNaN)).toBe(true);
        else expect(Math.abs(got)).toBeLessThanOrEqual(1 + 1e-6);
      }),
    );
  });
});

describe('kNN as bytes', () => {
  it('comes back as it was, samples declared', () => {
    expect(readBack(knnMap(policy), readKnn)).toEqual({ ok: true, value: policy });
    expect(knnMap(policy).get('holds-samples')).toBe(true);
  });

  const floats = (...values: number[]): Uint8Array =>
    new Uint8Array(Float32Array.from(values).buffer);
  it.each([
    ['samples that it denies', 'field.range', { 'holds-samples': false }],
    ['samples undeclared', 'field.type', { 'holds-samples': 1 }],
    ['2,001 rows', 'field.range', { rows: 2001 }],
    ['a neighbour too far', 'field.range', { k: 4 }],
    ['neighbour 0', 'field.range', { k: 0 }],
    ['another length', 'policy.length', { width: 3 }],
    ['a row of zeros', 'policy.values', { bank: floats(1, 0, 0, 0, 1, 0) }],
    ['a row that is near to all', 'policy.values', { bank: floats(0.1, 0, 0, 1, 1, 0) }],
    ['NaN', 'policy.values', { bank: floats(NaN, 0, 0, 1, 1, 0) }],
    ['a hidden member', 'field.unknown', { labels: 1 }],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(knnMap(policy), readKnn, changes)).toBe(code);
  });
});
