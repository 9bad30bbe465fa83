import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { fitInput } from '../../../src/core/calibration/fit-input.ts';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';
import {
  inputScore,
  statisticNames,
  statisticsOf,
  statisticsScore,
  strangestStatistic,
} from '../../../src/core/guard/input-statistics.ts';
import { referenceLogP } from '../../../src/core/guard/reference-ranks.ts';
import { dataFromNumbers } from '../../../src/core/numeric/from-numbers.ts';
import { DTYPES, type DType, type Tensor } from '../../../src/core/numeric/tensor.ts';
import { randomNumbers } from '../calibration/simulated.ts';

const TABLE: InputLayout = { kind: 'table', columns: 3 };
const IMAGE: InputLayout = {
  kind: 'image',
  channels: 3,
  height: 6,
  width: 6,
  channelsLast: false,
};
const SIGNAL: InputLayout = { kind: 'signal', channels: 2, samples: 54, channelsLast: false };

function tensor(values: readonly number[], dtype: Exclude<DType, 'string'> = 'float32'): Tensor {
  return { dtype, dims: [1, values.length], data: dataFromNumbers(dtype, values) };
}

/** 108 whole numbers from 0 to 100. */
function usual(seed: number): number[] {
  const random = randomNumbers(seed);
  return Array.from({ length: 108 }, () => Math.floor(101 * random()));
}

function policyOf(layout: InputLayout, rows = 200) {
  const size = layout.kind === 'table' ? 3 : 108;
  const frames = Array.from({ length: rows }, (_, seed) => tensor(usual(seed).slice(0, size)));
  return need(
    fitInput(
      'x',
      layout,
      frames.map((frame) => statisticsOf(layout, frame)),
    ),
  );
}

describe('statistics of a tensor', () => {
  it('are as many as their names, for every kind', () => {
    for (const layout of [IMAGE, SIGNAL]) {
      expect(statisticsOf(layout, tensor(usual(1)))).toHaveLength(statisticNames(layout).length);
    }
    expect(statisticsOf(TABLE, tensor([3, -0, 7]))).toEqual(Float64Array.of(3, -0, 7));
    expect(statisticNames(TABLE)).toEqual(['column 0', 'column 1', 'column 2']);
  });

  it('are the same whatever element type carries the values', () => {
    const expected = statisticsOf(IMAGE, tensor(usual(2)));
    expect(expected).toBeDefined();
    for (const dtype of DTYPES) {
      if (dtype === 'string' || dtype === 'bool') continue;
      expect(statisticsOf(IMAGE, tensor(usual(2), dtype))).toEqual(expected);
    }
    const bits: Tensor = { dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) };
    expect(statisticsOf(TABLE, bits)).toEqual(Float64Array.of(1, 0, 1));
  });

  it.each<[string, Tensor]>([
    ['too few values', tensor([1, 2])],
    ['too many values', tensor([1, 2, 3, 4])],
    ['no values', tensor([])],
    ['NaN', tensor([1, NaN, 2])],
    ['an infinity', tensor([1, 2, Infinity])],
    ['a double beyond float32', tensor([1, 2, 1e39], 'float64')],
    ['texts', { dtype: 'string', dims: [3], data: ['1', '2', '3'] }],
    ['an array of another type', { dtype: 'float32', dims: [3], data: Uint8Array.of(1, 2, 3) }],
  ])('are not taken of %s, which scores -Infinity', (_, given) => {
    expect(statisticsOf(TABLE, given)).toBeUndefined();
    expect(inputScore(policyOf(TABLE), given)).toBe(-Infinity);
  });
});

describe('the score of an input', () => {
  it('is ln of the harmonic mean of the two-sided p', () => {
    const policy = policyOf(TABLE);
    const values = [50, 3, 99];
    const ps = values.map((value, j) =>
      Math.exp(referenceLogP(policy.ranks.sorted[j] as Float64Array, 'two', value)),
    );
    const harmonic = 3 / ps.reduce((sum, p) => sum + 1 / p, 0);
    expect(inputScore(policy, tensor(values))).toBeCloseTo(Math.log(harmonic), 12);
    expect(statisticsScore(policy, Float64Array.from(values))).toBeCloseTo(Math.log(harmonic), 12);
  });

  it('is -Infinity without a tensor, or for other statistics than there are', () => {
    const policy = policyOf(TABLE);
    expect(inputScore(policy, undefined)).toBe(-Infinity);
    expect(statisticsScore(policy, Float64Array.of(1, 2))).toBe(-Infinity);
    expect(statisticsScore(policy, Float64Array.of(1, 2, NaN))).toBe(-Infinity);
    expect(statisticsScore(policy, Float64Array.of(1, Infinity, 3))).toBe(-Infinity);
  });

  it('is lower for every broken frame than for nearly all usual ones', () => {
    for (const layout of [IMAGE, SIGNAL]) {
      const policy = policyOf(layout);
      const fresh = Array.from({ length: 100 }, (_, i) =>
        inputScore(policy, tensor(usual(1000 + i))),
      ).sort((a, b) => a - b);
      const broken: Record<string, number[]> = {
        dead: usual(7).map(() => 0),
        flat: usual(7).map(() => 50),
        divided: usual(7).map((value) => value / 255),
        loud: usual(7).map((value) => 10 * value),
        shifted: usual(7).map((value) => value + 60),
        'half held': usual(7).map((value, at) => (at % 54 < 27 ? value : 33)),
      };
      for (const [name, values] of Object.entries(broken)) {
        const score = inputScore(policy, tensor(values));
        expect(score, `${layout.kind}: ${name}`).toBeLessThan(fresh[2] as number);
        expect(score, `${layout.kind}: ${name}`).toBeGreaterThan(-Infinity);
      }
    }
  });

  it('keeps falling and never ties, however far one statistic is out', () => {
    const policy = policyOf(TABLE);
    for (const sign of [1, -1]) {
      const far = [1e3, 1e6, 1e12, 1e24, 3e38].map((x) =>
        inputScore(policy, tensor([50, sign * x, 50])),
      );
      expect(far.toSorted((a, b) => b - a)).toEqual(far);
      expect(new Set(far).size).toBe(far.length);
    }
  });

  it('is a number of at most 0 for any row at all', () => {
    const policy = policyOf(SIGNAL, 30);
    const value = fc.oneof(
      fc.constantFrom(0, -0, 1e-45, 3.4e38, -3.4e38, NaN, Infinity),
      fc.float(),
      fc.integer({ min: 0, max: 100 }),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 106, maxLength: 109 }), (values) => {
        const score = inputScore(policy, tensor(values));
        expect(score).toBeLessThanOrEqual(0);
        const judged =
          values.length === 108 && values.every((v) => Number.isFinite(Math.fround(v)));
        expect(Number.isFinite(score)).toBe(judged);
      }),
      { numRuns: 300 },
    );
  });

  it('has its strangest statistic named', () => {
    const policy = policyOf(TABLE);
    const strangest = strangestStatistic(policy, Float64Array.of(50, 1e6, 99));
    expect(strangest).toMatchObject({ name: 'column 1', value: 1e6 });
    expect(strangest?.logP).toBeLessThan(-1000);
    expect(strangestStatistic(policy, Float64Array.of(50, NaN, 1e9))?.name).toBe('column 1');
    expect(strangestStatistic(policy, new Float64Array())).toBeUndefined();
  });
});
