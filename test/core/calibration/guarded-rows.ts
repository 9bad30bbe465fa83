/** A simulated model behind its whole guard: rows with inputs, outputs and probes that go together. */
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import {
  type RowScorer,
  rowScorer,
  type ScoredRow,
  type ScoringParts,
} from '../../../src/core/calibration/scored-rows.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import type { SignalLayout } from '../../../src/core/guard/input-layout.ts';
import { statisticsOf } from '../../../src/core/guard/input-statistics.ts';
import { DEFAULT_PROBE_SETTINGS } from '../../../src/core/guard/perturbation.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../../src/core/guard/settings.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import { accepted } from '../base/outcome.ts';
import { simulatedInput, simulatedModel } from './simulated.ts';

export const SAMPLES = 64;
const CLASSES = 3;
const FEATURES = 4;
const LAYOUT: SignalLayout = { kind: 'signal', channels: 1, samples: SAMPLES, channelsLast: false };
const model = simulatedModel(CLASSES, FEATURES);

export const SCHEMA: IoSchema = {
  inputs: [
    {
      ...{ name: 'x', dtype: 'float32', dims: [1, SAMPLES], layout: 'NW' },
      range: { min: -100, max: 100 },
    },
  ],
  outputs: [
    { name: 'logits', dtype: 'float32', dims: [1, CLASSES], role: 'scores' },
    { name: 'features', dtype: 'float32', dims: [1, FEATURES], role: 'features' },
  ],
};

/** One row before anyone judges it. */
export interface RecordedRow {
  readonly frame: NamedTensors;
  readonly outputs: NamedTensors;
  /** What the model gives for the frame, smoothed. */
  readonly probed: NamedTensors;
}

/** `strangeness` moves the features, `loudness` scales the inputs, `shaky` the answers to probes. */
export interface Oddness {
  readonly strangeness?: number;
  readonly loudness?: number;
  readonly shaky?: boolean;
}

export function recordedRows(seed: number, count: number, odd: Oddness = {}): RecordedRow[] {
  const { strangeness = 0, loudness = 1, shaky = false } = odd;
  const { logits, features } = model.outputs(seed, count, strangeness);
  const next = seededNumbers(seed + 77);
  return Array.from({ length: count }, (_, row) => {
    const signal = Float32Array.from({ length: SAMPLES }, () => loudness * 4 * (next() - next()));
    const scores = logits.data.slice(row * CLASSES, (row + 1) * CLASSES);
    // How far smoothing pulls an answer back to none at all.
    const kept = (shaky ? 1e-6 : 1e-4) + 2e-4 * next();
    return {
      frame: new Map([['x', floats(signal)]]),
      outputs: new Map([
        ['logits', floats(scores)],
        ['features', floats(features.data.slice(row * FEATURES, (row + 1) * FEATURES))],
      ]),
      probed: new Map([['logits', floats(scores.map((z) => z * (shaky ? -kept : kept)))]]),
    };
  });
}

/** 5% at 95% for input, novelty and tripwire together, with drift and a reference for callers. */
export function guardedPolicy(calibrationRows: number = 400): GuardPolicy {
  const base = simulatedInput(model);
  const fit = recordedRows(2, 90);
  const rows = recordedRows(100, calibrationRows);
  const statistics = (of: readonly RecordedRow[]) =>
    of.map(({ frame }) => statisticsOf(LAYOUT, frame.get('x') as Tensor));
  return accepted(
    fitGuardPolicy({
      ...base,
      calibration: model.outputs(100, calibrationRows),
      input: { name: 'x', layout: LAYOUT, fit: statistics(fit), calibration: statistics(rows) },
      probed: {
        settings: DEFAULT_PROBE_SETTINGS,
        kind: 'median-3',
        logits: {
          width: CLASSES,
          data: Float32Array.from(
            rows.flatMap(({ probed }) => [
              ...((probed.get('logits') as Tensor).data as Float32Array),
            ]),
          ),
        },
      },
      drift: { alpha: 0.01, classes: true },
    }),
  );
}

export function partsOf(policy: GuardPolicy): ScoringParts {
  return { schema: SCHEMA, settings: DEFAULT_GUARD_SETTINGS, policy, kernels: referenceKernels };
}

/** Every row scored, and probed as well. */
export function scoredRows(
  policy: GuardPolicy,
  seed: number,
  count: number,
  odd: Oddness = {},
): readonly ScoredRow[] {
  const scorer = rowScorer(partsOf(policy));
  return recordedRows(seed, count, odd).map((row) => scoredRow(scorer, row));
}

export function scoredRow(scorer: RowScorer, { frame, outputs, probed }: RecordedRow): ScoredRow {
  const row = scorer.score(scorer.admit(frame), { ok: true, value: outputs });
  return scorer.scoreProbed(row, { ok: true, value: probed });
}

export function floats(data: Float32Array): Tensor {
  return { dtype: 'float32', dims: [1, data.length], data };
}
