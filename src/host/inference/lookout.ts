/**
 * Looks for a flag in shared memory before its thread sleeps. To sleep and be woken takes 20 to 90
 * us on each side, as long as a small model runs. But a thread that looks holds its core, which may
 * be the only one there is or the one that the other side waits for: looks in vain become rare.
 */
import { LOOK_US, LOOKS_SKIPPED_MAX } from '../../core/base/limits.ts';

export class Lookout {
  readonly #flags: Int32Array<SharedArrayBuffer>;
  readonly #index: number;
  #skips = 0;
  #skipsNext = 1;

  constructor(flags: Int32Array<SharedArrayBuffer>, index: number) {
    this.#flags = flags;
    this.#index = index;
  }

  /** Returns when the flag is not 0, after `LOOK_US` at the latest, and often at once. */
  look(): void {
    if (this.#skips > 0) {
      this.#skips -= 1;
      return;
    }
    const untilMs = performance.now() + LOOK_US / 1000;
    while (Atomics.load(this.#flags, this.#index) === 0) {
      if (performance.now() < untilMs) continue;
      this.#skips = this.#skipsNext;
      this.#skipsNext = Math.min(2 * this.#skipsNext, LOOKS_SKIPPED_MAX);
      return;
    }
    this.#skipsNext = 1;
  }
}
