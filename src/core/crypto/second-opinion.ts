/**
 * noble's judgement beside OpenSSL's: where a release or a root is new to a device, two independent
 * implementations must agree. It costs tens of milliseconds in a new process (noble's table of
 * multiples of B), so what was confirmed before, and what is judged thousands of times, is judged
 * once: what OpenSSL accepts then is the same bytes that both accepted.
 */
import * as noble from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { attempt } from '../base/fault.ts';
import {
  checkEncodings,
  ED25519_PUBLIC_KEY_BYTES,
  opensslAccepts,
  type SignatureCheck,
} from './ed25519.ts';
import { refuseCrypto } from './faults.ts';

noble.hashes.sha512 = sha512;

/**
 * `verifyStrict` by two implementations. Faults: as there, and `crypto.disagreement` (they differ;
 * refused, and worth a report). Points of mixed order are such a case: noble multiplies by the
 * cofactor, OpenSSL does not.
 */
export const verifyTwice: SignatureCheck = (signature, message, publicKey) =>
  attempt(() => {
    checkEncodings(signature, publicKey);
    const byNoble = noble.verify(signature, message, publicKey, { zip215: false });
    const byOpenssl = opensslAccepts(signature, message, publicKey);
    if (byNoble !== byOpenssl) {
      throw refuseCrypto(
        'crypto.disagreement',
        `noble says ${byNoble}, node:crypto says ${byOpenssl}`,
      );
    }
    if (!byOpenssl) throw refuseCrypto('crypto.bad-signature', 'the signature does not verify');
    return true;
  });

/** True for a canonical encoding of a point of the curve that is not of small order. */
export function isUsablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== ED25519_PUBLIC_KEY_BYTES) return false;
  try {
    return !noble.Point.fromBytes(publicKey, false).isSmallOrder();
  } catch {
    return false;
  }
}
