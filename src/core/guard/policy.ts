/** The guard policy: statistics of the fit set, calibration scores, and the promise they carry. */
import type { CallerReference } from './caller-reference.ts';
import type { DriftPolicy } from './drift-policy.ts';
import type { InputPolicy } from './input-policy.ts';
import type { JointChecks, ScoredCheck } from './joint.ts';
import type { FeatureStatistics } from './novelty-detectors.ts';
import type { PerturbationPolicy } from './perturbation.ts';

export const GUARD_PROFILE = 'edgeward-guard/2';

/** Below it, no calibration set within the limits could make the promise. */
export const FALSE_ALARMS_MIN = 1e-6;
export const FALSE_ALARMS_MAX = 0.5;
export const CONFIDENCE_MIN = 0.5;
export const CONFIDENCE_MAX: number = 1 - 1e-9;

/** `reduced` means there is no features output: GEN on the logits alone. */
export type Detection = 'full' | 'reduced';

export interface NoveltyPolicy {
  /** `K`, the length of a row of logits. */
  readonly classes: number;
  /** Present exactly in full detection. */
  readonly statistics?: FeatureStatistics;
  /** Scores of half A, ascending, one array per detector in the order of the mode's detectors. */
  readonly halfA: readonly Float64Array[];
}

/** Which bytes a set came from; the set itself never enters a policy. */
export interface DataSet {
  readonly sha256: Uint8Array;
  readonly rows: number;
}

/** What is promised about false alarms, and on which evidence. */
export interface FalseAlarmPromise {
  /** Budget of the whole guard: share of in-distribution frames that may alarm. */
  readonly falseAlarms: number;
  /** With this probability over the draw of the calibration set the budget is kept. */
  readonly confidence: number;
  readonly rowsHalfA: number;
  readonly rowsHalfB: number;
  /** The promise in words, with its limits. */
  readonly statement: string;
  readonly fit: DataSet;
  readonly calibration: DataSet;
}

export interface GuardPolicy {
  readonly profile: typeof GUARD_PROFILE;
  /** The model whose outputs it judges, and no other. */
  readonly modelSha256: Uint8Array;
  readonly detection: Detection;
  /** Names of the model outputs that it reads; `features` exactly in full detection. */
  readonly outputs: { readonly scores: string; readonly features?: string };
  readonly novelty: NoveltyPolicy;
  /** Statistics of usual inputs; exactly where `checks` has a share for them. */
  readonly input?: InputPolicy;
  /** The tripwire; exactly where `checks` has a share for it. */
  readonly perturbation?: PerturbationPolicy;
  readonly drift?: DriftPolicy;
  /** How far apart usual frames lie, for the tests of callers; full detection only. */
  readonly callers?: CallerReference;
  /** How the checks share the budget, and from where on a frame is an alarm. */
  readonly checks: JointChecks;
  readonly promise: FalseAlarmPromise;
}

/** The promise in one paragraph, for people who read the policy or a report. */
export function promiseStatement(
  promise: Omit<FalseAlarmPromise, 'statement'>,
  checks: JointChecks,
): string {
  const percent = (share: number): string => `${Number((share * 100).toPrecision(6))}%`;
  const names = (Object.keys(checks.scales) as ScoredCheck[]).map(
    (check) => `${check} (${percent(checks.scales[check]?.share ?? 0)} of the budget)`,
  );
  return (
    `At most ${percent(promise.falseAlarms)} of the frames that are exchangeable with the ` +
    `calibration set raise an alarm of any of the checks ${names.join(', ')}; a calibration set ` +
    `drawn like this one keeps that with probability ${percent(promise.confidence)} (threshold: ` +
    `rank ${checks.rank} of ${promise.rowsHalfB} rows, ${promise.rowsHalfA} others shaped the ` +
    `scores). For correlated streams it holds per independent segment, not per frame. Nothing is ` +
    `promised about which unusual frames are caught.`
  );
}
