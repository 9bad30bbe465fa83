/** The system clock keeps the two kinds of time apart. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/host/platform/clock.ts';

describe('systemClock', () => {
  it('never goes back and does not count from 1970', () => {
    const first = systemClock.monotonicMs();
    const second = systemClock.monotonicMs();
    expect(second).toBeGreaterThanOrEqual(first);
    expect(first).toBeLessThan(systemClock.unixMs());
  });

  it('gives records a date after this file was written', () => {
    expect(systemClock.unixMs()).toBeGreaterThan(Date.UTC(2025, 0, 1));
  });
});
