/** Synthetic callers that the tests of guard 7 share: clusters of features, and those who probe them. */
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { fitCallerReference } from '../../../src/core/calibration/fit-callers.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import {
  type CallerFrame,
  type CallerRules,
  judgeCaller,
} from '../../../src/core/guard/caller-judge.ts';
import type { CallerReference } from '../../../src/core/guard/caller-reference.ts';
import {
  type CallerSettings,
  DEFAULT_CALLER_SETTINGS,
} from '../../../src/core/guard/caller-settings.ts';
import { type CallersState, NO_CALLERS } from '../../../src/core/guard/caller-state.ts';
import type { Finding } from '../../../src/core/guard/findings.ts';
import { ms } from './frames.ts';

export const FEATURES = 16;
const CLASSES = 5;

export interface Frame extends CallerFrame {
  readonly features: Float32Array;
  readonly label: number;
}

/** Usual frames: a centre for each class and noise around it; novelty p uniform. */
export function usualFrames(seed: number): () => Frame {
  const next = seededNumbers(seed);
  const centre = seededNumbers(1);
  const centres = Array.from({ length: CLASSES }, () => vectorOf(() => centre()));
  return () => {
    const label = Math.floor(next() * CLASSES);
    const features = (centres[label] as Float32Array).map((c) => c + 0.3 * (next() - next()));
    return { features, label, noveltyP: 1 - next() };
  };
}

/** The same frame a little changed, one value in eight of it. */
export function nudged(frame: Frame, next: () => number, by = 0.01): Frame {
  const features = frame.features.map((value) => (next() < 0.125 ? value + by : value));
  return { ...frame, features, noveltyP: 1 - next() };
}

export const REFERENCE: CallerReference = referenceOf(600);

export function settings(changes: Partial<CallerSettings> = {}): CallerSettings {
  return { ...DEFAULT_CALLER_SETTINGS, ...changes };
}

export const SENSOR: CallerSettings = settings({
  principals: new Map([['camera', { kind: 'sensor', perSecond: 100, burst: 100, budget: 0 }]]),
});

export interface Run {
  readonly state: CallersState;
  /** What was found first, and at which frame, counted from 1. */
  readonly first: { readonly at: number; readonly findings: readonly Finding[] } | undefined;
}

/** Judges frames until something is found, or `count` of them. */
export function judgeAll(
  frames: () => CallerFrame,
  count: number,
  name = 'someone',
  rules: CallerRules = { settings: settings(), reference: REFERENCE },
): Run {
  let state: CallersState = NO_CALLERS;
  for (let at = 1; at <= count; at++) {
    const step = judgeCaller(state, rules, name, frames(), ms(at) as MonotonicMs);
    state = step.state;
    if (step.findings.length > 0) return { state, first: { at, findings: step.findings } };
  }
  return { state, first: undefined };
}

export function codesOf({ first }: Run): readonly string[] {
  return first?.findings.map(({ code }) => code) ?? [];
}

function referenceOf(rows: number): CallerReference {
  const next = usualFrames(99);
  const data = new Float32Array(rows * FEATURES);
  for (let row = 0; row < rows; row++) data.set(next().features, row * FEATURES);
  const reference = fitCallerReference({ width: FEATURES, data });
  if (reference === undefined) throw new Error('no two of the rows differ');
  return reference;
}

function vectorOf(value: () => number): Float32Array {
  return Float32Array.from({ length: FEATURES }, value);
}
