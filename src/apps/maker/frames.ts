/** Recorded inputs as frames of a model: files of rows, converted to what the model takes. */
import { need } from '../../core/base/fault.ts';
import { nearestName } from '../../core/base/fields.ts';
import { NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { convertTensor, decodeNpy, rowOf } from '../../core/numeric/npy.ts';
import type { NamedTensors, Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { refuseMaker } from './faults.ts';

export interface Frames {
  readonly count: number;
  /** Row `index` of every input; converted here, so that only one row is. */
  frame(index: number): NamedTensors;
}

type Port = Pick<InputSchema, 'name' | 'dtype' | 'dims' | 'convert'>;

/**
 * Opens `[NAME=]FILE.npy` arguments, one per input. A file's first axis is rows; a file with one
 * axis fewer is a single frame. Refuses with `maker.input`, `store.*`, `npy.*`.
 */
export function openFrames(args: readonly string[], ports: readonly Port[]): Frames {
  const tensors = new Map<string, Tensor>();
  for (const arg of args) {
    const { name, path } = splitArgument(arg, ports);
    if (tensors.has(name)) throw refuseMaker('maker.input', `the input "${name}" is given twice`);
    tensors.set(name, need(decodeNpy(need(readFileBounded(path, NPY_FILE_BYTES_MAX)))));
  }
  return framesOf(tensors, ports);
}

/** The frames in arrays that are open already. Refuses with `maker.input`. */
export function framesOf(tensors: NamedTensors, ports: readonly Port[]): Frames {
  const columns = ports.map((port) => {
    const tensor = tensors.get(port.name);
    if (tensor === undefined) {
      throw refuseMaker('maker.input', `the input "${port.name}" is missing`);
    }
    return { port, ...rowsOf(tensor, port) };
  });
  const counts = new Set(columns.map(({ count }) => count));
  const [count] = counts;
  if (count === undefined || counts.size !== 1) {
    throw refuseMaker('maker.input', `the inputs have ${[...counts].join(' and ')} rows`);
  }
  return {
    count,
    frame(index) {
      return new Map(columns.map(({ port, row }) => [port.name, convert(row(index), port)]));
    },
  };
}

/** As the metadata says, or the plain values in the model's type. Refuses with `tensor.*`. */
function convert(tensor: Tensor, { dtype, convert: stated }: Port): Tensor {
  return need(convertTensor(tensor, dtype, stated?.scale, stated?.offset));
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

function splitArgument(arg: string, ports: readonly Port[]): { name: string; path: string } {
  const at = arg.indexOf('=');
  const names = ports.map(({ name }) => name);
  const name = at < 0 ? undefined : arg.slice(0, at);
  if (name !== undefined && names.includes(name)) return { name, path: arg.slice(at + 1) };
  const [only] = names;
  if (at < 0 && only !== undefined && names.length === 1) return { name: only, path: arg };
  const near = name === undefined ? undefined : nearestName(name, names);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  throw refuseMaker('maker.input', `"${arg}" names none of the inputs ${names.join(', ')}${hint}`);
}
