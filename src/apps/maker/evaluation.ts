/** Evaluation as a maker does it: what the guard of a model promises, and what it was seen to do. */
import { toHex } from '../../core/base/bytes.ts';
import { attemptAsync, type Result } from '../../core/base/fault.ts';
import { ATTACK_LIMITS } from '../../core/calibration/attacks.ts';
import { nullStreamAlarms } from '../../core/calibration/drift-trial.ts';
import type {
  AlarmObservation,
  DriftRow,
  Evaluation,
  EvaluationSet,
  NotEvaluated,
} from '../../core/calibration/evaluation.ts';
import {
  alarmObservation,
  driftRow,
  separation,
} from '../../core/calibration/evaluation-figures.ts';
import { evaluationVerdict } from '../../core/calibration/evaluation-verdict.ts';
import type { ScoredRow } from '../../core/calibration/scored-rows.ts';
import { seededNumbers } from '../../core/calibration/seeded-numbers.ts';
import { type SplitOutcome, splitTrial } from '../../core/calibration/split-trial.ts';
import { PERTURBATION_LIMITS } from '../../core/guard/perturbation.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import {
  type EvaluationBench,
  evaluationBench,
  type OnProgress,
  plainInput,
  thinned,
} from './evaluation-bench.ts';
import { callerTrials } from './evaluation-callers.ts';
import { attackSweep, corruptionSweep, latencyOf, type Trial } from './evaluation-trials.ts';
import { refuseMaker } from './faults.ts';
import type { MakerModel } from './maker-model.ts';
import type { RecordedSet } from './recorded-inputs.ts';

export interface NamedSet {
  readonly name: string;
  readonly set: RecordedSet;
}

export interface EvaluationPlan {
  readonly policy: GuardPolicy;
  readonly policySha256: Uint8Array;
  /** What the report calls the model. */
  readonly model: string;
  /** Usual frames that neither model, fit nor calibration have seen. */
  readonly test: NamedSet;
  /** The calibration set once more, or another one like it, for the random splits. */
  readonly calibration?: NamedSet | undefined;
  /** Sets of unusual frames. */
  readonly unusual: readonly NamedSet[];
  /** Rows to attack with each attack; 0 is none. */
  readonly attacks: number;
  readonly callers: boolean;
  /** Fewer rows, splits, streams and queries: a first look. */
  readonly quick: boolean;
  readonly seed: number;
  /** Of Edgeward. */
  readonly version: string;
  readonly evaluatedAt?: string | undefined;
  /** Where latency is measured, in words. */
  readonly machine: string;
  readonly onProgress?: OnProgress | undefined;
}

/** How much is done; a first look does less. */
interface Effort {
  readonly rows: number;
  readonly splits: number;
  readonly nullStreams: number;
  readonly nullFrames: number;
  readonly orders: number;
  readonly attackQueries: number;
  readonly callerRuns: number;
}

const FULL: Effort = {
  rows: 20_000,
  splits: 200,
  nullStreams: 100,
  nullFrames: 20_000,
  orders: 100,
  attackQueries: 500,
  callerRuns: 5,
};
const QUICK: Effort = {
  rows: 400,
  splits: 50,
  nullStreams: 10,
  nullFrames: 2_000,
  orders: 20,
  attackQueries: 200,
  callerRuns: 2,
};

/** Faults: `maker.policy`, `maker.input`, `field.*`, `inference.*`, and those of `frames.frame`. */
export function evaluateModel(
  maker: MakerModel,
  plan: EvaluationPlan,
): Promise<Result<Evaluation>> {
  return attemptAsync(async () => {
    const bench = evaluationBench(maker, plan.policy);
    const effort = plan.quick ? QUICK : FULL;
    const rowsOf = ({ name, set }: NamedSet, probing: 'all' | 'at-risk') =>
      bench.scoreAll(name, thinned(set.frames, effort.rows), probing, plan.onProgress);
    const test = thinned(plan.test.set.frames, effort.rows);
    if (test.count === 0) throw refuseMaker('maker.input', `the set ${plan.test.name} has no rows`);
    const usual = await rowsOf(plan.test, 'all');
    // A first look would take too few of its rows for a promise to be made on them.
    const again = plan.quick ? undefined : plan.calibration;
    const calibration = again && (await rowsOf(again, 'all'));
    const unusual = new Map<string, readonly ScoredRow[]>();
    for (const named of plan.unusual) unusual.set(named.name, await rowsOf(named, 'at-risk'));

    const splits = splitsOf(plan, effort, usual, calibration);
    const separations = [...unusual].map(([set, rows]) =>
      separation(set, plan.policy, usual, rows),
    );
    const drift = driftOf(plan, effort, usual, unusual);
    const made = await trials(plan, effort, bench, test, usual, unusual);
    const every = plan.policy.perturbation === undefined ? '' : ', every frame probed';
    const observed = [alarmObservation(`${plan.test.name}${every}`, usual)];
    const { falseAlarms: budget, confidence, statement } = plan.policy.promise;
    const figures = {
      promise: { budget, confidence, statement, observed },
      detection: separations.flatMap(({ detection }) => detection),
      drift,
      ...made,
    };
    return {
      identity: identityOf(plan, maker),
      verdict: evaluationVerdict(figures, splits),
      sets: setsOf({ ...plan, calibration: again }, effort),
      ...figures,
      curves: separations.flatMap(({ curves }) => curves),
      histograms: separations.flatMap(({ histograms }) => histograms),
      notEvaluated: notEvaluated(plan, bench, figures, splits),
    };
  });
}

type Made = Pick<Evaluation, 'corruptions' | 'attacks' | 'callers' | 'latency'>;

/** What needs the model again. */
async function trials(
  plan: EvaluationPlan,
  effort: Effort,
  bench: EvaluationBench,
  frames: Trial['frames'],
  usual: readonly ScoredRow[],
  unusual: ReadonlyMap<string, readonly ScoredRow[]>,
): Promise<Made> {
  const plain = plainInput(bench.maker, frames);
  const { seed, onProgress, machine } = plan;
  const trial = plain && { bench, frames, usual, plain, seed, onProgress };
  const samples = Math.min(plan.attacks, frames.count);
  const corruptions = trial ? await corruptionSweep(trial) : [];
  const attacks =
    trial && samples > 0 ? await attackSweep(trial, samples, effort.attackQueries) : [];
  const callers =
    trial && plan.callers ? await callerTrials(trial, unusual, effort.callerRuns) : [];
  const latency = await latencyOf(bench, frames, machine);
  return { corruptions, attacks, callers, ...(latency && { latency }) };
}

/** The calibration rows with the test rows; or the test rows alone, one half to calibrate with. */
function splitsOf(
  { policy, seed }: EvaluationPlan,
  { splits }: Effort,
  usual: readonly ScoredRow[],
  calibration: readonly ScoredRow[] | undefined,
): SplitOutcome | undefined {
  const rows = [...(calibration ?? []), ...usual];
  const calibrationRows = calibration?.length ?? Math.floor(rows.length / 2);
  const next = seededNumbers(seed + 100);
  return splitTrial({ policy, rows, calibrationRows, splits, next });
}

function driftOf(
  { policy, seed, test, onProgress }: EvaluationPlan,
  { nullStreams, nullFrames, orders }: Effort,
  usual: readonly ScoredRow[],
  unusual: ReadonlyMap<string, readonly ScoredRow[]>,
): readonly DriftRow[] {
  const { drift } = policy;
  if (drift === undefined) return [];
  const next = seededNumbers(seed + 200);
  const { bankRows, alpha, delta } = drift;
  const terms = { frames: nullFrames, bankRows, classes: policy.novelty.classes, alpha, delta };
  let alarms = 0;
  for (let stream = 0; stream < nullStreams; stream++) {
    alarms += nullStreamAlarms({ ...terms, streams: 1, next }).length;
    onProgress?.('streams without drift', stream + 1, nullStreams);
  }
  const drifting = { ...policy, drift };
  return [
    {
      stream: 'simulated, a calibration set each',
      ...{ drifts: false, streams: nullStreams, frames: nullFrames, alarms },
    },
    driftRow(`${test.name} in random orders`, false, drifting, usual, orders, next),
    ...[...unusual].map(([set, rows]) =>
      driftRow(`${set} in random orders`, true, drifting, rows, orders, next),
    ),
  ];
}

function identityOf(plan: EvaluationPlan, { model }: MakerModel): Evaluation['identity'] {
  return {
    model: plan.model,
    modelSha256: toHex(model.sha256),
    policySha256: toHex(plan.policySha256),
    detection: plan.policy.detection,
    version: plan.version,
    ...(plan.evaluatedAt !== undefined && { evaluatedAt: plan.evaluatedAt }),
  };
}

function setsOf(
  { test, calibration, unusual }: EvaluationPlan,
  { rows }: Effort,
): readonly EvaluationSet[] {
  const entry = ({ name, set }: NamedSet, kind: EvaluationSet['kind']): EvaluationSet => {
    const { frames, sha256, description } = set;
    const taken = Math.min(frames.count, rows);
    return { name, kind, frames: taken, sha256: toHex(sha256), description };
  };
  return [
    entry(test, 'usual'),
    ...(calibration === undefined ? [] : [entry(calibration, 'usual')]),
    ...unusual.map((named) => entry(named, 'unusual')),
  ];
}

interface Figures extends Made {
  readonly promise: { readonly observed: readonly AlarmObservation[] };
  readonly drift: readonly DriftRow[];
}

/** Everything that is missing, why, and what no evaluation of this kind can show. */
function notEvaluated(
  plan: EvaluationPlan,
  { layout, policy }: EvaluationBench,
  { corruptions, attacks, callers, drift }: Figures,
  splits: SplitOutcome | undefined,
): readonly NotEvaluated[] {
  const list: NotEvaluated[] = [];
  const add = (missing: boolean, what: string, why: string): void => {
    if (missing) list.push({ what, why });
  };
  const { checks, perturbation } = policy;
  const less = 'calibrate the model again to have it';
  add(checks.scales.input === undefined, 'Input statistics', `the policy has none: ${less}`);
  add(perturbation === undefined, 'Perturbation check', `the policy has none: ${less}`);
  add(policy.detection === 'reduced', 'Features', 'the model shows none: detection is reduced');
  add(
    splits === undefined,
    'Random splits',
    plan.quick
      ? 'a first look has too few rows to calibrate anew (--quick)'
      : 'too few usual rows to calibrate anew; give the calibration set with --calibration',
  );
  add(plan.unusual.length === 0, 'Detection', 'no set of unusual frames was given (--ood)');
  add(
    corruptions.length === 0,
    'Corruptions',
    layout?.kind === 'table'
      ? 'there are none for rows of a table'
      : 'none can be done to inputs of this kind',
  );
  const cannot = 'frames of this kind, or of one value, cannot be changed';
  const attacked = plan.attacks > 0 ? cannot : 'they were not asked for (--attacks)';
  const asked = plan.callers ? cannot : 'they were not asked for (--callers)';
  add(attacks.length === 0, 'Attacks', attacked);
  add(callers.length === 0, 'Callers', asked);
  add(policy.drift === undefined, 'Drift', `the policy does not bet on it: ${less}`);
  add(drift.length > 0, 'Slow drift', 'unusual sets were put in at once, not little by little');
  add(
    true,
    'What the guard remembers',
    'recorded rows are no stream: frozen and replayed frames, temporal plausibility, holds',
  );
  add(perturbation !== undefined, 'Latency of probes', 'each costs one more inference');
  add(attacks.length > 0, 'Attackers who know the guard', ATTACK_LIMITS);
  add(perturbation !== undefined, 'What the tripwire cannot see', PERTURBATION_LIMITS);
  const counts = [plan.test, ...plan.unusual].map(({ set }) => set.frames.count);
  const most = (plan.quick ? QUICK : FULL).rows;
  const cut = `of larger sets ${most} evenly spaced ones were taken`;
  add(
    plan.quick,
    'A full run',
    'a first look takes fewer rows, splits, streams and queries (--quick)',
  );
  add(Math.max(...counts) > most, 'All rows', cut);
  return list;
}
