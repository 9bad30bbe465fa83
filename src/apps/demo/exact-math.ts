/**
 * Sine, exponential, logarithm and random numbers from additions, multiplications, divisions and
 * 32-bit integers alone. IEEE 754 fixes the results of these, while `Math.sin` and its like may
 * differ between versions of the JavaScript engine; the demo's model must come out the same bit by
 * bit on every one of them.
 */

// Math.PI and Math.LN2 are constants, not computed: the same everywhere.
const TAU = 2 * Math.PI;
const { LN2 } = Math;

/** sin(2 pi x), within 1e-14 for |x| up to 1e3; `x` in turns. */
export function sineOfTurns(x: number): number {
  let turn = x - Math.round(x);
  if (turn > 0.25) turn = 0.5 - turn;
  else if (turn < -0.25) turn = -0.5 - turn;
  const angle = TAU * turn;
  const square = angle * angle;
  let term = angle;
  let sum = angle;
  for (let n = 3; n <= 21; n += 2) {
    term *= -square / (n * (n - 1));
    sum += term;
  }
  return sum;
}

export function cosineOfTurns(x: number): number {
  return sineOfTurns(x + 0.25);
}

/** e^x for x up to 700, within 1e-13 relative; below -700 it gives 0. */
export function exponential(x: number): number {
  if (x < -700) return 0;
  const power = Math.round(x / LN2);
  const rest = x - power * LN2;
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= 16; n++) {
    term *= rest / n;
    sum += term;
  }
  return sum * powerOfTwo(power);
}

/** ln x for positive normal numbers, within 1e-14. */
export function naturalLog(x: number): number {
  let mantissa = x;
  let power = 0;
  for (const [step, factor] of STEPS) {
    if (mantissa >= factor) {
      mantissa /= factor;
      power += step;
    } else if (mantissa * factor <= 1) {
      mantissa *= factor;
      power -= step;
    }
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), m in [0.5, 2]
  const ratio = (mantissa - 1) / (mantissa + 1);
  const square = ratio * ratio;
  let odd = ratio;
  let sum = 0;
  for (let n = 1; n <= 33; n += 2) {
    sum += odd / n;
    odd *= square;
  }
  return 2 * sum + power * LN2;
}

/** 2^512, 2^256, ... 2^1, which halve the exponent of any double step by step. */
const STEPS = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1].map(
  (step) => [step, powerOfTwo(step)] as const,
);

function powerOfTwo(exponent: number): number {
  let value = 1;
  const factor = exponent < 0 ? 0.5 : 2;
  for (let i = Math.abs(exponent); i > 0; i--) value *= factor;
  return value;
}

/** xoshiro128** of Blackman and Vigna, seeded through splitmix32; not for secrets. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Each pair of 32-bit numbers gives its own sequence. */
  constructor(seed: number, stream: number = 0) {
    let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next();
  }

  /** A whole number in [0, 2^32). */
  bits(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.bits() / 4294967296;
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  /** Mean 0, standard deviation 1: the sum of twelve uniform numbers (Irwin-Hall), |z| < 6. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 6; i++) {
      const word = this.bits();
      sum += ((word & 0xffff) + (word >>> 16) + 1) / 65536;
    }
    return sum;
  }
}
