import { describe, expect, it } from 'vitest';
import { attempt, need } from '../../../src/core/base/fault.ts';
import { fitVim } from '../../../src/core/calibration/fit-vim.ts';
import type { Head } from '../../../src/core/calibration/head.ts';
import { type Rows, rowOf } from '../../../src/core/calibration/rows.ts';
import { readVim, vimMap, vimScore } from '../../../src/core/guard/vim.ts';
import { readBack } from '../guard/policy-map.ts';
import { rowsOf } from './gaussian.ts';

/** `z = (f0, f1) + 20`: all logits are 0 at (-20, -20, 0, 0), the smallest such features. */
const head: Head = {
  weights: Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0),
  bias: Float64Array.of(20, 20),
  classes: 2,
  features: 4,
};
const logitsOf = (features: Rows, { bias }: Head = head): Rows => ({
  width: 2,
  data: Float32Array.from(
    { length: features.data.length / 2 },
    (_, at) => (features.data[(at >> 1) * 4 + (at & 1)] as number) + (bias[at & 1] as number),
  ),
});
/** Far from the origin in the first two features, little in the third, nothing in the last. */
const usual = rowsOf(200, 4, 1, (_, column, normal) => normal() * ([9, 9, 0.1, 0][column] ?? 0));

describe('fitVim', () => {
  const policy = fitVim(usual, logitsOf(usual), head, 2);

  it('finds origin, directions and scale of a layer it is told', () => {
    expect(policy.origin[0]).toBeCloseTo(-20, 6);
    expect(policy.origin[1]).toBeCloseTo(-20, 6);
    expect(Math.hypot(policy.origin[2] as number, policy.origin[3] as number)).toBe(0);
    for (const row of [0, 4]) {
      const outside = Math.hypot(...policy.directions.subarray(row + 2, row + 4));
      expect(outside).toBeLessThan(1e-2);
    }
    const logits = logitsOf(usual);
    const largest = Array.from({ length: 200 }, (_, row) => Math.max(...rowOf(logits, row)));
    const mean = largest.reduce((sum, z) => sum + z / 200, 0);
    // The mean residual is that of the third feature: 0.1 E|N|.
    expect(policy.alpha).toBeCloseTo(mean / (0.1 * Math.sqrt(2 / Math.PI)), -2);
  });

  it('scores below every usual row what leaves their plane', () => {
    const score = (features: Float32Array): number =>
      vimScore(policy, Float32Array.of(20, 20), features);
    const strange = score(Float32Array.of(0, 0, 0, 3));
    for (let row = 0; row < 200; row++) expect(score(rowOf(usual, row))).toBeGreaterThan(strange);
  });

  it('comes back from bytes', () => {
    expect(need(readBack(vimMap(policy), readVim))).toEqual(policy);
  });

  it('takes more classes than features, rows that depend on each other, and zeros', () => {
    const wide = (weights: number[], bias: number[], classes: number): Head => ({
      weights: Float64Array.from(weights),
      bias: Float64Array.from(bias),
      classes,
      features: 2,
    });
    const two = rowsOf(50, 2, 2, (_, __, normal) => normal());
    const logits: Rows = { width: 1, data: new Float32Array(50).fill(1) };
    const origin = (layer: Head): number[] => [...fitVim(two, logits, layer, 1).origin];
    const [x, y] = origin(wide([1, 0, 0, 1, 1, 1], [-1, -2, -3], 3));
    expect(x).toBeCloseTo(1, 6);
    expect(y).toBeCloseTo(2, 6);
    const [u, v] = origin(wide([1, 1, -1, -1], [-2, 2], 2));
    expect(u).toBeCloseTo(1, 6);
    expect(v).toBeCloseTo(1, 6);
    expect(origin(wide([0, 0, 0, 0], [1, 2], 2)).map(Math.abs)).toEqual([0, 0]);
  });
});

describe('fitVim refuses', () => {
  const fault = (features: Rows, logits: Rows, components: number, layer = head): string => {
    const result = attempt(() => fitVim(features, logits, layer, components));
    return result.ok ? 'fitted' : `${result.fault.code}: ${result.fault.message}`;
  };
  const few = (count: number): Rows => ({ width: 4, data: usual.data.slice(0, count * 4) });

  it.each([0, 4, 1.5, NaN])('%d components', (components) => {
    expect(fault(usual, logitsOf(usual), components)).toContain('calibration.shape');
  });

  it('too few rows, and says how many are missing', () => {
    expect(fault(few(4), logitsOf(few(4)), 3)).toBe(
      'calibration.fit-rows: 4 fit rows; 3 components of ViM need 6, 2 more',
    );
  });

  it('features without a residual', () => {
    expect(fault(usual, logitsOf(usual), 3)).toContain('calibration.constant');
  });

  it('logits that it could not match', () => {
    const low = { ...head, bias: Float64Array.of(-100, -100) };
    expect(fault(usual, logitsOf(usual, low), 2, low)).toContain('calibration.logits');
  });
});
