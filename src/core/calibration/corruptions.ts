/**
 * The corruption sweep: what goes wrong in a sensor and its wires, done to recorded rows, so that a
 * report can say which of it the guard sees. Pure: chance comes from the caller's generator.
 *
 * Severities of images are those of a camera of 8 bits: one of its 255 steps is a 255th of the range.
 * What a camera itself would do is clipped to the range and rounded to its steps, as its frames are.
 * Signals have no such scale: severities are in standard deviations of the row's own channel.
 */
import type { ValueRange } from '../bundle/io-schema.ts';
import {
  type ImageLayout,
  type InputLayout,
  type SignalLayout,
  type Strides,
  stridesOf,
  valuesOfRow,
} from '../guard/input-layout.ts';
import type { Tensor } from '../numeric/tensor.ts';
import { shuffled } from './seeded-numbers.ts';

export interface Corruption {
  readonly name: string;
  /**
   * A corrupted copy of one row; `undefined` where it cannot be done to such a layout, as a rotation
   * of an image that is not square, or to other data than float32.
   *
   * @param random numbers in [0, 1)
   */
  apply(
    tensor: Tensor,
    layout: InputLayout,
    range: ValueRange,
    random: () => number,
  ): Tensor | undefined;
}

export const CORRUPTIONS_IMAGE: readonly Corruption[] = [
  eachPixel('Gaussian noise sd 25', (value, random) => value + 25 * normal(random)),
  eachPixel('Gaussian noise sd 60', (value, random) => value + 60 * normal(random)),
  image('box blur 5x5', (row) => camera(row, boxBlur(row))),
  eachPixel('brightness -90', (value) => value - 90),
  eachPixel('brightness +110', (value) => value + 110),
  image('contrast x 0.35', (row) => {
    const mean = row.values.reduce((sum, value) => sum + value, 0) / row.values.length;
    return camera(
      row,
      row.values.map((value) => mean + 0.35 * (value - mean)),
    );
  }),
  image('4 dead rows', (row, random) => {
    for (const y of shuffled(row.layout.height, random).subarray(0, 4)) {
      fill(row, { top: y, height: 1, left: 0, width: row.layout.width }, row.range.min);
    }
    return row.values;
  }),
  image('grey occlusion 12x12', (row, random) => {
    const { height: h, width: w } = row.layout;
    if (Math.min(h, w) < OCCLUSION) return undefined;
    const top = Math.floor(random() * (h - OCCLUSION + 1));
    const left = Math.floor(random() * (w - OCCLUSION + 1));
    const grey = row.range.min + 128 * stepOf(row.range);
    fill(row, { top, height: OCCLUSION, left, width: OCCLUSION }, grey);
    return row.values;
  }),
  image('values divided by 255', ({ values }) => values.map((value) => value / 255)),
  image('90-degree rotation', (row) => {
    const { layout, strides, values } = row;
    const last = layout.height - 1;
    if (layout.width !== layout.height) return undefined;
    return mapPixels(
      row,
      (first, y, x) => values[first + x * strides.line + (last - y) * strides.step],
    );
  }),
  image('channel swap', (row) => {
    const { layout, strides, values } = row;
    if (layout.channels < 3) return undefined;
    const other = [2 * strides.channel, 0, -2 * strides.channel];
    return mapPixels(row, (first, y, x, channel) => {
      const at = first + y * strides.line + x * strides.step;
      return values[at + (other[channel] ?? 0)];
    });
  }),
];

export const CORRUPTIONS_SIGNAL: readonly Corruption[] = [
  eachChannel('stuck half', (channel) => {
    const middle = channel.length >> 1;
    return channel.fill(channel[middle] as number, middle);
  }),
  eachChannel('bias', (channel) => {
    const { sd } = moments(channel);
    return channel.map((value) => value + sd);
  }),
  eachChannel('gain', (channel) => channel.map((value) => 2 * value)),
  eachChannel('clip', (channel) => {
    const { mean, sd } = moments(channel);
    return channel.map((value) => Math.min(mean + sd, Math.max(mean - sd, value)));
  }),
  eachChannel('half rate', (channel) => channel.map((_, at) => channel[at & ~1] as number)),
  eachChannel('noise', (channel, random) => {
    const { sd } = moments(channel);
    return channel.map((value) => value + 0.5 * sd * normal(random));
  }),
];

const OCCLUSION = 12;
const BLUR_RADIUS = 2;

/** One image that may be written to. */
interface ImageRow {
  readonly values: Float32Array;
  readonly layout: ImageLayout;
  readonly strides: Strides;
  readonly range: ValueRange;
}

function image(
  name: string,
  change: (row: ImageRow, random: () => number) => Float32Array | undefined,
): Corruption {
  return {
    name,
    apply(tensor, layout, range, random) {
      const values = copyOf(tensor, layout);
      if (values === undefined || layout.kind !== 'image') return undefined;
      const data = change({ values, layout, strides: stridesOf(layout), range }, random);
      return data && { ...tensor, data };
    },
  };
}

/** `change` works on the camera's own scale, 0 to 255. */
function eachPixel(
  name: string,
  change: (value: number, random: () => number) => number,
): Corruption {
  return image(name, (row, random) => {
    const [step, min] = [stepOf(row.range), row.range.min];
    const changed = row.values.map((value) => min + step * change((value - min) / step, random));
    return camera(row, changed);
  });
}

function eachChannel(
  name: string,
  change: (channel: Float32Array, random: () => number) => Float32Array,
): Corruption {
  return {
    name,
    apply(tensor, layout, range, random) {
      const values = copyOf(tensor, layout);
      if (values === undefined || layout.kind !== 'signal') return undefined;
      const { channels, samples }: SignalLayout = layout;
      const { channel: jump, step } = stridesOf(layout);
      for (let c = 0; c < channels; c++) {
        const channel = Float32Array.from(
          { length: samples },
          (_, t) => values[c * jump + t * step] as number,
        );
        for (const [t, value] of change(channel, random).entries()) {
          values[c * jump + t * step] = Math.min(range.max, Math.max(range.min, value));
        }
      }
      return { ...tensor, data: values };
    },
  };
}

function copyOf({ dtype, data }: Tensor, layout: InputLayout): Float32Array | undefined {
  if (dtype !== 'float32' || !(data instanceof Float32Array)) return undefined;
  return data.length === valuesOfRow(layout) ? data.slice() : undefined;
}

/** One of the 255 steps of an 8-bit camera. */
function stepOf({ min, max }: ValueRange): number {
  return (max - min) / 255;
}

function camera({ range }: ImageRow, values: Float32Array): Float32Array {
  const step = stepOf(range);
  return values.map((value) => {
    const level = Math.round((value - range.min) / step);
    return range.min + step * Math.min(255, Math.max(0, level));
  });
}

/** The edge pixel stands in for those beyond it. */
function boxBlur(row: ImageRow): Float32Array {
  const { values, strides } = row;
  const { height, width } = row.layout;
  return mapPixels(row, (first, y, x) => {
    let sum = 0;
    for (let dy = -BLUR_RADIUS; dy <= BLUR_RADIUS; dy++) {
      const line = first + within(y + dy, height) * strides.line;
      for (let dx = -BLUR_RADIUS; dx <= BLUR_RADIUS; dx++) {
        sum += values[line + within(x + dx, width) * strides.step] as number;
      }
    }
    return sum / (2 * BLUR_RADIUS + 1) ** 2;
  });
}

function within(at: number, size: number): number {
  return Math.min(size - 1, Math.max(0, at));
}

/** A new image of what `pixel` gives; `first` is where the channel starts. */
function mapPixels(
  { values, layout, strides }: ImageRow,
  pixel: (first: number, y: number, x: number, channel: number) => number | undefined,
): Float32Array {
  const out = new Float32Array(values.length);
  for (let channel = 0; channel < layout.channels; channel++) {
    const first = channel * strides.channel;
    for (let y = 0; y < layout.height; y++) {
      for (let x = 0; x < layout.width; x++) {
        out[first + y * strides.line + x * strides.step] = pixel(first, y, x, channel) as number;
      }
    }
  }
  return out;
}

interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

function fill({ values, layout, strides }: ImageRow, box: Box, value: number): void {
  for (let channel = 0; channel < layout.channels; channel++) {
    for (let y = box.top; y < box.top + box.height; y++) {
      const line = channel * strides.channel + y * strides.line;
      for (let x = box.left; x < box.left + box.width; x++) values[line + x * strides.step] = value;
    }
  }
}

function moments(channel: Float32Array): { mean: number; sd: number } {
  const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
  const squares = channel.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / channel.length) };
}

/** Box-Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
