/** The guard's kernels in plain TypeScript: the specification, and the fallback, of faster ones. */
import type { Kernels, Scan } from './kernels.ts';
import { dot, indexOfLargest } from './vectors.ts';

/** Not re-entrant: whitened vectors share one scratch buffer, as one thread judges one frame. */
export const referenceKernels: Kernels = {
  name: 'reference',
  scan,
  nearestSquared,
  gen,
  kthNearestSquared,
  softmaxEnergy,
  histogram,
};

let scratch = new Float64Array(0);

function scan(values: Float32Array): Scan {
  let min = Infinity;
  let max = -Infinity;
  let poison = 0; // 0 * NaN and 0 * Infinity are NaN, and NaN stays: no test per value
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    poison += value * 0;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { finite: poison === 0, min, max };
}

function nearestSquared(whitener: Float64Array, centres: Float64Array, x: Float64Array): number {
  const d = x.length;
  if (scratch.length < d) scratch = new Float64Array(d);
  const white = scratch;
  for (let row = 0, start = 0; row < d; start += ++row) {
    white[row] = dot(whitener, start, x, row + 1);
  }
  let nearest = Infinity;
  for (let start = 0; start < centres.length; start += d) {
    const squared = squaredDistance(centres, start, white, d);
    // Written so that a NaN distance is returned, never passed over.
    if (!(squared >= nearest)) nearest = squared;
    if (Number.isNaN(nearest)) return nearest;
  }
  return nearest;
}

function gen(logits: Float32Array, gamma: number): number {
  const top = indexOfLargest(logits);
  const max = logits[top] as number;
  const others = massBeside(top, logits);
  const total = 1 + others;
  // The top class apart: 1 - p would cancel to nothing where the model is very sure.
  let sum = (1 / total) ** gamma * (others / total) ** gamma;
  for (let j = 0; j < logits.length; j++) {
    if (j === top) continue;
    const p = Math.exp((logits[j] as number) - max) / total;
    sum += p ** gamma * (1 - p) ** gamma;
  }
  return -sum;
}

function kthNearestSquared(bank: Float32Array, x: Float32Array, k: number): number {
  const d = x.length;
  if (d === 0) return NaN;
  const best = new Float64Array(k).fill(Infinity); // ascending
  for (let start = 0; start < bank.length; start += d) {
    // Not squaredDistance: called with two kinds of arrays it would be slower for both.
    let squared = 0;
    for (let i = 0; i < d; i++) {
      const difference = (bank[start + i] as number) - (x[i] as number);
      squared += difference * difference;
    }
    if (Number.isNaN(squared)) return squared;
    let at = k - 1;
    if (!(squared < (best[at] as number))) continue;
    for (; at > 0 && squared < (best[at - 1] as number); at--) best[at] = best[at - 1] as number;
    best[at] = squared;
  }
  return best[k - 1] as number;
}

function softmaxEnergy(logits: Float32Array, probabilities: Float64Array): number {
  const top = indexOfLargest(logits);
  const max = logits[top] as number;
  const others = massBeside(top, logits);
  const total = 1 + others;
  for (let j = 0; j < logits.length; j++) {
    probabilities[j] = j === top ? 1 / total : Math.exp((logits[j] as number) - max) / total;
  }
  return max + Math.log1p(others);
}

function histogram(values: Float32Array, low: number, high: number, counts: Uint32Array): void {
  counts.fill(0);
  const bins = counts.length;
  const scale = bins / (high - low);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    const place = (value - low) * scale;
    const bin = place >= bins ? bins - 1 : place > 0 ? Math.trunc(place) : 0;
    counts[bin] = (counts[bin] as number) + 1;
  }
}

/** Softmax mass beside the top class, whose own is 1, before division. */
function massBeside(top: number, logits: Float32Array): number {
  const max = logits[top] as number;
  let others = 0;
  for (let j = 0; j < logits.length; j++) {
    if (j !== top) others += Math.exp((logits[j] as number) - max);
  }
  return others;
}

function squaredDistance(a: Float64Array, start: number, x: Float64Array, length: number): number {
  let s0 = 0;
  let s1 = 0;
  let i = 0;
  for (; i + 1 < length; i += 2) {
    const d0 = (a[start + i] as number) - (x[i] as number);
    const d1 = (a[start + i + 1] as number) - (x[i + 1] as number);
    s0 += d0 * d0;
    s1 += d1 * d1;
  }
  if (i < length) {
    const last = (a[start + i] as number) - (x[i] as number);
    s0 += last * last;
  }
  return s0 + s1;
}
