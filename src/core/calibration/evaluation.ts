/**
 * What an evaluation of a guarded model found, as plain data: every report is made from it, and it
 * is JSON as it stands. A figure that was not measured is absent, and what was not looked at is
 * listed as that.
 *
 * Shares and rates are in [0, 1], digests 64 hexadecimal digits. "Usual" frames are those the guard
 * was calibrated for; a share of them that raises an alarm is a false-alarm rate.
 */

/** Points of one ROC curve; more are thinned out. */
export const ROC_POINTS_MAX = 200;
/** Bins of one histogram. */
export const HISTOGRAM_BINS_MAX = 60;

export interface Evaluation {
  readonly identity: EvaluationIdentity;
  readonly verdict: EvaluationVerdict;
  /** Every set of frames that any figure below is made from. */
  readonly sets: readonly EvaluationSet[];
  readonly promise: AlarmPromise;
  /** One row for each set of unusual frames and score. */
  readonly detection: readonly DetectionRow[];
  readonly curves: readonly RocCurve[];
  readonly histograms: readonly ScoreHistogram[];
  readonly corruptions: readonly CorruptionRow[];
  readonly attacks: readonly AttackRow[];
  readonly drift: readonly DriftRow[];
  readonly callers: readonly CallerRow[];
  readonly latency?: EvaluationLatency;
  readonly notEvaluated: readonly NotEvaluated[];
}

export interface EvaluationIdentity {
  readonly model: string;
  readonly modelSha256: string;
  readonly policySha256: string;
  /** Of the bundle's manifest, where a bundle was evaluated. */
  readonly bundleSha256?: string;
  /** `reduced` where the model shows no features. */
  readonly detection: string;
  /** Of Edgeward. */
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly evaluatedAt?: string;
}

export interface EvaluationVerdict {
  readonly passed: boolean;
  /** Sentences; the first is the verdict in one, the others why. */
  readonly words: readonly string[];
}

export interface EvaluationSet {
  readonly name: string;
  readonly kind: 'usual' | 'unusual' | 'drifting';
  readonly frames: number;
  readonly sha256: string;
  /** The form it was recorded in. */
  readonly description: string;
}

export interface AlarmPromise {
  /** At most this share of usual frames raises an alarm, */
  readonly budget: number;
  /** with this confidence over the draw of the calibration set. */
  readonly confidence: number;
  /** As it stands in the bundle. */
  readonly statement: string;
  /** On frames that the guard has not seen before. */
  readonly observed: readonly AlarmObservation[];
}

export interface AlarmObservation {
  readonly set: string;
  readonly frames: number;
  readonly alarms: number;
  /** Clopper-Pearson interval of the rate, at `confidence`. */
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
  /** Alarms of each check; a frame may raise several. */
  readonly byCheck?: readonly { readonly check: string; readonly alarms: number }[];
}

export interface DetectionRow {
  readonly set: string;
  /** The score that is judged, such as `novelty`; `guard` is the guard as a whole. */
  readonly score: string;
  readonly frames: number;
  readonly auroc: number;
  /** Share of unusual frames that pass where 95% of the usual ones do. */
  readonly fpr95: number;
  /** Share of unusual frames that alarm at the threshold of the bundle. */
  readonly detected: number;
}

/** From (0, 0) to (1, 1), neither coordinate ever falling. */
export interface RocCurve {
  readonly set: string;
  readonly score: string;
  readonly points: readonly (readonly [falseAlarms: number, detected: number])[];
  /** Where the threshold of the bundle lies. */
  readonly threshold?: readonly [falseAlarms: number, detected: number];
}

export interface ScoreHistogram {
  readonly set: string;
  readonly score: string;
  /** Bounds of the bins, ascending; one more than there are bins. */
  readonly edges: readonly number[];
  /** Frames in each bin. */
  readonly usual: readonly number[];
  readonly unusual: readonly number[];
  /** Frames with a lower score alarm. */
  readonly threshold?: number;
}

export interface CorruptionRow {
  readonly corruption: string;
  readonly frames: number;
  readonly auroc: number;
  readonly fpr95: number;
  readonly detected: number;
}

export interface AttackRow {
  readonly attack: string;
  readonly samples: number;
  /** The model answered otherwise. */
  readonly succeeded: number;
  /** Of those, how many raised an alarm. */
  readonly detected: number;
  /** Inferences until success. */
  readonly medianQueries?: number;
}

export interface DriftRow {
  readonly stream: string;
  /** Whether there is anything to find. */
  readonly drifts: boolean;
  readonly streams: number;
  /** Of each stream at most. */
  readonly frames: number;
  /** Streams that raised an alarm. */
  readonly alarms: number;
  /** Frames from the start of the drift to the alarm, over the streams with one. */
  readonly medianDelay?: number;
}

export interface CallerRow {
  readonly caller: string;
  /** Whether it is after the model. */
  readonly hostile: boolean;
  readonly runs: number;
  /** Of each run at most. */
  readonly queries: number;
  /** Runs in which the caller was found out. */
  readonly flagged: number;
  readonly medianQueries?: number;
}

export interface EvaluationLatency {
  readonly frames: number;
  /** Where it was measured; another board has other figures. */
  readonly machine: string;
  readonly inference: Timing;
  /** All that the guard does for one frame. */
  readonly guard: Timing;
}

export interface Timing {
  readonly medianUs: number;
  readonly p99Us: number;
}

export interface NotEvaluated {
  readonly what: string;
  readonly why: string;
}
