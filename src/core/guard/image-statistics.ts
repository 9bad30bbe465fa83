/** What a camera's frame looks like as a whole, in a few numbers that sensor faults change. */
import { IMAGE_VALUES_WHOLE } from '../base/limits.ts';
import { type ImageLayout, type Strides, stridesOf } from './input-layout.ts';
import {
  bitsOf,
  type Channel,
  type ChannelScan,
  countDistinct,
  scanChannel,
} from './value-scan.ts';

const ALL = [
  'mean',
  'sd',
  'log Laplacian variance',
  'log row/column gradient ratio',
  'share at the lower rail',
  'share at the upper rail',
  'distinct values',
  'lowest value',
  'highest value',
  'side of the largest uniform square',
] as const;

/** In the order of `imageStatistics`; without a red and a blue channel there is no `|R-B|`. */
export function imageStatisticNames({ channels }: ImageLayout): readonly string[] {
  return channels >= 3 ? [...ALL, '|R-B|'] : ALL;
}

/**
 * - mean and standard deviation over all channels;
 * - the natural logarithm of the Laplacian's variance: sharpness and noise. Per channel, as the mean
 *   of several channels hides the noise of each;
 * - the logarithm of the energy of differences between rows over that between columns: dead lines
 *   and turned cameras;
 * - the share of values at the lower and at the upper rail. The rails are the ends that each channel
 *   reaches in this frame: a sensor saturates where it does, and not where the schema ends;
 * - the number of distinct values, of the channel that has fewest: stuck bits;
 * - the lowest and the highest value: nearly every scene has something dark and something bright in
 *   it, so that these ends, and not the mean, tell added light from a bright scene;
 * - the side of the largest square of one colour: a block that a decoder fills for a lost packet, a
 *   stuck region, a cover. Larger than a few pixels it is rare even in front of a white wall;
 * - the mean distance of the first to the third channel.
 *
 * Of an image with more than 1,024 values it looks at every n-th line and its neighbours, n the square
 * root of how many times larger it is (of 240 lines of 320 pixels in colours, at 16), and for squares
 * at every n-th pixel of these, in whose steps the side is counted.
 *
 * `undefined` where a value looked at is NaN or infinite. Otherwise every number is finite: the
 * logarithm of 0 is taken of the smallest double.
 *
 * @param values one row, as many as the layout says
 */
export function imageStatistics(
  values: Float32Array,
  layout: ImageLayout,
): Float64Array | undefined {
  const { channels, height, width } = layout;
  const every = Math.ceil(Math.sqrt(values.length / IMAGE_VALUES_WHOLE));
  const strides = stridesOf(layout);
  const scans: ChannelScan[] = [];
  let distinct = Infinity;
  for (let c = 0; c < channels; c++) {
    const channel = channelOf(c, layout, strides, every);
    scans.push(scanChannel(values, channel));
    distinct = Math.min(distinct, countDistinct(bitsOf(values), channel));
  }
  const { mean, variance, lower, upper, lowest, highest } = pooled(scans);
  const looked = channels * Math.ceil(height / every) * width;
  const { laplacian, acrossRows, acrossColumns } = structure(values, layout, strides, every);
  const out = new Float64Array(channels >= 3 ? ALL.length + 1 : ALL.length);
  out[0] = mean;
  out[1] = Math.sqrt(variance);
  out[2] = logOf(laplacian);
  out[3] = logOf(acrossRows) - logOf(acrossColumns);
  out[4] = lower / looked;
  out[5] = upper / looked;
  out[6] = distinct;
  out[7] = lowest;
  out[8] = highest;
  out[9] = uniformSide(values, layout, strides, every);
  if (channels >= 3) out[10] = redToBlue(values, layout, strides, every);
  return out.every(Number.isFinite) ? out : undefined;
}

function channelOf(c: number, layout: ImageLayout, strides: Strides, every: number): Channel {
  return {
    first: c * strides.channel,
    lines: Math.ceil(layout.height / every),
    jump: every * strides.line,
    length: layout.width,
    step: strides.step,
  };
}

/** All channels have equally many values. Equal means have exactly that mean and no variance. */
function pooled(scans: readonly ChannelScan[]) {
  const origin = scans[0]?.mean ?? Number.NaN;
  let mean = origin;
  let within = 0;
  let between = 0;
  let lower = 0;
  let upper = 0;
  let lowest = Infinity;
  let highest = -Infinity;
  for (const scan of scans) {
    mean += (scan.mean - origin) / scans.length;
    within += scan.variance / scans.length;
    lower += scan.atLowest;
    upper += scan.atHighest;
    lowest = Math.min(lowest, scan.lowest);
    highest = Math.max(highest, scan.highest);
  }
  for (const scan of scans) between += (scan.mean - mean) ** 2 / scans.length;
  return { mean, variance: within + between, lower, upper, lowest, highest };
}

interface Structure {
  /** Mean square of the Laplacian; its mean is nothing but what the border adds. */
  readonly laplacian: number;
  /** Mean square of the difference of a pixel to the one below, and to the one on its right. */
  readonly acrossRows: number;
  readonly acrossColumns: number;
}

/** Over the pixels that have neighbours on all four sides. */
function structure(
  values: Float32Array,
  { channels, height, width }: ImageLayout,
  { channel, line, step }: Strides,
  every: number,
): Structure {
  let laplacian = 0;
  let acrossRows = 0;
  let acrossColumns = 0;
  let count = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 1; y < height - 1; y += every) {
      let at = c * channel + y * line + step;
      const end = at + (width - 2) * step;
      let here = values[at] as number;
      let fromLeft = here - (values[at - step] as number);
      for (; at < end; at += step) {
        const right = values[at + step] as number;
        const toRight = right - here;
        const toBelow = (values[at + line] as number) - here;
        const curve = toRight - fromLeft + toBelow + ((values[at - line] as number) - here);
        laplacian += curve * curve;
        acrossRows += toBelow * toBelow;
        acrossColumns += toRight * toRight;
        fromLeft = toRight;
        here = right;
      }
      count += width - 2;
    }
  }
  return {
    laplacian: laplacian / count,
    acrossRows: acrossRows / count,
    acrossColumns: acrossColumns / count,
  };
}

/**
 * The largest square of pixels that are all the same in every channel: each pixel is the lower right
 * corner of a square one larger than the smallest that ends at its three neighbours.
 */
function uniformSide(
  values: Float32Array,
  { channels, height, width }: ImageLayout,
  { channel, line, step }: Strides,
  grid: number,
): number {
  const [down, right] = [grid * line, grid * step];
  const columns = Math.ceil(width / grid);
  const sides = new Int32Array(columns).fill(1);
  let largest = 1;
  for (let y = grid, start = down; y < height; y += grid, start += down) {
    let aboveLeft = sides[0] as number;
    let left = values[start] as number;
    for (let x = 1, at = start + right; x < columns; x++, at += right) {
      const here = values[at] as number;
      const above = sides[x] as number;
      let side = 1;
      // Nearly all pixels differ from the one to their left already in the first channel.
      if (here === left && sameAround(values, at, right, down, channels, channel)) {
        side = 1 + Math.min(aboveLeft, above, sides[x - 1] as number);
        if (side > largest) largest = side;
      }
      sides[x] = side;
      aboveLeft = above;
      left = here;
    }
  }
  return largest;
}

/** Whether a pixel, the one to its left, the one above and the one between are the same. */
function sameAround(
  values: Float32Array,
  at: number,
  right: number,
  down: number,
  channels: number,
  channel: number,
): boolean {
  for (let c = 0, i = at; c < channels; c++, i += channel) {
    const value = values[i] as number;
    if (value !== values[i - right] || value !== values[i - down]) return false;
    if (value !== values[i - down - right]) return false;
  }
  return true;
}

function redToBlue(
  values: Float32Array,
  { height, width }: ImageLayout,
  { channel, line, step }: Strides,
  every: number,
): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y += every) {
    for (let at = y * line, end = at + width * step; at < end; at += step) {
      sum += Math.abs((values[at] as number) - (values[at + 2 * channel] as number));
    }
    count += width;
  }
  return sum / count;
}

function logOf(energy: number): number {
  return Math.log(Math.max(energy, Number.MIN_VALUE));
}
