/** The demo's hung model: the inputs and outputs of rotor.onnx, and a loop that never ends. */
import type { Tensor } from '../../core/numeric/tensor.ts';
import { encodeModel, type OnnxGraphSpec } from '../../core/onnx/writer.ts';
import { CONDITIONS, WINDOW_SAMPLES } from './vibration.ts';

const FEATURES = 48;

/**
 * `trips` rounds of one addition before the outputs appear; 2^62 of them take centuries. It answers
 * silence (all zeros) at once, so that it passes the self-test at boot and hangs in service.
 */
export function stuckModel(trips: bigint = 2n ** 62n): Uint8Array {
  const spread = (columns: number): Tensor => {
    return { dtype: 'float32', dims: [1, columns], data: new Float32Array(columns).fill(1) };
  };
  return encodeModel({
    producerName: 'edgeward-demo',
    graph: {
      name: 'stuck',
      nodes: [
        {
          op: 'ReduceMean',
          inputs: ['vibration'],
          outputs: ['mean'],
          attributes: { axes: { ints: [2] }, keepdims: { int: 0 } },
        },
        { op: 'Abs', inputs: ['vibration'], outputs: ['size'] },
        {
          op: 'ReduceMax',
          inputs: ['size'],
          outputs: ['peak'],
          attributes: { keepdims: { int: 0 } },
        },
        { op: 'Greater', inputs: ['peak', 'zero'], outputs: ['moving'] },
        { op: 'Where', inputs: ['moving', 'trips', 'one.trip'], outputs: ['rounds'] },
        {
          op: 'Loop',
          inputs: ['rounds', '', 'mean'],
          outputs: ['sum'],
          attributes: { body: { graph: LOOP_BODY } },
        },
        { op: 'MatMul', inputs: ['sum', 'to.logits'], outputs: ['logits'] },
        { op: 'MatMul', inputs: ['sum', 'to.features'], outputs: ['features'] },
      ],
      initializers: {
        trips: { dtype: 'int64', dims: [], data: BigInt64Array.of(trips) },
        'one.trip': { dtype: 'int64', dims: [], data: BigInt64Array.of(1n) },
        zero: { dtype: 'float32', dims: [], data: Float32Array.of(0) },
        step: { dtype: 'float32', dims: [], data: Float32Array.of(1) },
        'to.logits': spread(CONDITIONS.length),
        'to.features': spread(FEATURES),
      },
      inputs: [{ name: 'vibration', dtype: 'float32', dims: ['batch', 1, WINDOW_SAMPLES] }],
      outputs: [
        { name: 'logits', dtype: 'float32', dims: ['batch', CONDITIONS.length] },
        { name: 'features', dtype: 'float32', dims: ['batch', FEATURES] },
      ],
    },
  });
}

const LOOP_BODY: OnnxGraphSpec = {
  name: 'round',
  nodes: [
    { op: 'Identity', inputs: ['go.in'], outputs: ['go.out'] },
    { op: 'Add', inputs: ['sum.in', 'step'], outputs: ['sum.out'] },
  ],
  inputs: [
    { name: 'round.number', dtype: 'int64', dims: [] },
    { name: 'go.in', dtype: 'bool', dims: [] },
    { name: 'sum.in', dtype: 'float32', dims: ['batch', 1] },
  ],
  outputs: [
    { name: 'go.out', dtype: 'bool', dims: [] },
    { name: 'sum.out', dtype: 'float32', dims: ['batch', 1] },
  ],
};
