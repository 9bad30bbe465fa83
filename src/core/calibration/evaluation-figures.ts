/** The figures of an evaluation from scored rows: alarms, separation, corruptions, drift. */

import type { DriftInput } from '../guard/drift.ts';
import { midP } from '../guard/drift.ts';
import type { DriftPolicy } from '../guard/drift-policy.ts';
import type { GuardPolicy } from '../guard/policy.ts';
import { rocPoints, scoreHistogram } from './curves.ts';
import { framesToAlarm } from './drift-trial.ts';
import { auroc, fprAtTpr95 } from './evaluate.ts';
import type {
  AlarmObservation,
  CorruptionRow,
  DetectionRow,
  DriftRow,
  RocCurve,
  ScoreHistogram,
} from './evaluation.ts';
import { exactInterval } from './exact-interval.ts';
import { alarmsBy, GUARD, PAIR, type ScoredRow, scoreNames, scoreOf } from './scored-rows.ts';
import { shuffled } from './seeded-numbers.ts';

/** Of the intervals of rates. */
export const INTERVAL_CONFIDENCE = 0.95;

/** Alarms of the whole guard on usual rows: of any check, the tripwire where the row was probed. */
export function alarmObservation(set: string, rows: readonly ScoredRow[]): AlarmObservation {
  const alarms = rows.filter((row) => row.alarms.length > 0).length;
  const checks = [...new Set(rows.flatMap((row) => row.alarms))].sort();
  return {
    ...{ set, frames: rows.length, alarms },
    ...exactInterval(alarms, rows.length, INTERVAL_CONFIDENCE),
    confidence: INTERVAL_CONFIDENCE,
    byCheck: checks.map((check) => ({
      check,
      alarms: rows.filter((row) => row.alarms.includes(check)).length,
    })),
  };
}

export interface Separation {
  readonly detection: readonly DetectionRow[];
  readonly curves: readonly RocCurve[];
  readonly histograms: readonly ScoreHistogram[];
}

/** How every score of the policy tells one set of unusual rows from the usual ones. */
export function separation(
  set: string,
  policy: GuardPolicy,
  usual: readonly ScoredRow[],
  unusual: readonly ScoredRow[],
): Separation {
  const detection: DetectionRow[] = [];
  const curves: RocCurve[] = [];
  const histograms: ScoreHistogram[] = [];
  for (const score of scoreNames(policy)) {
    const [inside, outside] = [usual, unusual].map((rows) => rows.map((r) => scoreOf(r, score)));
    if (inside === undefined || outside === undefined) continue;
    const detected = shareOf(unusual, (row) => alarmsBy(row, score));
    const falseAlarms = shareOf(usual, (row) => alarmsBy(row, score));
    detection.push({
      ...{ set, score, frames: unusual.length, detected },
      auroc: auroc(inside, outside),
      fpr95: fprAtTpr95(inside, outside),
    });
    if (score === PAIR) continue;
    const points = rocPoints(inside, outside);
    curves.push({ set, score, points, threshold: [falseAlarms, detected] });
    const bins = scoreHistogram(inside, outside);
    const { threshold } = policy.checks;
    if (bins !== undefined) histograms.push({ set, score, ...bins, threshold });
  }
  return { detection, curves, histograms };
}

/** Judged by `min(novelty.p, input.p)`; by novelty alone where inputs are not judged. */
export function corruptionRow(
  corruption: string,
  usual: readonly ScoredRow[],
  corrupted: readonly ScoredRow[],
): CorruptionRow {
  const inside = usual.map((row) => scoreOf(row, PAIR));
  const outside = corrupted.map((row) => scoreOf(row, PAIR));
  return {
    ...{ corruption, frames: corrupted.length },
    auroc: auroc(inside, outside),
    fpr95: fprAtTpr95(inside, outside),
    detected: shareOf(corrupted, (row) => alarmsBy(row, GUARD)),
  };
}

/** What an image shows and how it is turned are no faults of a sensor: reported, not averaged. */
const APART: readonly string[] = ['90-degree rotation', 'channel swap'];

/** The row that sums up the sweep; `undefined` for fewer than two rows. */
export function corruptionMean(rows: readonly CorruptionRow[]): CorruptionRow | undefined {
  const counted = rows.filter(({ corruption }) => !APART.includes(corruption));
  if (counted.length < 2) return undefined;
  const mean = (of: (row: CorruptionRow) => number): number =>
    counted.reduce((sum, row) => sum + of(row), 0) / counted.length;
  const apart = counted.length < rows.length ? `, without ${APART.join(' and ')}` : '';
  return {
    corruption: `mean of ${counted.length}${apart}`,
    frames: counted.reduce((sum, { frames }) => sum + frames, 0),
    auroc: mean((row) => row.auroc),
    fpr95: mean((row) => row.fpr95),
    detected: mean((row) => row.detected),
  };
}

/** What a row has to bet on, as the guard of a device hands it on. */
export function driftInput({ checks }: GuardPolicy, row: ScoredRow): DriftInput {
  const rank = (check: 'novelty' | 'input'): number | undefined => {
    const [bank, score] = [checks.scales[check]?.halfB, row.scores[check]?.score];
    return bank === undefined || score === undefined || !Number.isFinite(score)
      ? undefined
      : midP(bank, score);
  };
  return row.stopped ? {} : { noveltyP: rank('novelty'), inputP: rank('input'), class: row.answer };
}

/** How long it takes on one set of rows, each stream in a random order of its own. */
export function driftRow(
  stream: string,
  drifts: boolean,
  policy: GuardPolicy & { readonly drift: DriftPolicy },
  rows: readonly ScoredRow[],
  streams: number,
  next: () => number,
): DriftRow {
  const inputs = rows.map((row) => driftInput(policy, row));
  const delays: number[] = [];
  for (let i = 0; i < streams; i++) {
    const order = Array.from(shuffled(inputs.length, next), (at) => inputs[at] as DriftInput);
    const alarm = framesToAlarm(policy.drift, order);
    if (alarm !== undefined) delays.push(alarm.frame);
  }
  const medianDelay = medianOf(delays);
  return {
    ...{ stream, drifts, streams, frames: rows.length, alarms: delays.length },
    ...(medianDelay !== undefined && { medianDelay }),
  };
}

/** The mean of the two in the middle where their number is even; `undefined` of none. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

function shareOf(rows: readonly ScoredRow[], holds: (row: ScoredRow) => boolean): number {
  return rows.filter(holds).length / rows.length;
}
