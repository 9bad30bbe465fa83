/** One input's recorded rows, each made into the model's own type and shape when it is asked for. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { convertTensor, rowOf } from '../../core/numeric/npy.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';

export type Port = Pick<InputSchema, 'name' | 'dtype' | 'dims' | 'convert' | 'layout'>;

export interface Rows {
  readonly count: number;
  /** Row `index`, below `count`: one frame of the input. */
  row(index: number): Result<Tensor>;
}

/** Rows with where they came from. */
export interface RecordedRows extends Rows {
  /** SHA-256 of the file; of a folder as `openRecorded` says. */
  digest(): Uint8Array;
  /** In words: the form, how many rows, of what. */
  readonly description: string;
  /** Class index of every row, where the form itself says it. */
  readonly labels?: Int32Array;
}

/**
 * The rows of an array: its first axis, or the whole array where it has one axis fewer than that.
 * Whole numbers become floats as the metadata's `convert` says, or as they are. Refuses with
 * `maker.input`; a row with `tensor.*`.
 */
export function arrayRows(tensor: Tensor, port: Port): Rows {
  const { count, row } = rowsOf(tensor, port);
  return { count, row: (index) => attempt(() => convertRow(row(index), port)) };
}

/** As the metadata says, or the plain values in the model's type. Refuses with `tensor.*`. */
export function convertRow(tensor: Tensor, { dtype, convert }: Port): Tensor {
  return need(convertTensor(tensor, dtype, convert?.scale, convert?.offset));
}

function rowsOf(
  tensor: Tensor,
  port: Port,
): { readonly count: number; readonly row: (index: number) => Tensor } {
  const { dims } = tensor;
  const [first = 1] = dims;
  const [batch] = port.dims;
  if (dims.length === port.dims.length && typeof batch === 'number' && batch !== 1) {
    // The model has no batch axis: the file is one frame.
    return { count: 1, row: () => tensor };
  }
  if (dims.length === port.dims.length) return { count: first, row: (i) => rowOf(tensor, i) };
  if (dims.length === port.dims.length + 1) {
    return {
      count: first,
      row: (i) => {
        const row = rowOf(tensor, i);
        return { ...row, dims: row.dims.slice(1) };
      },
    };
  }
  if (dims.length === port.dims.length - 1) {
    return { count: 1, row: () => ({ ...tensor, dims: [1, ...dims] }) };
  }
  throw refuseMaker(
    'maker.input',
    `"${port.name}" takes ${port.dims.length} axes, the file has [${dims.join(', ')}]`,
  );
}
