/** Frames of seeded noise in the declared shapes, where a maker has no recordings at hand. */
import type { Dim, InputSchema } from '../../core/bundle/io-schema.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';
import type { Frames } from './frames.ts';

const RANDOM_FRAMES = 4;
const FLOATS: readonly string[] = ['float32', 'float64', 'float16'];
/** For an open dimension that is not the batch: wide enough for most kernels. */
const OPEN_SIZE = 32;

/**
 * Four frames: the first all zeros, then values in [-1, 1), or 0 and 1 for whole numbers, which no
 * lookup refuses. The same on every machine. Refuses with `maker.input` where a model takes texts.
 */
export function randomFrames(ports: readonly InputSchema[]): Frames {
  return {
    count: RANDOM_FRAMES,
    frame(index) {
      const random = seeded(index);
      return new Map(ports.map((port) => [port.name, noise(port, index === 0, random)]));
    },
  };
}

function noise({ name, dtype, dims }: InputSchema, silent: boolean, random: () => number): Tensor {
  if (dtype === 'string') {
    throw refuseMaker('maker.input', `"${name}" takes texts: give recorded inputs (--samples)`);
  }
  const sizes = dims.map((dim, axis) => sizeOf(dim, axis));
  const count = elementCount(sizes) ?? 0;
  const value = FLOATS.includes(dtype) ? () => 2 * random() - 1 : () => Math.floor(2 * random());
  const values = Array.from({ length: count }, () => (silent ? 0 : value()));
  return { dtype, dims: sizes, data: dataFromNumbers(dtype, values) };
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
