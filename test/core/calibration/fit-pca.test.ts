import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { directionOf, fitProjection, sampled } from '../../../src/core/calibration/fit-pca.ts';
import { featureStatistics } from '../../../src/core/calibration/fit-statistics.ts';
import { type Rows, rowOf } from '../../../src/core/calibration/rows.ts';
import { normalised } from '../../../src/core/guard/novelty-detectors.ts';
import { type Projection, projectionMap, readProjection } from '../../../src/core/guard/pca.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { readBack } from '../guard/policy-map.ts';
import { normals, rowsOf } from './gaussian.ts';

/** As MobileNetV2: 1,280 features after a ReLU, four classes, some 60 directions beside noise. */
const D = 1280;
const normal = normals(1);
const MEANS = Float64Array.from({ length: 4 * D }, () => Math.max(0, normal()));
const MIXING = Float64Array.from({ length: 60 * D }, normal);

function wide(count: number, seed: number, strangeness = 0): Rows & { labels: Uint8Array } {
  const draw = normals(seed);
  const data = new Float32Array(count * D);
  const labels = Uint8Array.from({ length: count }, (_, row) => row % 4);
  for (let row = 0; row < count; row++) {
    const hidden = Float64Array.from({ length: 60 }, () => draw() + strangeness);
    for (let i = 0; i < D; i++) {
      let value = MEANS[(labels[row] as number) * D + i] as number;
      for (let h = 0; h < 60; h++) {
        value += 0.05 * (hidden[h] as number) * (MIXING[h * D + i] as number);
      }
      data[row * D + i] = Math.max(0, value + 0.05 * draw());
    }
  }
  return { width: D, data, labels };
}

describe('fitProjection of 1,280 features', () => {
  const fit = wide(260, 2);
  const projection = fitProjection(fit) as Projection;

  it('gives 128 directions that a device reads back', () => {
    expect([projection.features, projection.components]).toEqual([D, 128]);
    expect(readBack(projectionMap(projection), readProjection)).toEqual({
      ok: true,
      value: projection,
    });
  });

  it('keeps nearly all of what fresh rows are', () => {
    const fresh = wide(20, 3);
    for (let row = 0; row < 20; row++) {
      const x = normalised(rowOf(fresh, row));
      let kept = 0;
      for (let j = 0; j < 128; j++) {
        const along = x.reduce(
          (sum, value, i) => sum + value * (projection.directions[j * D + i] as number),
          0,
        );
        kept += along * along;
      }
      // 128 directions at random would keep a tenth.
      expect(kept).toBeGreaterThan(0.95);
    }
  });

  it('leaves MDS++ what it needs to tell strange rows from usual ones', () => {
    const width = projection.components;
    const narrow = (rows: Rows): Rows => {
      const count = rows.data.length / rows.width;
      const data = new Float32Array(count * width);
      for (let row = 0; row < count; row++) {
        data.set(directionOf(rowOf(rows, row), projection), row * width);
      }
      return { width, data };
    };
    const weights = Float64Array.from({ length: 4 * width }, (_, i) => i);
    const head = { weights, bias: new Float64Array(4), classes: 4, features: width };
    const statistics = featureStatistics(narrow(fit), fit.labels, head);
    const far = (rows: Rows): number[] =>
      Array.from({ length: 20 }, (_, row) =>
        referenceKernels.nearestSquared(
          statistics.classWhitener,
          statistics.classCentres,
          directionOf(rowOf(rows, row), projection),
        ),
      );
    expect(Math.min(...far(wide(20, 4, 3)))).toBeGreaterThan(Math.max(...far(wide(20, 3))));
  });
});

describe('fitProjection', () => {
  const flat = (count: number, width: number): Rows => rowsOf(count, width, 5, (_, __, n) => n());

  it('leaves 256 features and fewer as they are', () => {
    const narrow = flat(3, 256);
    expect(fitProjection(narrow)).toBeUndefined();
    expect(directionOf(rowOf(narrow, 1), undefined)).toEqual(normalised(rowOf(narrow, 1)));
  });

  it('refuses fewer rows than twice the directions, and says how many are missing', () => {
    const result = attempt(() => fitProjection(flat(200, 257)));
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.fit-rows' } });
    expect(JSON.stringify(result)).toContain('200 fit rows; 128 principal directions need 256, 56');
  });

  it('takes rows that are all one, and dead features', () => {
    const same = rowsOf(256, 300, 6, (_, column) => (column < 150 ? 1 : 0));
    const projection = fitProjection(same) as Projection;
    const [first] = directionOf(rowOf(same, 0), projection);
    expect(Math.abs(first as number)).toBeCloseTo(1, 6);
    expect(readBack(projectionMap(projection), readProjection).ok).toBe(true);
  });
});

describe('sampled', () => {
  it('draws the same rows every time, each once, all where there is room', () => {
    expect([...sampled(5, 9)].sort()).toEqual([0, 1, 2, 3, 4]);
    const drawn = sampled(20_000, 2_000);
    expect(new Set(drawn).size).toBe(2_000);
    expect(sampled(20_000, 2_000)).toEqual(drawn);
    // Classes in turn keep their shares: a stride would have taken one class alone.
    for (let label = 0; label < 10; label++) {
      const share = drawn.filter((row) => row % 10 === label).length / 2_000;
      expect(Math.abs(share - 0.1)).toBeLessThan(0.03);
    }
  });
});
