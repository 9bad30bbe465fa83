/** SHA-256 behind a provider port, so that every provider is held to the same known answers. */
import { createHash } from 'node:crypto';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** To be called once, last. */
  digest(): Uint8Array;
}

export interface DigestProvider {
  readonly name: string;
  create(): Hasher;
}

/** OpenSSL's, which uses SHA-NI and the ARMv8 instructions where the board has them. */
export const nodeDigest: DigestProvider = {
  name: 'node:crypto',
  create() {
    const hash = createHash('sha256');
    return {
      update(bytes) {
        hash.update(bytes);
      },
      digest() {
        return new Uint8Array(hash.digest());
      },
    };
  },
};

/** Plain JavaScript: slower by more than ten times, with no native code below it. */
export const nobleDigest: DigestProvider = {
  name: '@noble/hashes',
  create() {
    const hash = nobleSha256.create();
    return {
      update(bytes) {
        hash.update(bytes);
      },
      digest() {
        return hash.digest();
      },
    };
  },
};

/** The SHA-256 of one byte string. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const hasher = nodeDigest.create();
  hasher.update(bytes);
  return hasher.digest();
}
