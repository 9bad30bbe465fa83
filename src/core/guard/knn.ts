/**
 * kNN (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors"): how near the
 * direction of a frame's features is to the k-th nearest of a bank of fit rows.
 *
 * THE BANK IS SAMPLES. Every other detector keeps statistics; this one ships the feature vectors of
 * up to `KNN_BANK_ROWS_MAX` fit rows in the bundle, from which inputs may be guessed back. It is
 * never on by default, and a policy that has it says so (`holdsSamples`).
 */
import type { Fields } from '../base/fields.ts';
import { refuseField } from '../base/fields.ts';
import { FEATURES_MAX, KNN_BANK_ROWS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import type { Kernels } from '../numeric/kernels.ts';
import { refusePolicy } from './policy-faults.ts';

export interface KnnPolicy {
  /** The declaration: this policy holds samples of the fit set, not only statistics. */
  readonly holdsSamples: true;
  /** `d` of one row: features, or components where they are projected. */
  readonly width: number;
  /** Which neighbour; 1 is the nearest. */
  readonly k: number;
  /** Rows of length 1, row-major, `k` to `KNN_BANK_ROWS_MAX` of them. */
  readonly bank: Float32Array;
}

const FLOAT_BYTES = 4;
/** Of a row's squared length; rounding to float32 is far below. */
const LENGTH_TOLERANCE = 1e-3;

let scratch = new Float32Array(0);

/**
 * `1 - r^2 / 2`, `r` the distance to the k-th nearest row: for vectors of length 1 the cosine to
 * it, and in the same order as the paper's `-r`. Higher = more usual, `-Infinity` for a vector of
 * another width, or that is not finite. Not re-entrant.
 *
 * @param x `f/|f|`, or what `project` makes of `f`
 */
export function knnScore(policy: KnnPolicy, kernels: Kernels, x: Float64Array): number {
  const { width, bank, k } = policy;
  if (x.length !== width) return -Infinity;
  if (scratch.length !== width) scratch = new Float32Array(width);
  scratch.set(x);
  const score = 1 - kernels.kthNearestSquared(bank, scratch, k) / 2;
  return Number.isFinite(score) ? score : -Infinity;
}

export function knnMap(policy: KnnPolicy): CborMap {
  const bytes = new Uint8Array(policy.bank.length * FLOAT_BYTES);
  const view = new DataView(bytes.buffer);
  policy.bank.forEach((value, i) => {
    view.setFloat32(i * FLOAT_BYTES, value, true);
  });
  return cborMap(
    ['holds-samples', policy.holdsSamples],
    ['width', policy.width],
    ['k', policy.k],
    ['rows', policy.bank.length / policy.width],
    ['bank', bytes],
  );
}

/**
 * Faults: `policy.length`, `policy.values` (a row whose length is not 1), `field.range` (a bank
 * that is not declared), other `field.*`.
 */
export function readKnn(fields: Fields): KnnPolicy {
  const holdsSamples = fields.boolean('holds-samples');
  if (!holdsSamples) {
    throw refuseField('field.range', `${fields.at('holds-samples')} is false beside a bank`);
  }
  const width = fields.integer('width', 1, FEATURES_MAX);
  const rows = fields.integer('rows', 1, KNN_BANK_ROWS_MAX);
  const k = fields.integer('k', 1, rows);
  const bank = readBank(fields, rows, width);
  fields.done();
  return { holdsSamples, width, k, bank };
}

function readBank(fields: Fields, rows: number, width: number): Float32Array {
  const bytes = fields.bytes('bank');
  if (bytes.length !== rows * width * FLOAT_BYTES) {
    throw refusePolicy(
      'policy.length',
      `${fields.at('bank')} has ${bytes.length} bytes for ${rows} rows of ${width} floats`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bank = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let squared = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      const value = view.getFloat32(at * FLOAT_BYTES, true);
      bank[at] = value;
      squared += value * value;
    }
    // A longer row could be far from everything, a shorter one near to everything.
    if (Math.abs(squared - 1) <= LENGTH_TOLERANCE) continue;
    throw refusePolicy('policy.values', `${fields.at('bank')}: |row ${row}|^2 is ${squared}`);
  }
  return bank;
}
