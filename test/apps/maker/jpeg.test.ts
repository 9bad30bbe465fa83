/** JPEG files: colours as libjpeg gives them, what is refused before it costs anything, and damage. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJpeg, openJpeg } from '../../../src/apps/maker/jpeg.ts';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { attempt } from '../../../src/core/base/fault.ts';
import { IMAGE_PARTS_MAX, JPEG_SCANS_MAX } from '../../../src/core/base/limits.ts';
import { codeOf, faultIn } from '../../core/base/outcome.ts';
import { ARITHMETIC_JPEG, jpeg, PROGRESSIVE_JPEG, picture, RGB_JPEG } from './image-fixtures.ts';

const SOI = [0xff, 0xd8];

function bytesOf(...parts: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([...SOI, ...parts.flat()]);
}

function segment(marker: number, content: readonly number[]): number[] {
  const length = content.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...content];
}

function frame(marker: number, width: number, height: number, channels: number): number[] {
  const components = Array.from({ length: channels }, (_, i) => [i + 1, 0x11, 0]).flat();
  const sizes = [height >> 8, height & 255, width >> 8, width & 255];
  return segment(marker, [8, ...sizes, channels, ...components]);
}

const SCAN = segment(0xda, [1, 1, 0, 0, 63, 0]);
const END = [0xff, 0xd9];

/** `bytes` where `from` first stands, changed. */
function patched(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const at = bytes.findIndex((_, i) => from.every((byte, j) => bytes[i + j] === byte));
  expect(at).toBeGreaterThan(0);
  return concatBytes(bytes.subarray(0, at), Uint8Array.from(to), bytes.subarray(at + from.length));
}

function outcome(bytes: Uint8Array): string {
  return codeOf(attempt(() => openJpeg(bytes)));
}

describe('openJpeg', () => {
  it.each<[string, Uint8Array]>([
    ['progressive', PROGRESSIVE_JPEG],
    ['colours as they are', RGB_JPEG],
    [
      'colours named R, G and B',
      patched(RGB_JPEG, [0xff, 0xee, 0, 14, 0x41], [0xff, 0xee, 0, 14, 0]),
    ],
  ])('gives what libjpeg gives: %s', (_, bytes) => {
    const image = openJpeg(bytes);
    expect(image).toMatchObject({ format: 'JPEG', width: 16, height: 8, channels: 3 });
    const samples = image.decode();
    for (let at = 0; at < samples.length; at++) {
      const left = at % 48 < 24;
      const expected = (left ? [201, 60, 40] : [30, 60, 220])[at % 3] as number;
      expect(Math.abs((samples[at] as number) - expected)).toBeLessThanOrEqual(2);
    }
  });

  it('gives the mean of a smooth image of any size', () => {
    const sizes = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 0, max: 255 }), (width, height, grey) => {
        const pixels = new Uint8Array(width * height * 3).fill(grey);
        const samples = openJpeg(jpeg({ width, height, channels: 3, pixels })).decode();
        expect(samples.length).toBe(pixels.length);
        for (const sample of samples) expect(Math.abs(sample - grey)).toBeLessThanOrEqual(2);
      }),
      { numRuns: 20 },
    );
  });

  it('takes one channel as grey', () => {
    // One component instead of three: its tables, its frame, its scan.
    const colour = jpeg({ ...picture(8, 8), pixels: new Uint8Array(192).fill(90) });
    const header = openJpeg(colour);
    expect(header.channels).toBe(3);
    const toGrey = patched(
      colour,
      [0xff, 0xc0, 0, 17, 8, 0, 8, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1],
      frame(0xc0, 8, 8, 1),
    );
    const grey = openJpeg(
      patched(
        toGrey,
        [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11],
        [...[0xff, 0xda, 0, 8, 1, 1, 0]],
      ),
    );
    expect(grey.channels).toBe(1);
    const samples = grey.decode();
    expect(samples.length).toBe(64);
    for (const sample of samples) expect(Math.abs(sample - 90)).toBeLessThanOrEqual(2);
  });

  it.each<[what: string, code: string, bytes: Uint8Array]>([
    ['arithmetic coding', 'maker.image-kind', ARITHMETIC_JPEG],
    ['a marker that ends in nothing', 'maker.image', bytesOf([0xff])],
    ['no marker', 'maker.image', bytesOf([0, 0, 0, 0])],
    ['a length below its own size', 'maker.image', bytesOf([0xff, 0xe0, 0, 1], END)],
    ['a length beyond the end', 'maker.image', bytesOf([0xff, 0xe0, 255, 255], END)],
    ['an unknown marker', 'maker.image-kind', bytesOf(segment(0xf0, []), END)],
    ['a height that comes later', 'maker.image', bytesOf(frame(0xc0, 8, 0, 1), SCAN, END)],
    ['65,535 x 65,535 pixels', 'maker.image', bytesOf(frame(0xc0, 65_535, 65_535, 3), SCAN, END)],
    ['4 channels', 'maker.image-kind', bytesOf(frame(0xc0, 8, 8, 4), SCAN, END)],
    ['2 channels', 'maker.image-kind', bytesOf(frame(0xc0, 8, 8, 2), SCAN, END)],
    ['12 bits', 'maker.image-kind', patched(PROGRESSIVE_JPEG, [0, 17, 8], [0, 17, 12])],
    ['a sampling factor of 0', 'maker.image', patched(PROGRESSIVE_JPEG, [1, 0x11, 0], [1, 1, 0])],
    [
      'a sampling factor of 5',
      'maker.image',
      patched(PROGRESSIVE_JPEG, [1, 0x11, 0], [1, 0x51, 0]),
    ],
    ['two images', 'maker.image', bytesOf(frame(0xc0, 8, 8, 1), frame(0xc2, 8, 8, 1), SCAN, END)],
    ['no image', 'maker.image', bytesOf(END)],
    ['no scan', 'maker.image', bytesOf(frame(0xc0, 8, 8, 1), END)],
    ['no end', 'maker.image', bytesOf(frame(0xc0, 8, 8, 1), SCAN, [1, 2, 3])],
    ['a scan of nothing', 'maker.image', bytesOf(segment(0xda, [0, 0, 63, 0]), END)],
    [
      'a scan of 200 components',
      'maker.image',
      bytesOf(segment(0xda, [200, ...Array(403).fill(1)])),
    ],
    [
      'a frame that is too long',
      'maker.image',
      bytesOf(segment(0xc0, [8, 0, 8, 0, 8, 1, 1, 17, 0, 0])),
    ],
    ['half a quantisation table', 'maker.image', bytesOf(segment(0xdb, Array(30).fill(0)))],
    ['half a Huffman table', 'maker.image', bytesOf(segment(0xc4, [0, ...Array(16).fill(1)]))],
    ['a restart interval of 3 bytes', 'maker.image', bytesOf(segment(0xdd, [0, 0, 1]))],
  ])('refuses %s', (_, code, bytes) => {
    expect(outcome(bytes)).toBe(code);
  });

  it('takes a table of 16-bit values', () => {
    const table = segment(0xdb, [0x10, ...Array(128).fill(1)]);
    expect(outcome(bytesOf(table, frame(0xc0, 8, 8, 1), SCAN, END))).toBe('accepted');
  });

  it('refuses more scans than any encoder writes, and more segments', () => {
    const scans = Array.from({ length: JPEG_SCANS_MAX + 1 }, () => SCAN).flat();
    const many = faultIn(attempt(() => openJpeg(bytesOf(frame(0xc2, 8, 8, 1), scans, END))));
    expect(many).toMatchObject({ code: 'maker.image', message: expect.stringMatching(/scans/) });
    const tables = new Uint8Array((IMAGE_PARTS_MAX + 1) * 4);
    for (let at = 0; at < tables.length; at += 4) tables.set([0xff, 0xdb, 0, 2], at);
    expect(outcome(concatBytes(Uint8Array.from(SOI), tables))).toBe('maker.image');
  });

  it('keeps nothing of comments, however many', () => {
    const comments = new Uint8Array((IMAGE_PARTS_MAX + 1) * 4);
    for (let at = 0; at < comments.length; at += 4) comments.set([0xff, 0xfe, 0, 2], at);
    const rest = PROGRESSIVE_JPEG.subarray(SOI.length);
    const image = openJpeg(concatBytes(Uint8Array.from(SOI), comments, rest));
    expect(image.decode()).toEqual(openJpeg(PROGRESSIVE_JPEG).decode());
  });

  it('refuses every truncation, and ends with samples or an error for any damage', () => {
    for (const whole of [PROGRESSIVE_JPEG, jpeg(picture(9, 5))]) {
      for (let length = SOI.length; length < whole.length; length++) {
        expect(outcome(whole.subarray(0, length))).toBe('maker.image');
      }
      let refused = 0;
      for (let at = SOI.length; at < whole.length; at++) {
        for (const value of [0, 1, 0x7f, 0xff, (whole[at] as number) ^ 0x10]) {
          const damaged = whole.slice();
          damaged[at] = value;
          if (!ends(damaged)) refused++;
        }
      }
      expect(refused).toBeGreaterThan(0);
    }
  });

  it('ends for any order of segments', () => {
    const parts = fc.constantFrom(
      ...[
        frame(0xc0, 8, 8, 1),
        frame(0xc2, 20, 9, 3),
        SCAN,
        segment(0xda, [2, 1, 0, 2, 0, 0, 5, 1]),
      ],
      ...[
        segment(0xc4, [0, 1, ...Array(15).fill(0), 0]),
        segment(0xdd, [0, 1]),
        [0, 1, 2, 3],
        [0xff, 0],
      ],
      ...[
        segment(0xdb, [0, ...Array(64).fill(1)]),
        [0xff, 0xd0],
        [0xff, 0xff],
        segment(0xfe, SCAN),
      ],
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 20 }), (some) => {
        ends(bytesOf(...some, END));
      }),
    );
  });

  it('knows its first bytes', () => {
    expect(isJpeg(PROGRESSIVE_JPEG)).toBe(true);
    expect(isJpeg(PROGRESSIVE_JPEG.subarray(1))).toBe(false);
  });
});

/** Whether it decodes; to the size that its header says, or it is refused. */
function ends(bytes: Uint8Array): boolean {
  const opened = attempt(() => openJpeg(bytes));
  if (!opened.ok) return false;
  const { width, height, channels } = opened.value;
  try {
    expect(opened.value.decode().length).toBe(width * height * channels);
    return true;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Error);
    expect(String(thrown)).not.toMatch(/Assertion/);
    return false;
  }
}
