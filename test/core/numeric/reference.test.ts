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

describe('kthNearestSquared', () => {
  const bank = Float32Array.of(0, 0, 3, 4, 1, 0, 1, 0, 6, 8);

  it('is the k-th smallest squared distance, equal ones counted each', () => {
    const distances = [1, 2, 3, 4, 5, 6].map((k) =>
      kernels.kthNearestSquared(bank, Float32Array.of(0, 0), k),
    );
    expect(distances).toEqual([0, 1, 1, 25, 100, Infinity]);
  });

  it('is no number where a row or the vector is none, however far its place', () => {
    const broken = Float32Array.of(...bank, NaN, 0);
    expect(kernels.kthNearestSquared(broken, Float32Array.of(0, 0), 1)).toBeNaN();
    expect(kernels.kthNearestSquared(bank, Float32Array.of(0, NaN), 1)).toBeNaN();
    expect(kernels.kthNearestSquared(bank, new Float32Array(0), 1)).toBeNaN();
    expect(kernels.kthNearestSquared(bank, Float32Array.of(0, 0, 0), 1)).toBeNaN();
  });
});

describe('softmaxEnergy', () => {
  it('writes the softmax and gives the logarithm of the sum of exponentials', () => {
    const p = [0.7, 0.2, 0.1];
    const found = new Float64Array(3);
    // Logarithms of shares that sum to 1, shifted by 5: so is the energy.
    const energy = kernels.softmaxEnergy(
      Float32Array.from(p, (share) => Math.log(share) + 5),
      found,
    );
    expect(energy).toBeCloseTo(5, 6);
    p.forEach((share, j) => {
      expect(found[j]).toBeCloseTo(share, 6);
    });
  });

  it('neither overflows nor loses what is far below the top', () => {
    const found = new Float64Array(3);
    expect(kernels.softmaxEnergy(Float32Array.of(3e38, -3e38, 3e38), found)).toBe(
      Math.fround(3e38),
    );
    expect([...found]).toEqual([0.5, 0, 0.5]);
    kernels.softmaxEnergy(Float32Array.of(0, -700, -Infinity), found);
    expect([...found]).toEqual([1, Math.exp(-700), 0]);
  });

  it('is no number where a logit is none', () => {
    const found = new Float64Array(2);
    for (const broken of [NaN, -Infinity]) {
      const logits = Float32Array.of(broken, broken);
      expect(kernels.softmaxEnergy(logits, found)).toBeNaN();
    }
    expect(kernels.softmaxEnergy(new Float32Array(0), new Float64Array(0))).toBeNaN();
  });
});

describe('histogram', () => {
  it('counts in equal bins, what is outside at its end, and NaN nowhere', () => {
    const counts = new Uint32Array(4).fill(7);
    const values = [0, 0.9, 1, 2.5, 3, 4, 4.1, Infinity, -1, -Infinity, NaN, -0];
    kernels.histogram(Float32Array.from(values), 0, 4, counts);
    expect([...counts]).toEqual([5, 1, 1, 4]);
  });

  it('counts every value once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float(), { maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        (values, bins) => {
          const counts = new Uint32Array(bins);
          kernels.histogram(Float32Array.from(values), -3, 9, counts);
          const counted = counts.reduce((sum, count) => sum + count, 0);
          expect(counted).toBe(values.filter((value) => !Number.isNaN(value)).length);
        },
      ),
    );
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
