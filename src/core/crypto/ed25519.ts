/**
 * Ed25519 (RFC 8032), signing and verifying with OpenSSL, strictly.
 *
 * Strict means: canonical encodings of A, R and S, no small-order A or R, and the cofactorless
 * equation, which is OpenSSL's. ZIP-215, noble's default, accepts signatures that other verifiers
 * refuse, which is wrong at boot. `verifyTwice` (second-opinion.ts) has noble judge as well.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { concatBytes, equalBytes, fromHex } from '../base/bytes.ts';
import { assert, attempt, type Result } from '../base/fault.ts';
import { refuseCrypto } from './faults.ts';
import { thumbprintOf } from './thumbprint.ts';

export const ED25519_SEED_BYTES = 32;
export const ED25519_PUBLIC_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;

// The DER of an Ed25519 key is a fixed prefix and 32 bytes (RFC 8410).
export const PKCS8_PREFIX: Uint8Array = fromHex('302e020100300506032b657004220420') as Uint8Array;
export const SPKI_PREFIX: Uint8Array = fromHex('302a300506032b6570032100') as Uint8Array;

/** Something that signs: a seed in memory here, a token or a service elsewhere. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** RFC 9679 SHA-256 thumbprint of the public key, 32 bytes; the `kid` of its signatures. */
  readonly thumbprint: Uint8Array;
  /** A 64-byte signature; deterministic (RFC 8032 5.1.6). */
  sign(message: Uint8Array): Uint8Array;
}

/** A signer from a 32-byte seed; the caller keeps the seed secret and zeroises it. */
export function signerFromSeed(seed: Uint8Array): Signer {
  assert(seed.length === ED25519_SEED_BYTES, 'an Ed25519 seed has 32 bytes');
  const key = createPrivateKey({
    key: Buffer.from(concatBytes(PKCS8_PREFIX, seed)),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
  return {
    publicKey,
    thumbprint: thumbprintOf(publicKey),
    sign(message) {
      return new Uint8Array(sign(null, message, key));
    },
  };
}

/** How a signature is judged: `verifyStrict`, or `verifyTwice` where time does not count. */
export type SignatureCheck = (
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
) => Result<true>;

/** Faults: `crypto.bad-signature`, `crypto.weak-point` (small-order A or R). */
export const verifyStrict: SignatureCheck = (signature, message, publicKey) =>
  attempt(() => {
    checkEncodings(signature, publicKey);
    if (!opensslAccepts(signature, message, publicKey)) {
      throw refuseCrypto('crypto.bad-signature', 'the signature does not verify');
    }
    return true;
  });

/** What `verifyStrict` refuses before any arithmetic; refuses as it does. */
export function checkEncodings(signature: Uint8Array, publicKey: Uint8Array): void {
  if (
    signature.length !== ED25519_SIGNATURE_BYTES ||
    publicKey.length !== ED25519_PUBLIC_KEY_BYTES
  ) {
    throw refuseCrypto('crypto.bad-signature', 'the signature or the key has the wrong length');
  }
  const r = signature.subarray(0, 32);
  if (!isBelow(yOf(publicKey), FIELD_PRIME) || !isBelow(yOf(r), FIELD_PRIME)) {
    throw refuseCrypto('crypto.bad-signature', 'the key or the signature is not reduced');
  }
  // S + L would be a second signature of the same message.
  if (!isBelow(signature.subarray(32), GROUP_ORDER)) {
    throw refuseCrypto('crypto.bad-signature', 'S is not reduced');
  }
  // A small-order A verifies messages that nobody signed; noble and OpenSSL accept some of them.
  if (hasSmallOrder(publicKey) || hasSmallOrder(r)) {
    throw refuseCrypto('crypto.weak-point', 'the key or the signature has small order');
  }
}

/** Whether OpenSSL accepts; it computes R and compares it with the 32 bytes. */
export function opensslAccepts(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  return verify(null, message, publicKeyObject(publicKey), signature);
}

/**
 * True for 32 bytes that `verifyStrict` would take for a key: reduced, and not of small order. A
 * half of them are no points of the curve; such a key verifies nothing (`isUsablePublicKey`
 * tells).
 */
export function isStrictEncoding(publicKey: Uint8Array): boolean {
  return (
    publicKey.length === ED25519_PUBLIC_KEY_BYTES &&
    isBelow(yOf(publicKey), FIELD_PRIME) &&
    !hasSmallOrder(publicKey)
  );
}

// Little-endian, as the encodings are.
const FIELD_PRIME = fromHex(`ed${'ff'.repeat(30)}7f`) as Uint8Array; // 2^255 - 19
const GROUP_ORDER = fromHex(
  'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010',
) as Uint8Array;
/** y of the eight points of small order: of order 1, 2, 4 (two points), and 8 (four points). */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map((hex) => fromHex(hex) as Uint8Array);

/** The encoding without the sign of x. */
function yOf(point: Uint8Array): Uint8Array {
  const y = point.slice();
  y[31] = (y[31] as number) & 0x7f;
  return y;
}

function hasSmallOrder(point: Uint8Array): boolean {
  const y = yOf(point);
  return SMALL_ORDER_Y.some((small) => equalBytes(small, y));
}

/** Public values: the time may show them. */
function isBelow(value: Uint8Array, bound: Uint8Array): boolean {
  for (let at = bound.length - 1; at >= 0; at--) {
    const difference = (value[at] as number) - (bound[at] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** As a JWK (RFC 8037), which OpenSSL takes as it is: its DER decoders cost a start a millisecond. */
function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
