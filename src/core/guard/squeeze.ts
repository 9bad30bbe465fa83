/** Smooths an input slightly, as a person would not notice and a fine-tuned perturbation may. */
import { numberToHalf } from '../numeric/float16.ts';
import { copyData, isDataOf, type Tensor, type TensorData } from '../numeric/tensor.ts';
import {
  type ImageLayout,
  type InputLayout,
  type SignalLayout,
  stridesOf,
  valuesOfRow,
} from './input-layout.ts';
import { asFloat32 } from './values.ts';

export type SqueezeKind = 'median-2x2' | 'median-3';

/** The filter for a kind of input; `undefined` where there is none, as for tables. */
export function squeezeKind({ kind }: InputLayout): SqueezeKind | undefined {
  return KINDS[kind];
}

const KINDS: Readonly<Record<InputLayout['kind'], SqueezeKind | undefined>> = {
  image: 'median-2x2',
  signal: 'median-3',
  table: undefined,
};

/**
 * Images: each value becomes the median of itself and its neighbours to the left, above and between,
 * per channel (feature squeezing, Xu, Evans & Qi 2018: the value in question is the lower right one,
 * and of an even number of values the greater middle one is the median). Signals: the median of each
 * sample and its two neighbours, per channel. The edge value stands in for neighbours beyond it.
 *
 * Every value of the result is a value of the input, so it keeps ranges and element types. NaN
 * spreads. The result shares no memory with the input.
 *
 * `undefined` for what cannot be smoothed: other layouts, strings, booleans, 64-bit integers, data
 * that are not whole rows of the layout.
 */
export function squeeze(tensor: Tensor, layout: InputLayout): Tensor | undefined {
  const { dtype, dims, data } = tensor;
  if (layout.kind === 'table' || !isDataOf(dtype, data)) return undefined;
  const size = valuesOfRow(layout);
  if (!Number.isSafeInteger(size) || size < 1) return undefined;
  if (data.length === 0 || data.length % size !== 0) return undefined;
  if (dtype === 'float16') {
    const floats = asFloat32(tensor);
    if (floats === undefined) return undefined;
    const smoothed = Uint16Array.from(smooth(floats, floats.slice(), layout), numberToHalf);
    return { dtype, dims, data: smoothed };
  }
  if (!isPlain(data) || dtype === 'bool') return undefined;
  return { dtype, dims, data: smooth(data, copyData(dtype, data) as PlainNumbers, layout) };
}

type PlainNumbers = Exclude<TensorData, readonly string[] | BigInt64Array | BigUint64Array>;

function isPlain(data: TensorData): data is PlainNumbers {
  return !(Array.isArray(data) || data instanceof BigInt64Array || data instanceof BigUint64Array);
}

function smooth<T extends PlainNumbers>(from: T, to: T, layout: ImageLayout | SignalLayout): T {
  const { channel: toChannel, line: toLine, step } = stridesOf(layout);
  const size = valuesOfRow(layout);
  for (let row = 0; row < from.length; row += size) {
    for (let channel = 0; channel < layout.channels; channel++) {
      const first = row + channel * toChannel;
      if (layout.kind === 'signal') smoothLine(from, to, first, layout.samples, step);
      else {
        for (let y = 0; y < layout.height; y++) {
          const line = first + y * toLine;
          smoothUnder(from, to, line, y === 0 ? line : line - toLine, layout.width, step);
        }
      }
    }
  }
  return to;
}

/** Of four values the third smallest is the greater of the two that are no extremes. */
function smoothUnder(
  from: PlainNumbers,
  to: PlainNumbers,
  line: number,
  above: number,
  width: number,
  step: number,
): void {
  let left = from[line] as number;
  let aboveLeft = from[above] as number;
  for (let x = 0; x < width; x++) {
    const here = from[line + x * step] as number;
    const over = from[above + x * step] as number;
    to[line + x * step] = Math.max(
      Math.min(Math.max(here, left), Math.max(over, aboveLeft)),
      Math.max(Math.min(here, left), Math.min(over, aboveLeft)),
    );
    left = here;
    aboveLeft = over;
  }
}

function smoothLine(
  from: PlainNumbers,
  to: PlainNumbers,
  line: number,
  width: number,
  step: number,
): void {
  let left = from[line] as number;
  for (let x = 0; x < width; x++) {
    const here = from[line + x * step] as number;
    const right = from[line + Math.min(x + 1, width - 1) * step] as number;
    to[line + x * step] = Math.max(Math.min(left, here), Math.min(Math.max(left, here), right));
    left = here;
  }
}
