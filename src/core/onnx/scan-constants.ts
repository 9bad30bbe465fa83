/**
 * Tensors that a model fills itself from a constant shape (ConstantOfShape, Expand): a few bytes in
 * the file that become any size in memory.
 */
import type { Bytes } from '../base/bytes.ts';
import { attempt, need } from '../base/fault.ts';
import { TENSOR_BYTES_MAX, TENSOR_ELEMENTS_MAX } from '../base/limits.ts';
import type { FindingList } from './scan-findings.ts';
import { decodeTensor, type OnnxTensor, readTensorHead } from './tensor-proto.ts';

/** Whole numbers that a graph holds as constants, by name, and the graph around it. */
export interface ConstantScope {
  readonly values: Map<string, readonly number[]>;
  readonly outer: ConstantScope | undefined;
}

/** A shape with more than this to say is none that any runtime takes. */
export const SHAPE_BYTES_MAX = 4096;

/** Keeps an initializer that could be a shape. What is not readable is another check's. */
export function addInitializer(body: Bytes, scope: ConstantScope): void {
  const head = headOf(body);
  const values = head === undefined ? undefined : wholeNumbers(head);
  if (head !== undefined && values !== undefined) scope.values.set(head.name, values);
}

export function headOf(body: Bytes): OnnxTensor | undefined {
  if (body.length > SHAPE_BYTES_MAX) return undefined;
  const head = attempt(() => readTensorHead(body));
  return head.ok ? head.value : undefined;
}

/** The values of a tensor of int64 or int32 numbers. */
export function wholeNumbers(tensor: OnnxTensor): readonly number[] | undefined {
  if (tensor.dtype !== 'int64' && tensor.dtype !== 'int32') return undefined;
  // Dimensions that claim more than the bytes hold must not reserve memory.
  if (tensor.dims.reduce((product, size) => product * size, 1) > SHAPE_BYTES_MAX) return undefined;
  const read = attempt(() => need(decodeTensor(tensor)));
  return read.ok ? Array.from(read.value.data as ArrayLike<number | bigint>, Number) : undefined;
}

interface Filled {
  readonly op: string;
  readonly shape: string;
  readonly elementBytes: number;
  readonly scope: ConstantScope;
  readonly place: () => string;
}

/** Judged when all constants are known: a file may name them before it holds them. */
export class FilledTensors {
  readonly #waiting: Filled[] = [];

  add(filled: Filled): void {
    this.#waiting.push(filled);
  }

  judge(found: FindingList): void {
    for (const { op, shape, elementBytes, scope, place } of this.#waiting) {
      const dims = constantNamed(shape, scope);
      // Expand takes 1 for a size that stays as it is; none makes the tensor smaller than this.
      const count = (dims ?? []).reduce((product, size) => product * Math.max(size, 1), 1);
      if (count <= TENSOR_ELEMENTS_MAX && count * elementBytes <= TENSOR_BYTES_MAX) continue;
      found.add(
        'scan.tensor-size',
        place,
        `${op} makes ${count} elements of [${dims?.join(', ')}]`,
      );
    }
  }
}

function constantNamed(name: string, scope: ConstantScope): readonly number[] | undefined {
  for (let at: ConstantScope | undefined = scope; at !== undefined; at = at.outer) {
    const values = at.values.get(name);
    if (values !== undefined) return values;
  }
  return undefined;
}
