/** Small images made for a test: by the encoders of the same libraries, chunk by chunk, or literal. */
import { crc32, deflateSync } from 'node:zlib';
import { encode as encodePng } from 'fast-png';
import { encode as encodeJpegOf } from 'jpeg-js';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Every sample another one, as far as 8 bits go; `shift` makes other pictures. */
export function picture(
  width: number,
  height: number,
  channels: 1 | 3 = 3,
  shift: number = 0,
): Picture {
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => i * 7 + shift);
  return { width, height, channels, pixels };
}

export function png({ width, height, channels, pixels }: Picture): Uint8Array {
  return new Uint8Array(encodePng({ width, height, channels, depth: 8, data: pixels }));
}

/** In colour, without subsampling. */
export function jpeg({ width, height, channels, pixels }: Picture): Uint8Array {
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height * 3; i++) {
    const at = Math.floor(i / 3) * channels + (channels === 3 ? i % 3 : 0);
    data[Math.floor(i / 3) * 4 + (i % 3)] = pixels[at] as number;
  }
  return new Uint8Array(encodeJpegOf({ width, height, data }, 100).data);
}

export const PNG_SIGNATURE: Uint8Array = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);

export function chunk(type: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const body = concatBytes(utf8(type), data);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, data.length);
  const check = new Uint8Array(4);
  new DataView(check.buffer).setUint32(0, crc32(body));
  return concatBytes(length, body, check);
}

export interface PngHeader {
  readonly width?: number;
  readonly height?: number;
  readonly depth?: number;
  readonly colour?: number;
  readonly interlaced?: number;
}

export function pngHeader(header: PngHeader = {}): Uint8Array {
  const { width = 2, height = 2, depth = 8, colour = 0, interlaced = 0 } = header;
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([depth, colour, 0, 0, interlaced], 8);
  return chunk('IHDR', data);
}

/** Rows with filter 0 before each, packed. */
export function pngData(bytes: number): Uint8Array {
  return chunk('IDAT', new Uint8Array(deflateSync(new Uint8Array(bytes))));
}

/** A PNG of these chunks, whatever they are. */
export function pngOf(...chunks: readonly Uint8Array[]): Uint8Array {
  return concatBytes(PNG_SIGNATURE, ...chunks, chunk('IEND'));
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** 16 x 8 pixels by libjpeg-turbo: the left half is (201, 60, 40), the right half (30, 60, 220). */
export const PROGRESSIVE_JPEG: Uint8Array = fromBase64(
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU' +
    'FRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU' +
    'FBQUFBQUFBT/wgARCAAIABADAREAAhEBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EABYBAQEBAAAAAAAAAAAAAAAAAAgGB//a' +
    'AAwDAQACEAMQAAABMyOwFk+ef//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAQUCP//EABQRAQAAAAAAAAAAAAAAAAAAABD/' +
    '2gAIAQMBAT8BP//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAIAQIBAT8BP//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEABj8C' +
    'P//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAT8hP//aAAwDAQACAAMAAAAQ3//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAI' +
    'AQMBAT8QP//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAIAQIBAT8QP//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAT8QP//Z',
);

/** The same picture with its colours stored as they are, which Adobe's mark says. */
export const RGB_JPEG: Uint8Array = fromBase64(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUV' +
    'FQwPFxgWFBgSFBUU/8AAEQgACAAQA1IRAEcRAEIRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAgJAP/EABQQAQAAAAAAAAAAAAAAAAAA' +
    'AAD/2gAMA1IARwBCAAA/AGAJQKIdMvA//9k=',
);

/** The same picture, coded arithmetically. */
export const ARITHMETIC_JPEG: Uint8Array = fromBase64(
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx' +
    'NDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy' +
    'MjIyMjIyMjL/yQARCAAIABADASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AEeEFSYoYKeRA47ScUgZSmSrwP/Z',
);
