import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';
import { squeeze, squeezeKind } from '../../../src/core/guard/squeeze.ts';
import { halfToNumber, numberToHalf } from '../../../src/core/numeric/float16.ts';
import type { DType, Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';

const image: InputLayout = { kind: 'image', channels: 1, height: 3, width: 3, channelsLast: false };
const signal: InputLayout = { kind: 'signal', channels: 1, samples: 5, channelsLast: false };
const table: InputLayout = { kind: 'table', columns: 9 };

function floats(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return { dtype: 'float32', dims, data: Float32Array.from(values) };
}

describe('squeeze', () => {
  // scipy.ndimage.median_filter(size=2) and (size=3) of SciPy 1.17.1: the same convention.
  it('gives images the median of 2 x 2, the greater middle one, edges repeated', () => {
    const smoothed = squeeze(floats([9, 1, 2, 3, 8, 4, 5, 6, 7], [1, 1, 3, 3]), image);
    expect(smoothed).toEqual(floats([9, 9, 2, 9, 8, 4, 5, 6, 7], [1, 1, 3, 3]));
  });

  it('gives signals the median of three, edges repeated', () => {
    expect(squeeze(floats([5, 1, 9, 2, 3]), signal)?.data).toEqual(Float32Array.of(5, 5, 2, 3, 3));
  });

  it('removes a lone speck and a lone spike, and leaves edges where they are', () => {
    const speck = squeeze(floats([0, 0, 0, 0, 50, 0, 0, 0, 0]), image);
    expect(speck?.data).toEqual(new Float32Array(9));
    expect(squeeze(floats([0, 0, 50, 0, 0]), signal)?.data).toEqual(new Float32Array(5));
    expect(squeeze(floats([0, 0, 50, 50, 50]), signal)?.data).toEqual(
      Float32Array.of(0, 0, 50, 50, 50),
    );
  });

  it('keeps channels and rows apart, in either order of the axes', () => {
    const red = [9, 1, 2, 3, 8, 4, 5, 6, 7];
    const green = red.map((value) => 10 - value);
    const apart = [red, green].map((plane) => numbers(squeeze(floats(plane), image)));
    const first = squeeze(floats([...red, ...green]), { ...image, channels: 2 });
    expect(numbers(first)).toEqual(apart.flat());
    const mixed = red.flatMap((value, i) => [value, green[i] as number]);
    const last = squeeze(floats(mixed), { ...image, channels: 2, channelsLast: true });
    expect(numbers(last)).toEqual(red.flatMap((_, i) => apart.map((plane) => plane[i] as number)));
    expect(numbers(squeeze(floats([...red, ...green]), image))).toEqual(apart.flat());
    const beats = squeeze(floats([1, 1, 7, 7, 1, 9, 1, 1, 1, 1]), {
      ...signal,
      channels: 2,
      channelsLast: true,
    });
    expect(numbers(beats)).toEqual([1, 1, 1, 7, 1, 7, 1, 1, 1, 1]);
  });

  it('keeps element type and dimensions, and takes every plain number', () => {
    const values = [9, 1, 2, 3, 8, 4, 5, 6, 7];
    const expected = [9, 9, 2, 9, 8, 4, 5, 6, 7];
    const plain: [DType, TensorData][] = [
      ['float64', Float64Array.from(values)],
      ['int8', Int8Array.from(values)],
      ['uint8', Uint8Array.from(values)],
      ['int16', Int16Array.from(values)],
      ['uint16', Uint16Array.from(values)],
      ['int32', Int32Array.from(values)],
      ['uint32', Uint32Array.from(values)],
    ];
    for (const [dtype, data] of plain) {
      const smoothed = squeeze({ dtype, dims: [3, 3], data }, image);
      expect(smoothed?.dtype).toBe(dtype);
      expect(smoothed?.dims).toEqual([3, 3]);
      expect(smoothed?.data.constructor).toBe(data.constructor);
      expect(numbers(smoothed)).toEqual(expected);
    }
    const halves = Uint16Array.from(values, (value) => numberToHalf(value - 5));
    const smoothed = squeeze({ dtype: 'float16', dims: [9], data: halves }, image);
    expect(Array.from(smoothed?.data as Uint16Array, halfToNumber)).toEqual(
      expected.map((value) => value - 5),
    );
  });

  it('gives nothing for what it cannot smooth', () => {
    const nine = new Array<number>(9).fill(1);
    const refused: [Tensor, InputLayout][] = [
      [floats(nine), table],
      [floats([]), image],
      [floats([...nine, 1]), image],
      [floats(nine), { ...image, width: 0 }],
      [{ dtype: 'string', dims: [9], data: nine.map(String) }, image],
      [{ dtype: 'bool', dims: [9], data: Uint8Array.from(nine) }, image],
      [{ dtype: 'int64', dims: [9], data: BigInt64Array.from(nine, BigInt) }, image],
      [{ dtype: 'float32', dims: [9], data: Uint8Array.from(nine) }, image],
    ];
    for (const [tensor, layout] of refused) expect(squeeze(tensor, layout)).toBeUndefined();
    expect([image, signal, table].map(squeezeKind)).toEqual(['median-2x2', 'median-3', undefined]);
  });

  it('never makes a value up, never writes to its input, and lets NaN spread', () => {
    const sizes = fc.integer({ min: 1, max: 4 });
    const value = fc.float({ noNaN: true });
    fc.assert(
      fc.property(sizes, sizes, sizes, fc.boolean(), fc.infiniteStream(value), (...drawn) => {
        const [channels, height, width, channelsLast, stream] = drawn;
        const data = Float32Array.from(stream.take(channels * height * width));
        const before = data.slice();
        for (const layout of [
          { kind: 'image', channels, height, width, channelsLast },
          { kind: 'signal', channels, samples: height * width, channelsLast },
        ] as const) {
          const smoothed = numbers(squeeze({ dtype: 'float32', dims: [], data }, layout));
          expect(smoothed.every((one) => before.includes(one))).toBe(true);
          const broken = numbers(
            squeeze({ dtype: 'float32', dims: [], data: data.map(() => NaN) }, layout),
          );
          expect(broken.every(Number.isNaN)).toBe(true);
        }
        expect(data).toEqual(before);
      }),
    );
  });
});

function numbers(tensor: Tensor | undefined): number[] {
  return tensor === undefined ? [] : [...(tensor.data as Float32Array)];
}
