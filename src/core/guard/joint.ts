/**
 * One promise for all checks that score single frames (guard 4). Half A of the calibration rows puts
 * every check on one scale, the shares of the budget weigh them, and one rank among the rows of half
 * B, each taken at its strangest check, is the threshold of all: the share of usual frames on which
 * ANY of them alarms keeps the budget, however the checks depend on each other.
 */
import type { Fields } from '../base/fields.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { logP, promisedRank, pValue } from './conformal.ts';
import { doublesToBytes, needAscending, readDoubles } from './doubles.ts';
import { refusePolicy } from './policy-faults.ts';

/** In the order in which a frame meets them. */
export const SCORED_CHECKS = ['input', 'novelty', 'perturbation'] as const;
export type ScoredCheck = (typeof SCORED_CHECKS)[number];

/** How the scores of one check become comparable; higher scores are more usual. */
export interface CheckScale {
  /** Its part of the false-alarm budget; the shares of a policy add up to 1. */
  readonly share: number;
  /** Its scores of half A, ascending; the median is above the smallest. */
  readonly halfA: Float64Array;
  /** Its scores of half B, ascending. */
  readonly halfB: Float64Array;
}

export interface JointChecks {
  readonly scales: Readonly<Partial<Record<ScoredCheck, CheckScale>>>;
  /** Each row of half B at its strangest check, ascending. */
  readonly halfB: Float64Array;
  /** The threshold is the `rank`-th smallest of `halfB`, counted from 1. */
  readonly rank: number;
  readonly threshold: number;
}

/** What a check found in one frame. */
export interface CheckScore {
  /** The check's own score; `-Infinity` when the frame cannot be judged. */
  readonly score: number;
  /** `(1 + #{half B <= score}) / (n + 1)`, in (0, 1]. */
  readonly p: number;
  /** On the common scale: `ln p` among half A less the `ln` of the share. */
  readonly usualness: number;
  readonly threshold: number;
  readonly alarm: boolean;
}

/**
 * Rows that a deterministic check would stop have no score at all; they are the strangest there are,
 * and still a number that a policy can hold.
 */
export const USUALNESS_MIN = -1e9;

/** Total: NaN counts as `-Infinity`, which always alarms. */
export function usualness({ halfA, share }: CheckScale, score: number): number {
  if (!Number.isFinite(score)) return score === Infinity ? 0 : -Infinity;
  return Math.max(USUALNESS_MIN, logP(halfA, score) - Math.log(share));
}

/** Judges one check's score; `undefined` where the policy does not have the check. */
export function judgeScore(
  { scales, threshold }: JointChecks,
  check: ScoredCheck,
  score: number,
): CheckScore | undefined {
  const scale = scales[check];
  if (scale === undefined) return undefined;
  const known = Number.isNaN(score) ? -Infinity : score;
  const usual = usualness(scale, known);
  return {
    score: known,
    p: pValue(scale.halfB, known),
    usualness: usual,
    threshold,
    alarm: !(usual >= threshold - TIE),
  };
}

/** Kernels differ in the last bits: a frame that is the very row of the threshold is no alarm. */
const TIE = 1e-9;

/**
 * Scales and threshold from the scores of both halves: per check one array over half A and one over
 * half B, rows in the same order in all of them. `stopped` are the rows of half B that a deterministic
 * check would stop. The caller has made sure of finite scores and of a rank above 0.
 */
export function joinChecks(
  shares: Readonly<Partial<Record<ScoredCheck, number>>>,
  halfA: Readonly<Partial<Record<ScoredCheck, Float64Array>>>,
  halfB: Readonly<Partial<Record<ScoredCheck, Float64Array>>>,
  rank: number,
  stopped?: ReadonlySet<number>,
): JointChecks {
  const scales: Partial<Record<ScoredCheck, CheckScale>> = {};
  let joint: Float64Array | undefined;
  for (const check of SCORED_CHECKS) {
    const [share, a, b] = [shares[check], halfA[check], halfB[check]];
    if (share === undefined || a === undefined || b === undefined) continue;
    const scale = { share, halfA: a.toSorted(), halfB: b.toSorted() };
    scales[check] = scale;
    const sofar = joint;
    joint = b.map((score, row) => Math.min(sofar?.[row] ?? Infinity, usualness(scale, score)));
  }
  const rows = (joint ?? new Float64Array()).map((usual, row) =>
    stopped?.has(row) === true ? USUALNESS_MIN : usual,
  );
  rows.sort();
  return { scales, halfB: rows, rank, threshold: rows[rank - 1] as number };
}

export function jointMap({ scales, halfB, rank, threshold }: JointChecks): CborMap {
  return cborMap(
    ...SCORED_CHECKS.map((check) => [check, scaleMap(scales[check])] as const),
    ['half-b', doublesToBytes(halfB)],
    ['rank', rank],
    ['threshold', threshold],
  );
}

function scaleMap(scale: CheckScale | undefined): CborMap | undefined {
  return (
    scale &&
    cborMap(
      ['share', scale.share],
      ['half-a', doublesToBytes(scale.halfA)],
      ['half-b', doublesToBytes(scale.halfB)],
    )
  );
}

/** What the promise says, as far as it binds the checks. */
interface Terms {
  readonly falseAlarms: number;
  readonly confidence: number;
  readonly rowsHalfA: number;
  readonly rowsHalfB: number;
}

/** Refuses with `policy.shares`, `policy.rank`, `policy.order`, `policy.length`, `field.*`. */
export function readJoint(map: Fields, terms: Terms): JointChecks {
  const scales: Partial<Record<ScoredCheck, CheckScale>> = {};
  for (const check of SCORED_CHECKS) {
    const scale = map.optional(check, (name) => readScale(map.map(name), terms));
    if (scale !== undefined) scales[check] = scale;
  }
  const total = Object.values(scales).reduce((sum, { share }) => sum + share, 0);
  if (!(Math.abs(total - 1) <= SHARES_TOLERANCE)) {
    throw refusePolicy('policy.shares', `the shares of the checks add up to ${total}`);
  }
  const halfB = readDoubles(map, 'half-b', terms.rowsHalfB);
  needAscending(map.at('half-b'), halfB);
  const rank = map.integer('rank', 1, terms.rowsHalfB);
  const threshold = map.number('threshold');
  map.done();
  // A rank above the promised one would break the promise, one below it would alarm less than said.
  const promised = promisedRank(terms.rowsHalfB, terms.falseAlarms, terms.confidence);
  if (rank !== promised || threshold !== halfB[rank - 1] || !(threshold > USUALNESS_MIN)) {
    throw refusePolicy(
      'policy.rank',
      `rank ${rank} with threshold ${threshold}; the promise gives rank ${promised}`,
    );
  }
  // Each of these rows is one of half B at its strangest check: none lies below all scales.
  const scaled = Object.values(scales).map((scale) => usualness(scale, scale.halfB[0] as number));
  if (!(threshold >= Math.min(...scaled) - TIE)) {
    const words = `${map.at('threshold')} ${threshold} is below every row of half B`;
    throw refusePolicy('policy.rank', words);
  }
  return { scales, halfB, rank, threshold };
}

export const SHARES_TOLERANCE = 1e-9;

function readScale(map: Fields, { rowsHalfA, rowsHalfB }: Terms): CheckScale {
  const share = map.number('share', Number.MIN_VALUE, 1);
  const halfA = readDoubles(map, 'half-a', rowsHalfA);
  needAscending(map.at('half-a'), halfA);
  needSpread(map.at('half-a'), halfA);
  const halfB = readDoubles(map, 'half-b', rowsHalfB);
  needAscending(map.at('half-b'), halfB);
  map.done();
  return { share, halfA, halfB };
}

/** The scale below the smallest score is (median - smallest): zero would divide by nothing. */
export function needSpread(place: string, sorted: Float64Array): void {
  if ((sorted[sorted.length >> 1] as number) > (sorted[0] as number)) return;
  throw refusePolicy('policy.order', `${place} has its median at its minimum`);
}
