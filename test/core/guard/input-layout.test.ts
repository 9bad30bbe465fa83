import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  INPUT_CHANNELS_MAX,
  TABLE_COLUMNS_MAX,
  TENSOR_ELEMENTS_MAX,
} from '../../../src/core/base/limits.ts';
import type { Dim } from '../../../src/core/bundle/io-schema.ts';
import {
  type InputLayout,
  inputLayout,
  isLayout,
  stridesOf,
  valuesOfRow,
} from '../../../src/core/guard/input-layout.ts';
import { DTYPES } from '../../../src/core/numeric/tensor.ts';
import { BATCH } from './frames.ts';

const image = (channels: number, height: number, width: number, channelsLast = false) =>
  ({ kind: 'image', channels, height, width, channelsLast }) as const;
const signal = (channels: number, samples: number, channelsLast = false) =>
  ({ kind: 'signal', channels, samples, channelsLast }) as const;
const table = (columns: number) => ({ kind: 'table', columns }) as const;

function layoutOf(dims: readonly Dim[], layout?: string): InputLayout | undefined {
  return inputLayout({ dtype: 'float32', dims, ...(layout !== undefined && { layout }) });
}

describe('the layout of an input', () => {
  it.each<[string, readonly Dim[], InputLayout]>([
    ['ResNet8', [BATCH, 3, 32, 32], image(3, 32, 32)],
    ['MNIST', [BATCH, 1, 28, 28], image(1, 28, 28)],
    ['wake words', [BATCH, 3, 96, 96], image(3, 96, 96)],
    ['a face detector of one row', [1, 3, 240, 320], image(3, 240, 320)],
    ['keyword spectrograms', [BATCH, 1, 49, 10], image(1, 49, 10)],
    ['a bearing', [BATCH, 1, 1024], signal(1, 1024)],
    ['ToyCar', [BATCH, 640], table(640)],
    ['an image with channels last', [1, 224, 224, 3], image(3, 224, 224, true)],
    ['a grey image with channels last', [1, 28, 28, 1], image(1, 28, 28)],
    ['an image without its batch', [3, 32, 32], image(3, 32, 32)],
    ['an image without channels', [28, 28], image(1, 28, 28)],
    ['one window', [1, 1024], signal(1, 1024)],
    ['one window, bare', [1024], signal(1, 1024)],
    ['a window as a thin image', [BATCH, 1, 1, 1024], signal(1, 1024)],
    ['a window standing up', [BATCH, 1, 1024, 1], signal(1, 1024)],
    ['six axes over time', [BATCH, 6, 128], signal(6, 128)],
    ['nine axes, channels last', [BATCH, 128, 9], signal(9, 128, true)],
    ['a few features', [BATCH, 4], table(4)],
    ['a lone value', [BATCH], table(1)],
    ['a small block', [BATCH, 2, 3, 4], table(24)],
    ['the widest table', [BATCH, TABLE_COLUMNS_MAX], table(TABLE_COLUMNS_MAX)],
  ])('of %s is guessed by its sizes', (_, dims, expected) => {
    expect(layoutOf(dims)).toEqual(expected);
  });

  it.each<[string, readonly Dim[], InputLayout | undefined]>([
    ['NCW', [BATCH, 4, 20], signal(4, 20)],
    ['NWC', [BATCH, 20, 4], signal(4, 20, true)],
    ['NT', [BATCH, 300], signal(1, 300)],
    ['L', [300], signal(1, 300)],
    ['NCHW', [BATCH, 16, 8, 8], image(16, 8, 8)],
    ['NHWC', [1, 8, 8, 16], image(16, 8, 8, true)],
    ['NHWC', [1, 8, 8, 1], image(1, 8, 8)],
    ['HW', [5, 500], image(1, 5, 500)],
    ['BCHW', [BATCH, 3, 32, 32], image(3, 32, 32)],
    ['nchw', [BATCH, 3, 32, 32], image(3, 32, 32)],
    ['NF', [BATCH, 900], table(900)],
    ['NC', [BATCH, 2], table(2)],
    ['NCHW', [BATCH, 3, 2, 2], undefined],
    ['NCW', [BATCH, 1, 15], undefined],
    ['NF', [BATCH, TABLE_COLUMNS_MAX + 1], undefined],
    ['NCHW', [2, 3, 32, 32], undefined],
    ['NCDHW', [BATCH, 1, 8, 8, 8], undefined],
    ['CNW', [1, 1, 300], undefined],
    ['NHW', [BATCH, 3, 32, 32], undefined],
    ['N', [BATCH], undefined],
  ])('that is stated as %s is taken at its word', (layout, dims, expected) => {
    expect(layoutOf(dims, layout)).toEqual(expected);
  });

  it('is unknown where statistics of a row would say nothing', () => {
    const open: Dim = { name: 'size', min: 1, max: 512 };
    expect(layoutOf([BATCH, 3, open, open])).toBeUndefined();
    expect(layoutOf([])).toBeUndefined();
    expect(layoutOf([BATCH, 0])).toBeUndefined();
    expect(layoutOf([BATCH, INPUT_CHANNELS_MAX + 1, 100_000])).toBeUndefined();
    expect(layoutOf([BATCH, 16, 16, 16])).toBeUndefined();
    expect(layoutOf([BATCH, TENSOR_ELEMENTS_MAX + 1])).toBeUndefined();
    expect(layoutOf([BATCH, 2 ** 53, 2 ** 53, 3])).toBeUndefined();
    expect(inputLayout({ dtype: 'string', dims: [BATCH, 4] })).toBeUndefined();
  });

  it('is total, and covers exactly one row', () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 70 }),
      fc.constantFrom<Dim>(BATCH, 1, 1024, 2 ** 40, { name: 'n', min: 3, max: 9 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...DTYPES),
        fc.array(size, { maxLength: 6 }),
        fc.option(fc.stringMatching(/^[NBCHWLTFXnc]{0,6}$/), { nil: undefined }),
        (dtype, dims, layout) => {
          const found = inputLayout({ dtype, dims, ...(layout !== undefined && { layout }) });
          if (found === undefined) return;
          const rest = typeof dims[0] === 'object' ? dims.slice(1) : dims;
          const values = rest.reduce<number>((all, dim) => all * Number(dim), 1);
          expect(valuesOfRow(found)).toBe(values);
          expect(isLayout(found)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('says how far neighbours are', () => {
    expect(stridesOf(image(3, 4, 5))).toEqual({ channel: 20, line: 5, step: 1 });
    expect(stridesOf(image(3, 4, 5, true))).toEqual({ channel: 1, line: 15, step: 3 });
    expect(stridesOf(signal(2, 50))).toEqual({ channel: 50, line: 50, step: 1 });
    expect(stridesOf(signal(2, 50, true))).toEqual({ channel: 1, line: 100, step: 2 });
  });
});
