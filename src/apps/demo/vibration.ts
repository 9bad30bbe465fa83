/**
 * Simulated vibration of a pump's bearing housing, as an accelerometer gives it: shaft orders,
 * vane passing, mains hum, friction noise, and where the bearing is damaged an impulse train that
 * rings the structure. Pure and seeded; the same on every version of Node.js.
 *
 * The machine is a two-pole motor with a pump of five vanes. Bearing frequencies are those of a
 * 6205 deep-groove ball bearing (nine balls): 3.585, 5.415 and 2 x 2.357 per shaft turn for the
 * outer race, the inner race and a ball that meets both races, 0.398 for the cage.
 */
import {
  cosineOfTurns,
  exponential,
  naturalLog,
  type SeededRandom,
  sineOfTurns,
} from './exact-math.ts';

export const SAMPLE_RATE_HZ: number = 12_800;
export const WINDOW_SAMPLES: number = 1_024;
/** What the accelerometer can measure: -20 to 20 g. */
export const RANGE_G: number = 20;

/** What the model is trained to tell apart, in the order of its outputs. */
export const CONDITIONS: readonly Condition[] = ['healthy', 'outer-race', 'inner-race', 'ball'];

export type Condition = 'healthy' | 'outer-race' | 'inner-race' | 'ball';

/** Hard particles in the grease; no training, fit or calibration data hold it. */
export type UnseenFault = 'contaminated-grease';

const WARM_UP_SAMPLES = 256;
const TOTAL_SAMPLES = WARM_UP_SAMPLES + WINDOW_SAMPLES;

/**
 * One window of 1,024 samples in g, 80 ms long. Speed, load, severity, phases and noise are drawn
 * from `random`.
 */
export function vibrationWindow(
  state: Condition | UnseenFault,
  random: SeededRandom,
): Float32Array<ArrayBuffer> {
  const load = random.unit();
  const shaftHz = 49.8 - 0.9 * load + 0.05 * random.normal();
  const signal = new Float64Array(TOTAL_SAMPLES);
  addShaftOrders(signal, shaftHz, load, random);
  addFriction(signal, load, random);
  if (state === 'contaminated-grease') addContamination(signal, load, random);
  else if (state !== 'healthy') addBearingDefect(signal, DEFECTS[state], shaftHz, load, random);
  const noiseG = random.between(0.015, 0.04);
  return Float32Array.from({ length: WINDOW_SAMPLES }, (_, i) => {
    return (signal[WARM_UP_SAMPLES + i] as number) + noiseG * random.normal();
  });
}

/** Residual imbalance and misalignment (1x to 4x), the five vanes, and twice the mains. */
function addShaftOrders(
  signal: Float64Array,
  shaftHz: number,
  load: number,
  random: SeededRandom,
): void {
  const orders = [0.1, 0.05, 0.025, 0.012];
  orders.forEach((amplitudeG, i) => {
    addTone(signal, (i + 1) * shaftHz, amplitudeG * random.between(0.6, 1.4), random);
  });
  const vaneG = (0.03 + 0.04 * load) * random.between(0.7, 1.3);
  addTone(signal, 5 * shaftHz, vaneG, random);
  addTone(signal, 10 * shaftHz, 0.4 * vaneG * random.between(0.7, 1.3), random);
  addTone(signal, 100, random.between(0.01, 0.03), random);
}

/** Rolling friction: noise through two modes of the housing; grows with the load. */
function addFriction(signal: Float64Array, load: number, random: SeededRandom): void {
  const levelG = (0.02 + 0.03 * load) * random.between(0.7, 1.4);
  const drive = Float64Array.from(signal, () => random.normal());
  addRinging(signal, drive, { hz: 2_150, dampingHz: 180 }, 0.5 * levelG, random);
  addRinging(signal, drive, { hz: 3_400, dampingHz: 350 }, 0.4 * levelG, random);
}

interface Mode {
  readonly hz: number;
  /** Half-power bandwidth; the ring-down falls to 1/e within 1 / (pi x dampingHz) seconds. */
  readonly dampingHz: number;
}

interface Defect {
  /** Impacts per shaft turn. */
  readonly order: number;
  /** Amplitude modulation: how often per shaft turn, and how deep (0 to 1). */
  readonly modulationOrder: number;
  readonly modulationDepth: number;
  /** What the impact rings on its way to the sensor, and how strongly. */
  readonly modes: readonly (Mode & { readonly gain: number })[];
}

const DEFECTS: Readonly<Record<Exclude<Condition, 'healthy'>, Defect>> = {
  // The damage stays in the load zone and lies next to the sensor.
  'outer-race': {
    order: 3.585,
    modulationOrder: 1,
    modulationDepth: 0.1,
    modes: [
      { hz: 3_150, dampingHz: 160, gain: 1 },
      { hz: 2_150, dampingHz: 180, gain: 0.35 },
    ],
  },
  // The damage turns through the load zone once per turn; the way leads through balls and film.
  'inner-race': {
    order: 5.415,
    modulationOrder: 1,
    modulationDepth: 0.75,
    modes: [
      { hz: 4_450, dampingHz: 260, gain: 0.8 },
      { hz: 2_150, dampingHz: 180, gain: 0.4 },
    ],
  },
  // A ball hits both races in turn and moves through the load zone with the cage.
  ball: {
    order: 4.714,
    modulationOrder: 0.398,
    modulationDepth: 0.6,
    modes: [
      { hz: 1_600, dampingHz: 140, gain: 0.6 },
      { hz: 5_300, dampingHz: 380, gain: 0.5 },
    ],
  },
};

function addBearingDefect(
  signal: Float64Array,
  defect: Defect,
  shaftHz: number,
  load: number,
  random: SeededRandom,
): void {
  const severityG = severity(load, random);
  const phase = random.unit();
  const turnHz = defect.modulationOrder * shaftHz;
  const spacing = SAMPLE_RATE_HZ / (defect.order * shaftHz);
  const start = spacing * random.unit();
  let count = 0;
  const drive = impacts(
    // 1.5% of slip between one impact and the next; the first comes at a random time.
    () => (count++ === 0 ? start : spacing * (1 + 0.015 * random.normal())),
    (seconds) => {
      const dip = defect.modulationDepth * (0.5 - 0.5 * cosineOfTurns(turnHz * seconds + phase));
      return (1 - dip) * (1 + 0.1 * random.normal());
    },
  );
  for (const mode of defect.modes) {
    addRinging(signal, drive, mode, severityG * mode.gain, random);
  }
}

/**
 * Particles are over-rolled wherever they happen to be: on both races and on the balls, each path
 * with its own modes, at random times (no period, unlike any local damage) and sizes. The severity
 * is that of the damages which the model was trained on.
 */
function addContamination(signal: Float64Array, load: number, random: SeededRandom): void {
  const severityG = severity(load, random);
  for (const { modes } of Object.values(DEFECTS)) {
    const meanSpacing = SAMPLE_RATE_HZ / random.between(80, 240);
    const drive = impacts(
      () => -meanSpacing * naturalLog(1 - random.unit()),
      () => random.between(0.2, 1.2),
    );
    for (const mode of modes) addRinging(signal, drive, mode, severityG * mode.gain, random);
  }
}

/** Size of the impacts in g: early to advanced damage, more under load. */
function severity(load: number, random: SeededRandom): number {
  return random.between(0.15, 0.6) * (0.8 + 0.4 * load);
}

/** Impacts `nextSpacing` samples apart, each as strong as `strength` of its time. */
function impacts(nextSpacing: () => number, strength: (seconds: number) => number): Float64Array {
  const drive = new Float64Array(TOTAL_SAMPLES);
  for (let at = nextSpacing(); at < TOTAL_SAMPLES; at += nextSpacing()) {
    const sample = Math.floor(at);
    drive[sample] = (drive[sample] as number) + strength(at / SAMPLE_RATE_HZ);
  }
  return drive;
}

/** Adds `peakG` times the response of one mode, whose frequency differs by 1.5% (sd) by mounting. */
function addRinging(
  signal: Float64Array,
  drive: Float64Array,
  mode: Mode,
  peakG: number,
  random: SeededRandom,
): void {
  const hz = mode.hz * (1 + 0.015 * random.normal());
  const decay = exponential((-Math.PI * mode.dampingHz) / SAMPLE_RATE_HZ);
  const turn = hz / SAMPLE_RATE_HZ;
  // y[n] = 2 r cos(w) y[n-1] - r^2 y[n-2] + x[n]: an impulse rings as r^n sin(w (n+1)) / sin(w).
  const back1 = 2 * decay * cosineOfTurns(turn);
  const back2 = -decay * decay;
  const gain = peakG * sineOfTurns(turn);
  let y1 = 0;
  let y2 = 0;
  for (let n = 0; n < signal.length; n++) {
    const y = back1 * y1 + back2 * y2 + (drive[n] as number);
    y2 = y1;
    y1 = y;
    signal[n] = (signal[n] as number) + gain * y;
  }
}

/** A sine of random phase, by the recurrence of a turning phasor's imaginary part. */
function addTone(signal: Float64Array, hz: number, amplitudeG: number, random: SeededRandom): void {
  const turn = hz / SAMPLE_RATE_HZ;
  const phase = random.unit();
  const back1 = 2 * cosineOfTurns(turn);
  let y1 = amplitudeG * sineOfTurns(phase - turn);
  let y2 = amplitudeG * sineOfTurns(phase - 2 * turn);
  for (let n = 0; n < signal.length; n++) {
    const y = back1 * y1 - y2;
    y2 = y1;
    y1 = y;
    signal[n] = (signal[n] as number) + y;
  }
}
