import { describe, expect, it } from 'vitest';
import {
  cosineOfTurns,
  exponential,
  naturalLog,
  SeededRandom,
  sineOfTurns,
} from '../../../src/apps/demo/exact-math.ts';

describe('the functions agree with those of the engine', () => {
  it('sine and cosine', () => {
    for (let i = -2_000; i <= 2_000; i++) {
      const turns = i * 0.00371;
      expect(Math.abs(sineOfTurns(turns) - Math.sin(2 * Math.PI * turns))).toBeLessThan(1e-13);
      expect(Math.abs(cosineOfTurns(turns) - Math.cos(2 * Math.PI * turns))).toBeLessThan(1e-13);
    }
  });

  it('exponential and logarithm', () => {
    for (let i = -600; i <= 600; i++) {
      const x = i * 1.1;
      const power = Math.exp(x);
      expect(Math.abs(exponential(x) / power - 1)).toBeLessThan(1e-12);
      expect(Math.abs(naturalLog(power) - x)).toBeLessThan(1e-12);
    }
    expect(exponential(-701)).toBe(0);
    expect(exponential(0)).toBe(1);
    expect(naturalLog(1)).toBe(0);
  });
});

describe('SeededRandom', () => {
  it('gives the same numbers for a seed and others for another stream', () => {
    const take = (seed: number, stream: number): number[] => {
      const random = new SeededRandom(seed, stream);
      return [random.bits(), random.bits(), random.bits()];
    };
    expect(take(1, 0)).toEqual([176_324_547, 2_733_444_519, 2_635_775_560]);
    expect(take(1, 1)).not.toEqual(take(1, 0));
    expect(take(2, 0)).not.toEqual(take(1, 0));
  });

  it('is uniform and normal where it says so', () => {
    const random = new SeededRandom(5);
    const moments = (draw: () => number): [number, number] => {
      const values = Float64Array.from({ length: 50_000 }, draw);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      return [mean, variance];
    };
    const close = (mean: number, variance: number) => {
      return [expect.closeTo(mean, 1), expect.closeTo(variance, 1)];
    };
    expect(moments(() => random.unit())).toEqual(close(0.5, 1 / 12));
    expect(moments(() => random.between(-1, 3))).toEqual(close(1, 16 / 12));
    expect(moments(() => random.normal())).toEqual(close(0, 1));
    const counts = new Array<number>(5).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const k = random.below(5);
      counts[k] = (counts[k] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });
});
