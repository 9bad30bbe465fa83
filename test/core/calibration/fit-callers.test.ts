import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fitCallerReference } from '../../../src/core/calibration/fit-callers.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import { callerVector, distanceOf } from '../../../src/core/guard/caller-vectors.ts';
import { decodeNpy } from '../../../src/core/numeric/npy.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { accepted } from '../base/outcome.ts';
import { judgeAll, settings } from '../guard/caller-frames.ts';

function rowsOf(count: number, width: number, seed: number): Float32Array {
  const next = seededNumbers(seed);
  return Float32Array.from({ length: count * width }, () => next() - next());
}

describe('the reference of callers', () => {
  it('is the 1% and the 50% quantile of the distances to the nearest other row', () => {
    const data = rowsOf(300, 8, 1);
    const vectors = Array.from({ length: 300 }, (_, i) =>
      callerVector(data.subarray(8 * i, 8 * i + 8)),
    ) as Float32Array[];
    const nearest = vectors
      .map((a, i) => Math.min(...vectors.filter((_, j) => j !== i).map((b) => distanceOf(a, b))))
      .sort((a, b) => a - b);
    expect(fitCallerReference({ width: 8, data })).toEqual({
      features: 8,
      nearDistance: nearest[2],
      sceneDistance: nearest[149],
    });
  });

  it('takes rows that are equal for one, and none where all are', () => {
    const data = rowsOf(100, 4, 2);
    const twice = Float32Array.from([...data, ...data]);
    const once = fitCallerReference({ width: 4, data });
    const doubled = fitCallerReference({ width: 4, data: twice });
    expect(doubled?.nearDistance).toBeGreaterThanOrEqual(once?.nearDistance as number);
    expect(doubled?.sceneDistance).toBe(once?.sceneDistance);
    expect(fitCallerReference({ width: 4, data: new Float32Array(40).fill(1) })).toBeUndefined();
    expect(fitCallerReference({ width: 1, data: Float32Array.of(1, 2, 3) })).toBeUndefined();
    expect(fitCallerReference({ width: 4, data: data.slice(0, 4) })).toBeUndefined();
  });

  it('looks at 4,096 rows of more, evenly spaced', () => {
    const data = rowsOf(8_192, 2, 3).map((value, i) => (i % 4 < 2 ? 1 : value));
    expect(fitCallerReference({ width: 2, data })).toBeUndefined();
    expect(fitCallerReference({ width: 2, data: data.subarray(0, -2) })).toBeDefined();
  });
});

describe.skipIf(sharedMissing)('on features of ResNet8 (needs the shared data)', () => {
  it('no caller who draws his frames by chance comes near himself too often', () => {
    const features = floats('golden-fit-features');
    const half = features.length / 2;
    const reference = fitCallerReference({ width: 64, data: features.subarray(0, half) });
    const rows = half / 64;
    for (let seed = 1; seed <= 10; seed++) {
      const next = seededNumbers(seed);
      const frame = (): { features: Float32Array; label: number } => {
        const row = Math.floor(next() * rows);
        return { features: features.slice(half + 64 * row, half + 64 * row + 64), label: row % 10 };
      };
      const rules = { settings: settings(), reference };
      expect(judgeAll(frame, 2_000, 'someone', rules).first).toBeUndefined();
    }
  });
});

function floats(name: string): Float32Array {
  const { data } = accepted(decodeNpy(readFileSync(sharedPath(`data/${name}.npy`))));
  return data as Float32Array;
}
