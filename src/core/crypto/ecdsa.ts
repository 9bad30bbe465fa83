/**
 * ECDSA over P-256 with SHA-256 (ES256, RFC 9053 section 2.1), verifying only, for what others
 * signed: Edgeward signs with Ed25519.
 *
 * A second valid signature for the same message can be made from the first one by anybody (s and
 * n - s both verify, as the standard has it), so a signature is never a name for what was signed.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { concatBytes, fromHex } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { refuseCrypto } from './faults.ts';

export type EcdsaCurve = 'P-256';

interface Curve {
  readonly hash: string;
  /** r and s, each as wide as the order. */
  readonly signatureBytes: number;
  /** 0x04, x, y: a compressed point or the point at infinity has another length. */
  readonly publicKeyBytes: number;
  /** The DER of a public key is this and the point (RFC 5480). */
  readonly spkiPrefix: Uint8Array;
}

const CURVES: Readonly<Record<EcdsaCurve, Curve>> = {
  'P-256': {
    hash: 'sha256',
    signatureBytes: 64,
    publicKeyBytes: 65,
    spkiPrefix: fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200') as Uint8Array,
  },
};
const UNCOMPRESSED = 0x04;

/**
 * `signature` is r and s in 32 bytes each, not DER; `publicKey` is the uncompressed point
 * (0x04, x, y: 65 bytes). Fault: `crypto.bad-signature`.
 */
export function verifyEcdsa(
  curve: EcdsaCurve,
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Result<true> {
  return attempt(() => {
    const { hash, signatureBytes, publicKeyBytes, spkiPrefix } = CURVES[curve];
    if (signature.length !== signatureBytes || publicKey.length !== publicKeyBytes) {
      throw refuseCrypto('crypto.bad-signature', 'the signature or the key has the wrong length');
    }
    const key = publicKey[0] === UNCOMPRESSED ? keyOf(spkiPrefix, publicKey) : undefined;
    if (key === undefined) {
      throw refuseCrypto('crypto.bad-signature', `the key is not a point of ${curve}`);
    }
    // OpenSSL refuses r and s outside 1 .. n - 1.
    if (!verify(hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature)) {
      throw refuseCrypto('crypto.bad-signature', 'the signature does not verify');
    }
    return true;
  });
}

/** OpenSSL reads a point only when it is on the curve and its coordinates are reduced. */
function keyOf(prefix: Uint8Array, point: Uint8Array): KeyObject | undefined {
  const key = Buffer.from(concatBytes(prefix, point));
  try {
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
