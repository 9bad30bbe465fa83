/** Changes to bytes that know nothing of their meaning. */
import { concatBytes } from '../../src/core/base/bytes.ts';
import type { Random } from './random.ts';

const TELLING_BYTES: readonly number[] = [0, 1, 0x17, 0x18, 0x1f, 0x20, 0x7f, 0x80, 0xfe, 0xff];
const TELLING_WORDS: readonly number[] = [0, 1, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/** A changed copy; it may be equal to `bytes` by chance, and it is at most 4 KiB longer. */
export function changeBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const length = 1 + random.below(random.oneIn(4) ? 64 : 4);
  switch (random.below(9)) {
    case 0:
      return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << random.below(8)));
    case 1:
      return withByte(bytes, at, random.pick(TELLING_BYTES));
    case 2:
      return withByte(bytes, at, random.bits() & 255);
    case 3:
      return splice(bytes, at, length, new Uint8Array(0));
    case 4:
      return splice(bytes, at, 0, noise(length, random));
    case 5:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 6: {
      const from = random.below(bytes.length);
      const piece = bytes.subarray(from, from + length);
      return splice(bytes, at, piece.length, piece);
    }
    case 7:
      return splice(bytes, at, 4, word(random));
    default:
      return random.oneIn(2)
        ? bytes.slice(0, at)
        : concatBytes(bytes, noise(random.oneIn(8) ? 4096 : length, random));
  }
}

export function noise(length: number, random: Random): Uint8Array {
  return Uint8Array.from({ length }, () => random.bits() & 255);
}

export function splice(
  bytes: Uint8Array,
  at: number,
  removed: number,
  put: Uint8Array,
): Uint8Array {
  return concatBytes(bytes.subarray(0, at), put, bytes.subarray(at + removed));
}

function withByte(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = byte;
  return changed;
}

function word(random: Random): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, random.pick(TELLING_WORDS), random.oneIn(2));
  return bytes;
}
