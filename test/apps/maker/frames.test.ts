/** Files of rows as frames: which axis is rows, and what is converted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { framesOf, openFrames } from '../../../src/apps/maker/frames.ts';
import { attempt } from '../../../src/core/base/fault.ts';
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
  it('takes a path alone for a single input, even one with = in it', () => {
    const path = join(folder, 'x.npy');
    writeFileSync(path, npy(counted(2, 3)));
    const ports = [port([batch, 3])];
    expect(accepted(attempt(() => openFrames([path], ports))).count).toBe(2);
    expect(accepted(attempt(() => openFrames([`x=${path}`], ports))).count).toBe(2);
    expect(faultIn(attempt(() => openFrames([`y=${path}`], ports))).code).toBe('maker.input');
    expect(faultIn(attempt(() => openFrames([], ports))).message).toMatch(/"x" is missing/);
    expect(faultIn(attempt(() => openFrames(['x=none.npy'], ports))).code).toBe('store.not-found');
  });
});
