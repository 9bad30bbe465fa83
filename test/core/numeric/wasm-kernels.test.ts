import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { Kernels } from '../../../src/core/numeric/kernels.ts';
import { referenceKernels as reference } from '../../../src/core/numeric/reference.ts';
import { openWasmKernels } from '../../../src/core/numeric/wasm-kernels.ts';
import { compiledKernels } from '../../compiled-kernels.ts';

const opened = openWasmKernels(await compiledKernels(), sha256);
// Faults name the digest: that the sources compile to the pinned file is shown by getting here.
if (!opened.ok) throw new Error(JSON.stringify(opened.fault));
const kernels: Kernels = opened.value;

/** What a sensor or a model may give: zeros of both signs, subnormals, the largest, the broken. */
const awkward = fc.constantFrom(
  ...[0, -0, 1.4e-45, -1.1754942e-38, 3.4028234663852886e38, -3.4028234663852886e38],
  ...[NaN, Infinity, -Infinity],
);
const ordinary = fc.float({ noNaN: true, min: -1000, max: 1000 });
const anyFloat = fc.oneof({ weight: 20, arbitrary: ordinary }, fc.float(), awkward);
const length = fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 1100 }));
const width = fc.oneof(
  fc.integer({ min: 1, max: 70 }),
  fc.constantFrom(127, 128, 255, 256, 511, 512),
);

/** As many floats as asked for, from a few drawn ones: drawing each of 100,000 would take minutes. */
function floats(drawn: readonly number[], seed: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const wave = Math.sin(i * 12.9898 + seed);
    // Every seventh is as drawn, so that some rows hold nothing special.
    return i % 7 === seed % 7 ? (drawn[i % drawn.length] as number) : wave;
  });
}

const seed = fc.nat(1000);
const drawn = fc.array(anyFloat, { minLength: 1, maxLength: 12 });
const drawnOrdinary = fc.array(ordinary, { minLength: 1, maxLength: 12 });

/** Equal, or both not finite in the same way, or as near as `bound`. */
function expectNear(found: number, wanted: number, bound: number): void {
  if (Object.is(found, wanted) || found === wanted) return;
  expect(Math.abs(found - wanted), `${found} for ${wanted}`).toBeLessThanOrEqual(bound);
}

describe('the kernels that were compiled', () => {
  it('say what they are', () => {
    expect(kernels.name).toBe('wasm-simd');
    expect(reference.name).toBe('reference');
  });
});

describe('scan', () => {
  it('gives what the reference gives, to the bit but for the sign of a zero', () => {
    fc.assert(
      fc.property(length, fc.oneof(drawn, drawnOrdinary), seed, (n, some, from) => {
        const values = floats(some, from, n);
        const found = kernels.scan(values);
        const wanted = reference.scan(values);
        expect(found.finite).toBe(wanted.finite);
        if (!wanted.finite) return;
        expect(found.min === wanted.min && found.max === wanted.max).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('finds each end and each flaw wherever it stands, also beyond one copy', () => {
    const values = new Float32Array(40_000).fill(1);
    for (const at of [0, 1, 15, 16, 63, 16_383, 16_384, 32_768, 39_998, 39_999]) {
      values[at] = -2;
      expect(kernels.scan(values)).toEqual({ finite: true, min: -2, max: 1 });
      values[at] = 3;
      expect(kernels.scan(values)).toEqual({ finite: true, min: 1, max: 3 });
      for (const broken of [NaN, Infinity, -Infinity]) {
        values[at] = broken;
        expect(kernels.scan(values).finite).toBe(false);
      }
      values[at] = 1;
    }
    expect(kernels.scan(new Float32Array(99).fill(3.4e38)).finite).toBe(true);
  });
});

describe('nearestSquared', () => {
  it('is within 1e-12 of the terms that are added', () => {
    fc.assert(
      fc.property(
        width,
        fc.integer({ min: 1, max: 11 }),
        drawnOrdinary,
        seed,
        (d, k, some, from) => {
          const whitener = new Float64Array(floats(some, from, (d * (d + 1)) / 2));
          const centres = new Float64Array(floats(some, from + 1, k * d));
          const x = new Float64Array(floats(some, from + 2, d));
          const wanted = reference.nearestSquared(whitener, centres, x);
          const bound = 1e-12 * magnitude(whitener, centres, x);
          expectNear(kernels.nearestSquared(whitener, centres, x), wanted, bound);
          // The second time from what was kept.
          expectNear(kernels.nearestSquared(whitener, centres, x), wanted, bound);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is what the reference says where something is not finite', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        drawn,
        seed,
        fc.nat(2),
        (d, some, from, which) => {
          const parts = [(d * (d + 1)) / 2, 3 * d, d].map(
            (size, i) => new Float64Array(floats(i === which ? some : [1], from + i, size)),
          ) as [Float64Array, Float64Array, Float64Array];
          const wanted = reference.nearestSquared(...parts);
          const found = kernels.nearestSquared(...parts);
          if (Number.isFinite(wanted)) expectNear(found, wanted, 1e-12 * magnitude(...parts));
          else expect(found).toBe(wanted);
        },
      ),
    );
  });

  it('takes arrays of other lengths as the reference does', () => {
    const odd = Float64Array.of(1, 2, 3, 4);
    const [one, two] = [Float64Array.of(1), Float64Array.of(1, 2)];
    expect(kernels.nearestSquared(odd, odd, two)).toBe(reference.nearestSquared(odd, odd, two));
    expect(kernels.nearestSquared(odd, one, two)).toBeNaN();
    expect(kernels.nearestSquared(one, two, two)).toBeNaN();
    expect(kernels.nearestSquared(one, new Float64Array(0), one)).toBe(Infinity);
    const same = Float64Array.of(3);
    expect(kernels.nearestSquared(same, same, Float64Array.of(5))).toBe((15 - 3) ** 2);
  });
});

describe('kthNearestSquared', () => {
  it('is within the rounding of single precision', () => {
    fc.assert(
      fc.property(
        ...[width, fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 12 })],
        ...[drawnOrdinary, seed],
        (d, rows, k, some, from) => {
          const bank = floats(some, from, rows * d);
          const x = floats(some, from + 1, d);
          const wanted = reference.kthNearestSquared(bank, x, k);
          // The second term: squares below the smallest float.
          const bound = (d / 16 + 8) * 2 ** -24 * wanted + d * 2 ** -149;
          expectNear(kernels.kthNearestSquared(bank, x, k), wanted, bound);
          expectNear(kernels.kthNearestSquared(bank, x, k), wanted, bound);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('passes what is not finite on, and what single precision cannot hold', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), drawn, seed, (d, some, from) => {
        const bank = floats(some, from, 9 * d);
        const x = floats([0.5], from, d);
        const wanted = reference.kthNearestSquared(bank, x, 4);
        const found = kernels.kthNearestSquared(bank, x, 4);
        if (Number.isFinite(wanted)) expectNear(found, wanted, 1e-5 * wanted);
        else expect(found).toBe(wanted);
      }),
    );
    const far = Float32Array.of(1e30, 1e30);
    expect(kernels.kthNearestSquared(far, Float32Array.of(0, 0), 1)).toBeGreaterThan(1e60);
    expect(kernels.kthNearestSquared(far, new Float32Array(0), 1)).toBeNaN();
  });

  it('is nothing for a row of the bank itself', () => {
    const bank = floats([2], 5, 20 * 33);
    expect(kernels.kthNearestSquared(bank, bank.slice(33, 66), 1)).toBe(0);
  });
});

describe('softmaxEnergy and gen', () => {
  it('are within 1e-12', () => {
    const logit = fc.float({ noNaN: true, min: -300, max: 300 });
    const gamma = fc.double({ noNaN: true, min: 0.01, max: 3 });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 70 }), gamma, (some, power) => {
        const logits = Float32Array.from(some);
        const want = reference.gen(logits, power);
        // The second term: p^gamma may be a subnormal where p is not.
        expectNear(kernels.gen(logits, power), want, 1e-12 * Math.abs(want) + 1e-320);
        const found = new Float64Array(logits.length);
        const wanted = new Float64Array(logits.length);
        const energy = reference.softmaxEnergy(logits, wanted);
        const terms = logits.reduce((most, z) => Math.max(most, Math.abs(z)), 1);
        expectNear(kernels.softmaxEnergy(logits, found), energy, 1e-12 * terms);
        found.forEach((p, j) => {
          expectNear(p, wanted[j] as number, 1e-12 * (wanted[j] as number));
        });
      }),
      { numRuns: 500 },
    );
  });

  it('agree down to the smallest subnormal, and on what is not finite', () => {
    fc.assert(
      fc.property(fc.array(anyFloat, { minLength: 1, maxLength: 40 }), (some) => {
        const logits = Float32Array.from(some);
        const want = reference.gen(logits, 0.1);
        expectNear(kernels.gen(logits, 0.1), want, 1e-12 * Math.abs(want) + 1e-30);
        const found = new Float64Array(logits.length);
        const wanted = new Float64Array(logits.length);
        const energy = reference.softmaxEnergy(logits, wanted);
        expectNear(kernels.softmaxEnergy(logits, found), energy, 1e-12 * Math.abs(energy) + 1e-12);
        found.forEach((p, j) => {
          expectNear(p, wanted[j] as number, 1e-12 * (wanted[j] as number) + 1e-320);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('follow the exponential over its whole range', () => {
    for (let z = 0; z > -760; z -= 0.37) {
      const p = new Float64Array(2);
      kernels.softmaxEnergy(Float32Array.of(800, 800 + z), p);
      const e = Math.exp(Math.fround(800 + z) - 800);
      expectNear(p[1] as number, e / (1 + e), 1e-15 * e + 5e-324);
    }
  });

  it('take the first of equal logits, many of them, and none', () => {
    const many = new Float32Array(9000).fill(2);
    expect(kernels.softmaxEnergy(many, new Float64Array(9000))).toBeCloseTo(2 + Math.log(9000), 10);
    expect(kernels.gen(many.subarray(0, 4096), 0.1)).toBeCloseTo(
      reference.gen(many.subarray(0, 4096), 0.1),
      6,
    );
    const none = new Float32Array(0);
    expect(kernels.gen(none, 0.1)).toBe(reference.gen(none, 0.1));
    expect(kernels.softmaxEnergy(none, new Float64Array(0))).toBeNaN();
  });
});

describe('histogram', () => {
  it('counts what the reference counts', () => {
    fc.assert(
      fc.property(
        ...[length, fc.integer({ min: 1, max: 300 }), drawn, seed],
        fc.constantFrom<[number, number]>(
          [-1, 1],
          [0, 255],
          [-1e38, 3e38],
          [0, 5e-324],
          [0, 1e-45],
        ),
        (n, bins, some, from, [low, high]) => {
          const values = floats(some, from, n);
          const found = new Uint32Array(bins).fill(9);
          const wanted = new Uint32Array(bins);
          kernels.histogram(values, low, high, found);
          reference.histogram(values, low, high, wanted);
          expect(found).toEqual(wanted);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('counts beyond one copy, in as many bins as an ADC has steps and in more', () => {
    const values = Float32Array.from({ length: 70_000 }, (_, i) => i);
    for (const bins of [4096, 4097, 65_536]) {
      const found = new Uint32Array(bins);
      const wanted = new Uint32Array(bins);
      kernels.histogram(values, 0, 70_000, found);
      reference.histogram(values, 0, 70_000, wanted);
      expect(found).toEqual(wanted);
      expect(found.reduce((sum, count) => sum + count, 0)).toBe(70_000);
    }
  });
});

/** `max over k of sum over i of (sum over j of |L_ij x_j| + |c_ki|)^2`. */
function magnitude(whitener: Float64Array, centres: Float64Array, x: Float64Array): number {
  const d = x.length;
  let most = 0;
  const white = Array.from(x, (_, row) => {
    let sum = 0;
    for (let j = 0; j <= row; j++) {
      sum += Math.abs((whitener[(row * (row + 1)) / 2 + j] as number) * (x[j] as number));
    }
    return sum;
  });
  for (let start = 0; start < centres.length; start += d) {
    const squares = white.map((sum, i) => (sum + Math.abs(centres[start + i] as number)) ** 2);
    most = Math.max(
      most,
      squares.reduce((sum, square) => sum + square, 0),
    );
  }
  return most;
}
