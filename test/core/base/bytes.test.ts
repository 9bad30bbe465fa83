/** Comparing, joining and writing byte strings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  fromHex,
  fromUtf8,
  toHex,
  utf8,
} from '../../../src/core/base/bytes.ts';

const anyBytes = fc.uint8Array({ maxLength: 40 });

describe('bytes', () => {
  it('compare like Buffer does, in both directions', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(equalBytes(a, Uint8Array.from(a))).toBe(true);
      }),
      { seed: 1 },
    );
    expect(compareBytes(new Uint8Array([1]), new Uint8Array([1, 0]))).toBeLessThan(0);
    expect(equalBytes(new Uint8Array([1]), new Uint8Array([1, 0]))).toBe(false);
  });

  it('join in order', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 5 }), (parts) => {
        expect(toHex(concatBytes(...parts))).toBe(Buffer.concat(parts).toString('hex'));
      }),
      { seed: 2 },
    );
  });

  it('go to hex and back; other text is no hex', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
      }),
      { seed: 3 },
    );
    for (const text of ['0', '0g', ' 00', '00\n', '0x00', '00 00', '٠٠']) {
      expect(fromHex(text), JSON.stringify(text)).toBeUndefined();
    }
  });

  it.each([
    ['a lone continuation byte', '80'],
    ['an overlong slash', 'c0af'],
    ['an overlong NUL', 'c080'],
    ['a surrogate', 'eda080'],
    ['a code point above U+10FFFF', 'f4908080'],
    ['a sequence that ends early', 'e282'],
    ['0xFF', 'ff'],
  ])('are not UTF-8 with %s', (_, hex) => {
    expect(fromUtf8(fromHex(hex) as Uint8Array)).toBeUndefined();
  });

  it('keep a byte order mark as a character, so that text has one encoding', () => {
    const text = '\ufeffa';
    expect(fromUtf8(utf8(text))).toBe(text);
  });

  it('round trip every well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(fromUtf8(utf8(text))).toBe(text);
      }),
      { seed: 4 },
    );
  });

  it('copy into memory of their own, also from a Buffer', () => {
    const shared = Buffer.from([1, 2, 3]);
    const copy = copyBytes(shared);
    shared[0] = 9;
    expect([...copy]).toEqual([1, 2, 3]);
    expect(copy.buffer).not.toBe(shared.buffer);
  });
});
