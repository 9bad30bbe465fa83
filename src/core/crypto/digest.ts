/** SHA-256 behind a provider port, so that every provider is held to the same known answers. */
import { createHash } from 'node:crypto';

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

/** The SHA-256 of one byte string. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const hasher = nodeDigest.create();
  hasher.update(bytes);
  return hasher.digest();
}
