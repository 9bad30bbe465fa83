/**
 * ML-DSA-65 (FIPS 204) as RFC 9964 uses it with COSE: pure, with an empty context. Signatures that a
 * quantum computer does not forge, as a second demand beside Ed25519 and never in its place.
 *
 * The implementation is OpenSSL's of version 3.5, which Node.js has from 24.7 on; an older one
 * refuses with `crypto.no-ml-dsa`. A key is told from an Ed25519 key by its length.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { concatBytes, fromHex } from '../base/bytes.ts';
import { assert, attempt } from '../base/fault.ts';
import type { SignatureCheck, Signer } from './ed25519.ts';
import { refuseCrypto } from './faults.ts';
import { thumbprintOf } from './thumbprint.ts';

export const ML_DSA_65_SEED_BYTES = 32;
export const ML_DSA_65_PUBLIC_KEY_BYTES = 1952;
export const ML_DSA_65_SIGNATURE_BYTES = 3309;

// RFC 9881: the private key as its seed alone ([0] of the CHOICE), and the public key.
const PKCS8_SEED_PREFIX = fromHex('3034020100300b060960864801650304031204228020') as Uint8Array;
const SPKI_PREFIX = fromHex('308207b2300b0609608648016503040312038207a100') as Uint8Array;

export function isMlDsaKey(publicKey: Uint8Array): boolean {
  return publicKey.length === ML_DSA_65_PUBLIC_KEY_BYTES;
}

/** The DER of a private key file for a 32-byte seed. */
export function mlDsaPkcs8(seed: Uint8Array): Uint8Array {
  assert(seed.length === ML_DSA_65_SEED_BYTES, 'an ML-DSA-65 seed has 32 bytes');
  return concatBytes(PKCS8_SEED_PREFIX, seed);
}

/** The DER of a public key file. */
export function mlDsaSpki(publicKey: Uint8Array): Uint8Array {
  return concatBytes(SPKI_PREFIX, publicKey);
}

/** Refuses with `crypto.no-ml-dsa`. The caller keeps the seed secret and zeroises it. */
export function mlDsaSignerFromSeed(seed: Uint8Array): Signer {
  const der = mlDsaPkcs8(seed);
  // The same memory: what is zeroised is all there was besides OpenSSL's own.
  const view = Buffer.from(der.buffer, der.byteOffset, der.length);
  const key = supported(() => createPrivateKey({ key: view, format: 'der', type: 'pkcs8' }));
  der.fill(0);
  return mlDsaSigner(key);
}

/** A signer of a private key of this type; its signatures differ each time (FIPS 204 3.4). */
export function mlDsaSigner(key: KeyObject): Signer {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
  return {
    publicKey,
    thumbprint: thumbprintOf(publicKey),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** How a public key is read: OpenSSL's way, or another in a test. */
export type KeyReader = (spki: Uint8Array) => KeyObject;

/** Faults: `crypto.bad-signature`, `crypto.no-ml-dsa`. */
export const verifyMlDsa: SignatureCheck = mlDsaCheck(readSpki);

export function mlDsaCheck(readKey: KeyReader): SignatureCheck {
  return (signature, message, publicKey) =>
    attempt(() => {
      const sized = signature.length === ML_DSA_65_SIGNATURE_BYTES && isMlDsaKey(publicKey);
      if (!sized) {
        throw refuseCrypto('crypto.bad-signature', 'the signature or the key has the wrong length');
      }
      const key = supported(() => readKey(mlDsaSpki(publicKey)));
      if (!verify(null, message, key, signature)) {
        throw refuseCrypto('crypto.bad-signature', 'the ML-DSA-65 signature does not verify');
      }
      return true;
    });
}

// Every 1,952 bytes are a public key (FIPS 204 algorithm 23): what fails here is OpenSSL's age.
function supported<T>(use: () => T): T {
  try {
    return use();
  } catch (thrown) {
    throw refuseCrypto('crypto.no-ml-dsa', `OpenSSL says ${String(thrown)}`);
  }
}

function readSpki(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}
