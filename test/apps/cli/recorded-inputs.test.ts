/** Recorded inputs of every form through the program, which loads the code of rare ones by itself. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { picture, png } from '../maker/image-fixtures.ts';
import { floats, toyRows } from '../maker/toy.ts';
import { edgeward, expectRefused, linesOf, outputOf } from './program.ts';
import { openToyBench, type ToyBench } from './toy-bench.ts';

let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
});

afterAll(() => bench.remove());

/** One line of weights over the pixels of a grey image of 4 x 2. */
function pictureModel(): Uint8Array {
  return encodeModel({
    graph: {
      name: 'picture',
      nodes: [
        { op: 'Flatten', inputs: ['x'], outputs: ['flat'] },
        { op: 'MatMul', inputs: ['flat', 'w'], outputs: ['y'] },
      ],
      initializers: { w: floats([8, 2], toyRows(5, 2).x.data as Float32Array) },
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', 1, 2, 4] }],
      outputs: [{ name: 'y', dtype: 'float32', dims: ['batch', 2] }],
    },
  });
}

function infer(path: string): string[] {
  return bench.trusting('infer', 'plain.bundle', '--input', path);
}

describe('edgeward infer', () => {
  it('judges the rows of a table as those of an array', async () => {
    const { data, dims } = toyRows(3, 40).x;
    const [rows = 0, columns = 0] = dims;
    const lines = Array.from({ length: rows }, (_, row) =>
      (data as Float32Array).subarray(row * columns, (row + 1) * columns).join(','),
    );
    const table = bench.write('usual.csv', `a,b,c,d,e,f,g,h\n${lines.join('\n')}\n`);
    const judged = await linesOf(infer(table));
    expect(judged).toHaveLength(40);
    expect(judged).toEqual(await linesOf(infer(bench.at('usual.npy'))));
  });

  it('judges a folder of images as the array of their pixels', async () => {
    mkdirSync(bench.at('images/0'), { recursive: true });
    const pictures = [0, 1, 2].map((index) => picture(4, 2, 1, 40 * index));
    for (const [index, one] of pictures.entries()) bench.write(`images/0/${index}.png`, png(one));
    const pixels = Uint8Array.from(pictures.flatMap((one) => [...one.pixels]));
    const array = bench.npy('pixels.npy', { dtype: 'uint8', dims: [3, 1, 2, 4], data: pixels });
    bench.write('picture.onnx', pictureModel());
    bench.write('picture.json', JSON.stringify({ inputs: { x: { layout: 'NCHW' } } }));
    const args = bench.pack('picture.bundle', '--contract-only', '--golden', bench.at('images'));
    await outputOf(
      args.map((arg) => arg.replace(/toy\.(onnx|json)$/, (_, ending) => `picture.${ending}`)),
    );
    const [images, rows] = await Promise.all(
      [bench.at('images'), array].map((path) =>
        linesOf(bench.trusting('infer', 'picture.bundle', '--input', path)),
      ),
    );
    expect(images).toHaveLength(3);
    expect(images).toEqual(rows);
    expect(images?.every(({ verdict }) => verdict === 'release')).toBe(true);
  });

  it('refuses images for a model that takes none', async () => {
    const ran = await edgeward(infer(bench.folder));
    expectRefused(ran, 'maker.shape', EXIT_CODES['maker'] as number, /"x" has no layout/);
  });

  it('names the row and column of a mistake', async () => {
    const table = bench.write('wrong.csv', '1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,eight\n');
    const ran = await edgeward(infer(table));
    expectRefused(ran, 'maker.csv', EXIT_CODES['maker'] as number, /row 2, column 8: "eight"/);
  });
});

describe('edgeward pack', () => {
  it('takes golden vectors from a table', async () => {
    const table = bench.write('golden.csv', '1,2,3,4,5,6,7,8\n8,7,6,5,4,3,2,1\n');
    const said = await outputOf(bench.pack('golden.bundle', '--contract-only', '--golden', table));
    expect(said).toMatch(/golden vectors: 2 recorded/);
  });
});
