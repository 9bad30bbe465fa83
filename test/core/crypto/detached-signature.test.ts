/** Signatures made elsewhere: the bytes that go out, and what is taken back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { AssertionFailure, attempt, err, ok, type Result } from '../../../src/core/base/fault.ts';
import { SIGNATURE_FILE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import {
  bytesToSign,
  readSignature,
  signerOf,
} from '../../../src/core/crypto/detached-signature.ts';
import { type Signer, signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { mlDsaSignerFromSeed } from '../../../src/core/crypto/ml-dsa.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const KEY = signerFromSeed(new Uint8Array(32).fill(3));
const OTHER = signerFromSeed(new Uint8Array(32).fill(4));
const MESSAGE = utf8('what is signed');
const SIGNATURE = KEY.sign(MESSAGE);
/** A document whose signing is one signature of these bytes. */
const signing =
  (message: Uint8Array) =>
  (signer: Signer): Result<Uint8Array> =>
    attempt(() => signer.sign(message));

describe('bytesToSign', () => {
  it('gives the very bytes that a signer at hand would have signed, under the same thumbprint', () => {
    const seen: Uint8Array[] = [];
    const asked = bytesToSign(KEY.publicKey, (signer) => {
      seen.push(signer.thumbprint);
      return signing(MESSAGE)(signer);
    });
    expect(accepted(asked)).toEqual(MESSAGE);
    expect(seen).toEqual([KEY.thumbprint]);
  });

  it('gives the fault of what fails before anything is to be signed', () => {
    const fault = { code: 'x.y', message: 'm', next: 'n' };
    expect(bytesToSign(KEY.publicKey, () => err(fault))).toEqual({ ok: false, fault });
  });

  it('takes what needs no signature for a defect of its caller', () => {
    expect(() => bytesToSign(KEY.publicKey, () => ok(1))).toThrow(AssertionFailure);
  });
});

describe('signerOf', () => {
  it('gives the signature for the bytes it was made of, and for no others', () => {
    const signer = signerOf(KEY.publicKey, SIGNATURE);
    expect(signer.thumbprint).toEqual(KEY.thumbprint);
    expect(accepted(signing(MESSAGE)(signer))).toEqual(SIGNATURE);
    expect(codeOf(signing(utf8('something else'))(signer))).toBe('crypto.bad-signature');
    const stranger = signerOf(OTHER.publicKey, SIGNATURE);
    expect(codeOf(signing(MESSAGE)(stranger))).toBe('crypto.bad-signature');
  });

  it('refuses every changed bit of the signature', () => {
    fc.assert(
      fc.property(fc.nat(63), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(SIGNATURE);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        const code = codeOf(signing(MESSAGE)(signerOf(KEY.publicKey, changed)));
        expect(code).toMatch(/^crypto\.(bad-signature|weak-point)$/);
      }),
      { seed: 4, numRuns: 60 },
    );
  });
});

describe('readSignature', () => {
  const base64 = Buffer.from(SIGNATURE).toString('base64');

  it('takes 64 bytes as they are, and their base64 with or without a line end', () => {
    for (const bytes of [SIGNATURE, utf8(base64), utf8(`${base64}\n`), utf8(`${base64}\r\n`)]) {
      expect(accepted(readSignature(bytes))).toEqual(SIGNATURE);
    }
  });

  it('takes those of ML-DSA-65 in the same ways', () => {
    const signature = mlDsaSignerFromSeed(new Uint8Array(32).fill(5)).sign(MESSAGE);
    const lines = Buffer.from(signature).toString('base64').replace(/.{64}/g, '$&\n');
    for (const bytes of [signature, utf8(lines)]) {
      expect(bytes.length).toBeLessThanOrEqual(SIGNATURE_FILE_BYTES_MAX);
      expect(accepted(readSignature(bytes))).toEqual(signature);
    }
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['63 bytes', SIGNATURE.subarray(1)],
    ['a signature and a byte', Uint8Array.from([...SIGNATURE, 10])],
    ['hexadecimal', utf8(Buffer.from(SIGNATURE).toString('hex'))],
    ['base64 with a bit that says nothing', utf8(base64.replace(/.==$/, 'B=='))],
    ['base64 of 63 bytes', utf8(Buffer.from(SIGNATURE.subarray(1)).toString('base64'))],
    ['base64 with a name before it', utf8(`vault:v1:${base64}`)],
    ['a long file', new Uint8Array(SIGNATURE_FILE_BYTES_MAX + 1)],
  ])('refuses %s', (_, bytes) => {
    expect(codeOf(readSignature(bytes))).toBe('crypto.signature-file');
  });
});
