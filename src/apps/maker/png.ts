/**
 * PNG files with 8-bit grey or RGB samples, as they are stored: no gamma, no colour profile.
 *
 * The decoder unpacks whatever a file holds, also profiles and other frames, without a limit. So
 * the chunks are walked first, only those of the one image are passed on, and they have unpacked to
 * exactly the bytes of that image before.
 */
import { inflateSync } from 'node:zlib';
import { decode } from 'fast-png';
import { concatBytes, equalBytes } from '../../core/base/bytes.ts';
import { refuseMaker } from './faults.ts';
import { type ImageFile, refuseHuge, refuseMany } from './image-file.ts';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Length and type before the data of a chunk, and the CRC behind them. */
const HEAD_BYTES = 8;
const AROUND_BYTES = 12;

const KEPT = ['IHDR', 'IDAT', 'IEND'];

/** What PNG's colour types are called, by their number. */
const COLOURS: Readonly<Record<number, string>> = {
  0: 'grey',
  2: 'RGB',
  3: 'palette',
  4: 'grey with alpha',
  6: 'RGB with alpha',
};

interface Header {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export function isPng(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, SIGNATURE.length), SIGNATURE);
}

/** `bytes` start as a PNG does. Refuses with `maker.image`, `maker.image-kind`. */
export function openPng(bytes: Uint8Array): ImageFile {
  const chunks = chunksOf(bytes);
  const header = readHeader(chunks[0]);
  const data = chunks.filter(({ type }) => type === 'IDAT');
  const kept = chunks.map(({ whole }) => whole);
  return {
    format: 'PNG',
    ...header,
    decode() {
      refuseOtherSize(concatBytes(...data.map((chunk) => chunk.data)), header);
      // The decoder takes the memory around a view for the file: it gets a copy of its own.
      return decode(concatBytes(SIGNATURE, ...kept), { checkCrc: true }).data as Uint8Array;
    },
  };
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  readonly whole: Uint8Array;
}

/** The header, the data and the end of the image; what follows it is not looked at. */
function chunksOf(bytes: Uint8Array): readonly Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; chunks.at(-1)?.type !== 'IEND'; ) {
    const left = bytes.length - at - AROUND_BYTES;
    const length = left < 0 ? 0 : view.getUint32(at);
    if (length > left) throw refuseMaker('maker.image', 'the file ends within a chunk');
    const end = at + AROUND_BYTES + length;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + HEAD_BYTES));
    refuseUnreadable(type);
    if (KEPT.includes(type)) {
      refuseMany(chunks.length);
      const data = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
      chunks.push({ type, data, whole: bytes.subarray(at, end) });
    }
    at = end;
  }
  return chunks;
}

function readHeader(chunk: Chunk | undefined): Header {
  const bytes = chunk?.data ?? new Uint8Array();
  if (chunk?.type !== 'IHDR' || bytes.length !== 13) {
    throw refuseMaker('maker.image', 'the file does not start with its header');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  refuseHuge(width, height);
  const [depth, colour, , , interlaced] = bytes.subarray(8);
  if (depth !== 8 || (colour !== 0 && colour !== 2)) {
    const kind = COLOURS[colour ?? -1] ?? `colour type ${colour}`;
    throw refuseMaker('maker.image-kind', `${depth}-bit ${kind}`);
  }
  if (interlaced !== 0) throw refuseMaker('maker.image-kind', 'the image is interlaced');
  return { width, height, channels: colour === 0 ? 1 : 3 };
}

/** What would change how the image looks; a capital first letter says that it must be understood. */
function refuseUnreadable(type: string): void {
  if (type === 'tRNS') throw refuseMaker('maker.image-kind', 'a colour is transparent');
  if (type === 'acTL') throw refuseMaker('maker.image-kind', 'the image is animated');
  // For RGB a palette is only a suggestion.
  if (/^[a-z]/.test(type) || type === 'PLTE' || KEPT.includes(type)) return;
  throw refuseMaker('maker.image', `the chunk ${JSON.stringify(type)} is not known`);
}

/** Every row has a byte for its filter before it. */
function refuseOtherSize(packed: Uint8Array, { width, height, channels }: Header): void {
  const size = height * (1 + width * channels);
  const unpacked = inflateSync(packed, { maxOutputLength: size });
  if (unpacked.length === size) return;
  throw refuseMaker('maker.image', `the image has ${unpacked.length} of ${size} bytes`);
}
