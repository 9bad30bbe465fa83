import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  BACKOFF_STABLE_MS,
} from '../../../src/core/base/limits.ts';
import { type Backoff, backOff, FRESH_BACKOFF } from '../../../src/core/telemetry/backoff.ts';

const ALMOST_ONE = 1 - 2 ** -53;

function ceilings(count: number): number[] {
  let backoff: Backoff = FRESH_BACKOFF;
  return Array.from({ length: count }, () => {
    const step = backOff(backoff, 0, ALMOST_ONE);
    backoff = step.backoff;
    return step.waitMs + 1;
  });
}

describe('backoff', () => {
  it('doubles from 1 s to 5 min and stays there', () => {
    expect(ceilings(40).slice(0, 11)).toEqual([
      1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000,
    ]);
    expect(ceilings(40).at(-1)).toBe(BACKOFF_MAX_MS);
  });

  it('uses the whole interval, and never more', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 100 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempts, random) => {
          const { waitMs } = backOff({ attempts }, 0, random);
          const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempts);
          expect(waitMs).toBe(Math.floor(random * ceiling));
          expect(waitMs < ceiling).toBe(true);
        },
      ),
    );
  });

  it('starts anew after a stable connection only', () => {
    const tired: Backoff = { attempts: 6 };
    expect(backOff(tired, BACKOFF_STABLE_MS - 1, ALMOST_ONE).waitMs).toBe(63_999);
    const fresh = backOff(tired, BACKOFF_STABLE_MS, ALMOST_ONE);
    expect(fresh).toEqual({ backoff: { attempts: 1 }, waitMs: 999 });
  });
});
