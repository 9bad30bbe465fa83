/**
 * Looks for a flag in shared memory before its thread sleeps. To sleep and be woken takes 20 to 90
 * us on each side, as long as a small model runs; but a thread that looks holds its core, so looks
 * that find nothing become rare.
 */
import { availableParallelism } from 'node:os';
import { LOOK_US, LOOKS_SKIPPED_MAX } from '../../core/base/limits.ts';

/** Where there is one core, who waits must leave it to the other side. */
const ALONE = availableParallelism() === 1;

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
    if (ALONE) return;
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
