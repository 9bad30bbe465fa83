/** SUIT_Digest: `[-16 (SHA-256), bytes .size 32]`, the only algorithm Edgeward writes or accepts. */
import { attempt, need, type Result } from '../base/fault.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { refuseSuit } from './faults.ts';

const ALG_SHA256 = -16;
const SHA256_BYTES = 32;

export function encodeDigest(sha256: Uint8Array): Uint8Array {
  return encodeCbor([ALG_SHA256, sha256]);
}

/** Faults: `cbor.*`, `suit.malformed`. */
export function decodeDigest(bytes: Uint8Array): Result<Uint8Array> {
  return attempt(() => {
    const value = need(decodeCbor(bytes));
    const [algorithm, digest] = Array.isArray(value) && value.length === 2 ? value : [];
    if (
      algorithm !== ALG_SHA256 ||
      !(digest instanceof Uint8Array) ||
      digest.length !== SHA256_BYTES
    ) {
      throw refuseSuit('suit.malformed', 'a digest is not [-16, 32 bytes]');
    }
    return digest;
  });
}
