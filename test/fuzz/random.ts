/** Seeded chance: every case of the fuzzer has its own source, so that it can be played alone. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 bits of the published mulberry32. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `count` - 1; 0 where there is nothing to choose from. */
  below(count: number): number {
    return count < 1 ? 0 : this.bits() % count;
  }

  /** Once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** 1 mostly, now and then up to `most`: many small changes hide each other. */
  few(most: number): number {
    let count = 1;
    while (count < most && this.oneIn(2)) count++;
    return count;
  }
}

/** The seed of one case; near numbers give unlike sources. */
export function seedOf(seed: number, target: string, index: number): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  for (const char of target) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ index, 0xc2b2ae35);
  return hash ^ (hash >>> 15);
}
