/** Seeded Gaussian classes behind a linear layer: recorded outputs of a model that is not there. */
import type { CalibrationInput } from '../../../src/core/calibration/fit.ts';
import type { Head } from '../../../src/core/calibration/head.ts';
import type { RecordedOutputs, Rows } from '../../../src/core/calibration/rows.ts';

/** The published mulberry32; numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box-Muller. */
function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export interface SimulatedOutputs extends RecordedOutputs {
  readonly features: Rows;
  readonly labels: Int32Array;
}

export interface SimulatedModel {
  readonly head: Head & { readonly weights: Float32Array; readonly bias: Float32Array };
  readonly classes: number;
  /**
   * Every row is of a class drawn at random: classes in turn would be a stratified sample, whose
   * ranks are not those of independent frames. `strangeness`: standard deviations off the class.
   */
  outputs(seed: number, rows: number, strangeness?: number): SimulatedOutputs;
}

export function simulatedModel(classes: number, d: number): SimulatedModel {
  const next = randomNumbers(1);
  const means = Float64Array.from({ length: classes * d }, () => 20 + 10 * normal(next));
  // The best linear layer for such classes: w = m, b = -|m|^2 / 2.
  const weights = Float32Array.from(means);
  const bias = Float32Array.from({ length: classes }, (_, c) =>
    means.subarray(c * d, (c + 1) * d).reduce((sum, m) => sum - m ** 2 / 2, 0),
  );
  const away = Float64Array.from({ length: d }, () => normal(next));
  const head = { weights, bias, classes, features: d };
  return {
    head,
    classes,
    outputs(seed, rows, strangeness = 0) {
      const draw = randomNumbers(seed);
      const features = new Float32Array(rows * d);
      const logits = new Float32Array(rows * classes);
      const labels = Int32Array.from({ length: rows }, () => Math.floor(draw() * classes));
      for (let row = 0; row < rows; row++) {
        const mean = (labels[row] as number) * d;
        for (let i = 0; i < d; i++) {
          features[row * d + i] =
            (means[mean + i] as number) + normal(draw) + strangeness * (away[i] as number);
        }
        for (let c = 0; c < classes; c++) {
          let sum = bias[c] as number;
          for (let i = 0; i < d; i++) {
            sum += (weights[c * d + i] as number) * (features[row * d + i] as number);
          }
          logits[row * classes + c] = sum;
        }
      }
      const sha256 = new Uint8Array(32);
      new DataView(sha256.buffer).setUint32(0, seed);
      return {
        logits: { width: classes, data: logits },
        features: { width: d, data: features },
        labels,
        sha256,
      };
    },
  };
}

/** A calibration that succeeds: 3 classes, 4 features, 5% at 95% from the 118 rows it needs. */
export function simulatedInput(model: SimulatedModel, seed: number = 100): CalibrationInput {
  const fit = model.outputs(2, 90);
  return {
    modelSha256: new Uint8Array(32).fill(7),
    outputs: { scores: 'logits', features: 'features' },
    fit,
    labels: fit.labels,
    calibration: model.outputs(seed, 118),
    head: model.head,
    falseAlarms: 0.05,
  };
}
