/** Frames of a caller as directions in feature space, in a length that does not depend on the model. */
import type { CallerReference } from './caller-reference.ts';

/** Longer feature vectors are folded into so many values. */
export const CALLER_VECTOR_LENGTH = 64;

/** A frame that is remembered. */
export interface KeptFrame {
  /** From `callerVector`; nobody writes to it. */
  readonly vector: Float32Array;
  readonly label: number | undefined;
}

export interface Nearest {
  /** In [0, 2]: the length of the difference of two directions. */
  readonly distance: number;
  readonly label: number | undefined;
}

/**
 * `f / |f|`; of more than 64 features, the same of their count sketch: feature `i` is added to or
 * taken from one of 64 sums, sum and sign by a fixed hash of `i`. It keeps the squared distance of
 * two vectors on average, with a relative standard deviation of at most `sqrt(2 / 64)`, and needs
 * one pass (Charikar, Chen, Farach-Colton 2002; Weinberger et al. 2009). Equal features give equal
 * directions, bit by bit.
 *
 * `undefined` where there is no direction: NaN, infinities, zeros only.
 */
export function callerVector(features: Float32Array): Float32Array | undefined {
  const folded = features.length > CALLER_VECTOR_LENGTH ? sketch(features) : features;
  let squared = 0;
  for (let i = 0; i < folded.length; i++) squared += (folded[i] as number) ** 2;
  const norm = Math.sqrt(squared);
  if (!(norm > 0 && norm < Infinity)) return undefined;
  return Float32Array.from(folded, (value) => value / norm);
}

/** As `callerVector`, for the model of the reference only: other features say nothing here. */
export function vectorFor(
  reference: CallerReference | undefined,
  features: Float32Array | undefined,
): Float32Array | undefined {
  if (reference === undefined || features?.length !== reference.features) return undefined;
  return callerVector(features);
}

export function distanceOf(a: Float32Array, b: Float32Array): number {
  let squared = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    squared += difference * difference;
  }
  return Math.sqrt(squared);
}

/** The nearest of the frames; `undefined` when there are none. */
export function nearestOf(kept: readonly KeptFrame[], vector: Float32Array): Nearest | undefined {
  let nearest: Nearest | undefined;
  for (const frame of kept) {
    const distance = distanceOf(frame.vector, vector);
    if (nearest === undefined || distance < nearest.distance) {
      nearest = { distance, label: frame.label };
    }
  }
  return nearest;
}

function sketch(features: Float32Array): Float64Array {
  const sums = new Float64Array(CALLER_VECTOR_LENGTH);
  for (let i = 0; i < features.length; i++) {
    const hash = mixed(i);
    const at = hash % CALLER_VECTOR_LENGTH;
    const value = features[i] as number;
    sums[at] = (sums[at] as number) + (hash < 0x8000_0000 ? value : -value);
  }
  return sums;
}

/** The finaliser of MurmurHash3: every bit of `i` changes every bit of the result. */
function mixed(i: number): number {
  let hash = Math.imul(i ^ (i >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
