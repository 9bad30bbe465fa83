/**
 * Wide features in fewer directions, for the detectors whose cost or need of fit rows grows with
 * the square of the width: MDS++, RMDS++ and kNN.
 *
 * They look at the direction of a feature vector alone, so the projection keeps directions: its
 * components are those of the fit set's `f/|f|` about the origin, not about the mean (a shift
 * would make the result depend on the length), and what comes out has length 1 again. fDBD and ViM
 * keep the features as they are: fDBD measures them in the geometry of the last layer's weights, and
 * what ViM measures is the very part that a projection drops.
 *
 * What is left out is that part: a frame that differs from the fit set only outside of the kept
 * directions looks usual to all three. The other two detectors are there for it.
 */

import type { Fields } from '../base/fields.ts';
import { FEATURES_MAX, PROJECTED_FEATURES } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { dot } from '../numeric/vectors.ts';
import { doublesToBytes, readDoubles } from './doubles.ts';
import { refusePolicy } from './policy-faults.ts';

export interface Projection {
  /** `d`, above `UNPROJECTED_FEATURES_MAX` when it was fitted. */
  readonly features: number;
  /** `m`, at most `PROJECTED_FEATURES`. */
  readonly components: number;
  /** `m x d`, row-major; the rows are orthonormal. */
  readonly directions: Float64Array;
}

/** Of the products of directions: far above rounding, far below what would move a score. */
const ORTHONORMAL_TOLERANCE = 1e-6;

/**
 * `V f / |V f|` into `out`, which it returns; all NaN for features of another number, of zeros, of
 * NaN or infinities, or at right angles to every direction. Allocates nothing.
 *
 * @param out `m` values
 */
export function project(
  projection: Projection,
  features: Float32Array,
  out: Float64Array,
): Float64Array {
  const { components, directions } = projection;
  const d = projection.features;
  if (features.length !== d) return out.fill(NaN);
  let squared = 0;
  for (let j = 0; j < components; j++) {
    const along = dotRow(directions, j * d, features);
    out[j] = along;
    squared += along * along;
  }
  const norm = Math.sqrt(squared);
  if (!(norm > 0 && norm < Infinity)) return out.fill(NaN);
  for (let j = 0; j < components; j++) out[j] = (out[j] as number) / norm;
  return out;
}

export function projectionMap(projection: Projection): CborMap {
  return cborMap(
    ['features', projection.features],
    ['components', projection.components],
    ['directions', doublesToBytes(projection.directions)],
  );
}

/** Faults: `policy.length`, `policy.values` (not finite, not orthonormal), `field.*`. */
export function readProjection(fields: Fields): Projection {
  const features = fields.integer('features', 1, FEATURES_MAX);
  const components = fields.integer('components', 1, Math.min(features, PROJECTED_FEATURES));
  const directions = readDirections(fields, components, features);
  fields.done();
  return { features, components, directions };
}

/**
 * `count` orthonormal rows of `d` values in the member `directions`. Others would show a strange
 * frame as a usual one: a direction twice, or of zeros, hides what it should have shown.
 *
 * Faults: `policy.length`, `policy.values`, `field.*`.
 */
export function readDirections(fields: Fields, count: number, d: number): Float64Array {
  const directions = readDoubles(fields, 'directions', count * d);
  for (let i = 0; i < count; i++) {
    const row = directions.subarray(i * d, (i + 1) * d);
    for (let j = 0; j <= i; j++) {
      const product = dotRow(directions, j * d, row);
      if (Math.abs(product - (i === j ? 1 : 0)) <= ORTHONORMAL_TOLERANCE) continue;
      throw refusePolicy(
        'policy.values',
        `${fields.at('directions')}: the product of rows ${j} and ${i} is ${product}`,
      );
    }
  }
  return directions;
}

/** The product of a row that begins at `start` with all of `x`. */
export function dotRow(rows: Float64Array, start: number, x: Float32Array | Float64Array): number {
  return dot(rows, start, x, x.length);
}
