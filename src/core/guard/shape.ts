/** Dimensions held against the schema: rank, fixed sizes, bounds, and one size for one name. */
import type { Dim } from '../bundle/io-schema.ts';
import { elementCount, type Tensor } from '../numeric/tensor.ts';

/** Sizes that named dynamic dimensions took in this frame; the same name is the same size. */
export type NamedSizes = ReadonlyMap<string, number>;

export interface Mismatch {
  readonly value: number;
  readonly threshold: number;
  /** Reads on after the name of the tensor. */
  readonly words: string;
}

/** The first disagreement, or the named sizes with this tensor's own added. */
export function matchShape(
  expected: readonly Dim[],
  actual: readonly number[],
  sizes: NamedSizes,
): Mismatch | NamedSizes {
  if (actual.length !== expected.length) {
    return {
      value: actual.length,
      threshold: expected.length,
      words: `has ${actual.length} dimensions, the schema ${expected.length}`,
    };
  }
  const grown = new Map(sizes);
  for (let axis = 0; axis < expected.length; axis++) {
    const dim = expected[axis] as Dim;
    const size = actual[axis] as number;
    const wanted = typeof dim === 'number' ? dim : grown.get(dim.name);
    if (wanted !== undefined && size !== wanted) {
      return {
        value: size,
        threshold: wanted,
        words: `has ${size} on axis ${axis}, not ${wanted}`,
      };
    }
    if (typeof dim === 'number') continue;
    if (!(size >= dim.min && size <= dim.max)) {
      return {
        value: size,
        threshold: size < dim.min ? dim.min : dim.max,
        words: `has ${size} on axis ${axis}, outside [${dim.min}, ${dim.max}]`,
      };
    }
    grown.set(dim.name, size);
  }
  return grown;
}

export function isMismatch(match: Mismatch | NamedSizes): match is Mismatch {
  return !(match instanceof Map);
}

/** Whether the data are exactly as many elements as the dimensions say. */
export function matchSize(tensor: Tensor): Mismatch | undefined {
  const count = elementCount(tensor.dims);
  if (count === tensor.data.length) return undefined;
  return {
    value: tensor.data.length,
    threshold: count ?? 0,
    words:
      count === undefined
        ? `has dimensions [${tensor.dims.slice(0, 8).join(', ')}] beyond every limit`
        : `brings ${tensor.data.length} elements where its dimensions say ${count}`,
  };
}

/** A row-major index as coordinates, for example `[0, 2, 17, 3]`. */
export function coordinates(index: number, dims: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const size = dims[axis] as number;
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${place.join(', ')}]`;
}
