/** Frames that arrive: files in a folder in order of name, or JSON lines on standard input. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, type Fault, need } from '../../core/base/fault.ts';
import { FRAME_LINE_CHARS_MAX, NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import { elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { framesOf } from '../maker/frames.ts';
import { refuseCli } from './faults.ts';
import { note } from './terminal.ts';

const POLL_MS = 200;

export interface NamedFrame {
  /** The file and row, or the line number. */
  readonly name: string;
  /** `undefined` for what could not be read: the guard answers that too. */
  readonly frame: unknown;
}

/**
 * Every `.npy` file whose name comes after the ones before, row by row. Files must be moved into
 * the folder when they are whole, under names that rise (a timestamp). Ends when stopped, or with
 * `once` when no file is left. Refuses with `cli.input` where the folder cannot be read.
 */
export async function* folderFrames(
  folder: string,
  ports: readonly InputSchema[],
  once: boolean,
  signal: AbortSignal,
): AsyncGenerator<NamedFrame> {
  let last = '';
  while (!signal.aborted) {
    const names = waitingFiles(folder, last);
    for (const name of names) {
      if (signal.aborted) return;
      last = name;
      yield* fileFrames(join(folder, name), name, ports);
    }
    if (names.length > 0) continue;
    if (once) return;
    await pause(signal);
  }
}

/**
 * JSON lines such as `{"vibration": [0.1, 0.2]}`: an input name and its numbers, nested or flat,
 * in the order and shape of the schema. Ends with the input or when stopped.
 */
export async function* lineFrames(
  input: Readable,
  ports: readonly InputSchema[],
  signal: AbortSignal,
): AsyncGenerator<NamedFrame> {
  const lines = createInterface({ input, signal, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const line of lines) {
    if (line.trim() === '') continue;
    number++;
    const name = `line ${number}`;
    yield { name, frame: readable(name, () => lineFrame(line, ports)) };
  }
}

function* fileFrames(
  path: string,
  name: string,
  ports: readonly InputSchema[],
): Generator<NamedFrame> {
  const frames = readable(name, () => {
    const [port] = ports;
    if (port === undefined || ports.length > 1) {
      throw refuseCli('cli.input', 'a folder of frames needs a model with one input');
    }
    const tensor = need(decodeNpy(need(readFileBounded(path, NPY_FILE_BYTES_MAX))));
    return framesOf(new Map([[port.name, tensor]]), ports);
  });
  if (frames === undefined) {
    yield { name, frame: undefined };
    return;
  }
  for (let row = 0; row < frames.count; row++) {
    const rowName = frames.count === 1 ? name : `${name}[${row}]`;
    yield { name: rowName, frame: readable(rowName, () => frames.frame(row)) };
  }
}

function lineFrame(line: string, ports: readonly InputSchema[]): Record<string, Tensor> {
  if (line.length > FRAME_LINE_CHARS_MAX) {
    throw refuseCli('cli.frame', `the line has ${line.length} characters`);
  }
  const parsed = parseJson(line);
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      const port = ports.find((known) => known.name === name);
      const names = ports.map((known) => known.name).join(', ');
      if (port === undefined) throw refuseCli('cli.frame', `${name} is none of ${names}`);
      return [name, tensorOf(port, value)];
    }),
  );
}

/** Dynamic dimensions are 1: a line is one frame. */
function tensorOf(port: InputSchema, value: unknown): Tensor {
  const { dtype } = port;
  const dims = port.dims.map((dim) => (typeof dim === 'number' ? dim : Math.max(1, dim.min)));
  const flat: readonly unknown[] = Array.isArray(value) ? value.flat(dims.length) : [value];
  if (flat.length !== elementCount(dims)) {
    throw refuseCli(
      'cli.frame',
      `${port.name} takes [${dims.join(', ')}], not ${flat.length} values`,
    );
  }
  if (dtype === 'string') return { dtype, dims, data: flat.map(String) };
  const numbers = flat.map((entry) => (typeof entry === 'number' ? entry : Number.NaN));
  const whole = !dtype.startsWith('float');
  if (whole && !numbers.every(Number.isSafeInteger)) {
    throw refuseCli('cli.frame', `${port.name} takes whole numbers`);
  }
  // What is no number stays a NaN: the contract names it.
  return { dtype, dims, data: dataFromNumbers(dtype, numbers) };
}

function parseJson(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (thrown) {
    throw refuseCli('cli.frame', String(thrown));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw refuseCli('cli.frame', 'the line is no JSON object');
}

/** What cannot be read is told and judged as a frame that is none. */
function readable<T>(name: string, read: () => T): T | undefined {
  const result = attempt(read);
  if (result.ok) return result.value;
  tell(name, result.fault);
  return undefined;
}

function tell(name: string, fault: Fault): void {
  note(`${name}: ${fault.code}: ${fault.message}`);
}

function waitingFiles(folder: string, after: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.npy') && name > after)
      .sort();
  } catch (thrown) {
    throw refuseCli('cli.input', `the folder ${folder} cannot be read: ${String(thrown)}`);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(POLL_MS, undefined, { signal });
  } catch (thrown) {
    // Stopping is not a failure.
    if (!signal.aborted) throw thrown;
  }
}
