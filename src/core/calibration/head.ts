/** The last linear layer: proven to make the logits from the features, or recovered from both. */
import { Matrix, QrDecomposition } from 'ml-matrix';
import { refuseCalibration } from './faults.ts';
import { type CheckedSet, type Rows, rowOf } from './rows.ts';

/** `logits = weights f + bias`. */
export interface Head {
  /** `classes x features`, row-major. */
  readonly weights: Float32Array | Float64Array;
  readonly bias: Float32Array | Float64Array;
  readonly classes: number;
  readonly features: number;
}

/** Above it, the features do not feed the last linear layer and fDBD would measure nothing. */
export const HEAD_RESIDUAL_MAX = 1e-3;

/** Keeps least squares solvable when features are constant or depend on each other. */
const RIDGE = 1e-6;

/**
 * The head given, or by least squares on the fit rows; either must reproduce the logits of the
 * held-out calibration rows. Fault: `calibration.head`.
 */
export function provenHead(
  given: Head | undefined,
  fit: CheckedSet & { readonly features: Rows },
  heldOut: CheckedSet & { readonly features: Rows },
): Head {
  const head = given ?? leastSquaresHead(fit.features, fit.logits);
  if (
    head.classes !== fit.logits.width ||
    head.features !== fit.features.width ||
    head.weights.length !== head.classes * head.features ||
    head.bias.length !== head.classes
  ) {
    throw refuseCalibration(
      'calibration.head',
      `a last layer of ${head.classes} x ${head.features} for ${fit.logits.width} scores and ` +
        `${fit.features.width} features`,
    );
  }
  const residual = relativeResidual(head, heldOut.features, heldOut.logits);
  if (!(residual <= HEAD_RESIDUAL_MAX)) {
    throw refuseCalibration(
      'calibration.head',
      `the last linear layer ${given === undefined ? 'by least squares' : 'of the graph'} leaves ` +
        `${residual.toPrecision(3)} of the logits of ${heldOut.count} held-out rows unexplained, ` +
        `at most ${HEAD_RESIDUAL_MAX} is allowed`,
    );
  }
  return head;
}

/** `|z - (W f + b)| / |z - mean z|` over all rows; NaN when the logits never change. */
export function relativeResidual(head: Head, features: Rows, logits: Rows): number {
  const count = logits.data.length / logits.width;
  const mean = columnMeans(logits);
  let error = 0;
  let spread = 0;
  for (let row = 0; row < count; row++) {
    const f = rowOf(features, row);
    const z = rowOf(logits, row);
    for (let c = 0; c < head.classes; c++) {
      let predicted = head.bias[c] as number;
      for (let i = 0; i < head.features; i++) {
        predicted += (head.weights[c * head.features + i] as number) * (f[i] as number);
      }
      error += ((z[c] as number) - predicted) ** 2;
      spread += ((z[c] as number) - (mean[c] as number)) ** 2;
    }
  }
  return Math.sqrt(error / spread);
}

export function columnMeans(rows: Rows): Float64Array {
  const { width, data } = rows;
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) {
    mean[i % width] = (mean[i % width] as number) + (data[i] as number);
  }
  return mean.map((sum) => (sum * width) / data.length);
}

/** QR of `[f, 1]` with a ridge far below float32 rounding appended as rows. */
function leastSquaresHead(features: Rows, logits: Rows): Head {
  const d = features.width;
  const classes = logits.width;
  const count = features.data.length / d;
  let squares = 0;
  for (let i = 0; i < features.data.length; i++) squares += (features.data[i] as number) ** 2;
  const ridge = RIDGE * Math.sqrt(squares / d);
  const left = Matrix.zeros(count + d, d + 1);
  const right = Matrix.zeros(count + d, classes);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < d; i++) left.set(row, i, features.data[row * d + i] as number);
    left.set(row, d, 1);
    for (let c = 0; c < classes; c++) right.set(row, c, logits.data[row * classes + c] as number);
  }
  for (let i = 0; i < d; i++) left.set(count + i, i, ridge);
  const solution = new QrDecomposition(left).solve(right);
  const weights = new Float64Array(classes * d);
  for (let c = 0; c < classes; c++) {
    for (let i = 0; i < d; i++) weights[c * d + i] = solution.get(i, c);
  }
  const bias = Float64Array.from({ length: classes }, (_, c) => solution.get(d, c));
  return { weights, bias, classes, features: d };
}
