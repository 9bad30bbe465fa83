/**
 * Ed25519 (RFC 8032), signing with OpenSSL and verifying strictly with two implementations.
 *
 * Strict means: canonical encodings of A and R, canonical S, no small-order A or R, the
 * cofactorless equation, and `node:crypto` and `@noble/ed25519` of one opinion. ZIP-215, noble's
 * default, accepts signatures that other verifiers refuse, which is wrong at boot.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, fromHex } from '../base/bytes.ts';
import { assert, attempt, type Result } from '../base/fault.ts';
import { refuseCrypto } from './faults.ts';
import { thumbprintOf } from './thumbprint.ts';

noble.hashes.sha512 = sha512;

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

/**
 * Faults: `crypto.bad-signature`, `crypto.weak-point` (small-order A or R), `crypto.disagreement`
 * (the two implementations differ; refused, and worth a report).
 */
export function verifyStrict(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Result<true> {
  return attempt(() => {
    if (
      signature.length !== ED25519_SIGNATURE_BYTES ||
      publicKey.length !== ED25519_PUBLIC_KEY_BYTES
    ) {
      throw refuseCrypto('crypto.bad-signature', 'the signature or the key has the wrong length');
    }
    const a = pointOf(publicKey);
    const r = pointOf(signature.subarray(0, 32));
    if (a === undefined || r === undefined) {
      throw refuseCrypto('crypto.bad-signature', 'the key or the signature is not a point');
    }
    // A small-order A verifies messages that nobody signed; noble and OpenSSL accept some of them.
    if (a.isSmallOrder() || r.isSmallOrder()) {
      throw refuseCrypto('crypto.weak-point', 'the key or the signature has small order');
    }
    const byNoble = noble.verify(signature, message, publicKey, { zip215: false });
    const byNode = verify(null, message, publicKeyObject(publicKey), signature);
    if (byNoble !== byNode) {
      throw refuseCrypto(
        'crypto.disagreement',
        `noble says ${byNoble}, node:crypto says ${byNode}`,
      );
    }
    if (!byNode) throw refuseCrypto('crypto.bad-signature', 'the signature does not verify');
    return true;
  });
}

/** True for a canonical encoding of a point that is not of small order. */
export function isUsablePublicKey(publicKey: Uint8Array): boolean {
  const point = publicKey.length === ED25519_PUBLIC_KEY_BYTES ? pointOf(publicKey) : undefined;
  return point !== undefined && !point.isSmallOrder();
}

function pointOf(bytes: Uint8Array): noble.Point | undefined {
  try {
    return noble.Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({
    key: Buffer.from(concatBytes(SPKI_PREFIX, publicKey)),
    format: 'der',
    type: 'spki',
  });
}
