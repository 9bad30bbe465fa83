/**
 * The spectrum that the demo's model computes inside its graph, as a basis for Conv and as plain
 * arithmetic for training: Hann-windowed DFT of 128 samples every 64, log power, then mean and
 * maximum over the frames.
 */
import { cosineOfTurns, naturalLog, sineOfTurns } from './exact-math.ts';

export const FRAME_SAMPLES: number = 128;
export const HOP_SAMPLES: number = 64;
/** Bins 0 to 63, each 100 Hz wide at 12,800 Hz. */
export const BINS: number = 64;
/** Added to the power (g squared) before the logarithm: below the noise of the sensor. */
export const POWER_FLOOR: number = Math.fround(1e-6);
/** What enters the classifier: the mean of each bin, then the maximum of each. */
export const SPECTRUM_SIZE: number = 2 * BINS;

/** `[2 x BINS, 1, FRAME_SAMPLES]`: the cosine rows of all bins, then the sine rows. */
export function dftBasis(): Float32Array {
  const basis = new Float32Array(2 * BINS * FRAME_SAMPLES);
  for (let n = 0; n < FRAME_SAMPLES; n++) {
    const hann = 0.5 - 0.5 * cosineOfTurns(n / FRAME_SAMPLES);
    // The window sums to half its length: a sine of amplitude A gets the power A squared.
    const scale = hann / (FRAME_SAMPLES / 4);
    for (let bin = 0; bin < BINS; bin++) {
      const turn = (bin * n) / FRAME_SAMPLES;
      basis[bin * FRAME_SAMPLES + n] = scale * cosineOfTurns(turn);
      basis[(BINS + bin) * FRAME_SAMPLES + n] = scale * sineOfTurns(turn);
    }
  }
  return basis;
}

/** The `SPECTRUM_SIZE` log powers of one window. */
export function spectrumOf(window: Float32Array, basis: Float32Array): Float64Array {
  const frames = Math.floor((window.length - FRAME_SAMPLES) / HOP_SAMPLES) + 1;
  const out = new Float64Array(SPECTRUM_SIZE);
  for (let bin = 0; bin < BINS; bin++) {
    let sum = 0;
    let max = -Infinity;
    for (let frame = 0; frame < frames; frame++) {
      const real = dot(window, frame * HOP_SAMPLES, basis, bin * FRAME_SAMPLES);
      const imaginary = dot(window, frame * HOP_SAMPLES, basis, (BINS + bin) * FRAME_SAMPLES);
      const level = naturalLog(real * real + imaginary * imaginary + POWER_FLOOR);
      sum += level;
      if (level > max) max = level;
    }
    out[bin] = sum / frames;
    out[BINS + bin] = max;
  }
  return out;
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number): number {
  let sum = 0;
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    sum += (a[aStart + i] as number) * (b[bStart + i] as number);
  }
  return sum;
}
