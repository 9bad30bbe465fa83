/** A small model of signals that really runs, and a guard with every part calibrated on it. */
import { need, type Result } from '../../../src/core/base/fault.ts';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import { type CalibrationInput, fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import {
  createGuard,
  type FrameContext,
  GUARD_AT_START,
  type Guard,
  type GuardParts,
  type GuardState,
  type Judgement,
  type Plan,
} from '../../../src/core/guard/guard.ts';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';
import { statisticsOf } from '../../../src/core/guard/input-statistics.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import type { ProbeSettings } from '../../../src/core/guard/perturbation.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { type Seen, smoothedFrame } from '../../../src/core/guard/seen-frame.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import { BATCH, float32, ms, settings } from './frames.ts';

export const SAMPLES = 16;
const [FEATURES, CLASSES] = [4, 3];

export const WHOLE_SCHEMA: IoSchema = {
  inputs: [{ name: 'x', dtype: 'float32', dims: [BATCH, 1, SAMPLES], layout: 'NCT' }],
  outputs: [
    { name: 'logits', dtype: 'float32', dims: [BATCH, CLASSES], role: 'scores' },
    { name: 'features', dtype: 'float32', dims: [BATCH, FEATURES], role: 'features' },
  ],
};

const LAYOUT: InputLayout = { kind: 'signal', channels: 1, samples: SAMPLES, channelsLast: false };

/** Each class has a frequency of its own. */
const HEAD = {
  weights: Float32Array.from({ length: CLASSES * FEATURES }, (_, at) =>
    Math.floor(at / FEATURES) === at % FEATURES ? 1 : -0.3,
  ),
  bias: Float32Array.of(0.1, 0, -0.1),
  classes: CLASSES,
  features: FEATURES,
};

/** Box-Muller. */
export function normals(seed: number): () => number {
  const next = seededNumbers(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export function signal(values: ArrayLike<number>): NamedTensors {
  return new Map([['x', float32([1, 1, SAMPLES], Array.from(values))]]);
}

export function samplesOf(inputs: NamedTensors): Float32Array {
  return inputs.get('x')?.data as Float32Array;
}

/** Usual frames, independent of each other: a wave of one of three lengths, and noise. */
export function usualSignals(seed: number): () => NamedTensors {
  const [next, normal] = [seededNumbers(seed), normals(seed + 1)];
  return () => {
    const [length, phase] = [2 + Math.floor(next() * CLASSES), next() * 6.28];
    return signal(
      Float32Array.from(
        { length: SAMPLES },
        (_, t) => Math.sin((6.28 * t) / (2 * length) + phase) + 0.3 * normal(),
      ),
    );
  };
}

/** Of usual frames those on which no check happens to alarm. */
export function calmSignals(seed: number): () => NamedTensors {
  const next = usualSignals(seed);
  const guard = wholeGuard();
  return () => {
    for (;;) {
      const inputs = next();
      if (codes(pass(guard, GUARD_AT_START, { inputs })).length === 0) return inputs;
    }
  };
}

/** The same with far too much gain. */
export function loudSignals(seed: number): () => NamedTensors {
  const next = usualSignals(seed);
  return () => signal(samplesOf(next()).map((value) => 50 * value));
}

/** What the model gives: the power at four frequencies, and a linear layer. */
export function infer(inputs: NamedTensors): NamedTensors {
  const x = samplesOf(inputs);
  const features = Float32Array.from({ length: FEATURES }, (_, i) => {
    let [re, im] = [0, 0];
    for (let t = 0; t < SAMPLES; t++) {
      const angle = (6.28 * t) / (2 * (i + 2));
      re += (x[t] as number) * Math.cos(angle);
      im += (x[t] as number) * Math.sin(angle);
    }
    return Math.log1p(re * re + im * im);
  });
  const logits = HEAD.bias.map((bias, c) =>
    features.reduce((sum, f, i) => sum + f * (HEAD.weights[c * FEATURES + i] as number), bias),
  );
  return outputsOf(logits, features);
}

export function outputsOf(
  logits: ArrayLike<number>,
  features: ArrayLike<number> = new Float32Array(FEATURES).fill(1),
): NamedTensors {
  return new Map<string, Tensor>([
    ['logits', float32([1, logits.length], Array.from(logits))],
    ['features', float32([1, features.length], Array.from(features))],
  ]);
}

export interface Recording {
  readonly outputs: CalibrationInput['fit'];
  readonly statistics: readonly (Float64Array | undefined)[];
  readonly probed: Float32Array;
}

export function record(seed: number, rows: number): Recording {
  const frame = usualSignals(seed);
  const logits = new Float32Array(rows * CLASSES);
  const features = new Float32Array(rows * FEATURES);
  const probed = new Float32Array(rows * CLASSES);
  const statistics: (Float64Array | undefined)[] = [];
  for (let row = 0; row < rows; row++) {
    const inputs = frame();
    const outputs = infer(inputs);
    logits.set(outputs.get('logits')?.data as Float32Array, row * CLASSES);
    features.set(outputs.get('features')?.data as Float32Array, row * FEATURES);
    const smoothed = infer(smoothedFrame(WHOLE_SCHEMA, inputs) as NamedTensors);
    probed.set(smoothed.get('logits')?.data as Float32Array, row * CLASSES);
    statistics.push(statisticsOf(LAYOUT, inputs.get('x') as Tensor));
  }
  const sha256 = new Uint8Array(32);
  new DataView(sha256.buffer).setUint32(0, seed);
  const rowsOf = (width: number, data: Float32Array) => ({ width, data });
  return {
    outputs: { logits: rowsOf(CLASSES, logits), features: rowsOf(FEATURES, features), sha256 },
    statistics,
    probed,
  };
}

/** Every frame is probed. */
export const PROBE: ProbeSettings = {
  when: 'both',
  riskP: 1,
  sampleEvery: 1,
  probesPerMinute: 60_000,
};

const FIT = record(2, 150);

/** A calibration with every part, which succeeds: 5% at 95% from the 118 rows it needs. */
export function wholeInput(
  seed: number = 100,
  probe: Partial<ProbeSettings> = {},
  rows: number = 118,
): CalibrationInput {
  const { outputs, statistics, probed } = record(seed, rows);
  return {
    modelSha256: new Uint8Array(32).fill(7),
    outputs: { scores: 'logits', features: 'features' },
    fit: FIT.outputs,
    calibration: outputs,
    head: HEAD,
    falseAlarms: 0.05,
    input: { name: 'x', layout: LAYOUT, fit: FIT.statistics, calibration: statistics },
    probed: {
      settings: { ...PROBE, ...probe },
      kind: 'median-3',
      logits: { width: CLASSES, data: probed },
    },
    drift: { alpha: 0.01, classes: true },
  };
}

export function wholePolicy(probe: Partial<ProbeSettings> = {}): GuardPolicy {
  return need(fitGuardPolicy(wholeInput(100, probe)));
}

/** Input statistics, novelty, tripwire, drift and callers. */
export const WHOLE: GuardPolicy = wholePolicy();
/** The same rows without the tripwire. */
export const UNPROBED: GuardPolicy = unprobed();

function unprobed(): GuardPolicy {
  const { probed: _, ...input } = wholeInput();
  return need(fitGuardPolicy(input));
}

export const SAFE: NamedTensors = outputsOf([0, 0, 9]);
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);

export function wholeGuard(parts: Partial<GuardParts> = {}): Guard {
  return createGuard({
    schema: WHOLE_SCHEMA,
    settings: settings(),
    kernels: referenceKernels,
    policy: WHOLE,
    safeOutput: SAFE,
    probeKey: KEY,
    ...parts,
  });
}

/** One frame through all three steps. */
export interface Pass {
  readonly inputs: NamedTensors;
  readonly context?: FrameContext | undefined;
  readonly atMs?: number;
  readonly mode?: Mode;
  /** What the model gave instead of `infer`. */
  readonly ran?: Result<NamedTensors>;
  /** What the smoothed frame gave instead of `infer`; `null` is a probe that was not run. */
  readonly probed?: Result<NamedTensors> | null;
}

export interface Passed {
  readonly plan: Plan;
  readonly seen: Seen;
  readonly state: GuardState;
  readonly judgement: Judgement;
}

export function pass(guard: Guard, state: GuardState, given: Pass): Passed {
  const { inputs, context, atMs = state.frames, mode = 'NOMINAL' } = given;
  const plan = guard.plan(state, inputs, ms(atMs), context);
  const ran = plan.runInference ? (given.ran ?? ran1(inputs)) : undefined;
  const seen = guard.see(plan, inputs, ran, ms(atMs));
  const probed =
    given.probed === null ? undefined : seen.probe && (given.probed ?? ran1(seen.probe));
  return { plan, seen, ...guard.judge(plan, seen, mode, ms(atMs), probed) };
}

/** Passes in turn; the first is made on what the guard knows at its start. */
export function passAll(guard: Guard, passes: readonly Pass[]): readonly Passed[] {
  let state = GUARD_AT_START;
  return passes.map((given) => {
    const passed = pass(guard, state, given);
    state = passed.state;
    return passed;
  });
}

export function codes({ judgement }: Passed): readonly string[] {
  return judgement.reasons.map(({ code }) => code);
}

function ran1(inputs: NamedTensors): Result<NamedTensors> {
  return { ok: true, value: infer(inputs) };
}
