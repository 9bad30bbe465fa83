import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOOKS_SKIPPED_MAX } from '../../../src/core/base/limits.ts';
import { Lookout } from '../../../src/host/inference/lookout.ts';

const flags = new Int32Array(new SharedArrayBuffer(8));
let nowMs = 0;

/** How many of so many looks were more than a glance at a counter: those read the clock. */
function looked(lookout: Lookout, times: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) {
    const beforeMs = nowMs;
    lookout.look();
    if (nowMs > beforeMs) count += 1;
  }
  return count;
}

beforeEach(() => {
  flags.fill(0);
  vi.spyOn(performance, 'now').mockImplementation(() => {
    nowMs += 0.1;
    return nowMs;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a lookout', () => {
  it('ends its look in vain, and looks in vain ever more seldom', () => {
    const lookout = new Lookout(flags, 1);
    flags[0] = 1;
    // Skipped are 1, 2, 4, ... 256 times, and 256 from then on.
    expect(looked(lookout, 2 * LOOKS_SKIPPED_MAX + 8)).toBe(9);
    expect(looked(lookout, 10 * (LOOKS_SKIPPED_MAX + 1))).toBe(10);
  });

  it('looks every time where that finds something', () => {
    const lookout = new Lookout(flags, 1);
    looked(lookout, 100);
    Atomics.store(flags, 1, 1);
    looked(lookout, LOOKS_SKIPPED_MAX);
    expect(looked(lookout, 50)).toBe(50);
    Atomics.store(flags, 1, 0);
    expect(looked(lookout, 4)).toBe(2);
  });
});
