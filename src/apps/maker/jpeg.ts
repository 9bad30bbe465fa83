/**
 * JPEG files, baseline or progressive, with 8-bit grey or colour samples: what is stored, whatever
 * the camera says of its orientation. Colours between two samples are those of the nearer one.
 *
 * The decoder believes every length and reads on behind the end. So the segments are walked first:
 * it gets only those of the one image, each exactly as long as its content, in a bounded number of
 * scans.
 */
import { decode } from 'jpeg-js';
import { concatBytes } from '../../core/base/bytes.ts';
import { IMAGE_PIXELS_MAX, JPEG_MEMORY_MB_MAX, JPEG_SCANS_MAX } from '../../core/base/limits.ts';
import { refuseMaker } from './faults.ts';
import { type ImageFile, refuseHuge, refuseMany } from './image-file.ts';

const START = Uint8Array.of(0xff, 0xd8);
const END = 0xd9;
const FRAMES = [0xc0, 0xc1, 0xc2];
const HUFFMAN_TABLES = 0xc4;
const QUANTISATION_TABLES = 0xdb;
const RESTART_INTERVAL = 0xdd;
const SCAN = 0xda;
const ADOBE = 0xee;
const COMMENT = 0xfe;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** The components are called R, G and B. */
  readonly namedRgb: boolean;
}

interface Segment {
  readonly marker: number;
  /** Behind marker and length. */
  readonly content: Uint8Array;
  /** With both, and for a scan with the coded data that follow. */
  readonly whole: Uint8Array;
}

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === START[0] && bytes[1] === START[1] && bytes[2] === 0xff;
}

/** `bytes` start as a JPEG does. Refuses with `maker.image`, `maker.image-kind`. */
export function openJpeg(bytes: Uint8Array): ImageFile {
  const segments = segmentsOf(bytes);
  const frames = segments.filter(({ marker }) => FRAMES.includes(marker)).map(frameOf);
  const [frame] = frames;
  if (frame === undefined || frames.length !== 1) {
    throw refuseMaker('maker.image', `the file holds ${frames.length} images`);
  }
  const scans = segments.filter(({ marker }) => marker === SCAN).length;
  if (scans === 0 || scans > JPEG_SCANS_MAX) {
    throw refuseMaker('maker.image', `${scans} scans, from 1 to ${JPEG_SCANS_MAX} are read`);
  }
  const { width, height, channels } = frame;
  const kept = segments.filter(({ marker }) => marker !== ADOBE).map(({ whole }) => whole);
  return {
    ...{ format: 'JPEG', width, height, channels },
    decode() {
      const image = decode(concatBytes(START, ...kept, Uint8Array.of(0xff, END)), {
        useTArray: true,
        formatAsRGBA: false,
        colorTransform: !(frame.namedRgb || segments.some(isAdobeRgb)),
        maxResolutionInMP: IMAGE_PIXELS_MAX / 1e6,
        maxMemoryUsageInMB: JPEG_MEMORY_MB_MAX,
      });
      const { data } = image;
      return channels === 3 ? data : data.filter((_, at) => at % 3 === 0);
    },
  };
}

/** What the image is made of, up to its end; what follows is not looked at. */
function segmentsOf(bytes: Uint8Array): readonly Segment[] {
  const segments: Segment[] = [];
  for (let at = START.length; ; ) {
    // Before a marker any number of 0xff may stand.
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    const marker = bytes[at] === 0xff ? bytes[at + 1] : undefined;
    if (marker === END) return segments;
    const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    const end = at + 2 + length;
    if (marker === undefined || length < 2 || end > bytes.length) {
      throw refuseMaker('maker.image', `no whole segment stands at byte ${at}`);
    }
    const content = bytes.subarray(at + 4, end);
    refuseUnreadable(marker, content);
    const next = marker === SCAN ? endOfScan(bytes, end) : end;
    if (!isAside(marker) || marker === ADOBE) {
      refuseMany(segments.length);
      segments.push({ marker, content, whole: bytes.subarray(at, next) });
    }
    at = next;
  }
}

/** The next marker that is neither a restart nor an 0xff of the data. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== undefined && next !== 0 && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  throw refuseMaker('maker.image', 'the file ends within the image');
}

/** Metadata, previews, comments: nothing that the image is made of. */
function isAside(marker: number): boolean {
  return (marker >= 0xe0 && marker <= 0xef) || marker === COMMENT;
}

/** Every segment must fill its length, or the decoder would read another file than this walk. */
function refuseUnreadable(marker: number, content: Uint8Array): void {
  if (isAside(marker)) return;
  const needed = lengthNeeded(marker, content);
  if (needed === undefined) {
    const coded = marker > 0xc2 && marker < 0xd0 ? 'coded in a way' : 'a marker';
    throw refuseMaker('maker.image-kind', `${coded} that is not read (0xff${marker.toString(16)})`);
  }
  if (content.length !== needed) {
    const place = `the segment 0xff${marker.toString(16)}`;
    throw refuseMaker('maker.image', `${place} has ${content.length} bytes and needs ${needed}`);
  }
  if (marker === SCAN && ![1, 2, 3].includes(content[0] as number)) {
    throw refuseMaker('maker.image', `a scan of ${content[0]} components`);
  }
}

function lengthNeeded(marker: number, content: Uint8Array): number | undefined {
  if (FRAMES.includes(marker)) return 6 + 3 * (content[5] ?? 0);
  if (marker === SCAN) return 4 + 2 * (content[0] ?? 0);
  if (marker === RESTART_INTERVAL) return 2;
  if (marker === HUFFMAN_TABLES) return tablesLength(content, huffmanLength);
  if (marker === QUANTISATION_TABLES) return tablesLength(content, quantisationLength);
  return undefined;
}

/** Where the last of the tables ends that start before the end of the content. */
function tablesLength(
  content: Uint8Array,
  lengthAt: (at: number, content: Uint8Array) => number,
): number {
  let at = 0;
  while (at < content.length) at += lengthAt(at, content);
  return at;
}

/** Its class, how many codes of each length there are, and a byte for each code. */
function huffmanLength(at: number, content: Uint8Array): number {
  const codes = content.subarray(at + 1, at + 17);
  return 17 + codes.reduce((sum, count) => sum + count, 0);
}

/** Its number and, in the upper half of the same byte, whether values have two bytes. */
function quantisationLength(at: number, content: Uint8Array): number {
  return (content[at] ?? 0) < 16 ? 65 : 129;
}

function frameOf({ content }: Segment): Frame {
  const [depth, heightHigh = 0, heightLow = 0, widthHigh = 0, widthLow = 0, channels] = content;
  const [width, height] = [widthHigh * 256 + widthLow, heightHigh * 256 + heightLow];
  refuseHuge(width, height);
  if (depth !== 8 || (channels !== 1 && channels !== 3)) {
    throw refuseMaker('maker.image-kind', `${channels} channels of ${depth} bits`);
  }
  const components = Array.from({ length: channels }, (_, i) => content.subarray(6 + 3 * i));
  const sampled = components.every(
    ([, factors = 0]) => isFactor(factors >> 4) && isFactor(factors & 15),
  );
  if (!sampled) throw refuseMaker('maker.image', 'a sampling factor is not from 1 to 4');
  const names = String.fromCharCode(...components.map(([name = 0]) => name));
  return { width, height, channels, namedRgb: names === 'RGB' };
}

function isFactor(factor: number): boolean {
  return factor >= 1 && factor <= 4;
}

/** Adobe's mark, whose last byte is 0 where the colours are stored as they are. */
function isAdobeRgb({ marker, content }: Segment): boolean {
  const name = String.fromCharCode(...content.subarray(0, 5));
  return marker === ADOBE && name === 'Adobe' && content[11] === 0;
}
