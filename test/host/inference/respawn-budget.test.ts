import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RespawnBudget } from '../../../src/host/inference/respawn-budget.ts';
import { testClock } from './models.ts';

describe('RespawnBudget', () => {
  it('gives each back when its own window has passed', () => {
    const clock = testClock();
    const budget = new RespawnBudget(2, 100, clock);
    expect(budget.take()).toBe(true);
    clock.advance(60);
    expect(budget.take()).toBe(true);
    expect(budget.take()).toBe(false);
    clock.advance(40);
    expect(budget.left()).toBe(1);
    expect(budget.take()).toBe(true);
    expect(budget.take()).toBe(false);
    clock.advance(60);
    expect(budget.left()).toBe(1);
  });

  it('never gives more than its number in any window', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.array(fc.nat(50), { maxLength: 60 }), (max, waits) => {
        const clock = testClock();
        const budget = new RespawnBudget(max, 100, clock);
        const taken: number[] = [];
        for (const wait of waits) {
          clock.advance(wait);
          if (budget.take()) taken.push(clock.monotonicMs());
        }
        return taken.every((at, i) => i < max || at - (taken[i - max] as number) >= 100);
      }),
    );
  });
});
