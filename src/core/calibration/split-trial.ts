/**
 * Whether the promise of the WHOLE guard holds over the draw of the calibration set (guard 4): usual
 * rows are split at random again and again, each time one part calibrates and the other is judged.
 *
 * All that calibration rows decide is made anew in every split: the scale of the detectors, of the
 * tripwire and of each check, and the threshold. The fit set stays, as no row of it is split.
 */
import { fuse, promisedRank } from '../guard/conformal.ts';
import { joinChecks, judgeScore, SCORED_CHECKS, type ScoredCheck } from '../guard/joint.ts';
import { companionOf } from '../guard/novelty.ts';
import { perturbationScore } from '../guard/perturbation.ts';
import type { GuardPolicy } from '../guard/policy.ts';
import { binomialUpper } from './evaluate.ts';
import type { ScoredRow } from './scored-rows.ts';
import { shuffled } from './seeded-numbers.ts';

/** How surely a good guard stays within the limit of broken splits. */
const LIMIT_CONFIDENCE = 0.95;

export interface SplitTrial {
  readonly policy: GuardPolicy;
  /** Usual rows, all of them probed where the policy has the tripwire. */
  readonly rows: readonly ScoredRow[];
  /** Rows of each split that calibrate; the others are judged. */
  readonly calibrationRows: number;
  readonly splits: number;
  readonly next: () => number;
}

export interface SplitOutcome {
  readonly splits: number;
  readonly calibrationRows: number;
  readonly judgedRows: number;
  readonly medianRate: number;
  readonly worstRate: number;
  /** Splits in which more of the judged rows alarmed than the budget allows. */
  readonly broken: number;
  /** Probability of that in one split, if rows are exchangeable and never tie: exact. */
  readonly chance: number;
  /**
   * More broken splits than that are no chance: of `splits` draws, at a rate of `1 - confidence`, or
   * of `chance` where so few rows are judged that it is more.
   */
  readonly limit: number;
}

/** `undefined` where so few rows would calibrate that nothing could be promised. */
export function splitTrial(trial: SplitTrial): SplitOutcome | undefined {
  const { policy, rows, calibrationRows, splits } = trial;
  const { falseAlarms, confidence } = policy.promise;
  const judgedRows = rows.length - calibrationRows;
  const rowsB = Math.floor(calibrationRows / 2);
  const rank = promisedRank(rowsB, falseAlarms, confidence);
  if (rank === 0 || judgedRows < 1) return undefined;
  const allowed = Math.floor(falseAlarms * judgedRows + 1e-9);
  const rates = new Float64Array(splits);
  let broken = 0;
  for (let split = 0; split < splits; split++) {
    const order = shuffled(rows.length, trial.next);
    const alarms = alarmsOf(trial, order, rank);
    if (alarms > allowed) broken += 1;
    rates[split] = alarms / judgedRows;
  }
  rates.sort();
  const chance = chanceOfMore(allowed, judgedRows, rank, rowsB);
  const rate = Math.max(1 - confidence, chance);
  return {
    ...{ splits, calibrationRows, judgedRows, broken, chance },
    medianRate: rates[splits >> 1] as number,
    worstRate: rates[splits - 1] as number,
    limit: Math.round(splits * binomialUpper(splits, rate, LIMIT_CONFIDENCE)),
  };
}

function alarmsOf(
  { policy, rows, calibrationRows }: SplitTrial,
  order: Uint32Array,
  rank: number,
): number {
  const middle = Math.ceil(calibrationRows / 2);
  const at = (from: number, to: number): readonly ScoredRow[] =>
    Array.from(order.subarray(from, to), (row) => rows[row] as ScoredRow);
  const [a, b] = [at(0, middle), at(middle, calibrationRows)];
  const scorers = refitted(policy, a);
  const over = (part: readonly ScoredRow[]): Partial<Record<ScoredCheck, Float64Array>> =>
    Object.fromEntries(
      scorers.map(([check, score]) => [check, Float64Array.from(part, (row) => score(row))]),
    );
  const shares = Object.fromEntries(
    scorers.map(([check]) => [check, policy.checks.scales[check]?.share ?? 0]),
  );
  const stopped = new Set([...b.keys()].filter((i) => b[i]?.stopped));
  const joint = joinChecks(shares, over(a), over(b), rank, stopped);
  return at(calibrationRows, rows.length).filter(
    (row) =>
      row.stopped ||
      scorers.some(([check, score]) => judgeScore(joint, check, score(row))?.alarm === true),
  ).length;
}

type Scorer = readonly [check: ScoredCheck, score: (row: ScoredRow) => number];

/** The checks of the policy with what half A shapes in them made from these rows. */
function refitted(policy: GuardPolicy, a: readonly ScoredRow[]): readonly Scorer[] {
  const known = a.flatMap(({ detectors }) => (detectors === undefined ? [] : [detectors]));
  const halfA = policy.novelty.halfA.map((_, j) =>
    Float64Array.from(known, (detectors) => detectors[j] as number).sort(),
  );
  const novelty = { ...policy.novelty, halfA };
  const steady = a.flatMap(({ unstable }) => (Number.isFinite(unstable) ? [-(unstable ?? 0)] : []));
  const stability = Float64Array.from(steady).sort();
  const scorers: Readonly<Record<ScoredCheck, (row: ScoredRow) => number>> = {
    input: ({ scores }) => scores.input?.score ?? -Infinity,
    novelty: ({ detectors }) => (detectors === undefined ? -Infinity : fuse(halfA, detectors)),
    perturbation: ({ unstable, detectors }) =>
      perturbationScore({ stability }, unstable ?? Infinity, companionOf(novelty, detectors)),
  };
  return SCORED_CHECKS.filter((check) => policy.checks.scales[check] !== undefined).map(
    (check) => [check, scorers[check]] as const,
  );
}

/**
 * P(more than `allowed` of `judged` rows rank below the `rank`-th smallest of `rowsB` others), all in
 * random order: of the first `allowed + rank` in that order fewer than `rank` are of half B, which
 * is hypergeometric.
 */
export function chanceOfMore(allowed: number, judged: number, rank: number, rowsB: number): number {
  if (allowed >= judged) return 0;
  const drawn = allowed + rank;
  const lnAll = lnChoose(judged + rowsB, drawn);
  let sum = 0;
  for (let ofB = Math.max(0, drawn - judged); ofB < Math.min(rank, rowsB + 1); ofB++) {
    sum += Math.exp(lnChoose(rowsB, ofB) + lnChoose(judged, drawn - ofB) - lnAll);
  }
  return Math.min(1, sum);
}

/** `ln (n over k)`. */
function lnChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= Math.min(k, n - k); i++) sum += Math.log1p((n - Math.min(k, n - k)) / i);
  return sum;
}
