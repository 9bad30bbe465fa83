/** Strict Ed25519: what honest signers make is accepted, and nothing else. */

import { createPublicKey, verify } from 'node:crypto';
import * as noble from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import {
  isStrictEncoding,
  type SignatureCheck,
  SPKI_PREFIX,
  signerFromSeed,
  verifyStrict,
} from '../../../src/core/crypto/ed25519.ts';
import { isUsablePublicKey, verifyTwice } from '../../../src/core/crypto/second-opinion.ts';
import { codeOf, faultIn } from '../base/outcome.ts';
import {
  bytes,
  craft,
  fromLittleEndian,
  L,
  littleEndian,
  TORSION,
  TORSION_NON_CANONICAL,
} from './curve.ts';

const SEED = new Uint8Array(32).fill(7);
const signer = signerFromSeed(SEED);
const MESSAGE = utf8('the model is the model');
const SIGNATURE = signer.sign(MESSAGE);
const CHECKS: readonly SignatureCheck[] = [verifyStrict, verifyTwice];
/** What both checks say; where they say different things, both. */
const judge = (signature: Uint8Array, message = MESSAGE, key = signer.publicKey): string =>
  [...new Set(CHECKS.map((check) => codeOf(check(signature, message, key))))].join(' or ');
const openssl = (signature: Uint8Array, message = MESSAGE, key = signer.publicKey): boolean => {
  const der = Buffer.from(concatBytes(SPKI_PREFIX, key));
  const object = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, message, object, signature);
};

// RFC 8032 section 7.1: tests 1, 2, 3 and SHA(abc).
const RFC_8032: [seed: string, publicKey: string, message: string, signature: string][] = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
  [
    '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  ],
];

describe('outside vectors', () => {
  it.each(RFC_8032)('RFC 8032: seed %s', (seed, publicKey, message, signature) => {
    const made = signerFromSeed(bytes(seed));
    expect(made.publicKey).toEqual(bytes(publicKey));
    expect(made.sign(bytes(message))).toEqual(bytes(signature));
    expect(judge(bytes(signature), bytes(message), bytes(publicKey))).toBe('accepted');
  });
});

describe('damage', () => {
  it('refuses flipped bits of signature, key and message', () => {
    // Every third bit meets every byte, and each place in a byte.
    for (let bit = 0; bit < 512; bit += 3) {
      expect(judge(flip(SIGNATURE, bit)), `signature bit ${bit}`).not.toBe('accepted');
    }
    for (let bit = 0; bit < 256; bit += 3) {
      const code = judge(SIGNATURE, MESSAGE, flip(signer.publicKey, bit));
      expect(code, `key bit ${bit}`).not.toBe('accepted');
    }
    for (let bit = 0; bit < MESSAGE.length * 8; bit++) {
      expect(judge(SIGNATURE, flip(MESSAGE, bit))).toBe('crypto.bad-signature');
    }
  });

  it('refuses every other length', () => {
    for (let length = 0; length <= 130; length++) {
      const resized = new Uint8Array(length);
      resized.set(SIGNATURE.subarray(0, length));
      if (length !== 64) expect(judge(resized)).toBe('crypto.bad-signature');
      const key = new Uint8Array(length);
      key.set(signer.publicKey.subarray(0, length));
      if (length !== 32) expect(judge(SIGNATURE, MESSAGE, key)).toBe('crypto.bad-signature');
      if (length !== 32) expect(isUsablePublicKey(key)).toBe(false);
    }
  });
});

describe('malleability and small order', () => {
  it('refuses S + L, S + 2 L and every S that is not reduced', () => {
    const s = fromLittleEndian(SIGNATURE.subarray(32));
    for (let value = s + L; value < 2n ** 256n; value += L) {
      const other = concatBytes(SIGNATURE.subarray(0, 32), littleEndian(value));
      expect(judge(other)).toBe('crypto.bad-signature');
    }
    for (const value of [L, L + 1n, 2n ** 255n, 2n ** 256n - 1n]) {
      const other = concatBytes(SIGNATURE.subarray(0, 32), littleEndian(value));
      expect(judge(other)).toBe('crypto.bad-signature');
    }
  });

  it('knows the eight torsion points and six more ways to write them', () => {
    const encodings = [...TORSION, ...TORSION_NON_CANONICAL];
    expect(new Set(encodings.map(String)).size).toBe(14);
    for (const encoding of encodings) {
      expect(noble.Point.fromBytes(encoding, true).isSmallOrder()).toBe(true);
      expect(isUsablePublicKey(encoding)).toBe(false);
      expect(isStrictEncoding(encoding)).toBe(false);
    }
  });

  it('refuses a small-order key under every small-order R, where ZIP-215 accepts them all', () => {
    const encodings = [...TORSION, ...TORSION_NON_CANONICAL];
    for (const a of encodings) {
      for (const r of encodings) {
        const forged = concatBytes(r, new Uint8Array(32));
        expect(noble.verify(forged, MESSAGE, a)).toBe(true);
        const code = judge(forged, MESSAGE, a);
        expect(code).toMatch(/^crypto\.(weak-point|bad-signature)$/);
      }
    }
  });

  it('refuses R of small order under an honest key, which noble accepts even when told to be strict', () => {
    const forged = craft(SEED, signer.publicKey, MESSAGE, 0n);
    expect(noble.verify(forged, MESSAGE, signer.publicKey, { zip215: false })).toBe(true);
    expect(judge(forged)).toBe('crypto.weak-point');
  });

  it('refuses and reports what the two implementations judge differently', () => {
    for (const shift of TORSION.slice(1)) {
      const mixed = craft(SEED, signer.publicKey, MESSAGE, 12_345n, shift);
      expect(noble.verify(mixed, MESSAGE, signer.publicKey, { zip215: false })).toBe(true);
      expect(openssl(mixed)).toBe(false);
      expect(codeOf(verifyStrict(mixed, MESSAGE, signer.publicKey))).toBe('crypto.bad-signature');
      const fault = faultIn(verifyTwice(mixed, MESSAGE, signer.publicKey));
      expect(fault.code).toBe('crypto.disagreement');
    }
    // The same construction without the torsion point is an honest signature.
    expect(judge(craft(SEED, signer.publicKey, MESSAGE, 12_345n))).toBe('accepted');
  });

  it('refuses key and R that are no points or not reduced', () => {
    const p = 2n ** 255n - 19n;
    for (const y of [2n, p, p + 1n, p + 3n, 2n ** 255n - 1n]) {
      const encoding = littleEndian(y);
      if (isUsablePublicKey(encoding)) continue;
      expect(judge(SIGNATURE, MESSAGE, encoding)).toBe('crypto.bad-signature');
      const other = concatBytes(encoding, SIGNATURE.subarray(32));
      expect(judge(other)).toBe('crypto.bad-signature');
    }
    for (const y of [p, p + 1n, p + 3n]) expect(isUsablePublicKey(littleEndian(y))).toBe(false);
  });
});

describe('random input', () => {
  const seed32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const text = fc.uint8Array({ maxLength: 200 });

  it('noble and OpenSSL sign and verify alike', () => {
    fc.assert(
      fc.property(seed32, text, (seed, message) => {
        const made = signerFromSeed(seed);
        const signature = made.sign(message);
        expect(noble.sign(message, seed)).toEqual(signature);
        expect(noble.getPublicKey(seed)).toEqual(made.publicKey);
        expect(judge(signature, message, made.publicKey)).toBe('accepted');
        expect(isUsablePublicKey(made.publicKey)).toBe(true);
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it('never throws on arbitrary bytes and never accepts them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), text, seed32, (signature, message, key) => {
        expect(judge(signature, message, key)).toMatch(/^crypto\./);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

function flip(input: Uint8Array, bit: number): Uint8Array {
  return input.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}
