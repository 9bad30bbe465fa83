/** A classifier of three classes that is small enough to calibrate in a moment, and its inputs. */
import { encodeNpy } from '../../../src/core/numeric/npy.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { encodeModel, type OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';

export const TOY_INPUTS = 8;
export const TOY_CLASSES = 3;
const FEATURES = 2 * TOY_INPUTS;

/** Where the inputs of each class lie. */
const CENTRES: readonly (readonly number[])[] = [
  [2, 0, -1, 1, 0, 0, 1, -1],
  [-1, 2, 0, 0, 1, -1, 0, 1],
  [0, -1, 2, -1, 0, 1, -1, 0],
];

export interface ToyShape {
  /** The scores become their softmax. */
  readonly softmax?: boolean;
  /** No output with the features. */
  readonly bare?: boolean;
  /** Another model of the same shape: all scores are scaled. */
  readonly scale?: number;
  /** Takes what is added to `x` as a second input. */
  readonly second?: boolean;
}

/** features = [relu(x), relu(-x)]; logits of a class = its centre times x. */
export function toyModel({ softmax, bare, scale = 1, second }: ToyShape = {}): Uint8Array {
  const split = Array.from({ length: TOY_INPUTS * FEATURES }, (_, at) => {
    const column = at % FEATURES;
    if (column % TOY_INPUTS !== Math.floor(at / FEATURES)) return 0;
    return column < TOY_INPUTS ? 1 : -1;
  });
  const w = CENTRES.flatMap((centre) => [...centre, ...centre.map((value) => -value)]);
  const nodes: OnnxNodeSpec[] = [
    ...(second ? [{ op: 'Add', inputs: ['x', 'offset'], outputs: ['moved'] }] : []),
    { op: 'Gemm', inputs: [second ? 'moved' : 'x', 'split'], outputs: ['hidden'] },
    { op: 'Relu', inputs: ['hidden'], outputs: ['features'] },
    {
      op: 'Gemm',
      inputs: ['features', 'w', 'b'],
      outputs: [softmax ? 'raw' : 'logits'],
      attributes: { transB: { int: 1 } },
    },
    ...(softmax ? [{ op: 'Softmax', inputs: ['raw'], outputs: ['logits'] }] : []),
  ];
  const port = (name: string, size: number) => {
    return { name, dtype: 'float32', dims: ['batch', size] } as const;
  };
  return encodeModel({
    graph: {
      name: 'toy',
      nodes,
      initializers: {
        split: floats([TOY_INPUTS, FEATURES], split),
        w: floats(
          [TOY_CLASSES, FEATURES],
          w.map((value) => value * scale),
        ),
        b: floats([TOY_CLASSES], [0.5, -0.5, 0]),
      },
      inputs: [port('x', TOY_INPUTS), ...(second ? [port('offset', TOY_INPUTS)] : [])],
      outputs: [port('logits', TOY_CLASSES), ...(bare ? [] : [port('features', FEATURES)])],
    },
  });
}

export interface ToyRows {
  readonly x: Tensor;
  readonly labels: Tensor;
}

/** Rows around the centres in turn; `strangeness` moves all of them away. */
export function toyRows(seed: number, count: number, strangeness = 0): ToyRows {
  const random = lcg(seed);
  const normal = (): number => random() + random() + random() + random() - 2;
  const labels = Int32Array.from({ length: count }, (_, row) => row % TOY_CLASSES);
  const data = Float32Array.from({ length: count * TOY_INPUTS }, (_, at) => {
    const row = Math.floor(at / TOY_INPUTS);
    const centre = CENTRES[row % TOY_CLASSES]?.[at % TOY_INPUTS] ?? 0;
    return centre + normal() + strangeness;
  });
  return {
    x: { dtype: 'float32', dims: [count, TOY_INPUTS], data },
    labels: { dtype: 'int32', dims: [count], data: labels },
  };
}

export function npy(tensor: Tensor): Uint8Array {
  return encodeNpy(tensor);
}

export function floats(dims: readonly number[], values: Iterable<number>): Tensor {
  return { dtype: 'float32', dims, data: Float32Array.from(values) };
}

/** Numbers in [0, 1), the same for a seed everywhere. */
export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
