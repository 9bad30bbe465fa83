/** PNG files: what is read exactly, what is refused before it costs anything, and damage. */
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPng, openPng } from '../../../src/apps/maker/png.ts';
import { attempt, type Result } from '../../../src/core/base/fault.ts';
import { IMAGE_PARTS_MAX } from '../../../src/core/base/limits.ts';
import { codeOf } from '../../core/base/outcome.ts';
import { chunk, PNG_SIGNATURE, picture, png, pngData, pngHeader, pngOf } from './image-fixtures.ts';

/** The walk and the decoding; what the decoder throws is left to the caller, so it is told apart. */
function read(bytes: Uint8Array): Result<Uint8Array> | 'decoder' {
  const opened = attempt(() => openPng(bytes));
  if (!opened.ok) return opened;
  try {
    return attempt(() => opened.value.decode());
  } catch {
    return 'decoder';
  }
}

function outcome(bytes: Uint8Array): string {
  const result = read(bytes);
  return result === 'decoder' ? result : codeOf(result);
}

describe('openPng', () => {
  it('gives exactly the samples of grey and RGB images of any size', () => {
    const sizes = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(sizes, sizes, fc.constantFrom<1 | 3>(1, 3), (width, height, channels) => {
        const made = picture(width, height, channels);
        const image = openPng(png(made));
        expect({ ...image, decode: null }).toEqual({
          ...{ format: 'PNG', width, height, channels, decode: null },
        });
        expect(image.decode()).toEqual(made.pixels);
      }),
    );
  });

  it('passes over metadata, also those that would unpack to a gigabyte', () => {
    const bomb = chunk('iCCP', Uint8Array.of(0x78, 0, 0, ...deflateSync(new Uint8Array(2 ** 20))));
    const text = chunk('tEXt', Uint8Array.of(0x41, 0, 0x42));
    expect(outcome(pngOf(pngHeader(), bomb, text, pngData(6)))).toBe('accepted');
  });

  it.each<[what: string, code: string, bytes: Uint8Array]>([
    ['alpha', 'maker.image-kind', pngOf(pngHeader({ colour: 6 }), pngData(18))],
    ['a palette', 'maker.image-kind', pngOf(pngHeader({ colour: 3 }), pngData(6))],
    ['16 bits', 'maker.image-kind', pngOf(pngHeader({ depth: 16 }), pngData(10))],
    ['interlacing', 'maker.image-kind', pngOf(pngHeader({ interlaced: 1 }), pngData(6))],
    ['a transparent colour', 'maker.image-kind', pngOf(pngHeader(), chunk('tRNS'), pngData(6))],
    ['an animation', 'maker.image-kind', pngOf(pngHeader(), chunk('acTL'), pngData(6))],
    ['an unknown critical chunk', 'maker.image', pngOf(pngHeader(), chunk('XYZW'), pngData(6))],
    ['no header', 'maker.image', pngOf(pngData(6))],
    ['a short header', 'maker.image', pngOf(chunk('IHDR', new Uint8Array(12)))],
    ['no pixels', 'maker.image', pngOf(pngHeader({ width: 0 }), pngData(6))],
    ['2^62 pixels', 'maker.image', pngOf(pngHeader({ width: 2 ** 31, height: 2 ** 31 }))],
    ['no end', 'maker.image', PNG_SIGNATURE],
    ['fewer rows than it says', 'maker.image', pngOf(pngHeader(), pngData(5))],
    ['more rows than it says', 'decoder', pngOf(pngHeader(), pngData(7))],
    ['a bomb', 'decoder', pngOf(pngHeader(), pngData(2 ** 24))],
    ['no data', 'decoder', pngOf(pngHeader())],
    ['data that are not packed', 'decoder', pngOf(pngHeader(), chunk('IDAT', PNG_SIGNATURE))],
  ])('refuses %s', (_, code, bytes) => {
    expect(outcome(bytes)).toBe(code);
  });

  it('refuses more chunks than any image needs', () => {
    const many = Array.from({ length: IMAGE_PARTS_MAX }, () => chunk('IDAT'));
    expect(outcome(pngOf(pngHeader(), ...many))).toBe('maker.image');
  });

  it('refuses every truncation, and never gives other samples for a flipped bit', () => {
    const made = picture(9, 5);
    const whole = png(made);
    for (let length = PNG_SIGNATURE.length; length < whole.length; length++) {
      expect(outcome(whole.subarray(0, length))).toBe('maker.image');
    }
    for (let bit = PNG_SIGNATURE.length * 8; bit < whole.length * 8; bit++) {
      const damaged = whole.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const result = read(damaged);
      if (result !== 'decoder' && result.ok) expect(result.value).toEqual(made.pixels);
    }
  });

  it('knows its signature', () => {
    expect(isPng(png(picture(1, 1)))).toBe(true);
    expect(isPng(PNG_SIGNATURE.subarray(1))).toBe(false);
  });
});
