import { describe, expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from '../../../src/core/numeric/float16.ts';

/** Read off the format's definition in IEEE 754 3.4, bit by bit, another way than the code does. */
function definition(bits: number): number {
  const text = bits.toString(2).padStart(16, '0');
  const sign = text[0] === '1' ? -1 : 1;
  const exponent = Number.parseInt(text.slice(1, 6), 2);
  const fraction = [...text.slice(6)].reduce((sum, bit, i) => sum + Number(bit) / 2 ** (i + 1), 0);
  if (exponent === 31) return fraction === 0 ? sign / 0 : Number.NaN;
  return exponent === 0 ? sign * 2 ** -14 * fraction : sign * 2 ** (exponent - 15) * (1 + fraction);
}

describe('float16', () => {
  it('decodes all 65,536 patterns as the definition says, and encodes each back', () => {
    let seen = 0;
    for (let bits = 0; bits < 65_536; bits++) {
      const value = halfToNumber(bits);
      if (!Object.is(value, definition(bits))) throw new Error(`pattern ${bits} gives ${value}`);
      const back = numberToHalf(value);
      if (back !== (Number.isNaN(value) ? 0x7e00 : bits)) throw new Error(`${value} gives ${back}`);
      seen++;
    }
    expect(seen).toBe(65_536);
  });

  it('rounds to the nearest with ties to even, between every pair of neighbours', () => {
    let seen = 0;
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = halfToNumber(bits);
      const high = halfToNumber(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const step = (high - low) / 1024;
      const got = [middle - step, middle, middle + step].map(numberToHalf);
      if (String(got) !== String([bits, even, bits + 1])) throw new Error(`after ${low}: ${got}`);
      if (numberToHalf(-middle) !== (even | 0x8000)) throw new Error(`before ${-low}`);
      seen++;
    }
    expect(seen).toBe(0x7bff);
  });

  it('gives infinity from 65,520 on, and zero below half the smallest', () => {
    expect(numberToHalf(65_519.999)).toBe(0x7bff);
    expect(numberToHalf(65_520)).toBe(0x7c00);
    expect(numberToHalf(1e300)).toBe(0x7c00);
    expect(numberToHalf(-Infinity)).toBe(0xfc00);
    expect(numberToHalf(2 ** -25)).toBe(0);
    expect(numberToHalf(2 ** -25 * 1.0001)).toBe(1);
    expect(numberToHalf(-5e-324)).toBe(0x8000);
  });
});
