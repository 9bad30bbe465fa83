/** How long to wait before the next connection: exponential with full jitter. */
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS, BACKOFF_STABLE_MS } from '../base/limits.ts';

export interface Backoff {
  /** Attempts since the last stable connection. */
  readonly attempts: number;
}

export const FRESH_BACKOFF: Backoff = { attempts: 0 };

/** Enough doublings to reach the largest wait; more would only grow the number. */
const ATTEMPTS_MAX = 16;

/**
 * The wait in milliseconds after an attempt that stayed connected for `upForMs` (0 when it never
 * was); `random` is uniform in [0, 1). Full jitter (Brooker, "Exponential backoff and jitter",
 * 2015) spreads a fleet whose broker restarts over the whole interval.
 */
export function backOff(
  backoff: Backoff,
  upForMs: number,
  random: number,
): { readonly backoff: Backoff; readonly waitMs: number } {
  const attempts = upForMs >= BACKOFF_STABLE_MS ? 0 : backoff.attempts;
  const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempts);
  return {
    backoff: { attempts: Math.min(ATTEMPTS_MAX, attempts + 1) },
    waitMs: Math.floor(random * ceilingMs),
  };
}
