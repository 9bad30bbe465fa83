/** What kind of thing an input is: an image, a signal or a row of a table, and how it lies in memory. */
import { INPUT_CHANNELS_MAX, TABLE_COLUMNS_MAX } from '../base/limits.ts';
import type { InputSchema } from '../bundle/io-schema.ts';
import { elementCount } from '../numeric/tensor.ts';

export interface ImageLayout {
  readonly kind: 'image';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Row-major HWC instead of CHW. */
  readonly channelsLast: boolean;
}

export interface SignalLayout {
  readonly kind: 'signal';
  readonly channels: number;
  /** Of each channel, in order of time. */
  readonly samples: number;
  /** The channels of one sample lie side by side. */
  readonly channelsLast: boolean;
}

export interface TableLayout {
  readonly kind: 'table';
  readonly columns: number;
}

/** One row of an input. */
export type InputLayout = ImageLayout | SignalLayout | TableLayout;

/** An image has an inside: pixels with neighbours on all four sides. */
export const IMAGE_SIDE_MIN = 3;
/** Fewer samples have no shape to speak of. */
export const SIGNAL_SAMPLES_MIN = 16;

/** What colours an image may have where no layout says which axis they are. */
const GUESSED_CHANNELS_MAX = 4;
const GUESSED_SIDE_MIN = 8;
/** A block this much longer than wide is channels over time; one less so, a picture. */
const GUESSED_ELONGATION = 8;
const GUESSED_SAMPLES_MIN = 64;

/**
 * The layout of one row, or `undefined` where the statistics of a row would say nothing: texts, axes
 * of open size beside the batch, several fixed rows, more channels or columns than the limits.
 *
 * The first axis is the batch where it is open or 1. Of the rest, the stated `layout` decides: `H`
 * with `W` (and `C`) is an image, one of `W`, `L`, `T` (and `C`) a signal, a lone `C` or `F` a table;
 * `N` or `B` is the batch.
 *
 * Where none is stated, the sizes decide:
 * - three axes, the first or else the last of at most 4 entries, which are the channels: an image,
 *   both sides of at least 8; where one of the last two is 1, it is left out;
 * - two axes: a signal where one is at least 64 long and 8 times the other, which is the channels;
 *   else an image of one channel, both sides of at least 8;
 * - one axis of 1,024 or more: a signal of one channel, as windows of samples are that long and rows
 *   of tables are not;
 * - whatever is left and has at most 1,000 values is a row of a table, every entry a column.
 */
export function inputLayout(
  schema: Pick<InputSchema, 'dtype' | 'dims' | 'layout'>,
): InputLayout | undefined {
  const { dtype, dims, layout } = schema;
  if (dtype === 'string' || dims.length === 0) return undefined;
  const letters = layout?.toUpperCase();
  const batched = hasBatch(dims) && (letters === undefined || /^[NB]/.test(letters));
  const sizes = (batched ? dims.slice(1) : dims).map((dim) => (typeof dim === 'number' ? dim : 0));
  if (!sizes.every((size) => size > 0) || elementCount(sizes) === undefined) return undefined;
  const found =
    letters === undefined ? guessed(sizes) : stated(batched ? letters.slice(1) : letters, sizes);
  return found !== undefined && isLayout(found) ? found : undefined;
}

/** Whether every size is within what the statistics can work with. */
export function isLayout(layout: InputLayout): boolean {
  if (layout.kind === 'table') return isCount(layout.columns, 1, TABLE_COLUMNS_MAX);
  if (!isCount(layout.channels, 1, INPUT_CHANNELS_MAX)) return false;
  if (elementCount(sizesOf(layout)) === undefined) return false;
  return layout.kind === 'image'
    ? layout.height >= IMAGE_SIDE_MIN && layout.width >= IMAGE_SIDE_MIN
    : layout.samples >= SIGNAL_SAMPLES_MIN;
}

/** How many values one row has. */
export function valuesOfRow(layout: InputLayout): number {
  return sizesOf(layout).reduce((product, size) => product * size, 1);
}

/** Elements from one value to its neighbour in each direction. */
export interface Strides {
  readonly channel: number;
  /** From line to line of an image; of a signal, its one line. */
  readonly line: number;
  /** From column to column, or from sample to sample. */
  readonly step: number;
}

export function stridesOf(layout: ImageLayout | SignalLayout): Strides {
  const width = layout.kind === 'image' ? layout.width : layout.samples;
  const height = layout.kind === 'image' ? layout.height : 1;
  const step = layout.channelsLast ? layout.channels : 1;
  return { channel: layout.channelsLast ? 1 : height * width, line: width * step, step };
}

function sizesOf(layout: InputLayout): number[] {
  if (layout.kind === 'table') return [layout.columns];
  if (layout.kind === 'signal') return [layout.channels, layout.samples];
  return [layout.channels, layout.height, layout.width];
}

function isCount(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

/** A lone axis is the row itself, unless its size is open. */
function hasBatch(dims: InputSchema['dims']): boolean {
  const [first] = dims;
  return typeof first === 'object' || (first === 1 && dims.length > 1);
}

function stated(letters: string, sizes: readonly number[]): InputLayout | undefined {
  if (letters.length !== sizes.length) return undefined;
  const size = (letter: string): number => sizes[letters.indexOf(letter)] ?? 1;
  const channels = size('C');
  const channelsLast = channels > 1 && letters.endsWith('C');
  if (/^(C?HW|HWC)$/.test(letters)) {
    return { kind: 'image', channels, height: size('H'), width: size('W'), channelsLast };
  }
  if (/^(C?[WLT]|[WLT]C)$/.test(letters)) {
    return { kind: 'signal', channels, samples: size(letters.replace('C', '')), channelsLast };
  }
  return /^[CF]$/.test(letters) ? { kind: 'table', columns: sizes[0] as number } : undefined;
}

function guessed(sizes: readonly number[]): InputLayout {
  return (
    guessedShape(sizes) ?? {
      kind: 'table',
      columns: sizes.reduce((product, size) => product * size, 1),
    }
  );
}

function guessedShape(sizes: readonly number[]): InputLayout | undefined {
  const [a = 1, b = 1, c = 1] = sizes;
  if (sizes.length === 1) return a > TABLE_COLUMNS_MAX ? guessedSignal(1, a) : undefined;
  if (sizes.length === 2) return guessedSignal(a, b) ?? picture(1, a, b, false);
  if (sizes.length !== 3) return undefined;
  if (b === 1 || c === 1) return guessedShape([a, Math.max(b, c)]);
  if (a <= GUESSED_CHANNELS_MAX) return picture(a, b, c, false);
  return c <= GUESSED_CHANNELS_MAX ? picture(c, a, b, true) : undefined;
}

function picture(
  channels: number,
  height: number,
  width: number,
  channelsLast: boolean,
): ImageLayout | undefined {
  if (Math.min(height, width) < GUESSED_SIDE_MIN) return undefined;
  return { kind: 'image', channels, height, width, channelsLast };
}

function guessedSignal(a: number, b: number): SignalLayout | undefined {
  const [channels, samples] = a <= b ? [a, b] : [b, a];
  if (samples < GUESSED_SAMPLES_MIN || samples < GUESSED_ELONGATION * channels) return undefined;
  return { kind: 'signal', channels, samples, channelsLast: channels > 1 && a > b };
}
