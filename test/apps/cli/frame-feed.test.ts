/** Frames that arrive as JSON lines or files: bounded, told when bad, never another value than sent. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { folderFrames } from '../../../src/apps/cli/folder-feed.ts';
import { lineFrames, type NamedFrame } from '../../../src/apps/cli/line-feed.ts';
import { attemptAsync, ok } from '../../../src/core/base/fault.ts';
import { FRAME_LINE_CHARS_MAX } from '../../../src/core/base/limits.ts';
import type { InputSchema } from '../../../src/core/bundle/io-schema.ts';
import type { DType, Tensor } from '../../../src/core/numeric/tensor.ts';
import { faultIn } from '../../core/base/outcome.ts';
import { npy, toyRows } from '../maker/toy.ts';

const batch = { name: 'batch', min: 1, max: 64 };
const X: InputSchema = { name: 'x', dtype: 'float32', dims: [batch, 2, 2] };
const running = (): AbortSignal => new AbortController().signal;

const notes = vi.hoisted((): string[] => []);
vi.mock('../../../src/apps/cli/terminal.ts', async (original) => ({
  ...(await original<typeof import('../../../src/apps/cli/terminal.ts')>()),
  note: (line: string) => notes.push(line),
}));

beforeEach(() => {
  notes.length = 0;
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** `read`, or the fault. */
function told({ frame }: NamedFrame): string {
  return frame.ok ? 'read' : `${frame.fault.code}: ${frame.fault.message}`;
}

async function all(frames: AsyncIterable<NamedFrame>): Promise<NamedFrame[]> {
  const seen: NamedFrame[] = [];
  for await (const frame of frames) seen.push(frame);
  return seen;
}

function lines(text: string | Iterable<string | Uint8Array>, port: InputSchema = X) {
  const chunks = typeof text === 'string' ? [Buffer.from(text)] : text;
  return all(lineFrames(Readable.from(chunks, { objectMode: false }), [port], running()));
}

async function dataOf(dtype: DType, json: string): Promise<unknown> {
  const [frame] = await lines(`{"x": ${json}}`, { name: 'x', dtype, dims: [1, 2] });
  const tensor = frame?.frame.ok ? (frame.frame.value as Record<string, Tensor>)['x'] : undefined;
  return tensor && Array.from(tensor.data as ArrayLike<unknown>);
}

describe('lineFrames', () => {
  it('reads nested and flat numbers, with dynamic dimensions at their least', async () => {
    const seen = await lines('{"x":[[[1,2],[3,4]]]}\r\n\n{"x":[1,2,3,4]}');
    const x = { dtype: 'float32', dims: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) };
    expect(seen).toEqual([
      { name: 'line 1', frame: ok({ x }) },
      { name: 'line 2', frame: ok({ x }) },
    ]);
  });

  it('finds lines across chunks, also where a character is cut', async () => {
    const bytes = Buffer.from('{"ä":1}\n{"x":[1,2,3,4]}\n');
    const seen = await lines([bytes.subarray(0, 3), bytes.subarray(3, 12), bytes.subarray(12)]);
    expect(seen.map(told)).toEqual(['cli.frame: ä is none of x', 'read']);
  });

  it.each([
    ['text', 'no JSON', /not valid JSON/],
    ['a list', '[1,2,3,4]', /no JSON object/],
    ['null', 'null', /no JSON object/],
    ['an unknown name', '{"y":[1,2,3,4]}', /y is none of x/],
    ['too few numbers', '{"x":[1,2,3]}', /takes \[1, 2, 2\], not 3 values/],
    ['lists far too deep', '{"x":[[[[[1,2,3,4]]]]]}', /not 1 values/],
    ['an object', '{"x":{"0":1}}', /not 1 values/],
    ['a name of the prototype', '{"__proto__":[1,2,3,4]}', /__proto__ is none of x/],
    ['control characters', '{"\u001b[2J\u009b":1}', /^cli\.frame: [^\p{Cc}]*$/u],
  ])('%s: a fault, and the next line is read', async (_, line, words) => {
    const [bad = '', good] = (await lines(`${line}\n{"x":[1,2,3,4]}`)).map(told);
    expect(bad).toMatch(/^cli\.frame: /);
    expect(bad).toMatch(words);
    expect(good).toBe('read');
  });

  it('what is no number becomes NaN for the contract to name', async () => {
    expect(await dataOf('float32', '[null, "1"]')).toEqual([Number.NaN, Number.NaN]);
    expect(await dataOf('float64', '[1e400, 0.1]')).toEqual([Number.POSITIVE_INFINITY, 0.1]);
  });

  it('a number that the element type does not hold is refused, never wrapped around', async () => {
    expect(await dataOf('uint8', '[0, 255]')).toEqual([0, 255]);
    expect(await dataOf('int64', '[-5, 9007199254740991]')).toEqual([-5n, 9007199254740991n]);
    expect(await dataOf('bool', '[true, 0]')).toEqual([1, 0]);
    expect(await dataOf('string', '["a", 1]')).toEqual(['a', '1']);
    for (const [dtype, json] of [
      ['uint8', '[256, 0]'],
      ['uint8', '[-1, 0]'],
      ['int8', '[128, 0]'],
      ['int32', '[2147483648, 0]'],
      ['uint32', '[-1, 0]'],
      ['uint64', '[-1, 0]'],
      ['int16', '[0.5, 0]'],
      ['int64', '[9007199254740993, 0]'],
      ['uint8', '[true, 0]'],
    ] as const) {
      expect(await dataOf(dtype, json), `${dtype} ${json}`).toBeUndefined();
    }
  });

  it('a line over the limit is dropped while it arrives, and the next one is read', async () => {
    function* flood(): Generator<string> {
      const part = ' '.repeat(2 ** 20);
      for (let sent = 0; sent <= FRAME_LINE_CHARS_MAX; sent += part.length) yield part;
      yield '\n{"x":[1,2,3,4]}\n';
    }
    const seen = await lines(flood());
    const over = `cli.frame: the line is over ${FRAME_LINE_CHARS_MAX} characters`;
    expect(seen.map(told)).toEqual([over, 'read']);
  });

  it('ends when stopped while it waits', async () => {
    const stop = new AbortController();
    const waiting = all(lineFrames(new Readable({ read() {} }), [X], stop.signal));
    stop.abort();
    expect(await waiting).toEqual([]);
  });

  it('without a model every line is still a frame', async () => {
    const seen = await all(lineFrames(Readable.from(['{}\nx\n']), [], running()));
    expect(seen.map(({ name }) => name)).toEqual(['line 1', 'line 2']);
  });
});

describe('folderFrames', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-feed-'));
  const port: InputSchema = { name: 'x', dtype: 'float32', dims: [batch, 8] };
  const feed = (ports = [port], signal = running()) => folderFrames(folder, ports, true, signal);

  writeFileSync(join(folder, 'b.npy'), npy(toyRows(1, 2).x));
  writeFileSync(join(folder, 'a.npy'), npy(toyRows(2, 1).x));
  writeFileSync(join(folder, 'c\u001b[2J.npy'), 'no array');
  writeFileSync(join(folder, 'notes.txt'), 'no frame');
  mkdirSync(join(folder, 'd.npy'));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('takes files in order of name and their rows in order; what it cannot read is told', async () => {
    const seen = await all(feed());
    expect(seen.map((frame) => [frame.name, told(frame).split(':')[0]])).toEqual([
      ['a.npy', 'read'],
      ['b.npy[0]', 'read'],
      ['b.npy[1]', 'read'],
      ['c\u001b[2J.npy', 'npy.magic'],
      ['d.npy', 'store.read'],
    ]);
  });

  it('takes what comes later under any name, and what is written anew, until stopped', async () => {
    const stop = new AbortController();
    const place = mkdtempSync(join(tmpdir(), 'edgeward-feed-'));
    const put = (name: string, seed: number) =>
      writeFileSync(join(place, name), npy(toyRows(seed, 1).x));
    put('frame9.npy', 1);
    put('frame10.npy', 2);
    const seen: string[] = [];
    for await (const { name } of folderFrames(place, [port], false, stop.signal)) {
      seen.push(name);
      if (seen.length === 2) put('a-earlier-name.npy', 3);
      if (seen.length === 3) {
        const later = new Date(Date.now() + 5_000);
        put('frame9.npy', 4);
        utimesSync(join(place, 'frame9.npy'), later, later);
      }
      if (seen.length === 4) stop.abort();
    }
    expect(seen).toEqual(['frame9.npy', 'frame10.npy', 'a-earlier-name.npy', 'frame9.npy']);
    rmSync(place, { recursive: true });
  });

  it('waits for a folder, and for a file that is still being written', async () => {
    const stop = new AbortController();
    const place = join(mkdtempSync(join(tmpdir(), 'edgeward-feed-')), 'later');
    const whole = npy(toyRows(1, 1).x);
    const frames = folderFrames(place, [port], false, stop.signal);
    const first = frames.next();
    mkdirSync(place);
    writeFileSync(join(place, 'slow.npy'), whole.subarray(0, whole.length - 8));
    setTimeout(() => writeFileSync(join(place, 'slow.npy'), whole), 300);
    const { value } = await first;
    expect(value && told(value)).toBe('read');
    expect(notes.join('')).toMatch(/later cannot be read.*waiting for it/);
    stop.abort();
    expect((await frames.next()).done).toBe(true);
  });

  it('tells of a model with several inputs, and of a folder that is not there', async () => {
    const seen = await all(feed([port, { ...port, name: 'y' }]));
    for (const frame of seen) expect(told(frame)).toMatch(/^cli\.input: .* one input/);
    const none = folderFrames(join(folder, 'none'), [port], true, running());
    expect(faultIn(await attemptAsync(() => all(none))).code).toBe('cli.input');
  });
});
