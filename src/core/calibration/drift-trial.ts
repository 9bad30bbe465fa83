/** How drift behaves on streams whose truth is known: how often it alarms wrongly, and how late rightly. */
import {
  acknowledgeDrift,
  DRIFT_AT_START,
  type DriftInput,
  type DriftState,
  midP,
  stepDrift,
} from '../guard/drift.ts';
import { type DriftPolicy, driftPolicy } from '../guard/drift-policy.ts';
import type { FindingCode } from '../guard/findings.ts';

export interface NullTrial {
  readonly streams: number;
  /** Of each stream. */
  readonly frames: number;
  /** Rows of each stream's own bank, and of its own calibration counts. */
  readonly bankRows: number;
  readonly classes: number;
  readonly alpha: number;
  readonly delta: number;
  /** Numbers in [0, 1), as independent as can be had. */
  readonly next: () => number;
}

/**
 * Streams in which nothing drifts: for each a fresh bank, fresh class frequencies and a fresh
 * calibration set drawn from them, and frames from the same. A stream ends with its first alarm.
 *
 * @returns the alarms, one code for each stream that raised any
 */
export function nullStreamAlarms(trial: NullTrial): readonly FindingCode[] {
  const alarms: FindingCode[] = [];
  for (let stream = 0; stream < trial.streams; stream++) {
    const { policy, frame } = nullStream(trial);
    const alarm = framesToAlarm(policy, repeated(trial.frames, frame));
    if (alarm !== undefined) alarms.push(alarm.code);
  }
  return alarms;
}

/**
 * Counted from 1, the frame that raises the first alarm; `undefined` when none does. An alarm that
 * stands in `state` is acknowledged first.
 */
export function framesToAlarm(
  policy: DriftPolicy,
  frames: Iterable<DriftInput>,
  state: DriftState = DRIFT_AT_START,
): { readonly frame: number; readonly code: FindingCode } | undefined {
  let now = acknowledgeDrift(state, policy);
  let count = 0;
  for (const input of frames) {
    count += 1;
    const step = stepDrift(now, policy, input);
    now = step.state;
    const [first] = step.raised;
    if (first !== undefined) return { frame: count, code: first.code };
  }
  return undefined;
}

function nullStream(trial: NullTrial): { policy: DriftPolicy; frame: () => DriftInput } {
  const { bankRows, classes, alpha, delta, next } = trial;
  const bank = (): Float64Array => Float64Array.from({ length: bankRows }, next).sort();
  const [novelty, input] = [bank(), bank()];
  const weights = Array.from({ length: classes }, () => 0.1 + next());
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const answer = (): number => {
    let left = next() * total;
    const at = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return at < 0 ? classes - 1 : at;
  };
  const classCounts = Array<number>(classes).fill(0);
  for (let row = 0; row < bankRows; row++) {
    const at = answer();
    classCounts[at] = 1 + (classCounts[at] as number);
  }
  return {
    policy: driftPolicy({ alpha, delta, bankRows, classCounts }),
    frame: () => ({
      noveltyP: midP(novelty, next()),
      inputP: midP(input, next()),
      class: answer(),
    }),
  };
}

function* repeated<T>(times: number, make: () => T): Generator<T> {
  for (let i = 0; i < times; i++) yield make();
}
