/**
 * Quantiles of latencies in constant memory: counts in fixed logarithmic buckets, each at most
 * 1/32 wide, from one microsecond to beyond the longest deadline.
 */
import { DEADLINE_MS_MAX } from '../base/limits.ts';

/** Sub-buckets of each power of two: a quantile is at most 1/32 (3.2%) too high, never too low. */
const STEPS = 32;
const OCTAVES: number = Math.ceil(Math.log2(DEADLINE_MS_MAX * 1000)) + 1;
const BUCKETS: number = STEPS * OCTAVES;

export interface LatencySummary {
  readonly count: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export class LatencySketch {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxUs = 0;

  /**
   * Takes any number: below one microsecond counts as one, and what is not a number, or beyond the
   * last bucket, counts as the slowest (a clock that fails must not make the device look fast).
   */
  record(latencyUs: number): void {
    const us = Number.isNaN(latencyUs) ? Infinity : Math.max(1, latencyUs);
    const bucket = bucketOf(us);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count += 1;
    this.#maxUs = Math.max(this.#maxUs, Math.min(us, upperEdgeUs(BUCKETS - 1)));
  }

  /**
   * The smallest bucket edge that at least the share `q` of the latencies do not exceed, in
   * microseconds; 0 when nothing was recorded. `q` is clamped to [0, 1].
   */
  quantileUs(q: number): number {
    const wanted = Math.max(1, Math.ceil(Math.min(1, Math.max(0, q)) * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= wanted) return Math.min(upperEdgeUs(bucket), this.#maxUs);
    }
    return this.#maxUs;
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      p50Us: this.quantileUs(0.5),
      p95Us: this.quantileUs(0.95),
      p99Us: this.quantileUs(0.99),
      maxUs: this.#maxUs,
    };
  }

  /** Starts a new period. */
  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxUs = 0;
  }
}

function bucketOf(us: number): number {
  const octave = Math.min(OCTAVES - 1, Math.floor(Math.log2(us)));
  const step = Math.floor((us / 2 ** octave - 1) * STEPS);
  // log2 may round up across a power of two; the clamp also takes everything beyond the range.
  return octave * STEPS + Math.min(STEPS - 1, Math.max(0, step));
}

function upperEdgeUs(bucket: number): number {
  const octave = Math.floor(bucket / STEPS);
  return 2 ** octave * (1 + ((bucket % STEPS) + 1) / STEPS);
}
