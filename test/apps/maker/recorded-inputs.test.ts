/** One way to open recorded inputs, whatever form they have. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLabels, openRecorded } from '../../../src/apps/maker/recorded-inputs.ts';
import type { Port } from '../../../src/apps/maker/recorded-rows.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { attemptAsync } from '../../../src/core/base/fault.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { codeOf } from '../../core/base/outcome.ts';
import { picture, png } from './image-fixtures.ts';
import { floats, npy } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgeward-recorded-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const port: Port = { name: 'x', dtype: 'float32', dims: [1, 2, 1, 3], layout: 'NHWC' };
const values = [0, 7, 14, 21, 28, 35];

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

describe('openRecorded', () => {
  it('gives the same frame from an array, a table and a folder of images', async () => {
    const array = file('x.npy', npy(floats([1, 2, 1, 3], values)));
    const table = file('x.CSV', utf8(`${values.join(',')}\n`));
    const images = join(folder, 'images');
    mkdirSync(join(images, '4'), { recursive: true });
    file('images/4/a.png', png(picture(1, 2)));
    for (const path of [array, table, images]) {
      const { frames, sha256: digest, labels, description } = await openRecorded(path, [port]);
      expect(frames.count).toBe(1);
      expect(frames.frame(0)).toEqual(new Map([['x', floats([1, 2, 1, 3], values)]]));
      expect(digest).toHaveLength(32);
      expect(description).toMatch(/^(array of float32 |CSV, 1 rows|folder of 1 images)/);
      expect(labels).toEqual(path === images ? Int32Array.of(4) : undefined);
    }
    const { sha256: digest } = await openRecorded(array, [port]);
    expect(digest).toEqual(sha256(npy(floats([1, 2, 1, 3], values))));
  });

  it('refuses what is not there, what is no array, and models with several inputs', async () => {
    const code = async (path: string, ports: readonly Port[] = [port]): Promise<string> =>
      codeOf(await attemptAsync(() => openRecorded(join(folder, path), ports)));
    file('y.txt', utf8('hello'));
    expect(await code('none.npy')).toBe('store.not-found');
    expect(await code('none.csv')).toBe('store.not-found');
    expect(await code('y.txt')).toBe('npy.magic');
    expect(await code('x.npy', [port, { ...port, name: 'y' }])).toBe('maker.input');
    expect(await code('x.npy', [])).toBe('maker.input');
  });
});

describe('openLabels', () => {
  it('reads whole numbers from an array or a table', async () => {
    const data = BigInt64Array.of(2n, 0n);
    const array = file('y.npy', npy({ dtype: 'int64', dims: [2], data }));
    const table = file('y.csv', utf8('label\n2\n0\n'));
    expect(await openLabels(array)).toEqual(Int32Array.of(2, 0));
    expect(await openLabels(table)).toEqual(Int32Array.of(2, 0));
  });

  it('refuses other types, shapes and numbers', async () => {
    const code = async (path: string): Promise<string> =>
      codeOf(await attemptAsync(() => openLabels(path)));
    expect(await code(file('z.npy', npy(floats([2], [0, 1]))))).toBe('maker.labels');
    const wide = BigInt64Array.of(2n ** 40n);
    expect(await code(file('z.npy', npy({ dtype: 'int64', dims: [1], data: wide })))).toBe(
      'maker.labels',
    );
    expect(await code(file('z.csv', utf8('0.5\n')))).toBe('maker.csv');
  });
});
