import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageStatisticNames, imageStatistics } from '../../../src/core/guard/image-statistics.ts';
import type { ImageLayout } from '../../../src/core/guard/input-layout.ts';
import { randomNumbers } from '../calibration/simulated.ts';

const layoutOf = (
  channels: number,
  height: number,
  width: number,
  channelsLast = false,
): ImageLayout => ({ kind: 'image', channels, height, width, channelsLast });

const COLOUR = layoutOf(3, 12, 16);

/** A camera's frame of whole numbers, 0 to 255. */
function frame(seed: number, { channels, height, width }: ImageLayout = COLOUR): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: channels * height * width }, (_, at) =>
    Math.round(100 + 40 * Math.sin(at / 7 + seed) + 100 * random()),
  );
}

function measured(values: Float32Array, layout: ImageLayout = COLOUR): Record<string, number> {
  const statistics = imageStatistics(values, layout);
  if (statistics === undefined) throw new Error('not measured');
  const names = imageStatisticNames(layout);
  expect(statistics).toHaveLength(names.length);
  return Object.fromEntries(names.map((name, i) => [name, statistics[i] as number]));
}

/** Rows of channels last from rows of channels first. */
function interleaved(values: Float32Array, { channels, height, width }: ImageLayout): Float32Array {
  const pixels = height * width;
  return values.map(
    (_, at) => values[(at % channels) * pixels + Math.floor(at / channels)] as number,
  );
}

function transposed(values: Float32Array, { channels, height, width }: ImageLayout): Float32Array {
  const out = new Float32Array(values.length);
  for (let c = 0, from = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[(c * width + x) * height + y] = values[from++] as number;
    }
  }
  return out;
}

describe('statistics of an image', () => {
  it('are those of a chequered board, worked out by hand', () => {
    const board = Float32Array.from({ length: 64 }, (_, at) =>
      (at + (at >> 3)) % 2 === 0 ? 6 : 2,
    );
    expect(measured(board, layoutOf(1, 8, 8))).toEqual({
      mean: 4,
      sd: 2,
      'log Laplacian variance': Math.log(16 ** 2),
      'log row/column gradient ratio': 0,
      'share at the lower rail': 0.5,
      'share at the upper rail': 0.5,
      'distinct values': 2,
      'lowest value': 2,
      'highest value': 6,
      'side of the largest uniform square': 1,
    });
  });

  it('are those of stripes, a uniform block and two colours', () => {
    const stripes = Float32Array.from({ length: 64 }, (_, at) => ((at >> 3) % 2) * 3 + (at & 1));
    const { 'log row/column gradient ratio': ratio } = measured(stripes, layoutOf(1, 8, 8));
    expect(ratio).toBeCloseTo(Math.log(9), 12);
    const layout = layoutOf(1, 20, 20);
    const block = Float32Array.from({ length: 400 }, (_, at) => at);
    for (let y = 5; y < 12; y++) block.fill(1000, y * 20 + 3, y * 20 + 10);
    expect(measured(block, layout)['side of the largest uniform square']).toBe(7);
    const colours = frame(1).fill(10, 0, 192).fill(30, 384);
    expect(measured(colours)['|R-B|']).toBe(20);
  });

  it('know only blocks that are uniform in all channels', () => {
    const values = frame(2);
    for (let y = 2; y < 8; y++) values.fill(90, y * 16 + 2, y * 16 + 8);
    expect(measured(values)['side of the largest uniform square']).toBe(1);
    for (const c of [1, 2]) {
      for (let y = 2; y < 8; y++) values.fill(c, (c * 12 + y) * 16 + 2, (c * 12 + y) * 16 + 8);
    }
    expect(measured(values)['side of the largest uniform square']).toBe(6);
  });

  it('see a stuck bit in one channel of three', () => {
    const values = frame(3);
    const before = measured(values)['distinct values'] as number;
    const stuck = values.map((value, at) => (at >= 192 && at < 384 ? value - (value % 16) : value));
    expect(measured(stuck)['distinct values']).toBeLessThan(before / 4);
  });

  it('do not depend on where the channels lie', () => {
    const turned = layoutOf(3, 12, 16, true);
    for (let seed = 0; seed < 20; seed++) {
      const first = imageStatistics(frame(seed), COLOUR) as Float64Array;
      const last = imageStatistics(interleaved(frame(seed), COLOUR), turned) as Float64Array;
      for (const [i, value] of first.entries()) expect(last[i]).toBeCloseTo(value, 9);
    }
  });

  it('turn the sign of the gradient ratio alone when the image is turned', () => {
    const before = measured(frame(4));
    const after = measured(transposed(frame(4), COLOUR), layoutOf(3, 16, 12));
    for (const [name, value] of Object.entries(before)) {
      const sign = name === 'log row/column gradient ratio' ? -1 : 1;
      expect(after[name]).toBeCloseTo(sign * value, 9);
    }
  });

  it('follow brightness and contrast', () => {
    const before = measured(frame(5));
    const brighter = measured(frame(5).map((value) => value + 32));
    const stronger = measured(frame(5).map((value) => value * 2));
    expect(brighter['mean']).toBeCloseTo((before['mean'] as number) + 32, 9);
    expect(brighter['sd']).toBeCloseTo(before['sd'] as number, 9);
    expect(stronger['sd']).toBeCloseTo(2 * (before['sd'] as number), 9);
    const sharper = (stronger['log Laplacian variance'] ?? 0) - Math.log(4);
    expect(sharper).toBeCloseTo(before['log Laplacian variance'] as number, 9);
  });

  it('of a uniform frame are finite and far from any picture', () => {
    expect(measured(new Float32Array(576).fill(128))).toEqual({
      mean: 128,
      sd: 0,
      'log Laplacian variance': Math.log(Number.MIN_VALUE),
      'log row/column gradient ratio': 0,
      'share at the lower rail': 1,
      'share at the upper rail': 1,
      'distinct values': 1,
      'lowest value': 128,
      'highest value': 128,
      'side of the largest uniform square': 12,
      '|R-B|': 0,
    });
  });

  it('of a large image are close to those of the whole', () => {
    const large = layoutOf(3, 120, 160);
    const values = frame(6, large);
    const sampled = measured(values, large);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs((sampled['mean'] as number) - mean)).toBeLessThan(3);
    expect(Math.abs((sampled['sd'] as number) / Math.sqrt(variance) - 1)).toBeLessThan(0.05);
    const covered = values.slice();
    for (let c = 0; c < 3; c++) {
      for (let y = 20; y < 80; y++)
        covered.fill(128, (c * 120 + y) * 160, (c * 120 + y) * 160 + 60);
    }
    expect(measured(covered, large)['side of the largest uniform square']).toBeGreaterThan(5);
  });

  it('are finite for all finite values, and not taken of others', () => {
    const extreme = fc.constantFrom(0, -0, 1e-45, -1e-45, 3.4028234663852886e38, -3.4e38, 1);
    const finite = fc.oneof(extreme, fc.float({ noNaN: true, noDefaultInfinity: true }));
    const row = fc.array(finite, { minLength: 36, maxLength: 36 });
    const small = layoutOf(3, 3, 4);
    fc.assert(
      fc.property(
        row,
        fc.nat(35),
        fc.constantFrom(NaN, Infinity, -Infinity),
        (numbers, at, bad) => {
          const values = Float32Array.from(numbers);
          expect(imageStatistics(values, small)?.every(Number.isFinite)).toBe(true);
          values[at] = bad;
          expect(imageStatistics(values, small)).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of one value everywhere have exactly that mean, whatever the value', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(measured(new Float32Array(576).fill(value))).toMatchObject({
          mean: value + 0,
          sd: 0,
        });
      }),
    );
  });
});
