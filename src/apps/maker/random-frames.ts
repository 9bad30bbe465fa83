/** Frames of seeded noise in the declared shapes, where a maker has no recordings at hand. */
import type { Dim, InputSchema, ValueRange } from '../../core/bundle/io-schema.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';
import type { Frames } from './frames.ts';

const RANDOM_FRAMES = 4;
const FLOATS: readonly string[] = ['float32', 'float64', 'float16'];
/** For an open dimension that is not the batch: wide enough for most kernels. */
const OPEN_SIZE = 32;
const PLAIN: ValueRange = { min: -1, max: 1 };
const BITS: ValueRange = { min: 0, max: 1 };
const MARGIN = 2 ** -8;

/**
 * Frames of which the first is as near to zero as the declared ranges allow. The others are noise
 * within those ranges; without one values lie in [-1, 1), or are 0 and 1 for whole numbers, which no
 * lookup refuses. The same on every machine. Refuses with `maker.input` where a model takes texts.
 */
export function randomFrames(ports: readonly InputSchema[], count: number = RANDOM_FRAMES): Frames {
  return {
    count,
    frame(index) {
      const random = seeded(index);
      return new Map(ports.map((port) => [port.name, noise(port, index === 0, random)]));
    },
  };
}

function noise(port: InputSchema, silent: boolean, random: () => number): Tensor {
  const { name, dtype, dims } = port;
  if (dtype === 'string') {
    const recorded = 'give recorded inputs (`features --samples`, `pack --golden`)';
    throw refuseMaker('maker.input', `"${name}" takes texts: ${recorded}`);
  }
  const sizes = dims.map((dim, axis) => sizeOf(dim, axis));
  const count = elementCount(sizes) ?? 0;
  const rangeAt = rangesOf(port, sizes);
  const value = FLOATS.includes(dtype) ? numberIn : wholeIn;
  const values = Array.from({ length: count }, (_, at) => {
    const range = rangeAt(at);
    if (silent) return Math.min(Math.max(0, value(range, 0)), value(range, 1 - 2 ** -32));
    return value(range ?? (FLOATS.includes(dtype) ? PLAIN : BITS), random());
  });
  return { dtype, dims: sizes, data: dataFromNumbers(dtype, values) };
}

/** The declared range of each element: of its channel, or of the tensor. */
function rangesOf(
  { layout, range, channelRanges }: InputSchema,
  sizes: readonly number[],
): (at: number) => ValueRange | undefined {
  const axis = layout?.indexOf('C') ?? -1;
  if (channelRanges === undefined || axis < 0) return () => range;
  const inner = sizes.slice(axis + 1).reduce((product, size) => product * size, 1);
  return (at) => channelRanges[Math.floor(at / inner) % channelRanges.length];
}

/** A little inside, where rounding to the element type cannot lead out of the range. */
function numberIn({ min, max }: ValueRange = PLAIN, share: number): number {
  const at = MARGIN + (1 - 2 * MARGIN) * share;
  return min * (1 - at) + max * at;
}

function wholeIn({ min, max }: ValueRange = BITS, share: number): number {
  const first = Math.ceil(min);
  return first + Math.floor((Math.floor(max) - first + 1) * share);
}

function sizeOf(dim: Dim, axis: number): number {
  if (typeof dim === 'number') return dim;
  return axis === 0 ? dim.min : Math.min(dim.max, OPEN_SIZE);
}

/** Numerical Recipes' linear congruence: numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = (seed + 1) * 0x9e37_79b9;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
