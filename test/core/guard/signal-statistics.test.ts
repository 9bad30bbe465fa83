import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignalLayout } from '../../../src/core/guard/input-layout.ts';
import {
  signalStatisticNames,
  signalStatistics,
} from '../../../src/core/guard/signal-statistics.ts';
import { randomNumbers } from '../calibration/simulated.ts';

const layoutOf = (channels: number, samples: number, channelsLast = false): SignalLayout => ({
  kind: 'signal',
  channels,
  samples,
  channelsLast,
});

function measured(values: Float32Array): Record<string, number> {
  const layout = layoutOf(1, values.length);
  const statistics = signalStatistics(values, layout);
  if (statistics === undefined) throw new Error('not measured');
  const names = signalStatisticNames(layout);
  expect(statistics).toHaveLength(names.length);
  return Object.fromEntries(names.map((name, i) => [name, statistics[i] as number]));
}

const noise = (seed: number, samples = 1024): Float32Array => {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: samples }, () => random() - 0.5);
};

describe('statistics of a signal', () => {
  it('of a sine are those of the textbook', () => {
    const cycles = 40;
    const sine = Float32Array.from({ length: 1024 }, (_, t) =>
      Math.fround(5 + 3 * Math.sin((2 * Math.PI * cycles * (t + 0.5)) / 1024)),
    );
    const found = measured(sine);
    expect(found['mean']).toBeCloseTo(5, 6);
    expect(found['sd']).toBeCloseTo(3 / Math.SQRT2, 6);
    expect(found['kurtosis']).toBeCloseTo(1.5, 6);
    expect(found['crest factor']).toBeCloseTo(Math.SQRT2, 2);
    expect(found['zero-crossing rate']).toBeCloseTo((2 * cycles - 1) / 1023, 9);
    expect(found['spectral centroid']).toBeCloseTo(Math.sin((Math.PI * cycles) / 1024) ** 2, 3);
  });

  it('of an alternating signal reach the upper end of the spectrum', () => {
    const found = measured(Float32Array.from({ length: 64 }, (_, t) => (t % 2 === 0 ? -2 : 2)));
    expect(found).toEqual({
      mean: 0,
      sd: 2,
      kurtosis: 1,
      'crest factor': 1,
      'zero-crossing rate': 1,
      'spectral centroid': 1,
      'share at the lower rail': 0.5,
      'share at the upper rail': 0.5,
      'distinct values': 2,
    });
  });

  it('of a spectrum have its mean of sin^2, as a transform gives it', () => {
    const values = noise(1, 256);
    const mean = values.reduce((sum, value) => sum + value, 0) / 256;
    let [power, weighted] = [0, 0];
    for (let k = 0; k < 256; k++) {
      let [re, im] = [0, 0];
      for (const [t, value] of values.entries()) {
        re += (value - mean) * Math.cos((2 * Math.PI * k * t) / 256);
        im += (value - mean) * Math.sin((2 * Math.PI * k * t) / 256);
      }
      power += re * re + im * im;
      weighted += (re * re + im * im) * Math.sin((Math.PI * k) / 256) ** 2;
    }
    // The transform takes the window for periodic: one step of 256 differs.
    expect(measured(values)['spectral centroid']).toBeCloseTo(weighted / power, 2);
  });

  it('see a held half, a clipped one and a lost bit', () => {
    const values = noise(2);
    const usual = measured(values);
    expect(usual['distinct values']).toBeGreaterThan(850);
    expect(measured(values.slice().fill(0.1, 512))['distinct values']).toBeLessThan(500);
    const clipped = measured(values.map((value) => Math.min(0.3, value)));
    expect(usual['share at the upper rail']).toBe(1 / 1024);
    expect(clipped['share at the upper rail']).toBeGreaterThan(0.15);
    const coarse = measured(values.map((value) => Math.round(value * 64) / 64));
    expect(coarse['distinct values']).toBeLessThan(80);
  });

  it('do not change with gain and offset where they are relative', () => {
    const before = measured(noise(3));
    const after = measured(noise(3).map((value) => 8 * value + 16));
    for (const name of ['kurtosis', 'crest factor', 'zero-crossing rate', 'spectral centroid']) {
      expect(after[name]).toBeCloseTo(before[name] as number, 4);
    }
    expect(after['sd']).toBeCloseTo(8 * (before['sd'] as number), 5);
  });

  it('are taken of each channel, wherever it lies', () => {
    const [left, right] = [noise(4, 64), noise(5, 64).map((value) => 9 * value)];
    const beside = Float32Array.from({ length: 128 }, (_, at) =>
      at % 2 === 0 ? (left[at >> 1] as number) : (right[at >> 1] as number),
    );
    const expected = [left, right].flatMap((channel) => Object.values(measured(channel)));
    const after = Float32Array.from([...left, ...right]);
    expect([...(signalStatistics(after, layoutOf(2, 64)) ?? [])]).toEqual(expected);
    expect([...(signalStatistics(beside, layoutOf(2, 64, true)) ?? [])]).toEqual(expected);
    expect(signalStatisticNames(layoutOf(2, 64))).toHaveLength(expected.length);
    expect(signalStatisticNames(layoutOf(2, 64))[10]).toBe('sd of channel 1');
  });

  it('of a dead sensor are decided', () => {
    expect(measured(new Float32Array(32).fill(-7))).toEqual({
      mean: -7,
      sd: 0,
      kurtosis: 0,
      'crest factor': 0,
      'zero-crossing rate': 0,
      'spectral centroid': 0,
      'share at the lower rail': 1,
      'share at the upper rail': 1,
      'distinct values': 1,
    });
  });

  it('are finite for all finite values, and not taken of others', () => {
    const extreme = fc.constantFrom(0, -0, 1e-45, -1e-45, 3.4028234663852886e38, -3.4e38, 1);
    const finite = fc.oneof(extreme, fc.float({ noNaN: true, noDefaultInfinity: true }));
    const row = fc.array(finite, { minLength: 16, maxLength: 40 });
    fc.assert(
      fc.property(
        row,
        fc.nat(15),
        fc.constantFrom(NaN, Infinity, -Infinity),
        (numbers, at, bad) => {
          const values = Float32Array.from(numbers);
          const layout = layoutOf(1, values.length);
          expect(signalStatistics(values, layout)?.every(Number.isFinite)).toBe(true);
          values[at] = bad;
          expect(signalStatistics(values, layout)).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });
});
