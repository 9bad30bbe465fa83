import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceKernels as kernels } from '../../../src/core/numeric/reference.ts';

const finite = fc.float({ noNaN: true, min: -1000, max: 1000 });

describe('scan', () => {
  it('finds the smallest and the largest value', () => {
    expect(kernels.scan(Float32Array.of(3, -2, 7, 0))).toEqual({ finite: true, min: -2, max: 7 });
    const empty = kernels.scan(new Float32Array(0));
    expect(empty).toEqual({ finite: true, min: Infinity, max: -Infinity });
  });

  it('sees one value that is not finite, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.constantFrom(NaN, Infinity, -Infinity),
        (values, place, bad) => {
          expect(kernels.scan(Float32Array.from(values)).finite).toBe(true);
          values[place % values.length] = bad;
          expect(kernels.scan(Float32Array.from(values)).finite).toBe(false);
        },
      ),
    );
  });

  it('does not mistake the largest floats for infinities', () => {
    expect(kernels.scan(new Float32Array(9).fill(3.4e38)).finite).toBe(true);
  });
});

describe('nearestSquared', () => {
  it('is the smallest squared distance after whitening', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 13 }),
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(finite),
        (d, count, stream) => {
          const take = (n: number): Float64Array =>
            Float64Array.from({ length: n }, () => stream.next().value as number);
          const whitener = take((d * (d + 1)) / 2);
          const centres = take(count * d);
          const x = take(d);
          const got = kernels.nearestSquared(whitener, centres, x);
          const want = naive(whitener, centres, x);
          expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * (1 + want));
        },
      ),
    );
  });

  it('passes a NaN on instead of over it', () => {
    const whitener = Float64Array.of(1, 0, 1);
    expect(
      kernels.nearestSquared(whitener, Float64Array.of(0, 0), Float64Array.of(NaN, 0)),
    ).toBeNaN();
    const centres = Float64Array.of(0, 0, NaN, 0, 1, 1);
    expect(kernels.nearestSquared(whitener, centres, Float64Array.of(0, 0))).toBeNaN();
  });
});

describe('gen', () => {
  it('is the negated generalised entropy of the softmax', () => {
    const p = [0.7, 0.2, 0.1];
    const want = -p.reduce((sum, share) => sum + share ** 0.1 * (1 - share) ** 0.1, 0);
    expect(kernels.gen(Float32Array.from(p, Math.log), 0.1)).toBeCloseTo(want, 6);
  });

  it('tells apart models that are nearly and entirely sure, without overflow', () => {
    const sure = kernels.gen(Float32Array.of(60, 0, 0), 0.1);
    const surer = kernels.gen(Float32Array.of(80, 0, 0), 0.1);
    expect(surer).toBeGreaterThan(sure);
    expect(kernels.gen(Float32Array.of(3e38, -3e38), 0.1)).toBe(-0);
  });
});

function naive(whitener: Float64Array, centres: Float64Array, x: Float64Array): number {
  const d = x.length;
  const white = Array.from(x, (_, row) => {
    let sum = 0;
    for (let j = 0; j <= row; j++) {
      sum += (whitener[(row * (row + 1)) / 2 + j] as number) * (x[j] as number);
    }
    return sum;
  });
  const squares: number[] = [];
  for (let k = 0; k < centres.length / d; k++) {
    squares.push(white.reduce((sum, v, i) => sum + (v - (centres[k * d + i] as number)) ** 2, 0));
  }
  return Math.min(...squares);
}
