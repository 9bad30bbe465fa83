/** Frames that arrive: files in a folder in order of name, or JSON lines on standard input. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, need } from '../../core/base/fault.ts';
import { FRAME_LINE_CHARS_MAX, NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import { elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { framesOf } from '../maker/frames.ts';
import { refuseCli } from './faults.ts';
import { note, printable } from './terminal.ts';

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
  let number = 0;
  for await (const line of boundedLines(input, signal)) {
    if (line?.trim() === '') continue;
    number++;
    const name = `line ${number}`;
    yield { name, frame: readable(name, ports, () => lineFrame(line, ports)) };
  }
}

/** `undefined` in place of a line over the limit: no more than that is ever held. */
async function* boundedLines(
  input: Readable,
  signal: AbortSignal,
): AsyncGenerator<string | undefined> {
  let line: string | undefined = '';
  try {
    for await (const chunk of addAbortSignal(signal, input.setEncoding('utf8'))) {
      const [rest = '', ...lines] = String(chunk).split('\n');
      line = extended(line, rest);
      for (const next of lines) {
        yield line;
        line = extended('', next);
      }
    }
  } catch (thrown) {
    // Stopping is not a failure.
    if (!signal.aborted) throw thrown;
    return;
  }
  if (line !== '') yield line;
}

function extended(line: string | undefined, more: string): string | undefined {
  if (line === undefined || line.length + more.length > FRAME_LINE_CHARS_MAX) return undefined;
  return line + more;
}

function* fileFrames(
  path: string,
  name: string,
  ports: readonly InputSchema[],
): Generator<NamedFrame> {
  const frames = readable(name, ports, () => {
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
    yield { name: rowName, frame: readable(rowName, ports, () => frames.frame(row)) };
  }
}

function lineFrame(
  line: string | undefined,
  ports: readonly InputSchema[],
): Record<string, Tensor> {
  if (line === undefined) {
    throw refuseCli('cli.frame', `the line is over ${FRAME_LINE_CHARS_MAX} characters`);
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
  // What is no number stays a NaN: the contract names it.
  const numbers = flat.map((entry) => {
    if (typeof entry === 'boolean' && dtype === 'bool') return Number(entry);
    return typeof entry === 'number' ? entry : Number.NaN;
  });
  if (dtype.startsWith('float')) return { dtype, dims, data: dataFromNumbers(dtype, numbers) };
  if (!numbers.every(Number.isSafeInteger)) {
    throw refuseCli('cli.frame', `${port.name} takes whole numbers`);
  }
  const data = dataFromNumbers(dtype, numbers);
  // A number beyond the element type would wrap around to another one.
  const at = numbers.findIndex((entry, i) => entry !== Number(data[i]));
  if (at >= 0)
    throw refuseCli('cli.frame', `${port.name} is ${dtype}, which holds no ${numbers[at]}`);
  return { dtype, dims, data };
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
function readable<T>(name: string, ports: readonly InputSchema[], read: () => T): T | undefined {
  // Without a model nothing is read: every frame gets the same answer, and why was said before.
  if (ports.length === 0) return undefined;
  const result = attempt(read);
  if (result.ok) return result.value;
  note(`${printable(name)}: ${result.fault.code}: ${result.fault.message}`);
  return undefined;
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
