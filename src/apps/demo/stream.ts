/**
 * The demo's signals as data: the sets that the guard is fitted and calibrated on, and the recorded
 * stream of the main job. Seeded; every call gives the same values.
 */
import type { Tensor } from '../../core/numeric/tensor.ts';
import { SeededRandom } from './exact-math.ts';
import { CONDITIONS, RANGE_G, vibrationWindow, WINDOW_SAMPLES } from './vibration.ts';

export type FrameKind =
  | 'normal'
  | 'unseen-fault'
  | 'frozen-sensor'
  | 'not-a-number'
  | 'out-of-range'
  | 'hung-model';

export interface DemoFrame {
  readonly kind: FrameKind;
  /** What happens at the machine, for the timeline. */
  readonly description: string;
  /** One window, float32 [1, 1, 1024] in g. */
  readonly window: Tensor;
}

export interface DemoDatasets {
  /** float32 [1200, 1, 1024] in g. */
  readonly fit: Tensor;
  /** The condition of each fit window, an index into `CONDITIONS`. */
  readonly fitLabels: Int32Array;
  /**
   * Fresh windows of the same machine, float32 [2400, 1, 1024] in g. Each half of them sets a
   * threshold by rank; with fewer, a promise of 1% at 95% confidence costs more detections.
   */
  readonly calibration: Tensor;
}

/** The model was trained on another seed: nothing here was seen by it. */
const SEED = 407;
const FIT_ROWS = 1_200;
const CALIBRATION_ROWS = 2_400;
const NORMAL_FRAMES = 20;
const UNSEEN_FRAMES = 10;
const FROZEN_FRAMES = 5;

/** All conditions in turn; takes about a second. */
export function demoDatasets(): DemoDatasets {
  return {
    fit: normalWindows(FIT_ROWS, new SeededRandom(SEED, 0)),
    fitLabels: Int32Array.from({ length: FIT_ROWS }, (_, row) => row % CONDITIONS.length),
    calibration: normalWindows(CALIBRATION_ROWS, new SeededRandom(SEED, 1)),
  };
}

/**
 * 20 normal windows, 10 of the fault that the model never saw, 5 of a frozen sensor (one window
 * again and again), one with NaN, one beyond the sensor's range, and a normal one during which the
 * model hangs: whoever plays the stream answers it with `stuckModel()`.
 */
export function demoStream(): readonly DemoFrame[] {
  const random = new SeededRandom(SEED, 2);
  const normal = (index: number): Float32Array<ArrayBuffer> => {
    return vibrationWindow(CONDITIONS[index % CONDITIONS.length] ?? 'healthy', random);
  };
  const frames: DemoFrame[] = [];
  const add = (kind: FrameKind, description: string, data: Float32Array): void => {
    const dims = [1, 1, WINDOW_SAMPLES];
    frames.push({ kind, description, window: { dtype: 'float32', dims, data } });
  };
  for (let i = 0; i < NORMAL_FRAMES; i++) {
    add('normal', `bearing: ${CONDITIONS[i % CONDITIONS.length]}`, normal(i));
  }
  for (let i = 0; i < UNSEEN_FRAMES; i++) {
    const data = vibrationWindow('contaminated-grease', random);
    add('unseen-fault', 'hard particles in the grease, in no training data', data);
  }
  const frozen = normal(0);
  for (let i = 1; i <= FROZEN_FRAMES; i++) {
    add('frozen-sensor', `the sensor repeats one window, ${i} of ${FROZEN_FRAMES}`, frozen.slice());
  }
  const broken = normal(1);
  broken[WINDOW_SAMPLES / 2] = Number.NaN;
  add('not-a-number', 'one sample is not a number', broken);
  const beyond = normal(2);
  beyond[WINDOW_SAMPLES / 2] = 2 * RANGE_G;
  add('out-of-range', `one sample is ${2 * RANGE_G} g, the sensor ends at ${RANGE_G} g`, beyond);
  add('hung-model', 'the model does not answer', normal(3));
  return frames;
}

function normalWindows(rows: number, random: SeededRandom): Tensor {
  const data = new Float32Array(rows * WINDOW_SAMPLES);
  for (let row = 0; row < rows; row++) {
    const condition = CONDITIONS[row % CONDITIONS.length] ?? 'healthy';
    data.set(vibrationWindow(condition, random), row * WINDOW_SAMPLES);
  }
  return { dtype: 'float32', dims: [rows, 1, WINDOW_SAMPLES], data };
}
