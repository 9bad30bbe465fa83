/** Fits ViM: origin, principal subspace and the scale of the virtual logit. */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { VIM_COMPONENTS_MAX } from '../base/limits.ts';
import { residual, type VimPolicy } from '../guard/vim.ts';
import { refuseCalibration } from './faults.ts';
import { needRows, sampled } from './fit-pca.ts';
import type { Head } from './head.ts';
import {
  leadingDirections,
  MOMENT_ROWS_MAX,
  ROWS_A_DIRECTION,
  secondMoments,
} from './principal-directions.ts';
import { type Rows, rowOf } from './rows.ts';

/** Of the mean of the diagonal: weight rows that depend on each other must not blow up the origin. */
const RIDGE = 1e-9;
/** Of the mean distance to the origin: less than that is rounding of float32 features. */
const RESIDUAL_MIN = 1e-6;

/**
 * @param features checked: finite, no row of zeros; as they are, whatever their width
 * @param logits as many rows, checked
 * @param head the last linear layer, proven to make the logits from the features
 * @param components directions of usual variation that the residual leaves out, below the number
 *   of features; without it one a class, at most half of the features
 *
 * Faults: `calibration.shape` (components), `calibration.fit-rows`, `calibration.constant` (no
 * residual), `calibration.logits` (no positive logits to match).
 */
export function fitVim(
  features: Rows,
  logits: Rows,
  head: Head,
  components: number = defaultComponents(head),
): VimPolicy {
  const d = features.width;
  const count = features.data.length / d;
  const most = Math.min(d - 1, VIM_COMPONENTS_MAX);
  if (!(Number.isSafeInteger(components) && components >= 1 && components <= most)) {
    throw refuseCalibration(
      'calibration.shape',
      `ViM with ${components} components of ${d} features, 1 to ${most} can be`,
    );
  }
  needRows(count, ROWS_A_DIRECTION * components, `${components} components of ViM`);
  const origin = originOf(head);
  const rows = sampled(count, MOMENT_ROWS_MAX);
  const moments = secondMoments(rows.length, d, (i, target) => {
    const row = rowOf(features, rows[i] as number);
    for (let at = 0; at < d; at++) target[at] = (row[at] as number) - (origin[at] as number);
  });
  const directions = leadingDirections(moments, d, components);
  const policy = { features: d, components, origin, directions };
  return { ...policy, alpha: scaleOf(policy, features, logits, moments) };
}

function defaultComponents({ classes, features }: Head): number {
  return Math.max(1, Math.min(classes, features >> 1, VIM_COMPONENTS_MAX));
}

/** Mean largest logit over mean residual: the virtual logit is as large as the real ones are. */
function scaleOf(
  policy: Omit<VimPolicy, 'alpha'>,
  features: Rows,
  logits: Rows,
  moments: Float64Array,
): number {
  const count = features.data.length / features.width;
  let largest = 0;
  let left = 0;
  for (let row = 0; row < count; row++) {
    largest += Math.max(...rowOf(logits, row)) / count;
    left += residual(policy, rowOf(features, row)) / count;
  }
  let trace = 0;
  for (let i = 0; i < moments.length; i += features.width + 1) trace += moments[i] as number;
  if (!(left > RESIDUAL_MIN * Math.sqrt(trace))) {
    throw refuseCalibration(
      'calibration.constant',
      `ViM: ${count} fit rows vary in ${policy.components} directions of ${features.width} only, ` +
        `the residual is ${left}`,
    );
  }
  if (!(largest > 0)) {
    throw refuseCalibration(
      'calibration.logits',
      `the largest logit of ${count} fit rows is ${largest} in the mean, ViM scales by it`,
    );
  }
  return largest / left;
}

/** `-W^+ b`, by the smaller of the two Gram matrices of `W`. */
function originOf({ weights, bias, classes, features }: Head): Float64Array {
  const w = Matrix.from1DArray(classes, features, weights);
  const minusB = Matrix.columnVector(bias).neg();
  const across = classes <= features;
  const gram = across ? w.mmul(w.transpose()) : w.transpose().mmul(w);
  const ridge = (RIDGE * gram.trace()) / gram.rows || 1; // for weights of zeros any ridge will do
  for (let i = 0; i < gram.rows; i++) gram.set(i, i, gram.get(i, i) + ridge);
  const factored = new CholeskyDecomposition(gram);
  const origin = across
    ? w.transpose().mmul(factored.solve(minusB))
    : factored.solve(w.transpose().mmul(minusB));
  return Float64Array.from(origin.to1DArray());
}
