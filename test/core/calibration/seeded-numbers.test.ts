import { describe, expect, it } from 'vitest';
import { seededNumbers, shuffled } from '../../../src/core/calibration/seeded-numbers.ts';
import { randomNumbers } from './simulated.ts';

describe('seeded numbers', () => {
  it('are the published mulberry32, the same for the same seed', () => {
    for (const seed of [0, 1, -7, 2 ** 31]) {
      const [ours, again, published] = [
        seededNumbers(seed),
        seededNumbers(seed),
        randomNumbers(seed),
      ];
      for (let i = 0; i < 100; i++) {
        const drawn = ours();
        expect(drawn).toBe(published());
        expect(drawn).toBe(again());
      }
    }
    expect(seededNumbers(1)()).not.toBe(seededNumbers(2)());
  });

  it('shuffle every index once, each place as often as another', () => {
    const next = seededNumbers(3);
    const firsts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 5000; i++) {
      const order = shuffled(5, next);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4]);
      firsts[order[0] as number] = (firsts[order[0] as number] as number) + 1;
    }
    // 1,000 expected each, with a standard deviation of 28.
    for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(shuffled(0, next)).toEqual(new Uint32Array());
  });
});
