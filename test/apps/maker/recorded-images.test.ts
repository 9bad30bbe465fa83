/** Folders of images as frames: order, labels, layout, sizes, and what is refused with which words. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openImages } from '../../../src/apps/maker/recorded-images.ts';
import type { Port, RecordedRows } from '../../../src/apps/maker/recorded-rows.ts';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import type { Result } from '../../../src/core/base/fault.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { chunk, jpeg, picture, png, pngData, pngHeader, pngOf } from './image-fixtures.ts';

const home = mkdtempSync(join(tmpdir(), 'edgeward-images-'));
let folder = home;
let used = 0;

beforeEach(() => {
  folder = join(home, String(used++));
  mkdirSync(folder);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const batch = { name: 'batch', min: 1, max: 64 };
const nhwc: Port = { name: 'x', dtype: 'uint8', dims: [batch, 2, 3, 3], layout: 'NHWC' };
const nchw: Port = { name: 'x', dtype: 'uint8', dims: [batch, 3, 2, 3], layout: 'NCHW' };
const grey: Port = { name: 'x', dtype: 'uint8', dims: [1, 1, 2, 3], layout: 'NCHW' };

function put(name: string, bytes: Uint8Array): void {
  writeFileSync(join(folder, name), bytes);
}

function putImages(names: readonly string[]): void {
  for (const [index, name] of names.entries()) put(name, png(picture(3, 2, 3, index)));
}

function open(port: Port = nhwc, classNames: readonly string[] = []): Result<RecordedRows> {
  return openImages(folder, port, classNames);
}

describe('openImages', () => {
  it('gives images in the order of their names by code unit, and their digest as sha256sum does', () => {
    const names = ['b.PNG', 'a10.png', 'a9.png', 'Z.png', 'é.png', 'a b.png'];
    putImages(names);
    put('.hidden', utf8('not looked at'));
    const rows = accepted(open());
    const sorted = [...names].sort();
    expect(rows).toMatchObject({ count: 6, description: 'folder of 6 images (PNG)' });
    for (const [index, name] of sorted.entries()) {
      const { pixels } = picture(3, 2, 3, names.indexOf(name));
      expect(accepted(rows.row(index))).toEqual({
        dtype: 'uint8',
        dims: [1, 2, 3, 3],
        data: pixels,
      });
    }
    const printed = execFileSync('sha256sum', ['--', ...sorted], { cwd: folder });
    expect(toHex(rows.digest())).toBe(toHex(sha256(printed)));
  });

  it('puts the samples where the layout says, and converts as the metadata say', () => {
    put('a.png', png(picture(3, 2)));
    const planes = accepted(accepted(open(nchw)).row(0));
    expect(planes.dims).toEqual([1, 3, 2, 3]);
    const { pixels } = picture(3, 2);
    const red = Array.from({ length: 6 }, (_, i) => pixels[3 * i]);
    expect([...planes.data].slice(0, 6)).toEqual(red);
    const scaled: Port = { ...nchw, dtype: 'float32', convert: { scale: 1 / 255, offset: -0.5 } };
    const row = accepted(accepted(open(scaled)).row(0));
    expect(row.data[1]).toBeCloseTo((pixels[3] as number) / 255 - 0.5, 6);
  });

  it('takes grey images for one channel, and for a layout without channels', () => {
    const made = picture(3, 2, 1);
    put('a.png', png(made));
    for (const port of [grey, { ...grey, dims: [2, 3], layout: 'HW' }]) {
      expect(accepted(accepted(open(port)).row(0))).toMatchObject({
        dims: port.dims,
        data: made.pixels,
      });
    }
  });

  it('goes by what a file is, not by what it is called', () => {
    put('a.png', jpeg(picture(3, 2)));
    const rows = accepted(open());
    expect(rows.description).toBe('folder of 1 images (JPEG)');
    expect(accepted(rows.row(0)).data).toHaveLength(18);
  });

  it.each<
    [what: string, folders: readonly string[], classNames: readonly string[], labels: number[]]
  >([
    ['in their order', ['dog', 'cat', 'ant'], [], [0, 1, 2]],
    ['by the names of the classes', ['dog', 'cat'], ['dog', 'ant', 'cat'], [2, 0]],
    ['by their number', ['0', '2', '10'], [], [0, 10, 2]],
    ['by names that are numbers', ['7', '8'], ['8', '7'], [1, 0]],
  ])('takes the folders for labels: %s', (_, folders, classNames, labels) => {
    for (const name of folders) {
      mkdirSync(join(folder, name));
      put(`${name}/a.png`, png(picture(3, 2)));
    }
    const rows = accepted(open(nhwc, classNames));
    expect(rows.labels).toEqual(Int32Array.from(labels));
    expect(rows.description).toMatch(new RegExp(`, ${folders.length} classes$`));
  });

  it('refuses folders of which only some are classes, naming the other', () => {
    for (const name of ['cat', 'dgo']) {
      mkdirSync(join(folder, name));
      put(`${name}/a.png`, png(picture(3, 2)));
    }
    const fault = faultIn(open(nhwc, ['cat', 'dog']));
    expect(fault.code).toBe('maker.classes');
    expect(fault.message).toMatch(/dgo is none of the classes cat, dog/);
  });

  it.each<[what: string, prepare: () => void, message: RegExp]>([
    ['nothing', () => undefined, /holds no images/],
    ['another file', () => put('notes.txt', utf8('x')), /notes.txt .* is neither/],
    ['an empty class', () => mkdirSync(join(folder, 'cat')), /holds no images/],
    [
      'an image beside the classes',
      () => {
        mkdirSync(join(folder, 'cat'));
        put('a.png', png(picture(3, 2)));
      },
      /a.png lies beside the folders/,
    ],
    [
      'folders in folders',
      () => mkdirSync(join(folder, 'a/b'), { recursive: true }),
      /b in .* is neither/,
    ],
    ['a name with a line end', () => put('a\nb.png', png(picture(3, 2))), /cannot be listed/],
    ['a name that is no text', () => put('a\ufffd.png', png(picture(3, 2))), /cannot be listed/],
    ['a link to a folder', () => symlinkSync(home, join(folder, 'link')), /link in .* is neither/],
  ])('refuses a folder with %s', (_, prepare, message) => {
    prepare();
    expect(faultIn(open())).toMatchObject({
      code: 'maker.folder',
      message: expect.stringMatching(message),
    });
  });

  it('says both sizes of an image that does not fit, and scales nothing', () => {
    put('a.png', png(picture(3, 2)));
    put('b.png', png(picture(2, 3)));
    const fault = faultIn(open());
    expect(fault.code).toBe('maker.image-size');
    expect(fault.message).toBe('b.png is 2 x 3 pixels, the model takes 3 x 2');
  });

  it('takes every size that an open axis allows', () => {
    const side = { name: 'side', min: 2, max: 5 };
    const open5: Port = { ...nhwc, dims: [1, side, side, 3] };
    put('a.png', png(picture(5, 2)));
    expect(accepted(accepted(open(open5)).row(0)).dims).toEqual([1, 2, 5, 3]);
    put('b.png', png(picture(6, 2)));
    expect(faultIn(open(open5)).message).toMatch(/6 x 2 pixels, the model takes 2 to 5 x 2 to 5/);
  });

  it('refuses another number of channels, and alpha', () => {
    put('a.png', png(picture(3, 2, 1)));
    expect(faultIn(open())).toMatchObject({
      code: 'maker.image-kind',
      message: 'a.png is grey, the model takes 3 channels',
    });
    put('a.png', pngOf(pngHeader({ width: 3, height: 2, colour: 6 }), pngData(26)));
    expect(faultIn(open())).toMatchObject({
      code: 'maker.image-kind',
      message: 'a.png: 8-bit RGB with alpha',
    });
  });

  it.each<[what: string, port: Port]>([
    ['no layout and sizes too small to be sure', { name: 'x', dtype: 'uint8', dims: [1, 2, 3, 3] }],
    ['a layout without a height', { ...nhwc, layout: 'NCTW' }],
    ['a layout that says H twice', { ...nhwc, layout: 'NHHW' }],
    ['a batch of eight', { ...nhwc, dims: [8, 2, 3, 3] }],
    ['a batch that cannot be one', { ...nhwc, dims: [{ name: 'n', min: 2, max: 4 }, 2, 3, 3] }],
  ])('refuses a model with %s', (_, port) => {
    put('a.png', png(picture(3, 2)));
    expect(codeOf(open(port))).toBe('maker.shape');
  });

  it.each<[layout: string, dims: Port['dims'], channels: 1 | 3]>([
    ['NCHW', [batch, 3, 9, 11], 3],
    ['NHWC', [batch, 9, 11, 3], 3],
    ['NCHW', [1, 1, 9, 11], 1],
    ['NHWC', [1, 9, 11, 1], 1],
    ['NHW', [batch, 9, 11], 1],
    ['CHW', [3, 9, 11], 3],
    ['HWC', [9, 11, 3], 3],
    ['HW', [9, 11], 1],
  ])('takes an input without a layout as the guard does: %s of %j', (layout, dims, channels) => {
    put('a.png', png(picture(11, 9, channels)));
    const stated = accepted(open({ name: 'x', dtype: 'uint8', dims, layout }));
    const guessed = accepted(open({ name: 'x', dtype: 'uint8', dims }));
    expect(accepted(guessed.row(0))).toEqual(accepted(stated.row(0)));
  });

  it('names the file that cannot be decoded when its row is asked for', () => {
    put('a.png', pngOf(pngHeader({ width: 3, height: 2, colour: 2 }), pngData(2 ** 20)));
    const rows = accepted(open());
    const fault = faultIn(rows.row(0));
    expect(fault.code).toBe('maker.image');
    expect(fault.message).toMatch(/^a.png: the decoder stopped: /);
    put('a.png', pngOf(pngHeader({ width: 3, height: 2, colour: 2 }), pngData(5)));
    expect(faultIn(accepted(open()).row(0)).message).toMatch(/^a.png: the image has 5 of 20 bytes/);
    put('a.png', utf8('GIF89a'));
    expect(faultIn(open()).message).toBe('a.png: the file is neither PNG nor JPEG');
    put('a.png', pngOf(chunk('IHDR')));
    expect(codeOf(open())).toBe('maker.image');
  });

  it('notices a file that was changed after the folder was opened', () => {
    put('a.png', png(picture(3, 2)));
    const rows = accepted(open());
    put('a.png', png(picture(3, 2, 3, 1)));
    expect(codeOf(rows.row(0))).toBe('maker.changed');
    rmSync(join(folder, 'a.png'));
    expect(codeOf(rows.row(0))).toBe('store.not-found');
  });
});
