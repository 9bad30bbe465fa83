/**
 * Signing where the secret is elsewhere: in a PKCS#11 token, a key management service, or on a
 * machine with nothing but OpenSSL. The exact bytes to sign go out; the signature that comes back is
 * verified before it is written anywhere.
 */
import { fromUtf8, toHex } from '../base/bytes.ts';
import { assert, attempt, need, ok, type Result } from '../base/fault.ts';
import { SIGNATURE_FILE_BYTES_MAX } from '../base/limits.ts';
import { ED25519_SIGNATURE_BYTES, type Signer } from './ed25519.ts';
import { refuseCrypto } from './faults.ts';
import { isMlDsaKey, ML_DSA_65_SIGNATURE_BYTES, verifyMlDsa } from './ml-dsa.ts';
import { verifyTwice } from './second-opinion.ts';
import { thumbprintOf } from './thumbprint.ts';

/**
 * What a key has to sign for `sign` to succeed with it; nothing is signed. Faults: what `sign` gives
 * before it comes to sign.
 */
export function bytesToSign(
  publicKey: Uint8Array,
  sign: (signer: Signer) => Result<unknown>,
): Result<Uint8Array> {
  const asked: Uint8Array[] = [];
  const stopped = sign({
    publicKey,
    thumbprint: thumbprintOf(publicKey),
    sign(message) {
      asked.push(message);
      throw refuseCrypto('crypto.bad-signature', 'there is no signature yet');
    },
  });
  const [first] = asked;
  if (first !== undefined) return ok(first);
  assert(!stopped.ok, 'what needs no signature must not be asked for one');
  return stopped;
}

/**
 * A signer that gives the one signature that was made elsewhere. Its `sign` refuses with
 * `crypto.bad-signature`, `crypto.weak-point`, `crypto.disagreement`, `crypto.no-ml-dsa` where that
 * is not a signature of these very bytes by this key.
 */
export function signerOf(publicKey: Uint8Array, signature: Uint8Array): Signer {
  return {
    publicKey,
    thumbprint: thumbprintOf(publicKey),
    sign(message) {
      const check = isMlDsaKey(publicKey) ? verifyMlDsa : verifyTwice;
      const checked = check(signature, message, publicKey);
      if (!checked.ok && checked.fault.code === 'crypto.bad-signature') {
        const kid = toHex(thumbprintOf(publicKey)).slice(0, 12);
        const what = `not a signature by ${kid} of these bytes`;
        throw refuseCrypto(
          'crypto.bad-signature',
          `${what}: request them again, from the same inputs`,
        );
      }
      need(checked);
      return signature;
    },
  };
}

const SIGNATURE_BYTES: readonly number[] = [ED25519_SIGNATURE_BYTES, ML_DSA_65_SIGNATURE_BYTES];

/** A signature file: the bytes as OpenSSL and tokens write them, or their base64. */
export function readSignature(bytes: Uint8Array): Result<Uint8Array> {
  return attempt(() => {
    if (SIGNATURE_BYTES.includes(bytes.length)) return bytes;
    const text = bytes.length > SIGNATURE_FILE_BYTES_MAX ? undefined : fromUtf8(bytes);
    const base64 = text?.replace(/\s/g, '') ?? '';
    const decoded = new Uint8Array(Buffer.from(base64, 'base64'));
    const whole = Buffer.from(decoded).toString('base64') === base64;
    if (whole && SIGNATURE_BYTES.includes(decoded.length)) return decoded;
    throw refuseCrypto('crypto.signature-file', `${bytes.length} bytes, which are no signature`);
  });
}
