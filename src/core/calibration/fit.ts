/** Fits a guard policy: from recorded model outputs to statistics, a threshold and a promise. */
import { equalBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import {
  GUARD_POLICY_BYTES_MAX,
  PROJECTED_FEATURES,
  UNPROJECTED_FEATURES_MAX,
} from '../base/limits.ts';
import { fuse, promisedRank, rowsForPromise } from '../guard/conformal.ts';
import {
  type JointChecks,
  joinChecks,
  SCORED_CHECKS,
  type ScoredCheck,
  SHARES_TOLERANCE,
  USUALNESS_MIN,
} from '../guard/joint.ts';
import {
  detectorScores,
  detectorsOf,
  type FeatureStatistics,
  FULL_DETECTORS,
  type FurtherDetector,
  REDUCED_DETECTORS,
} from '../guard/novelty-detectors.ts';
import {
  CONFIDENCE_MAX,
  CONFIDENCE_MIN,
  FALSE_ALARMS_MAX,
  FALSE_ALARMS_MIN,
  type FalseAlarmPromise,
  GUARD_PROFILE,
  type GuardPolicy,
  promiseStatement,
} from '../guard/policy.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../guard/policy-codec.ts';
import { referenceKernels } from '../numeric/reference.ts';
import { refuseCalibration } from './faults.ts';
import { fitKnn } from './fit-knn.ts';
import { fitParts, type RecordedParts } from './fit-parts.ts';
import { fitProjection } from './fit-pca.ts';
import { featureStatistics } from './fit-statistics.ts';
import { fitVim } from './fit-vim.ts';
import { type Head, provenHead } from './head.ts';
import { labelsOf } from './labels.ts';
import { type CheckedSet, checkSet, type RecordedOutputs, rowOf } from './rows.ts';
import { type Halves, repeatedRows, sharedRows, splitHalves } from './split.ts';

export const CONFIDENCE_DEFAULT = 0.95;

/** Frames that repeat bit by bit occur; a set of which more than this are known is no test. */
const SHARED_ROWS_MAX = 0.1;

export interface CalibrationInput extends RecordedParts {
  readonly modelSha256: Uint8Array;
  /** Names of the model outputs that `logits` and `features` hold. */
  readonly outputs: { readonly scores: string; readonly features?: string };
  readonly fit: RecordedOutputs;
  /** Class index per fit row; without them the model's own answers are taken. */
  readonly labels?: ArrayLike<number>;
  readonly calibration: RecordedOutputs;
  /** The last linear layer as the graph has it; without it, least squares. */
  readonly head?: Head;
  /** Budget: share of in-distribution frames that may alarm; 1e-6 to 0.5. */
  readonly falseAlarms: number;
  /** Probability over the draw of the calibration set that the budget is kept; 0.5 to 1 - 1e-9. */
  readonly confidence?: number;
  /** Each check's part of the budget, together 1; equal parts unless given. */
  readonly shares?: Readonly<Partial<Record<ScoredCheck, number>>>;
  /** Detectors beside those of full detection. kNN ships samples of the fit set's features. */
  readonly detectors?: readonly FurtherDetector[];
  /** Calibration rows that a deterministic check of the device would stop: alarms as well. */
  readonly stopped?: ReadonlySet<number>;
}

/**
 * Only statistics enter the policy, no rows. The same input gives the same policy.
 *
 * Faults: every `calibration.*` code; `policy.values` and `field.*` for settings of the tripwire or of
 * drift that are out of range.
 */
export function fitGuardPolicy(input: CalibrationInput): Result<GuardPolicy> {
  return attempt(() => {
    const { falseAlarms, confidence = CONFIDENCE_DEFAULT } = input;
    const fit = checkSet('fit', input.fit);
    const calibration = checkSet('calibration', input.calibration);
    needSameShape(fit, calibration, input);
    const rank = need(promiseRank(calibration.count, falseAlarms, confidence));
    const halves = splitHalves(calibration.count);
    needSmall(fit, halves);
    needFreshRows(fit, calibration);

    const statistics = fitStatistics(input, fit, calibration);
    const rows = Array.from({ length: calibration.count }, (_, row) =>
      scoreRow(statistics, calibration, row),
    );
    const detectors = scoreHalfA(statistics, rows, halves.a);
    const classes = fit.logits.width;
    const novelty = { classes, halfA: detectors, ...(statistics !== undefined && { statistics }) };
    const parts = fitParts(input, novelty, rows, halves, calibration);
    const scores = {
      novelty: Float64Array.from(rows, (scores) => fuse(detectors, scores)),
      ...parts.scores,
    };
    const checks = join(scores, halves, rank, input);
    const evidence: Omit<FalseAlarmPromise, 'statement'> = {
      ...{ falseAlarms, confidence },
      rowsHalfA: halves.a.length,
      rowsHalfB: halves.b.length,
      fit: { sha256: fit.sha256, rows: fit.count },
      calibration: { sha256: calibration.sha256, rows: calibration.count },
    };
    const policy: GuardPolicy = {
      profile: GUARD_PROFILE,
      modelSha256: input.modelSha256,
      detection: statistics === undefined ? 'reduced' : 'full',
      outputs: input.outputs,
      novelty,
      ...parts.policies,
      checks,
      promise: { ...evidence, statement: promiseStatement(evidence, checks) },
    };
    // What a device would refuse to read must not leave the maker's machine.
    return need(decodeGuardPolicy(encodeGuardPolicy(policy)));
  });
}

/** All checks on one scale, with one threshold; equal shares unless others are given. */
function join(
  scores: Readonly<Partial<Record<ScoredCheck, Float64Array>>>,
  halves: Halves,
  rank: number,
  { shares: given, stopped }: CalibrationInput,
): JointChecks {
  const names = SCORED_CHECKS.filter((check) => scores[check] !== undefined);
  const of = (rows: Uint32Array) =>
    Object.fromEntries(
      names.map((check) => [
        check,
        Float64Array.from(rows, (row) => scores[check]?.[row] as number),
      ]),
    ) as Partial<Record<ScoredCheck, Float64Array>>;
  const [halfA, halfB] = [of(halves.a), of(halves.b)];
  for (const check of names) {
    needScores(check, scores[check] as Float64Array);
    needSpread(check, (halfA[check] as Float64Array).toSorted());
  }
  const shares = sharesOf(names, given);
  const stoppedB = new Set([...halves.b.keys()].filter((i) => stopped?.has(halves.b[i] as number)));
  const joint = joinChecks(shares, halfA, halfB, rank, stoppedB);
  if (joint.threshold > USUALNESS_MIN) return joint;
  throw refuseCalibration(
    'calibration.stopped',
    `a deterministic check stops ${stopped?.size} of the calibration rows, more than the ` +
      'false-alarm budget',
  );
}

/** Of exactly the checks that there are; equal parts unless given. */
function sharesOf(
  names: readonly ScoredCheck[],
  given: CalibrationInput['shares'],
): Partial<Record<ScoredCheck, number>> {
  if (given === undefined)
    return Object.fromEntries(names.map((check) => [check, 1 / names.length]));
  const stated = SCORED_CHECKS.filter((check) => given[check] !== undefined);
  const total = stated.reduce((sum, check) => sum + (given[check] as number), 0);
  const sane = stated.every((check) => (given[check] as number) > 0);
  if (sane && `${stated}` === `${names}` && Math.abs(total - 1) <= SHARES_TOLERANCE) return given;
  const shown = stated.map((check) => `${check} ${given[check]}`).join(', ');
  throw refuseCalibration(
    'calibration.shares',
    `shares ${shown} for the checks ${names.join(', ')}`,
  );
}

function needScores(check: ScoredCheck, scores: Float64Array): void {
  const row = scores.findIndex((score) => !Number.isFinite(score));
  if (row < 0) return;
  throw refuseCalibration('calibration.values', `${check} cannot score calibration row ${row}`);
}

function needSpread(name: string, sorted: Float64Array): void {
  if ((sorted[sorted.length >> 1] as number) > (sorted[0] as number)) return;
  throw refuseCalibration(
    'calibration.constant',
    `${name} gives half of ${sorted.length} calibration rows its smallest score, ${sorted[0]}`,
  );
}

/**
 * Whether so many calibration rows can carry the promise, which can be asked before a model has run
 * on them; the value is the rank of the threshold. Faults: `calibration.budget`, `calibration.rows`.
 */
export function promiseRank(
  rows: number,
  falseAlarms: number,
  confidence: number = CONFIDENCE_DEFAULT,
): Result<number> {
  return attempt(() => {
    needBudget(falseAlarms, confidence);
    const rank = promisedRank(splitHalves(rows).b.length, falseAlarms, confidence);
    if (rank > 0) return rank;
    const needed = 2 * rowsForPromise(falseAlarms, confidence);
    throw refuseCalibration(
      'calibration.rows',
      `${rows} calibration rows; ${falseAlarms} false alarms at confidence ${confidence} needs ` +
        `${needed} in all`,
    );
  });
}

function needSameShape(fit: CheckedSet, calibration: CheckedSet, input: CalibrationInput): void {
  const widths = (set: CheckedSet): string =>
    `${set.logits.width} scores and ${set.features?.width ?? 'no'} features`;
  if (widths(fit) !== widths(calibration)) {
    throw refuseCalibration(
      'calibration.shape',
      `the fit set has ${widths(fit)} a row, the calibration set ${widths(calibration)}`,
    );
  }
  if ((fit.features === undefined) !== (input.outputs.features === undefined)) {
    throw refuseCalibration(
      'calibration.shape',
      `the features output is named ${input.outputs.features}, but there are ${widths(fit)} a row`,
    );
  }
}

function needBudget(falseAlarms: number, confidence: number): void {
  const sane = falseAlarms >= FALSE_ALARMS_MIN && falseAlarms <= FALSE_ALARMS_MAX;
  if (sane && confidence >= CONFIDENCE_MIN && confidence <= CONFIDENCE_MAX) return;
  throw refuseCalibration(
    'calibration.budget',
    `false alarms ${falseAlarms}, confidence ${confidence}`,
  );
}

/** Before the work is done: the doubles that the policy will hold. */
function needSmall(fit: CheckedSet, halves: Halves): void {
  const k = fit.logits.width;
  const d = fit.features?.width;
  const statistics = d === undefined ? 0 : statisticsValues(d, k);
  const detectors = d === undefined ? REDUCED_DETECTORS.length : FULL_DETECTORS.length;
  const checks = SCORED_CHECKS.length * (halves.a.length + halves.b.length);
  const bytes = 8 * (statistics + detectors * halves.a.length + checks + halves.b.length);
  if (bytes <= GUARD_POLICY_BYTES_MAX) return;
  throw refuseCalibration(
    'calibration.size',
    `a policy of ${bytes} bytes for ${d ?? 'no'} features, ${k} classes and ` +
      `${halves.a.length + halves.b.length} calibration rows, at most ${GUARD_POLICY_BYTES_MAX}`,
  );
}

/** The doubles of feature statistics: `m` wide for what whitens, `d` for the mean and each direction. */
function statisticsValues(d: number, k: number): number {
  const m = projectedWidth(d);
  return (k * (k - 1)) / 2 + m * (m + 1) + k * m + m + d + (m < d ? m * d : 0);
}

function projectedWidth(d: number): number {
  return d > UNPROJECTED_FEATURES_MAX ? PROJECTED_FEATURES : d;
}

/**
 * On rows that were fitted on, scores are too good and the threshold would alarm too often; rows that
 * are repeated are fewer draws than the promise counts.
 */
function needFreshRows(fit: CheckedSet, calibration: CheckedSet): void {
  if (equalBytes(fit.sha256, calibration.sha256)) {
    throw refuseCalibration('calibration.same-rows', 'the fit and calibration sets are one file');
  }
  const shared = sharedRows(fit, calibration);
  if (shared > SHARED_ROWS_MAX * calibration.count) {
    throw refuseCalibration(
      'calibration.same-rows',
      `${shared} of ${calibration.count} calibration rows are in the fit set too`,
    );
  }
  const repeated = repeatedRows(calibration);
  if (repeated > SHARED_ROWS_MAX * calibration.count) {
    throw refuseCalibration(
      'calibration.same-rows',
      `${repeated} of ${calibration.count} calibration rows repeat an earlier one`,
    );
  }
}

function fitStatistics(
  input: CalibrationInput,
  fit: CheckedSet,
  calibration: CheckedSet,
): FeatureStatistics | undefined {
  if (fit.features === undefined || calibration.features === undefined) return undefined;
  const classes = fit.logits.width;
  const d = fit.features.width;
  const labels = labelsOf(fit, input.labels);
  // Least squares needs a row for each feature; a head from the graph, one for each component.
  const width = input.head === undefined ? d : projectedWidth(d);
  if (fit.count < width + classes) {
    throw refuseCalibration(
      'calibration.fit-rows',
      `${fit.count} fit rows; ${width} features and ${classes} classes need ${width + classes}`,
    );
  }
  const projection = fitProjection(fit.features);
  const head = provenHead(
    input.head,
    { ...fit, features: fit.features },
    { ...calibration, features: calibration.features },
  );
  const { detectors = [] } = input;
  return {
    ...featureStatistics(fit.features, labels, head, projection),
    ...(detectors.includes('vim') && { vim: fitVim(fit.features, fit.logits, head) }),
    ...(detectors.includes('knn') && { knn: fitKnn(fit.features, projection) }),
  };
}

function scoreHalfA(
  statistics: FeatureStatistics | undefined,
  rows: readonly Float64Array[],
  halfA: Uint32Array,
): Float64Array[] {
  return detectorsOf(statistics).map((name, j) => {
    const sorted = Float64Array.from(halfA, (row) => rows[row]?.[j] as number).sort();
    needSpread(name, sorted);
    return sorted;
  });
}

function scoreRow(
  statistics: FeatureStatistics | undefined,
  set: CheckedSet,
  row: number,
): Float64Array {
  const features = set.features === undefined ? undefined : rowOf(set.features, row);
  const scores = detectorScores(statistics, referenceKernels, rowOf(set.logits, row), features);
  if (scores !== undefined) return scores;
  throw refuseCalibration('calibration.values', `calibration row ${row} cannot be scored`);
}
