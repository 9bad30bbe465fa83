/** Recorded inputs as frames of a model: one row of every input at a time. */
import { need } from '../../core/base/fault.ts';
import { nearestName } from '../../core/base/fields.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';
import { openRows } from './recorded-file.ts';
import { arrayRows, type Port, type Rows } from './recorded-rows.ts';

export interface Frames {
  readonly count: number;
  /** Row `index` of every input; converted here, so that only one row is. */
  frame(index: number): NamedTensors;
}

/**
 * Opens `[NAME=]PATH` arguments, one per input: `.npy` files, `.csv` files or folders of images, as
 * `openRecorded` reads them. Refuses with `maker.*`, `store.*`, `npy.*`.
 */
export async function openFrames(args: readonly string[], ports: readonly Port[]): Promise<Frames> {
  const rows = new Map<string, Rows>();
  for (const arg of args) {
    const { port, path } = splitArgument(arg, ports);
    if (rows.has(port.name)) {
      throw refuseMaker('maker.input', `the input "${port.name}" is given twice`);
    }
    rows.set(port.name, await openRows(path, port));
  }
  return joinRows(rows, ports);
}

/** The frames in arrays that are open already. Refuses with `maker.input`. */
export function framesOf(tensors: NamedTensors, ports: readonly Port[]): Frames {
  const rows = new Map<string, Rows>();
  for (const port of ports) {
    const tensor = tensors.get(port.name);
    if (tensor !== undefined) rows.set(port.name, arrayRows(tensor, port));
  }
  return joinRows(rows, ports);
}

/** Refuses with `maker.input` where an input is missing or has another number of rows. */
export function joinRows(rows: ReadonlyMap<string, Rows>, ports: readonly Port[]): Frames {
  const columns = ports.map(({ name }) => {
    const column = rows.get(name);
    if (column !== undefined) return { name, column };
    throw refuseMaker('maker.input', `the input "${name}" is missing`);
  });
  const counts = new Set(columns.map(({ column }) => column.count));
  const [count] = counts;
  if (count === undefined || counts.size !== 1) {
    throw refuseMaker('maker.input', `the inputs have ${[...counts].join(' and ')} rows`);
  }
  return {
    count,
    frame: (index) => new Map(columns.map(({ name, column }) => [name, need(column.row(index))])),
  };
}

function splitArgument(arg: string, ports: readonly Port[]): { port: Port; path: string } {
  const at = arg.indexOf('=');
  const name = at < 0 ? undefined : arg.slice(0, at);
  const named = ports.find((port) => port.name === name);
  if (named !== undefined) return { port: named, path: arg.slice(at + 1) };
  const [only, ...others] = ports;
  if (at < 0 && only !== undefined && others.length === 0) return { port: only, path: arg };
  const names = ports.map((port) => port.name);
  const near = name === undefined ? undefined : nearestName(name, names);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  throw refuseMaker('maker.input', `"${arg}" names none of the inputs ${names.join(', ')}${hint}`);
}
