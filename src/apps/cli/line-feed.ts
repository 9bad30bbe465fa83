/** Frames that arrive as JSON lines on standard input. */
import { addAbortSignal, type Readable } from 'node:stream';
import { attempt, type Result } from '../../core/base/fault.ts';
import { FRAME_LINE_CHARS_MAX } from '../../core/base/limits.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { refuseCli } from './faults.ts';

export interface NamedFrame {
  /** The file and row, or the line number. */
  readonly name: string;
  /** The fault of what could not be read: the guard answers that too. */
  readonly frame: Result<unknown>;
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
    yield { name: `line ${number}`, frame: attempt(() => lineFrame(line, ports)) };
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
