/**
 * The archive of a bundle: POSIX ustar, uncompressed, so that `tar tf` shows it, and so regular
 * that no tar parser is needed. Each 512-byte header is REGENERATED from {path, size} and compared.
 */
import { utf8 } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';

/** Always the first entry. */
export const MANIFEST_PATH = 'manifest.suit';
export const BLOCK_BYTES = 512;
/** Two zero blocks close the archive. */
export const END_BYTES: number = 2 * BLOCK_BYTES;

/** The one header a file of this name and size has: mode 0644, owner 0, time 0. */
export function ustarHeader(path: string, sizeBytes: number): Uint8Array {
  assert(/^[A-Za-z0-9._-]{1,64}$/.test(path), 'a bundle path is a flat name');
  assert(sizeBytes >= 0 && sizeBytes < 8 ** 11, 'a ustar size has eleven octal digits');
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string): void => header.set(utf8(text), at);
  put(0, path);
  put(100, '0000644\0');
  put(108, '0000000\0');
  put(116, '0000000\0');
  put(124, `${sizeBytes.toString(8).padStart(11, '0')}\0`);
  put(136, '00000000000\0');
  put(148, '        '); // the checksum counts its own field as spaces
  put(156, '0'); // a regular file
  put(257, 'ustar\x0000');
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return header;
}

/** Zero bytes between the end of a file and the next block. */
export function paddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/**
 * The size that a header claims, to be trusted only after the header was regenerated from it and
 * compared; `undefined` when the field is not eleven octal digits.
 */
export function claimedSizeBytes(header: Uint8Array): number | undefined {
  const field = String.fromCharCode(...header.subarray(124, 136));
  return /^[0-7]{11}\0$/.test(field) ? Number.parseInt(field, 8) : undefined;
}
