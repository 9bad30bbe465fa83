/** One channel of an input, looked through once: moments, the ends it reaches, how many values it has. */

/** `lines` lines of `length` values in one array, each so many elements from the one before. */
export interface Channel {
  readonly first: number;
  readonly lines: number;
  /** From line to line. */
  readonly jump: number;
  readonly length: number;
  /** From value to value. */
  readonly step: number;
}

export interface ChannelScan {
  readonly mean: number;
  /** Mean square about the mean. */
  readonly variance: number;
  readonly lowest: number;
  readonly highest: number;
  /** Values equal to the lowest, and to the highest. */
  readonly atLowest: number;
  readonly atHighest: number;
}

/**
 * NaN or an infinity among the values makes the variance NaN. Sums are of differences to the first
 * value: values that are all equal have exactly that mean and a variance of 0.
 */
export function scanChannel(values: Float32Array, channel: Channel): ChannelScan {
  const { first, lines, jump, length, step } = channel;
  const origin = values[first] as number;
  let sum = 0;
  let squares = 0;
  let lowest = origin;
  let highest = origin;
  let atLowest = 0;
  let atHighest = 0;
  for (let line = 0, start = first; line < lines; line++, start += jump) {
    for (let at = start, end = start + length * step; at < end; at += step) {
      const value = values[at] as number;
      const beyond = value - origin;
      sum += beyond;
      squares += beyond * beyond;
      if (value <= lowest) {
        if (value < lowest) {
          lowest = value;
          atLowest = 0;
        }
        atLowest += 1;
      }
      if (value >= highest) {
        if (value > highest) {
          highest = value;
          atHighest = 0;
        }
        atHighest += 1;
      }
    }
  }
  const count = lines * length;
  const mean = sum / count;
  const variance = Math.max(0, squares / count - mean * mean);
  return { mean: origin + mean, variance, lowest, highest, atLowest, atHighest };
}

const SLOT_BITS = 12;
/** Cleared before each use: nothing is carried over from one channel to the next. */
const taken = new Uint8Array(1 << SLOT_BITS);
/** 2^32 divided by the golden ratio: spreads neighbouring patterns evenly (Knuth 6.4). */
const SPREAD = 0x9e3779b1;

/**
 * About how many distinct values there are: each bit pattern falls into one of 4,096 slots, and the
 * slots taken are counted (linear counting, Whang et al. 1990, without its correction, as ranks need
 * none). A stuck bit halves it; a value that is held lowers it. -0 counts as a value of its own.
 *
 * @param bits the patterns of the values, in the same places
 */
export function countDistinct(bits: Int32Array, channel: Channel): number {
  const { first, lines, jump, length, step } = channel;
  taken.fill(0);
  let count = 0;
  for (let line = 0, start = first; line < lines; line++, start += jump) {
    for (let at = start, end = start + length * step; at < end; at += step) {
      const slot = Math.imul(bits[at] as number, SPREAD) >>> (32 - SLOT_BITS);
      count += 1 - (taken[slot] as number);
      taken[slot] = 1;
    }
  }
  return count;
}

/** The patterns of the same memory. */
export function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}
