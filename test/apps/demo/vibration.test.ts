import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../src/apps/demo/exact-math.ts';
import { dftBasis, spectrumOf } from '../../../src/apps/demo/spectrum.ts';
import {
  CONDITIONS,
  type Condition,
  RANGE_G,
  type UnseenFault,
  vibrationWindow,
  WINDOW_SAMPLES,
} from '../../../src/apps/demo/vibration.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';

const STATES: readonly (Condition | UnseenFault)[] = [...CONDITIONS, 'contaminated-grease'];
const basis = dftBasis();

/** Mean level (ln g squared) of each 100 Hz bin over 60 windows. */
function levels(state: Condition | UnseenFault): Float64Array {
  const random = new SeededRandom(3);
  const sum = new Float64Array(64);
  for (let i = 0; i < 60; i++) {
    const spectrum = spectrumOf(vibrationWindow(state, random), basis);
    for (let bin = 0; bin < 64; bin++) sum[bin] = (sum[bin] ?? 0) + (spectrum[bin] ?? 0) / 60;
  }
  return sum;
}

describe('vibrationWindow', () => {
  it('is the same bit by bit on every Node.js', () => {
    const digests = STATES.map((state) => {
      const window = vibrationWindow(state, new SeededRandom(1));
      return toHex(sha256(new Uint8Array(window.buffer))).slice(0, 16);
    });
    expect(digests).toEqual([
      '19a202ad9e183836',
      '83ea94ceee05b38f',
      '67c95ac849f0737a',
      '4401475def010572',
      '250959d09377dbde',
    ]);
  });

  it('stays well inside the range of the sensor, and no state is given away by its level', () => {
    const medians = STATES.map((state) => {
      const random = new SeededRandom(2);
      const rms = Array.from({ length: 101 }, () => {
        const window = vibrationWindow(state, random);
        expect(window).toHaveLength(WINDOW_SAMPLES);
        expect(window.every((value) => Math.abs(value) < RANGE_G / 4)).toBe(true);
        return Math.sqrt(window.reduce((sum, value) => sum + value * value, 0) / WINDOW_SAMPLES);
      });
      return rms.sort((a, b) => a - b)[50] ?? 0;
    });
    expect(Math.max(...medians) / Math.min(...medians)).toBeLessThan(2);
    // The unseen fault is no louder than the loudest that the model knows.
    expect(medians[4]).toBeLessThan(1.1 * Math.max(...medians.slice(0, 4)));
  });

  it('rings where each damage rings, and contamination rings everywhere', () => {
    const healthy = levels('healthy');
    const rise = (state: Condition | UnseenFault): number[] => {
      const at = levels(state);
      return [16, 31, 44, 53].map((bin) => (at[bin] ?? 0) - (healthy[bin] ?? 0));
    };
    const own = { ball: [0, 3], 'outer-race': [1], 'inner-race': [2] };
    for (const [state, bins] of Object.entries(own)) {
      const rises = rise(state as Condition);
      const strongest = Math.max(...rises.filter((_, i) => !bins.includes(i)));
      for (const bin of bins) expect(rises[bin]).toBeGreaterThan(strongest);
    }
    for (const each of rise('contaminated-grease')) expect(each).toBeGreaterThan(1);
  });
});
