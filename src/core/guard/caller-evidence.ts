/**
 * Evidence that one kind of event comes too often: an e-process, whose value may be looked at after
 * every try for ever.
 *
 * Null hypothesis: whatever came before, the next try is an event with a probability of at most
 * `share`. A bet on the rate `q > share` multiplies its stake by `q / share` at an event, by
 * `(1 - q) / (1 - share)` otherwise: at most 1 on average under the null. The value is the sum over
 * three rates and over all times at which a bet may have begun, a bet from try `j` on with the weight
 * `1 / (j (j + 1))`; the weights add up to 1, and so the value starts at 1 and is a supermartingale.
 * Ville (1939): it ever reaches `1 / alpha` with a probability of at most `alpha`.
 *
 * The many beginnings are what patience costs an attacker: a caller who was innocent for a million
 * tries has not buried what he does then, it only weighs `ln(1e12) = 28` in the exponent.
 */

export interface Evidence {
  readonly tries: number;
  /** The bets that have begun, one sum for each rate. */
  readonly bets: readonly number[];
}

/** The rates, as parts of the way from `share` to 1. */
const RATES: readonly number[] = [1 / 8, 1 / 4, 1 / 2];

export const BETS: number = RATES.length;

export const NO_EVIDENCE: Evidence = { tries: 0, bets: RATES.map(() => 0) };

/** The e-value: 1 at the start; what has not begun is still held as it was. */
export function eValue({ tries, bets }: Evidence): number {
  return bets.reduce((sum, bet) => sum + bet, 1 / (tries + 1));
}

/** One more try; `share` in (0, 1), the same at every try. */
export function stepEvidence(evidence: Evidence, share: number, event: boolean): Evidence {
  const tries = evidence.tries + 1;
  const begun = 1 / (tries * (tries + 1)) / RATES.length;
  const bets = RATES.map((part, i) => {
    const rate = share + (1 - share) * part;
    const factor = event ? rate / share : (1 - rate) / (1 - share);
    return ((evidence.bets[i] as number) + begun) * factor;
  });
  return { tries, bets };
}
