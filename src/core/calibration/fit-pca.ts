/** Fits the directions that wide features are projected to. */
import { PROJECTED_FEATURES, UNPROJECTED_FEATURES_MAX } from '../base/limits.ts';
import { normalised } from '../guard/novelty-detectors.ts';
import { type Projection, project } from '../guard/pca.ts';
import { refuseCalibration } from './faults.ts';
import {
  leadingDirections,
  MOMENT_ROWS_MAX,
  ROWS_A_DIRECTION,
  secondMoments,
} from './principal-directions.ts';
import { type Rows, rowOf } from './rows.ts';
import { seededNumbers, shuffled } from './seeded-numbers.ts';

/**
 * `undefined` for features that need no projection. Fault: `calibration.fit-rows`.
 *
 * @param features checked: finite, no row of zeros
 */
export function fitProjection(features: Rows): Projection | undefined {
  const d = features.width;
  if (d <= UNPROJECTED_FEATURES_MAX) return undefined;
  const components = PROJECTED_FEATURES;
  const count = features.data.length / d;
  needRows(count, ROWS_A_DIRECTION * components, `${components} principal directions`);
  const rows = sampled(count, MOMENT_ROWS_MAX);
  const moments = secondMoments(rows.length, d, (i, target) => {
    target.set(normalised(rowOf(features, rows[i] as number)));
  });
  return { features: d, components, directions: leadingDirections(moments, d, components) };
}

/** What MDS++, RMDS++ and kNN see of a row: its projection where there is one, else `f/|f|`. */
export function directionOf(
  features: Float32Array,
  projection: Projection | undefined,
): Float64Array {
  if (projection === undefined) return normalised(features);
  return project(projection, features, new Float64Array(projection.components));
}

/** At most `max` of `count` rows: all, or a fixed draw that no order of the rows can bias. */
export function sampled(count: number, max: number): Uint32Array {
  return shuffled(count, seededNumbers(0)).slice(0, max);
}

/** Fault: `calibration.fit-rows`. `purpose` is what needs them, for the message. */
export function needRows(count: number, needed: number, purpose: string): void {
  if (count >= needed) return;
  throw refuseCalibration(
    'calibration.fit-rows',
    `${count} fit rows; ${purpose} need ${needed}, ${needed - count} more`,
  );
}
