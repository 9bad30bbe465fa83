/**
 * Known answers that the cryptography of this process must give before it is trusted with a boot.
 * SHA-256: FIPS 180-4 examples. Ed25519: RFC 8032 section 7.1, tests 1 and 2.
 */
import { equalBytes, fromHex, utf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { type DigestProvider, nodeDigest } from './digest.ts';
import { signerFromSeed, verifyStrict } from './ed25519.ts';
import { refuseCrypto } from './faults.ts';

const DIGESTS: readonly (readonly [string, string])[] = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
];

const SIGNATURES: readonly (readonly [seed: string, key: string, message: string, sig: string])[] =
  [
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
  ];

/** Of hashing and verifying. Fault: `crypto.self-test`, naming what failed. */
export function cryptoSelfTest(providers: readonly DigestProvider[] = [nodeDigest]): Result<true> {
  return attempt(() => {
    for (const provider of providers) checkDigests(provider);
    for (const [, key, message, signature] of SIGNATURES) {
      checkVerification(hex(key), hex(message), hex(signature));
    }
    return true;
  });
}

/** Of signing, for who signs. Fault: `crypto.self-test`. */
export function signingSelfTest(): Result<true> {
  return attempt(() => {
    for (const [seed, key, message, signature] of SIGNATURES) {
      const signer = signerFromSeed(hex(seed));
      const sameKey = equalBytes(signer.publicKey, hex(key));
      if (!sameKey || !equalBytes(signer.sign(hex(message)), hex(signature))) {
        throw refuseCrypto('crypto.self-test', 'Ed25519 signs wrongly');
      }
    }
    return true;
  });
}

function checkDigests(provider: DigestProvider): void {
  for (const [message, expected] of DIGESTS) {
    const hasher = provider.create();
    const bytes = utf8(message);
    // In two pieces, as files are hashed: a provider that keeps only one of them is wrong too.
    hasher.update(bytes.subarray(0, bytes.length >> 1));
    hasher.update(bytes.subarray(bytes.length >> 1));
    if (!equalBytes(hasher.digest(), hex(expected))) {
      throw refuseCrypto('crypto.self-test', `SHA-256 of ${provider.name} is wrong`);
    }
  }
}

function checkVerification(key: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
  const damaged = signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
  if (!verifyStrict(signature, message, key).ok || verifyStrict(damaged, message, key).ok) {
    throw refuseCrypto('crypto.self-test', 'Ed25519 verifies wrongly');
  }
}

function hex(text: string): Uint8Array {
  return fromHex(text) as Uint8Array;
}
