/** Fits what stands beside novelty in a guard policy, as far as there are recordings for it. */

import { need } from '../base/fault.ts';
import { DRIFT_DELTA, type DriftPolicy, driftPolicy, driftRowsMin } from '../guard/drift-policy.ts';
import type { InputLayout } from '../guard/input-layout.ts';
import type { InputPolicy } from '../guard/input-policy.ts';
import { statisticsScore } from '../guard/input-statistics.ts';
import type { ScoredCheck } from '../guard/joint.ts';
import { companionOf } from '../guard/novelty.ts';
import { type ProbeSettings, perturbationScore } from '../guard/perturbation.ts';
import type { GuardPolicy, NoveltyPolicy } from '../guard/policy.ts';
import type { SqueezeKind } from '../guard/squeeze.ts';
import { indexOfLargest } from '../numeric/vectors.ts';
import { refuseCalibration } from './faults.ts';
import { fitCallerReference } from './fit-callers.ts';
import { fitInput } from './fit-input.ts';
import { fitPerturbation, instabilities } from './fit-perturbation.ts';
import { type CheckedSet, type Rows, rowOf } from './rows.ts';
import type { Halves } from './split.ts';

/** What a maker recorded beside the outputs of the model. */
export interface RecordedParts {
  /** What was measured of the inputs; without it, there is no check of input statistics. */
  readonly input?: RecordedStatistics;
  /** What the model gave for calibration rows that were smoothed; without it, no tripwire. */
  readonly probed?: RecordedProbes;
  /** Without it, nothing is bet on drift. */
  readonly drift?: DriftChoice;
}

/** `statisticsOf` of every row of both sets. */
export interface RecordedStatistics {
  readonly name: string;
  readonly layout: InputLayout;
  readonly fit: readonly (Float64Array | undefined)[];
  readonly calibration: readonly (Float64Array | undefined)[];
}

export interface RecordedProbes {
  readonly settings: ProbeSettings;
  readonly kind: SqueezeKind;
  /** Logits of the calibration rows, smoothed. */
  readonly logits: Rows;
}

export interface DriftChoice {
  readonly alpha: number;
  /**
   * Whether to bet on how often each class is answered. Frames of one scene answer one class: only
   * for streams in which the classes come as in the calibration set.
   */
  readonly classes: boolean;
}

export interface FittedParts {
  readonly policies: Pick<GuardPolicy, 'input' | 'perturbation' | 'drift' | 'callers'>;
  /** On every calibration row. */
  readonly scores: Readonly<Partial<Record<ScoredCheck, Float64Array>>>;
}

/**
 * Refuses with `calibration.*`.
 *
 * @param rows the detectors' scores of every calibration row
 */
export function fitParts(
  { input, probed, drift }: RecordedParts,
  novelty: NoveltyPolicy,
  rows: readonly Float64Array[],
  halves: Halves,
  { count, logits, features }: CheckedSet,
): FittedParts {
  if (input !== undefined && input.calibration.length !== count) {
    throw refuseCalibration(
      'calibration.shape',
      `statistics of ${input.calibration.length} inputs for ${count} calibration rows`,
    );
  }
  const inputs = input && need(fitInput(input.name, input.layout, input.fit));
  const unstable = probed && instabilities(logits, probed.logits);
  const tripwire =
    probed && unstable && fitPerturbation(probed.settings, probed.kind, unstable, halves.a);
  const callers = features && fitCallerReference(features);
  return {
    policies: {
      ...(inputs && { input: inputs }),
      ...(tripwire && { perturbation: tripwire }),
      ...(drift && { drift: driftTerms(drift, halves.b.length, logits) }),
      ...(callers && { callers }),
    },
    scores: {
      ...(inputs && { input: inputScores(inputs, input?.calibration ?? []) }),
      ...(tripwire && {
        perturbation: Float64Array.from(rows, (scores, row) =>
          perturbationScore(tripwire, unstable?.[row] ?? NaN, companionOf(novelty, scores)),
        ),
      }),
    },
  };
}

/** By the very function that judges a frame on the device. */
function inputScores(
  policy: InputPolicy,
  statistics: readonly (Float64Array | undefined)[],
): Float64Array {
  return Float64Array.from(statistics, (values) =>
    values === undefined ? -Infinity : statisticsScore(policy, values),
  );
}

function driftTerms({ alpha, classes }: DriftChoice, bankRows: number, logits: Rows): DriftPolicy {
  const needed = driftRowsMin(DRIFT_DELTA);
  if (bankRows < needed) {
    throw refuseCalibration(
      'calibration.rows',
      `${2 * bankRows} calibration rows to bet on drift with; ${2 * needed} are needed`,
    );
  }
  const terms = { alpha, delta: DRIFT_DELTA, bankRows };
  return driftPolicy(classes ? { ...terms, classCounts: answered(logits) } : terms);
}

function answered(logits: Rows): number[] {
  const counts = new Array<number>(logits.width).fill(0);
  for (let row = 0; row < logits.data.length / logits.width; row++) {
    const top = indexOfLargest(rowOf(logits, row));
    counts[top] = (counts[top] as number) + 1;
  }
  return counts;
}
