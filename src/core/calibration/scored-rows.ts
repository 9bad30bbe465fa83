/**
 * One recorded frame as the guard of a policy sees it, each for itself: what every check scores, and
 * which of them alarm. What the guard remembers from frame to frame (frozen frames, temporal
 * plausibility, drift, callers) is not in it, as recorded rows are no stream.
 */
import type { Result } from '../base/fault.ts';
import type { IoSchema } from '../bundle/io-schema.ts';
import type { Check } from '../guard/findings.ts';
import { checkInput, ONE_ROW } from '../guard/input-contract.ts';
import { inputLayout } from '../guard/input-layout.ts';
import { inputScore } from '../guard/input-statistics.ts';
import { type CheckScore, judgeScore, SCORED_CHECKS, type ScoredCheck } from '../guard/joint.ts';
import { companionOf, scoreNovelty } from '../guard/novelty.ts';
import { detectorScores } from '../guard/novelty-detectors.ts';
import { checkOutput } from '../guard/output-contract.ts';
import { instability, perturbationScore } from '../guard/perturbation.ts';
import type { GuardPolicy } from '../guard/policy.ts';
import { sensorCheck } from '../guard/sensor-faults.ts';
import type { GuardSettings } from '../guard/settings.ts';
import type { NamedSizes } from '../guard/shape.ts';
import { squeeze } from '../guard/squeeze.ts';
import { asFloat32 } from '../guard/values.ts';
import type { Kernels } from '../numeric/kernels.ts';
import type { NamedTensors } from '../numeric/tensor.ts';

export interface ScoringParts {
  readonly schema: IoSchema;
  readonly settings: GuardSettings;
  readonly policy: GuardPolicy;
  readonly kernels: Kernels;
}

export interface ScoredRow {
  /** Absent where the policy has no such check, or the frame was not probed. */
  readonly scores: Readonly<Partial<Record<ScoredCheck, CheckScore>>>;
  /** Checks that alarm on it, each once: those that score, and those that a rule decides. */
  readonly alarms: readonly Check[];
  /** A rule stopped it or spoke against its output, whatever the scores say. */
  readonly stopped: boolean;
  /** What the device probes whenever its budget allows: novelty p below the policy's quantile. */
  readonly atRisk: boolean;
  /** Of each detector, before they are put on one scale; absent where they cannot tell. */
  readonly detectors: Float64Array | undefined;
  /** Of a probed row, in [0, 2] or `Infinity`. */
  readonly unstable: number | undefined;
  readonly logits: Float32Array | undefined;
  readonly features: Float32Array | undefined;
  /** Index of the class that was answered. */
  readonly answer: number | undefined;
}

/** A frame before its inference. */
export interface AdmittedRow {
  readonly frame: NamedTensors;
  readonly sizes: NamedSizes;
  /** Rules that the frame breaks by itself. */
  readonly broken: readonly Check[];
  /** False for a frame that breaks the contract: it never reaches a model. */
  readonly runs: boolean;
}

export interface RowScorer {
  admit(frame: NamedTensors): AdmittedRow;
  /** `ran` is what the model gave; of a row that does not run it is ignored. */
  score(row: AdmittedRow, ran: Result<NamedTensors> | undefined): ScoredRow;
  /** The frame to infer once more for the tripwire; absent where there is none. */
  probe(frame: NamedTensors): NamedTensors | undefined;
  /** The row with what the probe gave. */
  scoreProbed(row: ScoredRow, probed: Result<NamedTensors>): ScoredRow;
}

export function rowScorer(parts: ScoringParts): RowScorer {
  const { schema, settings, policy } = parts;
  const sensors = sensorCheck(schema, settings.sensors);
  return {
    admit(frame) {
      const { findings, sizes } = checkInput(schema, frame, ONE_ROW);
      const runs = findings.length === 0;
      const broken = runs ? sensors.look(frame) : findings;
      return { frame, sizes, broken: checksIn(broken.map(({ check }) => check)), runs };
    },
    score: (row, ran) => scored(parts, row, row.runs ? ran : undefined),
    probe(frame) {
      const [input] = schema.inputs;
      const layout = input && inputLayout(input);
      const tensor = input && frame.get(input.name);
      if (policy.perturbation === undefined || layout === undefined) return undefined;
      const smoothed = tensor && squeeze(tensor, layout);
      return smoothed && new Map(frame).set(input?.name ?? '', smoothed);
    },
    scoreProbed(row, probed) {
      const after = probed.ok ? floatsOf(probed.value, policy.outputs.scores) : undefined;
      if (row.logits === undefined || after === undefined) return row;
      const unstable = instability(row.logits, after);
      const perturbation = perturbationOf(policy, unstable, row.detectors);
      return withScores({ ...row, unstable, scores: { ...row.scores, perturbation } });
    },
  };
}

/** What novelty and input say together; see `scoreOf`. */
export const PAIR = 'min(novelty.p, input.p)';
/** All that share the promise together; see `scoreOf`. */
export const GUARD = 'guard';
export type ScoreName = 'novelty' | 'input' | typeof PAIR | typeof GUARD;

/** The scores that rows of a policy have. */
export function scoreNames({ checks: { scales } }: GuardPolicy): readonly ScoreName[] {
  return scales.input === undefined ? ['novelty', GUARD] : ['novelty', 'input', PAIR, GUARD];
}

/**
 * One number of a row by which rows are told apart; higher = more usual.
 *
 * `novelty` and `input` are the check's usualness: `ln p`, which goes on below the strangest row of
 * calibration. `min(novelty.p, input.p)` is of the p-values as they are reported: below the strangest
 * row all are `1 / (n + 1)`. `guard` is the same thing without that floor, and as the guard decides:
 * the least usualness of its checks, the tripwire among them where the frame is at risk, and
 * `-Infinity` for what a rule stops.
 */
export function scoreOf({ scores, stopped, atRisk }: ScoredRow, name: ScoreName): number {
  const { novelty, input, perturbation } = scores;
  if (name === PAIR) return Math.min(novelty?.p ?? 0, input?.p ?? 1);
  if (name !== GUARD) return scores[name]?.usualness ?? -Infinity;
  // Usualness is above 0 where p is above the share: what is absent must not cap it.
  const judged = [novelty, input, atRisk ? perturbation : undefined];
  const least = Math.min(...judged.map((check) => check?.usualness ?? Infinity));
  return stopped || novelty === undefined ? -Infinity : least;
}

/**
 * Whether that score alarms; `guard` counts the tripwire on frames at risk only, so that what it
 * would catch by chance is not claimed.
 */
export function alarmsBy({ scores, alarms, atRisk }: ScoredRow, name: ScoreName): boolean {
  if (name === PAIR) return scores.novelty?.alarm === true || scores.input?.alarm === true;
  if (name !== GUARD) return scores[name]?.alarm ?? true;
  return alarms.some((check) => check !== 'perturbation' || atRisk);
}

function scored(
  { schema, settings, policy, kernels }: ScoringParts,
  { frame, sizes, broken, runs }: AdmittedRow,
  ran: Result<NamedTensors> | undefined,
): ScoredRow {
  const outputs = ran?.ok === true ? ran.value : undefined;
  const tolerance = settings.probabilitySumTolerance;
  const rules: Check[] = [...broken];
  if (runs && outputs === undefined) rules.push('inference');
  if (outputs !== undefined && checkOutput(schema, outputs, sizes, tolerance).length > 0) {
    rules.push('output');
  }
  const logits = outputs && floatsOf(outputs, policy.outputs.scores);
  const { features: name } = policy.outputs;
  const features = name === undefined ? undefined : outputs && floatsOf(outputs, name);
  const novelty =
    logits === undefined
      ? -Infinity
      : scoreNovelty(policy.novelty, kernels, logits, features).score;
  const input = policy.input && inputScore(policy.input, frame.get(policy.input.input));
  const judged = judgeScore(policy.checks, 'novelty', novelty);
  const riskP = policy.perturbation?.riskP ?? 0;
  return withScores({
    scores: {
      novelty: judged,
      input: input === undefined ? undefined : judgeScore(policy.checks, 'input', input),
    },
    alarms: rules,
    stopped: rules.length > 0,
    atRisk: policy.perturbation?.when !== 'sampled' && !((judged?.p ?? 0) >= riskP),
    detectors:
      logits?.length === policy.novelty.classes
        ? detectorScores(policy.novelty.statistics, kernels, logits, features)
        : undefined,
    unstable: undefined,
    ...{ logits, features },
    answer: logits && topOf(logits),
  });
}

interface Unjudged extends Omit<ScoredRow, 'scores'> {
  readonly scores: Readonly<Partial<Record<ScoredCheck, CheckScore | undefined>>>;
}

function withScores(row: Unjudged): ScoredRow {
  const scores: Partial<Record<ScoredCheck, CheckScore>> = {};
  const alarms = [...row.alarms];
  for (const check of SCORED_CHECKS) {
    const score = row.scores[check];
    if (score === undefined) continue;
    scores[check] = score;
    if (score.alarm) alarms.push(check);
  }
  return { ...row, scores, alarms: checksIn(alarms) };
}

function perturbationOf(
  { perturbation, novelty, checks }: GuardPolicy,
  unstable: number,
  detectors: Float64Array | undefined,
): CheckScore | undefined {
  if (perturbation === undefined) return undefined;
  const companion = companionOf(novelty, detectors);
  return judgeScore(checks, 'perturbation', perturbationScore(perturbation, unstable, companion));
}

function checksIn(checks: readonly Check[]): readonly Check[] {
  return [...new Set(checks)];
}

function topOf(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

function floatsOf(outputs: NamedTensors, name: string): Float32Array | undefined {
  const tensor = outputs.get(name);
  return tensor && asFloat32(tensor);
}
