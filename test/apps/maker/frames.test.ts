/** Files of rows as frames: which axis is rows, and what is converted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { framesOf, openFrames } from '../../../src/apps/maker/frames.ts';
import { attempt, attemptAsync } from '../../../src/core/base/fault.ts';
import type { InputSchema } from '../../../src/core/bundle/io-schema.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { floats, npy } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgeward-frames-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const batch = { name: 'batch', min: 1, max: 64 };
const port = (dims: InputSchema['dims'], more: Partial<InputSchema> = {}): InputSchema => {
  return { name: 'x', dtype: 'float32', dims, ...more };
};
const counted = (...dims: number[]): Tensor => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return floats(
    dims,
    Array.from({ length: count }, (_, i) => i),
  );
};

/** How many frames there are, and the dims and first value of the last one. */
function lastFrame(tensor: Tensor, schema: InputSchema): [number, readonly number[], unknown] {
  const frames = framesOf(new Map([['x', tensor]]), [schema]);
  const last = frames.frame(frames.count - 1).get('x');
  return [frames.count, last?.dims ?? [], last?.data[0]];
}

describe('framesOf', () => {
  it.each<[what: string, tensor: Tensor, schema: InputSchema, frame: unknown]>([
    ['rows of a dynamic batch', counted(5, 2, 3), port([batch, 2, 3]), [5, [1, 2, 3], 24]],
    ['rows of a batch of 1', counted(5, 2, 3), port([1, 2, 3]), [5, [1, 2, 3], 24]],
    ['one frame without its batch axis', counted(2, 3), port([batch, 2, 3]), [1, [1, 2, 3], 0]],
    ['one frame of a model without a batch axis', counted(2, 3), port([2, 3]), [1, [2, 3], 0]],
    ['rows of a model without a batch axis', counted(5, 2, 3), port([2, 3]), [5, [2, 3], 24]],
    ['one number for a row of one', counted(), port([batch]), [1, [1], 0]],
  ])('%s', (_, tensor, schema, frame) => {
    expect(lastFrame(tensor, schema)).toEqual(frame);
  });

  it('converts one row at a time: integers as they are, or scaled as stated', () => {
    const bytes: Tensor = { dtype: 'uint8', dims: [2, 2], data: Uint8Array.of(0, 1, 128, 255) };
    const plain = framesOf(new Map([['x', bytes]]), [port([batch, 2])]);
    expect(plain.frame(1).get('x')).toEqual(floats([1, 2], [128, 255]));
    const convert = { scale: 0.5, offset: -1 };
    const scaled = framesOf(new Map([['x', bytes]]), [port([batch, 2], { convert })]);
    expect(scaled.frame(1).get('x')).toEqual(floats([1, 2], [63, 126.5]));
  });

  it('a file without rows is no frame', () => {
    expect(framesOf(new Map([['x', counted(0, 2)]]), [port([batch, 2])]).count).toBe(0);
  });

  it('refuses a rank that fits neither way', () => {
    for (const dims of [[2], [2, 2, 2, 2, 2], []]) {
      const fault = faultIn(attempt(() => lastFrame(counted(...dims), port([batch, 2, 3]))));
      expect(fault.code).toBe('maker.input');
    }
  });
});

describe('openFrames', () => {
  it('takes a path alone or with its name for a single input', async () => {
    const path = join(folder, 'x.npy');
    writeFileSync(path, npy(counted(2, 3)));
    const ports = [port([batch, 3])];
    const open = (...args: string[]) => attemptAsync(() => openFrames(args, ports));
    expect(accepted(await open(path)).count).toBe(2);
    expect(accepted(await open(`x=${path}`)).count).toBe(2);
    expect(faultIn(await open(`y=${path}`)).code).toBe('maker.input');
    expect(faultIn(await open()).message).toMatch(/"x" is missing/);
    expect(faultIn(await open(`x=${path}`, `x=${path}`)).message).toMatch(/given twice/);
    expect(faultIn(await open('x=none.npy')).code).toBe('store.not-found');
  });

  it('takes another form for every input, with as many rows', async () => {
    const array = join(folder, 'a.npy');
    const table = join(folder, 'b.csv');
    writeFileSync(array, npy(counted(2, 3)));
    writeFileSync(table, '1,2\n3,4\n');
    const ports = [port([batch, 3]), { ...port([batch, 2]), name: 'y' }];
    const frames = await openFrames([`y=${table}`, `x=${array}`], ports);
    expect(frames.frame(1)).toEqual(
      new Map([
        ['x', floats([1, 3], [3, 4, 5])],
        ['y', floats([1, 2], [3, 4])],
      ]),
    );
    writeFileSync(table, '1,2\n');
    const uneven = await attemptAsync(() => openFrames([`y=${table}`, `x=${array}`], ports));
    expect(faultIn(uneven).message).toMatch(/have 2 and 1 rows/);
  });
});
