/** What the feature detectors need to know of the fit set, computed once on the maker's machine. */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { type FeatureStatistics, packedPair } from '../guard/novelty-detectors.ts';
import type { Projection } from '../guard/pca.ts';
import { refuseCalibration } from './faults.ts';
import { directionOf } from './fit-pca.ts';
import { columnMeans, type Head } from './head.ts';
import { type Rows, rowOf } from './rows.ts';

/** Added to the diagonal, in units of its mean: keeps directions that never vary invertible. */
const COVARIANCE_RIDGE = 1e-6;

/** Of vectors of length 1: about what float32 rounding alone makes of features that never vary. */
const VARIANCE_MIN = 1e-13;

/**
 * The statistics of fDBD, MDS++ and RMDS++. Faults: `calibration.constant` (features without
 * spread), `calibration.head` (two classes with the same weights).
 *
 * @param labels one class index per row, every class at least once
 * @param projection of wide features, as `fitProjection` gives it
 */
export function featureStatistics(
  features: Rows,
  labels: ArrayLike<number>,
  head: Head,
  projection?: Projection,
): FeatureStatistics {
  const d = projection?.components ?? features.width;
  const count = features.data.length / features.width;
  const x = new Float64Array(count * d);
  for (let row = 0; row < count; row++)
    x.set(directionOf(rowOf(features, row), projection), row * d);

  const classMeans = meansOf(x, d, labels, head.classes);
  const oneClass = new Uint8Array(count);
  const wholeMean = meansOf(x, d, oneClass, 1);
  const classWhitener = whitener(covariance(x, d, labels, classMeans), d);
  const wholeWhitener = whitener(covariance(x, d, oneClass, wholeMean), d);
  return {
    features: features.width,
    ...(projection !== undefined && { projection }),
    mean: columnMeans(features),
    headDistances: headDistances(head),
    classWhitener,
    classCentres: whiten(classWhitener, classMeans, d),
    wholeWhitener,
    wholeCentre: whiten(wholeWhitener, wholeMean, d),
  };
}

function headDistances({ weights, classes, features }: Head): Float64Array {
  const distances = new Float64Array((classes * (classes - 1)) / 2);
  for (let c = 1; c < classes; c++) {
    for (let j = 0; j < c; j++) {
      let squared = 0;
      for (let i = 0; i < features; i++) {
        squared +=
          ((weights[c * features + i] as number) - (weights[j * features + i] as number)) ** 2;
      }
      if (!(squared > 0)) {
        throw refuseCalibration(
          'calibration.head',
          `classes ${j} and ${c} have the same weights: the model cannot tell them apart`,
        );
      }
      distances[packedPair(c, j)] = Math.sqrt(squared);
    }
  }
  return distances;
}

function meansOf(
  x: Float64Array,
  d: number,
  labels: ArrayLike<number>,
  classes: number,
): Float64Array {
  const means = new Float64Array(classes * d);
  const counts = new Float64Array(classes);
  for (let row = 0; row < labels.length; row++) {
    const c = labels[row] as number;
    counts[c] = (counts[c] as number) + 1;
    for (let i = 0; i < d; i++) {
      means[c * d + i] = (means[c * d + i] as number) + (x[row * d + i] as number);
    }
  }
  return means.map((sum, at) => sum / (counts[Math.floor(at / d)] as number));
}

/** Tied covariance about the class means, divided by n, with its ridge; full, row-major. */
function covariance(
  x: Float64Array,
  d: number,
  labels: ArrayLike<number>,
  means: Float64Array,
): Float64Array {
  const sum = new Float64Array(d * d);
  const residual = new Float64Array(d);
  const count = labels.length;
  for (let row = 0; row < count; row++) {
    const mean = (labels[row] as number) * d;
    for (let i = 0; i < d; i++) {
      residual[i] = (x[row * d + i] as number) - (means[mean + i] as number);
    }
    for (let i = 0; i < d; i++) {
      const left = residual[i] as number;
      for (let j = 0; j <= i; j++) {
        sum[i * d + j] = (sum[i * d + j] as number) + left * (residual[j] as number);
      }
    }
  }
  let trace = 0;
  for (let i = 0; i < d; i++) trace += (sum[i * d + i] as number) / count;
  if (!(trace > VARIANCE_MIN)) {
    throw refuseCalibration(
      'calibration.constant',
      `the direction of the ${d} features varies by ${trace}, at least ${VARIANCE_MIN} is needed`,
    );
  }
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      const value =
        (sum[i * d + j] as number) / count + (i === j ? (COVARIANCE_RIDGE * trace) / d : 0);
      sum[i * d + j] = value;
      sum[j * d + i] = value;
    }
  }
  return sum;
}

/** The inverse of the lower Cholesky factor, as a packed lower triangle. */
function whitener(full: Float64Array, d: number): Float64Array {
  const cholesky = new CholeskyDecomposition(Matrix.from1DArray(d, d, full));
  if (!cholesky.isPositiveDefinite()) {
    throw refuseCalibration('calibration.constant', `the covariance of ${d} features is singular`);
  }
  const factor = cholesky.lowerTriangularMatrix;
  const inverse = new Float64Array((d * (d + 1)) / 2);
  const row = new Float64Array(d);
  for (let i = 0, start = 0; i < d; start += ++i) {
    // Row i of the inverse: (e_i - sum over k < i of factor_ik * inverse row k) / factor_ii.
    row.fill(0);
    for (let k = 0, at = 0; k < i; at += ++k) {
      const scale = factor.get(i, k);
      for (let j = 0; j <= k; j++)
        row[j] = (row[j] as number) - scale * (inverse[at + j] as number);
    }
    row[i] = 1;
    const diagonal = factor.get(i, i);
    for (let j = 0; j <= i; j++) inverse[start + j] = (row[j] as number) / diagonal;
  }
  return inverse;
}

/** The packed lower triangle times every row of `points`. */
function whiten(triangle: Float64Array, points: Float64Array, d: number): Float64Array {
  const out = new Float64Array(points.length);
  for (let point = 0; point < points.length; point += d) {
    for (let i = 0, start = 0; i < d; start += ++i) {
      let sum = 0;
      for (let j = 0; j <= i; j++) {
        sum += (triangle[start + j] as number) * (points[point + j] as number);
      }
      out[point + i] = sum;
    }
  }
  return out;
}
