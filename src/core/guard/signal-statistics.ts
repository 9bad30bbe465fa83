/** What a window of a signal looks like as a whole, in a few numbers that sensor faults change. */
import { type SignalLayout, stridesOf } from './input-layout.ts';
import {
  bitsOf,
  type Channel,
  type ChannelScan,
  countDistinct,
  scanChannel,
} from './value-scan.ts';

const OF_A_CHANNEL = [
  'mean',
  'sd',
  'kurtosis',
  'crest factor',
  'zero-crossing rate',
  'spectral centroid',
  'share at the lower rail',
  'share at the upper rail',
  'distinct values',
] as const;

/** In the order of `signalStatistics`: all of the first channel, then all of the next. */
export function signalStatisticNames({ channels }: SignalLayout): readonly string[] {
  if (channels === 1) return OF_A_CHANNEL;
  return Array.from({ length: channels }, (_, c) =>
    OF_A_CHANNEL.map((name) => `${name} of channel ${c}`),
  ).flat();
}

/**
 * Per channel, as each may be a sensor of its own:
 * - mean and standard deviation;
 * - kurtosis (the fourth moment over the squared variance, 3 for noise) and crest factor (the peak
 *   over the standard deviation), both about the mean;
 * - zero-crossing rate: the share of steps on which the signal crosses its mean;
 * - spectral centroid, in [0, 1]: the mean of `sin^2(pi f / f_s)` over the power spectrum, 0 at
 *   constant and 1 at half the sampling rate `f_s`. By Parseval it needs no transform: a step
 *   multiplies the spectrum by `4 sin^2`, so it is the mean square of the steps over 4 times the
 *   variance;
 * - the share of values at the lower and at the upper rail, which are the ends that this window
 *   reaches: an amplifier clips where it does, and not where the schema ends;
 * - the number of distinct values: stuck bits and values that are held.
 *
 * A channel that is constant has 0 for all that is relative to its standard deviation.
 *
 * `undefined` where a value is NaN or infinite. Otherwise every number is finite: the fourth power
 * of a difference of two float32 neither overflows nor vanishes in a double.
 *
 * @param values one row, as many as the layout says
 */
export function signalStatistics(
  values: Float32Array,
  layout: SignalLayout,
): Float64Array | undefined {
  const { channels, samples } = layout;
  const strides = stridesOf(layout);
  const bits = bitsOf(values);
  const out = new Float64Array(channels * OF_A_CHANNEL.length);
  for (let c = 0, at = 0; c < channels; c++) {
    const channel: Channel = {
      first: c * strides.channel,
      lines: 1,
      jump: 0,
      length: samples,
      step: strides.step,
    };
    const scan = scanChannel(values, channel);
    if (!Number.isFinite(scan.variance)) return undefined;
    const { kurtosis, crest, crossings, centroid } = shapeOf(values, channel, scan);
    out[at++] = scan.mean;
    out[at++] = Math.sqrt(scan.variance);
    out[at++] = kurtosis;
    out[at++] = crest;
    out[at++] = crossings;
    out[at++] = centroid;
    out[at++] = scan.atLowest / samples;
    out[at++] = scan.atHighest / samples;
    out[at++] = countDistinct(bits, channel);
  }
  return out;
}

function shapeOf(
  values: Float32Array,
  { first, length, step }: Channel,
  { mean, variance, lowest, highest }: ChannelScan,
) {
  if (variance === 0) return { kurtosis: 0, crest: 0, crossings: 0, centroid: 0 };
  let fourth = 0;
  let crossings = 0;
  let steps = 0;
  let before = (values[first] as number) - mean;
  for (let at = first, end = first + length * step; at < end; at += step) {
    const beyond = (values[at] as number) - mean;
    const square = beyond * beyond;
    fourth += square * square;
    if (beyond < 0 !== before < 0) crossings += 1;
    steps += (beyond - before) * (beyond - before);
    before = beyond;
  }
  return {
    kurtosis: fourth / length / (variance * variance),
    crest: Math.max(highest - mean, mean - lowest) / Math.sqrt(variance),
    crossings: crossings / (length - 1),
    centroid: steps / (length - 1) / (4 * variance),
  };
}
