/**
 * Finds the last linear layer of a classifier, scores = W f + b, and reads W and b out of the
 * graph: feature-based novelty scores need them.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { CLASSES_MAX, FEATURES_MAX } from '../base/limits.ts';
import type { Tensor } from '../numeric/tensor.ts';
import { refuseOnnx } from './faults.ts';
import {
  floatAttribute,
  integerAttribute,
  type OnnxGraph,
  type OnnxNode,
  tensorAttribute,
} from './graph.ts';
import { decodeTensor } from './tensor-proto.ts';

export interface LinearHead {
  /** classes x features, row-major. */
  readonly weights: Float32Array;
  /** One per class; zeros where the layer has none. */
  readonly bias: Float32Array;
  readonly classes: number;
  readonly features: number;
  /** The value that enters the layer, `[batch, features]`. */
  readonly featuresTensor: string;
  /** W f + b are logits and the scores output is their softmax or sigmoid. */
  readonly activated: boolean;
}

/**
 * Walks back from the output `scoresOutput` through activations and ops that only rearrange, to a
 * Gemm, or a MatMul with or without an Add. Weights may be float32, float64 or int8 and uint8
 * through DequantizeLinear. Faults: `onnx.no-output`, `onnx.no-linear-head` (what stands there
 * instead is said), `onnx.limit` (size), and those of the weights' tensors.
 */
export function linearHead(graph: OnnxGraph, scoresOutput: string): Result<LinearHead> {
  return attempt(() => {
    if (!graph.outputs.some(({ name }) => name === scoresOutput)) {
      const known = graph.outputs.map(({ name }) => name).join(', ');
      throw refuseOnnx('onnx.no-output', `there is no output ${scoresOutput}; there are: ${known}`);
    }
    const producers = producersOf(graph);
    let activated = false;
    let value = scoresOutput;
    // A graph with a cycle ends here too: no walk is longer than there are nodes.
    for (let step = 0; step <= graph.nodes.length; step++) {
      const node = producers.get(value);
      const op = node?.domain === '' ? node.op : undefined;
      if (node !== undefined && op === 'Gemm') return { ...gemmHead(graph, node), activated };
      if (node !== undefined && op === 'MatMul') {
        return { ...matMulHead(graph, node, undefined), activated };
      }
      if (node !== undefined && op === 'Add') {
        return { ...addHead(graph, producers, node), activated };
      }
      if (op === undefined || !PASSED.has(op)) {
        const found = node === undefined ? 'no node' : `a node ${node.domain}:${node.op}`;
        throw refuseOnnx('onnx.no-linear-head', `${found} makes ${value}, and no linear layer`);
      }
      activated ||= ACTIVATIONS.has(op);
      value = node?.inputs[0] ?? '';
    }
    throw refuseOnnx('onnx.no-linear-head', `the way back from ${scoresOutput} goes in a circle`);
  });
}

const ACTIVATIONS: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
const PASSED: ReadonlySet<string> = new Set([
  ...ACTIVATIONS,
  'Identity',
  'Flatten',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Dropout',
  'Cast',
]);

type Producers = ReadonlyMap<string, OnnxNode>;
type BareHead = Omit<LinearHead, 'activated'>;

function producersOf(graph: OnnxGraph): Producers {
  const producers = new Map<string, OnnxNode>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (producers.has(name)) throw refuseOnnx('onnx.malformed', `two nodes make ${name}`);
      producers.set(name, node);
    }
  }
  return producers;
}

function gemmHead(graph: OnnxGraph, node: OnnxNode): BareHead {
  const [featuresTensor = '', weightsName = '', biasName = ''] = node.inputs;
  if (integerAttribute(node, 'transA', 0) !== 0) {
    throw refuseOnnx('onnx.no-linear-head', `the Gemm that makes ${node.outputs[0]} has transA`);
  }
  const classesFirst = integerAttribute(node, 'transB', 0) !== 0;
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const weights = constant(graph, weightsName);
  return head(weights, classesFirst, biasName === '' ? undefined : constant(graph, biasName), {
    featuresTensor,
    alpha,
    beta,
  });
}

function matMulHead(graph: OnnxGraph, node: OnnxNode, bias: Numbers | undefined): BareHead {
  const [featuresTensor = '', weightsName = ''] = node.inputs;
  return head(constant(graph, weightsName), false, bias, { featuresTensor, alpha: 1, beta: 1 });
}

function addHead(graph: OnnxGraph, producers: Producers, node: OnnxNode): BareHead {
  const [left = '', right = ''] = node.inputs;
  for (const [product, biasName] of [
    [left, right],
    [right, left],
  ] as const) {
    const matMul = producers.get(product);
    if (matMul?.domain === '' && matMul.op === 'MatMul') {
      return matMulHead(graph, matMul, constant(graph, biasName));
    }
  }
  throw refuseOnnx(
    'onnx.no-linear-head',
    `the Add that makes ${node.outputs[0]} adds to no MatMul`,
  );
}

/** A constant of the graph as float32. */
interface Numbers {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

function head(
  weights: Numbers,
  classesFirst: boolean,
  bias: Numbers | undefined,
  { featuresTensor, alpha, beta }: { featuresTensor: string; alpha: number; beta: number },
): BareHead {
  const [rows = 0, columns = 0] = weights.dims;
  if (weights.dims.length !== 2 || rows === 0 || columns === 0) {
    const shape = weights.dims.join(', ');
    throw refuseOnnx(
      'onnx.no-linear-head',
      `the weights ${weights.name} are [${shape}], not a matrix`,
    );
  }
  const [classes, features] = classesFirst ? [rows, columns] : [columns, rows];
  if (classes > CLASSES_MAX || features > FEATURES_MAX) {
    const limits = `${CLASSES_MAX} by ${FEATURES_MAX}`;
    throw refuseOnnx('onnx.limit', `${weights.name} is ${classes} by ${features}, over ${limits}`);
  }
  const biasCount = bias?.values.length ?? classes;
  if (biasCount !== classes && biasCount !== 1) {
    throw refuseOnnx('onnx.no-linear-head', `the bias ${bias?.name} has ${biasCount} elements`);
  }
  const w = Float32Array.from({ length: classes * features }, (_, i) => {
    const at = classesFirst ? i : (i % features) * classes + Math.floor(i / features);
    return alpha * (weights.values[at] as number);
  });
  const b = new Float32Array(classes);
  if (bias !== undefined) {
    for (let j = 0; j < classes; j++)
      b[j] = beta * (bias.values[biasCount === 1 ? 0 : j] as number);
  }
  return { weights: w, bias: b, classes, features, featuresTensor };
}

/** An initializer, a Constant, or either through DequantizeLinear. */
function constant(graph: OnnxGraph, name: string): Numbers {
  const stored = storedTensor(graph, name);
  if (stored !== undefined) return { name, dims: stored.dims, values: asFloats(stored, name) };
  const node = graph.nodes.find(({ outputs }) => outputs.includes(name));
  if (node?.domain === '' && node.op === 'DequantizeLinear') return dequantized(graph, node, name);
  const instead = node === undefined ? 'an input' : `made by ${node.op}`;
  throw refuseOnnx('onnx.no-linear-head', `${name} is ${instead}, not a constant of the graph`);
}

function storedTensor(graph: OnnxGraph, name: string): Tensor | undefined {
  const initializer = graph.initializers.get(name);
  if (initializer !== undefined) return need(decodeTensor(initializer));
  const node = graph.nodes.find(({ op, outputs }) => op === 'Constant' && outputs[0] === name);
  const value = node === undefined ? undefined : tensorAttribute(node, 'value');
  return value === undefined ? undefined : need(decodeTensor(value));
}

/** (q - zero point) * scale; one scale for all, or one for each entry of an axis of a matrix. */
function dequantized(graph: OnnxGraph, node: OnnxNode, name: string): Numbers {
  const [quantizedName = '', scaleName = '', zeroName = ''] = node.inputs;
  const quantized = storedTensor(graph, quantizedName);
  const scale = storedTensor(graph, scaleName);
  const zero = zeroName === '' ? undefined : storedTensor(graph, zeroName);
  if (quantized === undefined || scale === undefined || (zeroName !== '' && zero === undefined)) {
    throw refuseOnnx('onnx.no-linear-head', `what is dequantized to ${name} is not constant`);
  }
  const q = asFloats(quantized, quantizedName);
  const scales = asFloats(scale, scaleName);
  const zeros = zero === undefined ? new Float32Array(scales.length) : asFloats(zero, zeroName);
  const { dims } = quantized;
  const axis = integerAttribute(node, 'axis', 1);
  const axisFromStart = axis < 0 ? axis + dims.length : axis;
  const fits = scales.length === 1 || scales.length === dims[axisFromStart];
  if (!fits || zeros.length !== scales.length || (scales.length > 1 && dims.length > 2)) {
    throw refuseOnnx(
      'onnx.no-linear-head',
      `the scales of ${name} do not fit [${dims.join(', ')}]`,
    );
  }
  const inner = dims.slice(axisFromStart + 1).reduce((product, size) => product * size, 1);
  const values = q.map((value, i) => {
    const at = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    return (value - (zeros[at] as number)) * (scales[at] as number);
  });
  return { name, dims, values };
}

function asFloats(tensor: Tensor, name: string): Float32Array {
  const { data } = tensor;
  if (data instanceof Float32Array) return data;
  const plain = data instanceof Float64Array || data instanceof Int32Array;
  if (plain || data instanceof Int8Array || data instanceof Uint8Array) {
    return Float32Array.from(data);
  }
  throw refuseOnnx(
    'onnx.unsupported',
    `${name} is ${tensor.dtype}; weights must be float32 or int8`,
  );
}
