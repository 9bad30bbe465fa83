import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencySketch } from '../../../src/core/numeric/sketch.ts';

describe('LatencySketch', () => {
  it('gives quantiles that are at most one thirty-second too high and never too low', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: 1, max: 6e8 }), { minLength: 1, maxLength: 300 }),
        fc.double({ noNaN: true, min: 0, max: 1 }),
        (latencies, q) => {
          const sketch = new LatencySketch();
          for (const us of latencies) sketch.record(us);
          const sorted = latencies.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
          expect(sketch.quantileUs(q)).toBeGreaterThanOrEqual(exact);
          expect(sketch.quantileUs(q)).toBeLessThanOrEqual(exact * (1 + 1 / 32));
        },
      ),
    );
  });

  it('summarises a known stream, in order, and starts again', () => {
    const sketch = new LatencySketch();
    for (let us = 1; us <= 1000; us++) sketch.record(us);
    const { count, p50Us, p95Us, p99Us, maxUs } = sketch.summary();
    expect([count, maxUs]).toEqual([1000, 1000]);
    expect([p50Us, p95Us, p99Us]).toEqual([504, 960, 992]);
    sketch.clear();
    expect(sketch.summary()).toEqual({ count: 0, p50Us: 0, p95Us: 0, p99Us: 0, maxUs: 0 });
  });

  it('counts what is no latency as the slowest or the fastest, never as nothing', () => {
    const sketch = new LatencySketch();
    for (const odd of [NaN, Infinity, 1e300]) sketch.record(odd);
    expect(sketch.quantileUs(0)).toBeGreaterThan(6e8);
    expect(sketch.summary().maxUs).toBeLessThan(Infinity);
    const fast = new LatencySketch();
    for (const odd of [-Infinity, -1, 0, 0.2]) fast.record(odd);
    expect(fast.summary()).toEqual({ count: 4, p50Us: 1, p95Us: 1, p99Us: 1, maxUs: 1 });
    expect(fast.quantileUs(7)).toBe(1);
    expect(fast.quantileUs(-7)).toBe(1);
  });
});
