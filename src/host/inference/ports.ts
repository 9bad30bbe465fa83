/** The inputs and outputs of a session, and tensors held against them on both sides of a run. */
import { attempt, type Result } from '../../core/base/fault.ts';
import { nearestName } from '../../core/base/fields.ts';
import { TENSOR_BYTES_MAX } from '../../core/base/limits.ts';
import {
  copyData,
  type DType,
  elementCount,
  isDataOf,
  type NamedTensors,
  type Tensor,
  type TensorData,
} from '../../core/numeric/tensor.ts';
import { refuseInference } from './faults.ts';

export interface EnginePort {
  readonly name: string;
  readonly dtype: DType;
  /**
   * A text is a dynamic dimension, `''` where the model names it not. `[]` is a scalar, or a model
   * that states no shape: ONNX Runtime does not tell them apart, so it judges the rank itself.
   */
  readonly dims: readonly (number | string)[];
}

/** Inputs that were checked; `buffers` are ours to hand to another thread. */
export interface Feeds {
  readonly tensors: NamedTensors;
  readonly buffers: ArrayBuffer[];
}

/** Holds the caller's tensors, which it does not copy, against the ports. Faults: `inference.input-*`. */
export function checkInputs(
  inputs: NamedTensors,
  ports: readonly EnginePort[],
): Result<NamedTensors> {
  return attempt(() => {
    const names = ports.map((port) => port.name);
    for (const name of inputs.keys()) {
      if (names.includes(name)) continue;
      const near = nearestName(name, names) ?? names.join(', ');
      throw refuseInference('inference.input-unknown', `no input ${name}; there is ${near}`);
    }
    const tensors = new Map<string, Tensor>();
    let bytes = 0;
    for (const port of ports) {
      const given = inputs.get(port.name);
      if (given === undefined) {
        throw refuseInference('inference.input-missing', `${port.name} is missing`);
      }
      const tensor = shapeChecked(given, port);
      bytes += sizeOf(tensor.data);
      if (bytes > TENSOR_BYTES_MAX) {
        throw refuseInference('inference.input-limit', `more than ${TENSOR_BYTES_MAX} bytes`);
      }
      tensors.set(port.name, tensor);
    }
    return tensors;
  });
}

/**
 * Copies checked tensors, so that nothing the caller does later reaches the worker, and looks at
 * the values of the copies. Fault: `inference.input-value`.
 */
export function ownInputs(tensors: NamedTensors): Result<Feeds> {
  return attempt(() => {
    const copies = new Map<string, Tensor>();
    const buffers: ArrayBuffer[] = [];
    for (const [name, { dtype, dims, data }] of tensors) {
      const copy = copyData(dtype, data);
      checkValues(name, dtype, copy);
      copies.set(name, { dtype, dims, data: copy });
      if (ArrayBuffer.isView(copy)) buffers.push(copy.buffer as ArrayBuffer);
    }
    return { tensors: copies, buffers };
  });
}

/** Whether a worker's answer has exactly the session's outputs, each whole and of its type. */
export function areOutputs(value: unknown, ports: readonly EnginePort[]): value is NamedTensors {
  if (!(value instanceof Map) || value.size !== ports.length) return false;
  return ports.every((port) => {
    const tensor = value.get(port.name) as Partial<Tensor> | undefined;
    if (tensor?.dtype !== port.dtype || !Array.isArray(tensor.dims)) return false;
    const count = elementCount(tensor.dims);
    return isDataOf(port.dtype, tensor.data) && tensor.data.length === count;
  });
}

/** Bytes of numbers; of texts, the most that they take in UTF-8 with a terminator each. */
export function sizeOf(data: TensorData): number {
  if (ArrayBuffer.isView(data)) return data.byteLength;
  return data.reduce((sum, text) => sum + 3 * text.length + 1, 0);
}

function shapeChecked(given: Tensor, port: EnginePort): Tensor {
  const { dtype, data } = given;
  const dims = [...given.dims];
  if (dtype !== port.dtype || !isDataOf(dtype, data)) {
    const seen = dtype === port.dtype ? `data of another type than ${dtype}` : dtype;
    throw refuseInference('inference.input-dtype', `${port.name} is ${port.dtype}, not ${seen}`);
  }
  const count = elementCount(dims);
  const fixed = port.dims.length === 0 || fits(dims, port.dims);
  if (count === undefined || !fixed) {
    const wanted = port.dims.map((size) => (size === '' ? '?' : size)).join(', ');
    throw refuseInference(
      'inference.input-shape',
      `${port.name} is [${wanted}], not [${dims.join(', ')}]`,
    );
  }
  if (data.length !== count) {
    throw refuseInference(
      'inference.input-shape',
      `${port.name} has ${data.length} elements where [${dims.join(', ')}] are ${count}`,
    );
  }
  return { dtype, dims, data };
}

function fits(dims: readonly number[], wanted: readonly (number | string)[]): boolean {
  return (
    dims.length === wanted.length &&
    wanted.every((size, axis) => typeof size === 'string' || size === dims[axis])
  );
}

function checkValues(name: string, dtype: DType, data: TensorData): void {
  // ONNX Runtime reads these bytes as C++ bool, for which any other value is undefined behaviour.
  if (dtype === 'bool' && (data as Uint8Array).some((value) => value > 1)) {
    throw refuseInference('inference.input-value', `${name} has a bool that is not 0 or 1`);
  }
  if (dtype !== 'string') return;
  for (const text of data as readonly unknown[]) {
    // It takes C strings in UTF-8: U+0000 would cut the text, half a surrogate would be replaced.
    if (typeof text !== 'string' || /[\0\p{Surrogate}]/u.test(text)) {
      throw refuseInference('inference.input-value', `${name} has a text that would be altered`);
    }
  }
}
