import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dot, indexOfLargest } from '../../../src/core/numeric/vectors.ts';

describe('vectors', () => {
  it('find the first of the largest values, and nothing in a NaN', () => {
    expect([[], [3], [1, 2, 2], [2, NaN, 3], [NaN, 9]].map(indexOfLargest)).toEqual([
      ...[0, 0, 1, 2, 0],
    ]);
  });

  it('multiply whatever their length', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -99, max: 99 }), { maxLength: 20 }), (values) => {
        const x = Float32Array.from(values);
        const rows = Float64Array.from([7, 7, ...values]);
        const wanted = values.reduce((sum, value) => sum + value * value, 0);
        expect(dot(rows, 2, x, x.length)).toBe(wanted);
      }),
    );
  });
});
