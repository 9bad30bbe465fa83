/** How often a dead worker may be replaced within a window of time. */
import type { Clock, MonotonicMs } from '../../core/base/time.ts';

export class RespawnBudget {
  readonly #max: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #taken: MonotonicMs[] = [];

  constructor(max: number, windowMs: number, clock: Clock) {
    this.#max = max;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  left(): number {
    const now = this.#clock.monotonicMs();
    this.#taken = this.#taken.filter((at) => now - at < this.#windowMs);
    return this.#max - this.#taken.length;
  }

  /** Takes one if one is left. */
  take(): boolean {
    if (this.left() <= 0) return false;
    this.#taken.push(this.#clock.monotonicMs());
    return true;
  }
}
