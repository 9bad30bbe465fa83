import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Capital,
  capitalAtStart,
  lnWealth,
  stepCapital,
} from '../../../src/core/guard/drift-capital.ts';

const wealth = (capital: Capital): number => Math.exp(lnWealth(capital));

/** Factors of some bets on a coin, each fair at `chance`. */
function fairFactors(chance: number, heads: boolean): number[] {
  return [0, 0.3, 1].map((bet) => 1 + bet * ((heads ? 1 / chance : 0) - 1));
}

describe('capital', () => {
  it('is 1 at first, all of its stakes equal', () => {
    const capital = capitalAtStart(4);
    expect(wealth(capital)).toBeCloseTo(1, 12);
    expect(capital.stakes).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  it('keeps its wealth on average under fair bets, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (past) => {
        let capital = capitalAtStart(3);
        for (const heads of past) capital = stepCapital(capital, fairFactors(0.25, heads));
        const stepped = (heads: boolean) => wealth(stepCapital(capital, fairFactors(0.25, heads)));
        const mean = 0.25 * stepped(true) + 0.75 * stepped(false);
        expect(mean / wealth(capital)).toBeCloseTo(1, 9);
      }),
      { seed: 1 },
    );
  });

  it('is the sum over explicit pots of money, each staked when its time came', () => {
    const outcomes = [true, false, false, true, false, true, true, false];
    let capital = capitalAtStart(3);
    const reserve = (frames: number): number => 0.5 / (1 + Math.log(1 + frames));
    let pots = [1 / 6, 1 / 6, 1 / 6];
    for (const [i, heads] of outcomes.entries()) {
      const staked = pots.reduce((sum, pot) => sum + pot, 0);
      const factors = fairFactors(0.25, heads);
      const dealt = pots.map((pot) => 0.99 * pot + 0.01 * (staked / 3));
      const moved = (reserve(i) - reserve(i + 1)) / 3;
      pots = dealt.map((pot, bet) => pot * (factors[bet] as number) + moved);
      capital = stepCapital(capital, factors);
      const sum = pots.reduce((total, pot) => total + pot, reserve(i + 1));
      expect(wealth(capital)).toBeCloseTo(sum, 10);
    }
  });

  it('never falls below what is kept back, and rises from there within 2^52 frames', () => {
    for (const frames of [1e3, 1e6, 1e9, 2 ** 52]) {
      // Bets that have lost all but nothing for as long as that.
      let capital: Capital = { frames, lnStaked: -80, stakes: [0.2, 0.2, 0.2, 0.2, 0.2] };
      expect(wealth(capital)).toBeGreaterThan(0.5 / (2 + Math.log(frames)));
      let late = 0;
      for (; lnWealth(capital) < Math.log(100) && late < 1_000; late++) {
        capital = stepCapital(capital, [0.6, 0.8, 1, 1.2, 1.4]);
      }
      expect(late).toBeLessThan(170);
      expect(capital.stakes.every(Number.isFinite)).toBe(true);
    }
  });
});
