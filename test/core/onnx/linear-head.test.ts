import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { attempt, need, type Result } from '../../../src/core/base/fault.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';
import { type LinearHead, linearHead } from '../../../src/core/onnx/linear-head.ts';
import { encodeModel, type OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { floats, GEMM_TAIL, tinyClassifier } from './tiny-classifier.ts';

ort.env.wasm.numThreads = 1;

const W = Float32Array.of(1, 2, 3, 4, 5, 6);
const B = Float32Array.of(0.5, -0.5, 1);
const TRANSPOSED = floats([2, 3], 1, 3, 5, 2, 4, 6);

function headOf(
  tail: readonly OnnxNodeSpec[],
  more: Readonly<Record<string, Tensor>> = {},
  output: string = 'scores',
): Result<LinearHead> {
  return attempt(() => {
    const graph = need(readGraph(encodeModel(tinyClassifier(tail, more))));
    return need(linearHead(graph, output));
  });
}

function codeOf(...args: Parameters<typeof headOf>): string {
  const head = headOf(...args);
  return head.ok ? 'found' : head.fault.code;
}

const matMul = (inputs: string[], output: string): OnnxNodeSpec => {
  return { op: 'MatMul', inputs, outputs: [output] };
};

describe('linearHead', () => {
  it('reads a Gemm with transposed weights', () => {
    expect(headOf(GEMM_TAIL)).toEqual({
      ok: true,
      value: {
        weights: W,
        bias: B,
        classes: 3,
        features: 2,
        featuresTensor: 'features',
        activated: false,
      },
    });
  });

  it('reads a Gemm with plain weights, alpha and beta, and without a bias', () => {
    const scaled: OnnxNodeSpec = {
      op: 'Gemm',
      inputs: ['features', 'wt', 'b'],
      outputs: ['scores'],
      attributes: { alpha: { float: 2 }, beta: { float: -1 } },
    };
    expect(headOf([scaled], { wt: TRANSPOSED })).toMatchObject({
      value: { weights: W.map((v) => 2 * v), bias: B.map((v) => -v) },
    });
    expect(headOf([{ ...scaled, inputs: ['features', 'wt'] }], { wt: TRANSPOSED })).toMatchObject({
      value: { bias: new Float32Array(3) },
    });
  });

  it('reads a MatMul, alone and with an Add on either side', () => {
    const more = { wt: TRANSPOSED };
    expect(headOf([matMul(['features', 'wt'], 'scores')], more)).toMatchObject({
      value: { weights: W, bias: new Float32Array(3) },
    });
    for (const inputs of [
      ['m', 'b'],
      ['b', 'm'],
    ]) {
      const add = { op: 'Add', inputs, outputs: ['scores'] };
      expect(headOf([matMul(['features', 'wt'], 'm'), add], more)).toMatchObject({
        value: { weights: W, bias: B, featuresTensor: 'features' },
      });
    }
  });

  it('walks back through activations and ops that only rearrange', () => {
    const [gemm] = GEMM_TAIL as [OnnxNodeSpec];
    const tail = [
      { ...gemm, outputs: ['logits'] },
      { op: 'Softmax', inputs: ['logits'], outputs: ['p'] },
      { op: 'Flatten', inputs: ['p'], outputs: ['flat'] },
      { op: 'Identity', inputs: ['flat'], outputs: ['scores'] },
    ];
    expect(headOf(tail)).toMatchObject({ value: { weights: W, activated: true } });
  });

  it('reads Constant nodes and quantized weights, per tensor and per class', () => {
    const [gemm] = GEMM_TAIL as [OnnxNodeSpec];
    const value: Tensor = { dtype: 'float64', dims: [3], data: Float64Array.from(B) };
    const constant = {
      op: 'Constant',
      inputs: [],
      outputs: ['k'],
      attributes: { value: { tensor: value } },
    };
    expect(headOf([constant, { ...gemm, inputs: ['features', 'w', 'k'] }])).toMatchObject({
      value: { bias: B },
    });

    const q: Tensor = { dtype: 'int8', dims: [3, 2], data: Int8Array.of(2, 4, 6, 8, 10, 12) };
    const zero: Tensor = { dtype: 'int8', dims: [], data: Int8Array.of(2) };
    const dequantize = (inputs: string[]): OnnxNodeSpec => {
      return { op: 'DequantizeLinear', inputs, outputs: ['wq'], attributes: { axis: { int: 0 } } };
    };
    const dense = { ...gemm, inputs: ['features', 'wq', 'b'] };
    expect(
      headOf([dequantize(['q', 's', 'z']), dense], { q, z: zero, s: floats([], 0.5) }),
    ).toMatchObject({ value: { weights: Float32Array.of(0, 1, 2, 3, 4, 5) } });
    expect(headOf([dequantize(['q', 's']), dense], { q, s: floats([3], 0.5, 1, 2) })).toMatchObject(
      { value: { weights: Float32Array.of(1, 2, 6, 8, 20, 24) } },
    );
    expect(codeOf([dequantize(['q', 's']), dense], { q, s: floats([2], 1, 1) })).toBe(
      'onnx.no-linear-head',
    );
    expect(codeOf([dequantize(['q', 'features']), dense], { q })).toBe('onnx.no-linear-head');
  });
});

describe('what linearHead refuses', () => {
  const [gemm] = GEMM_TAIL as [OnnxNodeSpec];

  it('an output that is not there', () => {
    expect(codeOf(GEMM_TAIL, {}, 'logits')).toBe('onnx.no-output');
  });

  it('graphs without a linear layer at the end', () => {
    const code = 'onnx.no-linear-head';
    expect(codeOf([{ op: 'Relu', inputs: ['features'], outputs: ['scores'] }])).toBe(code);
    expect(codeOf([{ op: 'Identity', inputs: ['x'], outputs: ['scores'] }])).toBe(code);
    expect(codeOf([{ op: 'Add', inputs: ['features', 'b'], outputs: ['scores'] }])).toBe(code);
    expect(codeOf([matMul(['features', 'x'], 'scores')])).toBe(code);
    expect(codeOf([matMul(['features', 'b'], 'scores')])).toBe(code);
    expect(codeOf([{ ...gemm, attributes: { transA: { int: 1 } } }])).toBe(code);
    expect(
      codeOf([{ ...gemm, inputs: ['features', 'w', 'two'] }], { two: floats([2], 1, 1) }),
    ).toBe(code);
    expect(codeOf([{ op: 'Identity', inputs: ['scores'], outputs: ['scores'] }])).toBe(code);
  });

  it('a value with two makers', () => {
    expect(codeOf([...GEMM_TAIL, ...GEMM_TAIL])).toBe('onnx.malformed');
  });

  it('weights of a foreign type, and too many of them', () => {
    const half: Tensor = { dtype: 'float16', dims: [3, 2], data: new Uint16Array(6) };
    expect(codeOf(GEMM_TAIL, { w: half })).toBe('onnx.unsupported');
    expect(codeOf(GEMM_TAIL, { w: floats([5000, 1], ...new Array<number>(5000).fill(1)) })).toBe(
      'onnx.limit',
    );
  });
});

describe.skipIf(sharedMissing)('W f + b is what the model says (needs the shared models)', () => {
  const classifiers = [
    'bearing-cnn',
    'kws-dscnn',
    'mnist-cnn',
    'mobilenetv2-224-w8',
    'resnet8-cifar10',
    'vww-mobilenetv1-025-96',
  ];

  it.each(classifiers)('%s', async (name) => {
    const bytes = readFileSync(sharedPath(`models/${name}.onnx`));
    const graph = need(readGraph(bytes));
    const head = need(linearHead(graph, 'logits'));
    expect(head.featuresTensor).toBe('features');
    const session = await ort.InferenceSession.create(bytes);
    const dims = (graph.inputs[0]?.dims ?? []).map((size) => (typeof size === 'number' ? size : 2));
    const count = dims.reduce((product, size) => product * size, 1);
    const ramp = Float32Array.from({ length: count }, (_, i) => ((i * 37) % 255) / 128);
    const out = await session.run({ input: new ort.Tensor('float32', ramp, dims) });
    const f = out['features']?.data as Float32Array;
    const logits = out['logits']?.data as Float32Array;
    expect(logits.length).toBe(2 * head.classes);
    expect(f.length).toBe(2 * head.features);
    const scale = logits.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    expect(scale).toBeGreaterThan(0);
    logits.forEach((logit, i) => {
      const [row, j] = [Math.floor(i / head.classes), i % head.classes];
      let sum = head.bias[j] as number;
      for (let k = 0; k < head.features; k++) {
        const weight = head.weights[j * head.features + k] as number;
        sum += weight * (f[row * head.features + k] as number);
      }
      expect(Math.abs(sum - logit)).toBeLessThanOrEqual(1e-5 * scale);
    });
  });
});
