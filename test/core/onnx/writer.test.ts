import fc from 'fast-check';
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { AssertionFailure, need } from '../../../src/core/base/fault.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';
import { decodeTensor } from '../../../src/core/onnx/tensor-proto.ts';
import { encodeModel, type OnnxModelSpec } from '../../../src/core/onnx/writer.ts';
import { anyNumericTensor, anyTextTensor } from '../numeric/any-tensor.ts';

ort.env.wasm.numThreads = 1;

const TENSORS: readonly Tensor[] = [
  { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1.5, -0, 3e-40, Infinity) },
  { dtype: 'float64', dims: [2], data: Float64Array.of(Math.PI, -1e300) },
  { dtype: 'float16', dims: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x7bff) },
  { dtype: 'int8', dims: [3], data: Int8Array.of(-128, 0, 127) },
  { dtype: 'int16', dims: [2], data: Int16Array.of(-32768, 32767) },
  { dtype: 'int32', dims: [2], data: Int32Array.of(-(2 ** 31), 7) },
  { dtype: 'int64', dims: [2], data: BigInt64Array.of(-(2n ** 63n), 9n) },
  { dtype: 'uint8', dims: [2], data: Uint8Array.of(0, 255) },
  { dtype: 'uint16', dims: [2], data: Uint16Array.of(1, 65535) },
  { dtype: 'uint32', dims: [2], data: Uint32Array.of(1, 2 ** 32 - 1) },
  { dtype: 'uint64', dims: [2], data: BigUint64Array.of(1n, 2n ** 64n - 1n) },
  { dtype: 'bool', dims: [1, 3], data: Uint8Array.of(1, 0, 1) },
  { dtype: 'string', dims: [2], data: ['äöü', ''] },
];

function constantModel(value: Tensor): Uint8Array {
  return encodeModel({
    graph: {
      name: 'constant',
      nodes: [{ op: 'Identity', inputs: ['value'], outputs: ['out'] }],
      initializers: { value },
      inputs: [],
      outputs: [{ name: 'out', dtype: value.dtype, dims: value.dims }],
    },
  });
}

/** y = x + x, three times over, through a Loop with a body graph. */
const LOOP: OnnxModelSpec = {
  producerName: 'test',
  producerVersion: '1',
  metadata: { purpose: 'a loop' },
  graph: {
    name: 'doubling',
    nodes: [
      {
        op: 'Loop',
        inputs: ['trips', '', 'x'],
        outputs: ['looped'],
        attributes: {
          body: {
            graph: {
              name: 'body',
              nodes: [
                { op: 'Identity', inputs: ['go_in'], outputs: ['go_out'] },
                { op: 'Add', inputs: ['v_in', 'v_in'], outputs: ['v_out'] },
              ],
              inputs: [
                { name: 'i', dtype: 'int64', dims: [] },
                { name: 'go_in', dtype: 'bool', dims: [] },
                { name: 'v_in', dtype: 'float32', dims: ['n', 2] },
              ],
              outputs: [
                { name: 'go_out', dtype: 'bool', dims: [] },
                { name: 'v_out', dtype: 'float32', dims: ['n', 2] },
              ],
            },
          },
        },
      },
      {
        op: 'Transpose',
        inputs: ['looped'],
        outputs: ['y'],
        attributes: { perm: { ints: [1, 0] } },
      },
      { op: 'Softmax', inputs: ['y'], outputs: ['p'], attributes: { axis: { int: -1 } } },
      {
        op: 'LeakyRelu',
        name: 'leak',
        inputs: ['looped'],
        outputs: ['l'],
        attributes: { alpha: { float: 0.25 } },
      },
      {
        op: 'Constant',
        inputs: [],
        outputs: ['c'],
        attributes: { value: { tensor: { dtype: 'int32', dims: [], data: Int32Array.of(5) } } },
      },
      { op: 'Constant', inputs: [], outputs: ['s'], attributes: { value_string: { string: 'é' } } },
      {
        op: 'Constant',
        inputs: [],
        outputs: ['f'],
        attributes: { value_floats: { floats: [1, 0.5] } },
      },
    ],
    initializers: { trips: { dtype: 'int64', dims: [], data: BigInt64Array.of(3n) } },
    inputs: [{ name: 'x', dtype: 'float32', dims: ['n', 2] }],
    outputs: [
      { name: 'y', dtype: 'float32', dims: [2, 'n'] },
      { name: 'p', dtype: 'float32', dims: [2, 'n'] },
      { name: 'l', dtype: 'float32', dims: ['n', 2] },
      { name: 'c', dtype: 'int32', dims: [] },
      { name: 's', dtype: 'string', dims: [] },
      { name: 'f', dtype: 'float32', dims: [2] },
    ],
  },
};

function sum(values: unknown): number {
  return [...(values as Float32Array)].reduce((total, value) => total + value, 0);
}

describe('the ONNX writer, judged by ONNX Runtime', () => {
  it.each(TENSORS)('carries a $dtype tensor', async (value) => {
    const session = await ort.InferenceSession.create(constantModel(value));
    const { out } = await session.run({});
    expect(out?.type).toBe(value.dtype);
    expect(out?.dims).toEqual(value.dims);
    if (value.dtype === 'float16') {
      // Node 24 has Float16Array and ONNX Runtime then gives one; Node 20 gives the bit patterns.
      const data = out?.data as unknown as Uint16Array;
      expect(new Uint16Array(data.buffer, data.byteOffset, data.length)).toEqual(value.data);
    } else expect(out?.data).toEqual(value.data);
  });

  it('carries dynamic dimensions, every kind of attribute and a body graph', async () => {
    const session = await ort.InferenceSession.create(encodeModel(LOOP));
    const x = new ort.Tensor('float32', Float32Array.of(1, -2, 3, -4, 5, -6), [3, 2]);
    const result = await session.run({ x });
    expect(result['y']?.dims).toEqual([2, 3]);
    expect(result['y']?.data).toEqual(Float32Array.of(8, 24, 40, -16, -32, -48));
    const sums = [0, 1].map((row) => sum(result['p']?.data.slice(3 * row, 3 * row + 3)));
    expect(sums).toEqual([expect.closeTo(1, 6), expect.closeTo(1, 6)]);
    expect(result['l']?.data).toEqual(Float32Array.of(8, -4, 24, -8, 40, -12));
    expect(result['c']?.data).toEqual(Int32Array.of(5));
    expect(result['s']?.data).toEqual(['é']);
    expect(result['f']?.data).toEqual(Float32Array.of(1, 0.5));
  });

  it('gives the same bytes for the same specification', () => {
    expect(encodeModel(LOOP)).toEqual(encodeModel(structuredClone(LOOP)));
  });

  it('asserts that a tensor fills its dimensions', () => {
    const short: Tensor = { dtype: 'float32', dims: [3], data: Float32Array.of(1) };
    expect(() => constantModel(short)).toThrow(AssertionFailure);
  });
});

describe('every tensor', () => {
  it('comes back from the model that holds it', () => {
    fc.assert(
      fc.property(fc.oneof(anyNumericTensor, anyTextTensor), (tensor) => {
        const stored = need(readGraph(constantModel(tensor))).initializers.get('value');
        expect(stored && decodeTensor(stored)).toEqual({ ok: true, value: tensor });
      }),
      { seed: 82 },
    );
  });
});
