import { describe, expect, it } from 'vitest';
import {
  leadingDirections,
  secondMoments,
} from '../../../src/core/calibration/principal-directions.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import { normals, rowsOf } from './gaussian.ts';

describe('secondMoments', () => {
  it('is the mean of x x, over chunks of rows too', () => {
    const rows = rowsOf(1_100, 3, 1, (_, column, normal) => normal() + column);
    const moments = secondMoments(1_100, 3, (i, target) => target.set(rowOf(rows, i)));
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let row = 0; row < 1_100; row++) {
          const x = rowOf(rows, row);
          sum += (x[i] as number) * (x[j] as number);
        }
        expect(moments[i * 3 + j]).toBeCloseTo(sum / 1_100, 9);
      }
    }
  });
});

describe('leadingDirections', () => {
  it('are the known ones of a small matrix, largest first', () => {
    // Eigenvalues 3 along (1, 1) and 1 along (1, -1), and 2 apart from them.
    const directions = leadingDirections(Float64Array.of(2, 1, 0, 1, 2, 0, 0, 0, 2), 3, 2);
    expect(Math.abs(directions[0] as number)).toBeCloseTo(Math.SQRT1_2, 12);
    expect(directions[0]).toBeCloseTo(directions[1] as number, 12);
    expect(Math.abs(directions[5] as number)).toBeCloseTo(1, 12);
  });

  it('are found in 300 columns as they were put in', () => {
    // Axes turned by one reflection: the k-th direction has the eigenvalue 2^-k.
    const d = 300;
    const normal = normals(2);
    const v = Float64Array.from({ length: d }, normal);
    const length = v.reduce((sum, x) => sum + x * x, 0);
    const axis = (i: number): Float64Array =>
      v.map((x, at) => (at === i ? 1 : 0) - (2 * x * (v[i] as number)) / length);
    const moments = new Float64Array(d * d);
    for (let k = 0; k < 40; k++) {
      const a = axis(k);
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) {
          const at = i * d + j;
          moments[at] = (moments[at] as number) + 2 ** -k * (a[i] as number) * (a[j] as number);
        }
      }
    }
    const found = leadingDirections(moments, d, 8);
    for (let k = 0; k < 8; k++) {
      const a = axis(k);
      const row = found.subarray(k * d, (k + 1) * d);
      const cosine = row.reduce((sum, x, i) => sum + x * (a[i] as number), 0);
      expect(Math.abs(cosine)).toBeCloseTo(1, 8);
    }
    expect(leadingDirections(moments, d, 8)).toEqual(found);
  });

  it('are orthonormal although the rows fill fewer directions, or none', () => {
    const d = 300;
    const one = new Float64Array(d * d);
    one[0] = 1;
    for (const moments of [one, new Float64Array(d * d)]) {
      const found = leadingDirections(moments, d, 5);
      for (let i = 0; i < 5; i++) {
        for (let j = 0; j <= i; j++) {
          let product = 0;
          for (let at = 0; at < d; at++) {
            product += (found[i * d + at] as number) * (found[j * d + at] as number);
          }
          expect(product).toBeCloseTo(i === j ? 1 : 0, 9);
        }
      }
    }
  });
});
