/**
 * How far apart usual frames lie: what the frames of a caller are held against. The policy carries
 * it, two numbers fitted from the calibration set (`calibration/fit-callers.ts`).
 *
 * Source of the idea: PRADA (Juuti et al. 2019), which holds the distances between a caller's frames
 * against a normal distribution. Distances of usual frames in feature space are not normal, and such
 * a test refuses every caller in the end; here they are held against what was measured.
 */
import type { Fields } from '../base/fields.ts';
import { FEATURES_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';

export interface CallerReference {
  /** Length of the feature vectors that it was fitted on. */
  readonly features: number;
  /**
   * 1% of the calibration frames lie this near to the nearest other one, or nearer. Among the few
   * frames that are remembered of a caller it is fewer still: the nearest of fewer is farther away.
   */
  readonly nearDistance: number;
  /** Half of them do: two frames in turn that are no farther apart show one scene. */
  readonly sceneDistance: number;
}

export function callerReferenceMap(reference: CallerReference): CborMap {
  return cborMap(
    ['features', reference.features],
    ['near-distance', reference.nearDistance],
    ['scene-distance', reference.sceneDistance],
  );
}

/** Refuses with `field.*`. */
export function readCallerReference(fields: Fields): CallerReference {
  const nearDistance = fields.number('near-distance', Number.MIN_VALUE, DISTANCE_MAX);
  const reference = {
    features: fields.integer('features', 1, FEATURES_MAX),
    nearDistance,
    sceneDistance: fields.number('scene-distance', nearDistance, DISTANCE_MAX),
  };
  fields.done();
  return reference;
}

/** Of two directions, and some rounding. */
const DISTANCE_MAX = 2.001;
