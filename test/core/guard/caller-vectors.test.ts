import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import {
  CALLER_VECTOR_LENGTH,
  callerVector,
  distanceOf,
  nearestOf,
} from '../../../src/core/guard/caller-vectors.ts';

const normal = (next: () => number): number =>
  Array.from({ length: 12 }, next).reduce((sum, value) => sum + value, -6);

function features(length: number, next: () => number): Float32Array {
  return Float32Array.from({ length }, () => normal(next));
}

const unit = (values: Float32Array): Float32Array => {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
};

describe('the direction of a frame', () => {
  it('has length 1 and at most 64 values, and does not depend on the scale', () => {
    const next = seededNumbers(1);
    for (const length of [1, 16, 64, 65, 1_280, 4_096]) {
      const raw = features(length, next);
      const vector = callerVector(raw) as Float32Array;
      expect(vector).toHaveLength(Math.min(length, CALLER_VECTOR_LENGTH));
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      expect(callerVector(raw.map((value) => value * 4))).toEqual(vector);
    }
  });

  it('keeps distances when it folds 1,280 features: equal stays equal, near stays near', () => {
    const next = seededNumbers(2);
    let sum = 0;
    for (let i = 0; i < 200; i++) {
      const a = features(1_280, next);
      const b = a.map((value) => value + 0.3 * normal(next));
      const [va, vb] = [callerVector(a) as Float32Array, callerVector(b) as Float32Array];
      const exact = distanceOf(unit(a), unit(b));
      const ratio = distanceOf(va, vb) / exact;
      expect(ratio).toBeGreaterThan(0.5);
      expect(ratio).toBeLessThan(1.5);
      sum += ratio / 200;
      expect(distanceOf(va, callerVector(a.slice()) as Float32Array)).toBe(0);
    }
    expect(sum).toBeGreaterThan(0.95);
    expect(sum).toBeLessThan(1.05);
  });

  it('is there exactly where all values are finite and not all are zero', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      expect(callerVector(Float32Array.of(1, bad))).toBeUndefined();
      expect(callerVector(new Float32Array(100).fill(1).fill(bad, 7, 8))).toBeUndefined();
    }
    expect(callerVector(new Float32Array(64))).toBeUndefined();
    expect(callerVector(new Float32Array(0))).toBeUndefined();
    expect(callerVector(Float32Array.of(3e38, 3e38))).toBeDefined();
    expect(callerVector(Float32Array.of(1e-45, 0))).toEqual(Float32Array.of(1, 0));
  });

  it('is never NaN, whatever the features', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 0, maxLength: 130 }), (raw) => {
        expect(callerVector(raw)?.every(Number.isFinite) ?? true).toBe(true);
      }),
    );
  });
});

describe('the nearest frame', () => {
  it('is the one with the smallest distance, with its label; none of none', () => {
    const kept = [
      { vector: Float32Array.of(1, 0), label: 1 },
      { vector: Float32Array.of(0, 1), label: 2 },
    ];
    expect(nearestOf(kept, Float32Array.of(0, 1))).toEqual({ distance: 0, label: 2 });
    expect(nearestOf(kept, Float32Array.of(1, 0))).toEqual({ distance: 0, label: 1 });
    expect(nearestOf([], Float32Array.of(1, 0))).toBeUndefined();
  });
});
