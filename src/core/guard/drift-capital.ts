/**
 * Money that is staked against the calibration set, frame by frame. While the frames are like the
 * calibration set no bet gains on average, so its wealth, 1 at first, reaches `1 / alpha` at ANY time
 * with probability at most `alpha` (Ville 1939). Nothing has to be known about when a drift begins.
 *
 * Several bets share the money and 1% of it is dealt out anew before each frame (the Simple Jumper of
 * Vovk et al. 2021, "Retrain or not retrain"). One thing is added to it: half of the money is kept
 * back and staked little by little, `1 / (1 + ln(1 + frames))` of that half being left. To move money
 * from the reserve is no bet, so the wealth stays what it was. Without a reserve every well frame
 * lowers the wealth from which an alarm has to be reached: what was seen within 27 frames (CIFAR-100
 * on ResNet8) took 684 after 20,000 well ones, and would not be seen at all after a month. Money that
 * is staked late has lost nothing yet: with the reserve it is 29 at first, 79 after 20,000 and 90
 * after 200,000.
 *
 * Everything that grows is kept as a logarithm: nothing overflows or vanishes within 2^53 frames.
 */

export interface Capital {
  /** Bets made so far. */
  readonly frames: number;
  /** `ln` of the money that is staked. */
  readonly lnStaked: number;
  /** How it is spread over the bets; adds up to 1. */
  readonly stakes: readonly number[];
}

/** A hundredth is dealt out anew. */
const DEALT = 0.01;
const KEPT_BACK = 0.5;

export function capitalAtStart(bets: number): Capital {
  const stakes = Array<number>(bets).fill(1 / bets);
  return { frames: 0, lnStaked: Math.log(1 - KEPT_BACK), stakes };
}

/** `ln` of the whole wealth: 0 at first. */
export function lnWealth({ frames, lnStaked }: Capital): number {
  return lnSum(Math.log(reserve(frames)), lnStaked);
}

/**
 * @param factors what each bet makes of its stake: at least 0, one of them above it. The wealth is a
 *   supermartingale when each of them is at most 1 on average, given all frames before.
 */
export function stepCapital(capital: Capital, factors: readonly number[]): Capital {
  const count = factors.length;
  const gained = factors.map((factor, i) => {
    const stake = (1 - DEALT) * (capital.stakes[i] as number) + DEALT / count;
    return stake * factor;
  });
  const gain = gained.reduce((sum, stake) => sum + stake, 0);
  const lnBefore = capital.lnStaked + Math.log(gain);
  const frames = capital.frames + 1;
  const lnAdded = Math.log(released(frames));
  const lnStaked = lnSum(lnBefore, lnAdded);
  const added = Math.exp(lnAdded - lnStaked);
  return {
    frames,
    lnStaked,
    stakes: gained.map((stake) => (1 - added) * (stake / gain) + added / count),
  };
}

function reserve(frames: number): number {
  return KEPT_BACK / (1 + Math.log1p(frames));
}

/** `reserve(frames - 1) - reserve(frames)`, without the difference of two equal numbers. */
function released(frames: number): number {
  return (KEPT_BACK * Math.log1p(1 / frames)) / ((1 + Math.log(frames)) * (1 + Math.log1p(frames)));
}

/** `ln(e^a + e^b)`. */
function lnSum(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
