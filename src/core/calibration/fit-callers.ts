/** Fits how far apart usual frames lie, which the frames of a caller are held against. */
import { CALLER_REFERENCE_ROWS_MAX } from '../base/limits.ts';
import type { CallerReference } from '../guard/caller-reference.ts';
import { callerVector, distanceOf } from '../guard/caller-vectors.ts';
import { type Rows, rowOf } from './rows.ts';

const NEAR_QUANTILE = 0.01;
const SCENE_QUANTILE = 0.5;

/**
 * From the features of calibration rows that were recorded one by one, evenly spaced ones of more
 * than 4,096. Rows that are equal bit by bit are one row: a caller who repeats himself learns nothing
 * either. `undefined` when no two rows differ.
 *
 * Rows of a video make a reference that finds little and raises no false alarms: frames near each
 * other are usual there.
 */
export function fitCallerReference(features: Rows): CallerReference | undefined {
  const vectors = spacedVectors(features);
  const nearest = new Float64Array(vectors.length).fill(Infinity);
  for (let i = 0; i < vectors.length; i++) {
    for (let j = 0; j < i; j++) {
      const distance = distanceOf(vectors[i] as Float32Array, vectors[j] as Float32Array);
      if (distance === 0) continue;
      if (distance < (nearest[i] as number)) nearest[i] = distance;
      if (distance < (nearest[j] as number)) nearest[j] = distance;
    }
  }
  const sorted = nearest.filter((distance) => distance < Infinity).sort();
  if (sorted.length === 0) return undefined;
  return {
    features: features.width,
    nearDistance: lowQuantile(sorted, NEAR_QUANTILE),
    sceneDistance: lowQuantile(sorted, SCENE_QUANTILE),
  };
}

function spacedVectors(features: Rows): readonly Float32Array[] {
  const rows = features.data.length / features.width;
  const count = Math.min(rows, CALLER_REFERENCE_ROWS_MAX);
  return Array.from({ length: count }, (_, i) =>
    callerVector(rowOf(features, Math.floor((i * rows) / count))),
  ).filter((vector) => vector !== undefined);
}

/** Rounded down, so that at most the share `q` is below it; the smallest of few. */
function lowQuantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.floor(q * sorted.length) - 1)] as number;
}
