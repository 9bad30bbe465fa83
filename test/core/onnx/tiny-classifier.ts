/** A classifier small enough to read: 3 inputs, Gemm, Relu (features), Gemm, Softmax. */
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import type { OnnxModelSpec, OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';

export function floats(dims: readonly number[], ...values: number[]): Tensor {
  return { dtype: 'float32', dims, data: Float32Array.from(values) };
}

/** `tail` makes `scores` from `features` of [batch, 2]; `w` is [3 classes, 2] and `b` [3]. */
export function tinyClassifier(
  tail: readonly OnnxNodeSpec[],
  more: Readonly<Record<string, Tensor>> = {},
): OnnxModelSpec {
  return {
    producerName: 'tiny',
    producerVersion: '7',
    graph: {
      name: 'tiny',
      nodes: [
        { op: 'Gemm', inputs: ['x', 'w0'], outputs: ['hidden'] },
        { op: 'Relu', inputs: ['hidden'], outputs: ['features'] },
        ...tail,
      ],
      initializers: {
        w0: floats([3, 2], 1, -1, 0.5, 2, 0, 1),
        w: floats([3, 2], 1, 2, 3, 4, 5, 6),
        b: floats([3], 0.5, -0.5, 1),
        ...more,
      },
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', 3] }],
      outputs: [
        { name: 'scores', dtype: 'float32', dims: ['batch', 3] },
        { name: 'features', dtype: 'float32', dims: ['batch', 2] },
      ],
    },
  };
}

export const GEMM_TAIL: readonly OnnxNodeSpec[] = [
  {
    op: 'Gemm',
    inputs: ['features', 'w', 'b'],
    outputs: ['scores'],
    attributes: { transB: { int: 1 } },
  },
];
