/** ML-DSA-65: the COSE working group's own example, an independent implementation, and refusals. */
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { toBeSigned } from '../../../src/core/cose/sign1.ts';
import {
  ML_DSA_65_PUBLIC_KEY_BYTES,
  ML_DSA_65_SIGNATURE_BYTES,
  mlDsaCheck,
  mlDsaSignerFromSeed,
  verifyMlDsa,
} from '../../../src/core/crypto/ml-dsa.ts';
import { coseKeyBytes } from '../../../src/core/crypto/thumbprint.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;
/** cose-wg/draft-ietf-cose-dilithium, examples/cose/examples/ML_DSA_65.cose.json, now RFC 9964. */
const EXAMPLE = {
  seed: '00'.repeat(32),
  /** SHA-256 over the whole COSE_Key, public key included. */
  kid: 'b788acf242f1f1d6532926d816e76e1636874267f2a48c84c4e65789ab80cc02',
  header: 'a2013830045820b788acf242f1f1d6532926d816e76e1636874267f2a48c84c4e65789ab80cc02',
  payload: utf8('It\u2019s a dangerous business, Frodo, going out your door.'),
  /** The first 48 bytes of the signature, a hash over all of what was computed, and the last. */
  commitment:
    '4303a45839581773b6ad36033ec09c6ac21c8efd8ee8691423bb7251e840fea476b878f9ac84c7a7eb8efa1dc2d5dad5',
  hints: '040c0f181b1f',
};
const SIGNER = mlDsaSignerFromSeed(hex(EXAMPLE.seed));
const OTHER = mlDsaSignerFromSeed(new Uint8Array(32).fill(1));
const MESSAGE = utf8('what is signed');

describe('the example of the COSE working group', () => {
  it('has for its seed the key whose thumbprint is its key id', () => {
    expect(toHex(SIGNER.thumbprint)).toBe(EXAMPLE.kid);
    expect(coseKeyBytes(SIGNER.publicKey)).toHaveLength(10 + ML_DSA_65_PUBLIC_KEY_BYTES);
  });

  it('has the signature of our Sig_structure, which we accept for nothing else', () => {
    const signed = toBeSigned(hex(EXAMPLE.header), new Uint8Array(0), EXAMPLE.payload);
    const { secretKey } = ml_dsa65.keygen(hex(EXAMPLE.seed));
    const signature = ml_dsa65.sign(signed, secretKey, { extraEntropy: false });
    expect(toHex(signature.subarray(0, 48))).toBe(EXAMPLE.commitment);
    expect(toHex(signature.subarray(-6))).toBe(EXAMPLE.hints);
    expect(codeOf(verifyMlDsa(signature, signed, SIGNER.publicKey))).toBe('accepted');
    const bare = verifyMlDsa(signature, EXAMPLE.payload, SIGNER.publicKey);
    expect(codeOf(bare)).toBe('crypto.bad-signature');
  });
});

describe('an independent implementation', () => {
  it('makes the same key of a seed, and both verify what the other signs', () => {
    for (const fill of [1, 2, 3]) {
      const seed = new Uint8Array(32).fill(fill);
      const ours = mlDsaSignerFromSeed(seed);
      const theirs = ml_dsa65.keygen(seed);
      expect(toHex(ours.publicKey)).toBe(toHex(theirs.publicKey));
      const signature = ours.sign(MESSAGE);
      expect(signature).toHaveLength(ML_DSA_65_SIGNATURE_BYTES);
      expect(ml_dsa65.verify(signature, MESSAGE, ours.publicKey)).toBe(true);
      const byNoble = ml_dsa65.sign(MESSAGE, theirs.secretKey);
      expect(codeOf(verifyMlDsa(byNoble, MESSAGE, ours.publicKey))).toBe('accepted');
    }
  });

  it('refuses with us what was changed, and what was signed in a context', () => {
    const signature = SIGNER.sign(MESSAGE);
    for (let at = 0; at < signature.length; at += 211) {
      const changed = Uint8Array.from(signature);
      changed[at] = (changed[at] as number) ^ 1;
      expect(codeOf(verifyMlDsa(changed, MESSAGE, SIGNER.publicKey))).toBe('crypto.bad-signature');
      expect(ml_dsa65.verify(changed, MESSAGE, SIGNER.publicKey)).toBe(false);
    }
    const { secretKey } = ml_dsa65.keygen(hex(EXAMPLE.seed));
    const inContext = ml_dsa65.sign(MESSAGE, secretKey, { context: utf8('another use') });
    expect(codeOf(verifyMlDsa(inContext, MESSAGE, SIGNER.publicKey))).toBe('crypto.bad-signature');
  });
});

describe('verifyMlDsa', () => {
  it('refuses another key, another message and other lengths', () => {
    const signature = SIGNER.sign(MESSAGE);
    for (const [s, m, k] of [
      [signature, MESSAGE, OTHER.publicKey],
      [signature, utf8('something else'), SIGNER.publicKey],
      [signature.subarray(1), MESSAGE, SIGNER.publicKey],
      [new Uint8Array(64), MESSAGE, SIGNER.publicKey],
      [signature, MESSAGE, SIGNER.publicKey.subarray(1)],
      [signature, MESSAGE, new Uint8Array(32)],
    ] as const) {
      expect(codeOf(verifyMlDsa(s, m, k))).toBe('crypto.bad-signature');
    }
  });

  it('says so where OpenSSL is too old to know the algorithm', () => {
    const old = mlDsaCheck(() => {
      throw new Error('unsupported');
    });
    const result = old(SIGNER.sign(MESSAGE), MESSAGE, SIGNER.publicKey);
    expect(codeOf(result)).toBe('crypto.no-ml-dsa');
  });

  it('signs differently each time, and always well', () => {
    const [a, b] = [SIGNER.sign(MESSAGE), SIGNER.sign(MESSAGE)];
    expect(toHex(a)).not.toBe(toHex(b));
    expect(accepted(verifyMlDsa(a, MESSAGE, SIGNER.publicKey))).toBe(true);
    expect(accepted(verifyMlDsa(b, MESSAGE, SIGNER.publicKey))).toBe(true);
  });
});
