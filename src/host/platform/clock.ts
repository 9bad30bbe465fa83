/** The one place that reads the machine's two clocks. */
import type { Clock, MonotonicMs, UnixMs } from '../../core/base/time.ts';

/** Monotonic milliseconds count from the start of the process and have fractions. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now() as MonotonicMs,
  unixMs: () => Date.now() as UnixMs,
};
