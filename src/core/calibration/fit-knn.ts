/** Fills the bank of kNN: the one part of a policy that holds samples; only where it is asked for. */
import { KNN_BANK_ROWS_MAX } from '../base/limits.ts';
import type { KnnPolicy } from '../guard/knn.ts';
import type { Projection } from '../guard/pca.ts';
import { refuseCalibration } from './faults.ts';
import { directionOf, needRows, sampled } from './fit-pca.ts';
import { type Rows, rowOf } from './rows.ts';

/** The paper takes the 50th of 50,000; the same depth, and never the nearest alone by default. */
const ROWS_A_NEIGHBOUR = 1_000;
const NEIGHBOUR_MIN = 2;
/** Largest cosine of a bank whose rows point one way: float32 rounding is about 1e-7. */
const COSINE_MAX = 1 - 1e-7;

/**
 * @param features checked: finite, no row of zeros
 * @param projection of wide features, the same that MDS++ uses
 * @param k which neighbour; the second by default
 *
 * Faults: `calibration.fit-rows` (fewer than `k + 1`), `calibration.shape` (`k`),
 * `calibration.values` (a row that the projection leaves nothing of), `calibration.constant` (all
 * rows of the bank point one way).
 */
export function fitKnn(features: Rows, projection: Projection | undefined, k?: number): KnnPolicy {
  const count = features.data.length / features.width;
  const rows = sampled(count, KNN_BANK_ROWS_MAX);
  const neighbour = k ?? Math.max(NEIGHBOUR_MIN, Math.round(rows.length / ROWS_A_NEIGHBOUR));
  if (!(Number.isSafeInteger(neighbour) && neighbour >= 1 && neighbour < KNN_BANK_ROWS_MAX)) {
    throw refuseCalibration(
      'calibration.shape',
      `kNN with neighbour ${neighbour}, 1 to ${KNN_BANK_ROWS_MAX - 1} can be`,
    );
  }
  needRows(count, neighbour + 1, `neighbour ${neighbour} and a row that it is one of`);
  const width = projection?.components ?? features.width;
  const bank = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    const direction = directionOf(rowOf(features, row), projection);
    if (!direction.every(Number.isFinite)) {
      throw refuseCalibration(
        'calibration.values',
        `fit row ${row} has nothing in the directions that features are projected to`,
      );
    }
    bank.set(direction, i * width);
  });
  needSpread(bank, width);
  return { holdsSamples: true, width, k: neighbour, bank };
}

function needSpread(bank: Float32Array, width: number): void {
  const first = bank.subarray(0, width);
  for (let start = width; start < bank.length; start += width) {
    const cosine = first.reduce((sum, value, i) => sum + value * (bank[start + i] as number), 0);
    if (cosine < COSINE_MAX) return;
  }
  throw refuseCalibration(
    'calibration.constant',
    `the features of all ${bank.length / width} rows of the bank point one way`,
  );
}
