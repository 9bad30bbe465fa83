/**
 * Drift (guard 6): three bets against the calibration set, whose alarms may be acted on. On the
 * novelty p and on the input p the bets are `e` in {-1, -1/2, 0, 1/2, 1}, which make of their stake
 *
 *     1 + e (p - 1/2) - |e| sqrt(ln(2 / delta) / 2n),
 *
 * `n` the rows of the bank that p is ranked in; on the answered class see `drift-classes.ts`.
 *
 * Why that holds. A bet is linear in p, so that nothing but the MEAN of p matters, and p has to be
 * the rank taken in the middle (`midP`): its mean over frames and banks is exactly 1/2 for every
 * distribution of scores, with ties or without, so no chance is needed to break them. `(1 + #{<=}) /
 * (n + 1)` would not do: its mean is above 1/2, by `1 / (2 (n + 1))` and by more with ties, and the
 * bets on large p would gain from frames that are well. For one bank, that never changes, the mean is
 * `1/2 + n (m - 1/2) / (n + 1)`, `m` the mean of n independent numbers in [0, 1] that are 1/2 on
 * average; Hoeffding (1963) keeps it within the allowance with probability `1 - delta`.
 *
 * Promised for each of the three: frames that are independent of each other and come as the
 * calibration rows did EVER raise the alarm with probability at most `alpha + delta`, and again after
 * each acknowledgement. Not promised: anything for a stream whose frames depend on each other. A
 * camera that looks at one scene for an hour is unlike a calibration set of many, and is found to be.
 */
import { type Capital, capitalAtStart, lnWealth, stepCapital } from './drift-capital.ts';
import { CLASSES_AT_START, type ClassState, stepClasses, strangestGroup } from './drift-classes.ts';
import type { DriftPolicy } from './drift-policy.ts';
import { type Finding, type FindingCode, finding } from './findings.ts';

export interface DriftState {
  readonly novelty: Capital;
  readonly input: Capital;
  readonly classes: ClassState;
}

/** What one frame has to bet on; what could not be judged, or must not count, is left out. */
export interface DriftInput {
  /** `midP` among the novelty scores of the bank. */
  readonly noveltyP?: number | undefined;
  /** `midP` among the input scores of the bank. */
  readonly inputP?: number | undefined;
  /** Index of the class that the model answered. */
  readonly class?: number | undefined;
}

export interface DriftStep {
  readonly state: DriftState;
  /** One for each alarm that stands, in every frame until it is acknowledged: it is acted on. */
  readonly findings: readonly Finding[];
  /** Those of them that this very frame raised: what is worth an event. */
  readonly raised: readonly Finding[];
}

const BETS: readonly number[] = [-1, -0.5, 0, 0.5, 1];

export const DRIFT_AT_START: DriftState = {
  novelty: capitalAtStart(BETS.length),
  input: capitalAtStart(BETS.length),
  classes: CLASSES_AT_START,
};

/** `(#{bank < score} + #{bank <= score} + 1) / (2 (n + 1))`, in (0, 1); `sorted` ascending. */
export function midP(sorted: Float64Array, score: number): number {
  const below = countWhile(sorted, (value) => value < score);
  const atMost = countWhile(sorted, (value) => value <= score);
  return (below + atMost + 1) / (2 * (sorted.length + 1));
}

/**
 * Lets each bet that has no alarm standing make its step. An alarm is raised where the wealth is
 * `1 / alpha` or more, and stands from then on: its bet rests, its wealth stays as it is, and only
 * `acknowledgeDrift` ends it. A frame without anything to bet on changes nothing. Total: a p that is
 * not within (0, 1) and a class that the policy does not know are no bet.
 *
 * Finding: value is the wealth, threshold is `1 / alpha`.
 */
export function stepDrift(state: DriftState, policy: DriftPolicy, frame: DriftInput): DriftStep {
  const next: DriftState = {
    novelty: stepRank(state.novelty, policy, frame.noveltyP),
    input: stepRank(state.input, policy, frame.inputP),
    classes: stepAnswer(state.classes, policy, frame.class),
  };
  const findings = findingsOf(next, policy);
  if (findings.length === 0) return { state: next, findings, raised: findings };
  const before = findingsOf(state, policy).map(({ code }) => code);
  return { state: next, findings, raised: findings.filter(({ code }) => !before.includes(code)) };
}

/** Whoever has seen the alarms lets their bets begin anew; the others go on as they are. */
export function acknowledgeDrift(state: DriftState, policy: DriftPolicy): DriftState {
  const { novelty, input, classes } = state;
  return {
    novelty: stands(novelty, policy) ? DRIFT_AT_START.novelty : novelty,
    input: stands(input, policy) ? DRIFT_AT_START.input : input,
    classes: stands(classes.capital, policy) ? CLASSES_AT_START : classes,
  };
}

function stepRank(capital: Capital, policy: DriftPolicy, p: number | undefined): Capital {
  if (p === undefined || !(p > 0 && p < 1) || stands(capital, policy)) return capital;
  return stepCapital(
    capital,
    BETS.map((bet) => 1 + bet * (p - 0.5) - Math.abs(bet) * policy.allowance),
  );
}

function stepAnswer(
  state: ClassState,
  policy: DriftPolicy,
  answer: number | undefined,
): ClassState {
  const { frequencies } = policy;
  if (answer === undefined || frequencies === undefined) return state;
  const known = Number.isSafeInteger(answer) && answer >= 0 && answer < frequencies.classes;
  if (!known || stands(state.capital, policy)) return state;
  return stepClasses(state, frequencies, answer);
}

/** What has been reached never sinks again, as a bet that has reached it rests. */
function stands(capital: Capital, { alpha }: DriftPolicy): boolean {
  return lnWealth(capital) >= -Math.log(alpha);
}

function findingsOf({ novelty, input, classes }: DriftState, policy: DriftPolicy): Finding[] {
  const found: Finding[] = [];
  const look = (code: FindingCode, capital: Capital, what: () => string): void => {
    if (!stands(capital, policy)) return;
    const value = Math.exp(lnWealth(capital));
    const odds = `${value.toPrecision(3)} to 1 after ${capital.frames} frames`;
    found.push(finding(code, `${what()}: ${odds}`, { value, threshold: 1 / policy.alpha }));
  };
  look('drift.novelty', novelty, () => 'the novelty ranks are not those of calibration frames');
  look('drift.input', input, () => 'the input ranks are not those of calibration frames');
  const { frequencies } = policy;
  if (frequencies !== undefined) {
    look('drift.classes', classes.capital, () => strangestGroup(classes, frequencies));
  }
  return found;
}

/** How many of the ascending values hold, which the first ones do and the others do not. */
function countWhile(sorted: Float64Array, holds: (value: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}
