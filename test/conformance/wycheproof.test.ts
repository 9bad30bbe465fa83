/** Project Wycheproof: signatures that implementations have been wrong about. */
import { createPublicKey, verify } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { expect, it } from 'vitest';
import { concatBytes } from '../../src/core/base/bytes.ts';
import { verifyEcdsa } from '../../src/core/crypto/ecdsa.ts';
import { SPKI_PREFIX, verifyStrict } from '../../src/core/crypto/ed25519.ts';
import { verifyTwice } from '../../src/core/crypto/second-opinion.ts';
import { codeOf } from '../core/base/outcome.ts';
import { describeVectors, expectRan, hex, vectorJson } from './outside-vectors.ts';

interface Signed {
  readonly tcId: number;
  readonly flags: readonly string[];
  readonly msg: string;
  readonly sig: string;
  readonly result: 'valid' | 'invalid';
}
interface Suite<Key> {
  readonly numberOfTests: number;
  readonly testGroups: readonly { readonly publicKey: Key; readonly tests: readonly Signed[] }[];
}

describeVectors('Wycheproof ed25519', () => {
  const { numberOfTests, testGroups } = vectorJson<Suite<{ pk: string }>>(
    'wycheproof/ed25519_test.json',
  );

  it.each(Object.entries({ verifyStrict, verifyTwice }))('%s gives every verdict', (_, check) => {
    let ran = 0;
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const code = codeOf(check(hex(sig), hex(msg), hex(publicKey.pk)));
        expect(code === 'accepted', `test ${tcId}: ${code}`).toBe(result === 'valid');
        ran++;
      }
    }
    expectRan('Wycheproof ed25519', ran, 151);
    expect(numberOfTests).toBe(151);
  });

  it('noble and OpenSSL never disagree unreported', () => {
    let disagreements = 0;
    const unreported: number[] = [];
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig } of tests) {
        const [signature, message, key] = [hex(sig), hex(msg), hex(publicKey.pk)];
        const code = codeOf(verifyTwice(signature, message, key));
        const differ = byNoble(signature, message, key) !== byOpenssl(signature, message, key);
        if (differ) disagreements++;
        if (differ !== (code === 'crypto.disagreement')) unreported.push(tcId);
      }
    }
    console.log(`Wycheproof ed25519: ${disagreements} disagreements of noble and OpenSSL`);
    expect(unreported).toEqual([]);
    // What they do disagree about is in the tests of verifyTwice: points of mixed order.
    expect(disagreements).toBe(0);
  });
});

describeVectors('Wycheproof ECDSA over P-256', () => {
  const { numberOfTests, testGroups } = vectorJson<Suite<{ uncompressed: string }>>(
    'wycheproof/ecdsa_secp256r1_sha256_test.json',
  );

  it('verifyEcdsa gives every verdict on a signature that can be written as r and s', () => {
    let ran = 0;
    let outside = 0;
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const raw = fixedWidth(sig);
        if (raw === undefined) {
          expect(result, `test ${tcId}`).toBe('invalid');
          outside++;
          continue;
        }
        const code = codeOf(verifyEcdsa('P-256', raw, hex(msg), hex(publicKey.uncompressed)));
        const expected = result === 'valid' ? 'accepted' : 'crypto.bad-signature';
        expect(code, `test ${tcId}`).toBe(expected);
        ran++;
      }
    }
    expectRan('Wycheproof ECDSA over P-256', ran, 249);
    expect([ran + outside, numberOfTests]).toEqual([484, 484]);
  });
});

function byNoble(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return noble.verify(signature, message, key, { zip215: false });
  } catch (thrown) {
    // noble throws at lengths that are not those of Ed25519: that is a refusal too.
    expect(signature.length === 64 && key.length === 32, String(thrown)).toBe(false);
    return false;
  }
}

function byOpenssl(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  const der = Buffer.from(concatBytes(SPKI_PREFIX, key));
  return verify(
    null,
    message,
    createPublicKey({ key: der, format: 'der', type: 'spki' }),
    signature,
  );
}

/** DER to r and s of 32 bytes; `undefined` where the DER is not strict or a number does not fit. */
function fixedWidth(der: string): Uint8Array | undefined {
  const short = /^30(..)02(..)(.*)$/.exec(der);
  const [, total, rLength, rest] = short ?? [];
  if (total === undefined || rLength === undefined || rest === undefined) return undefined;
  const rHex = 2 * Number.parseInt(rLength, 16);
  const [, sLength, s] = /^02(..)(.*)$/.exec(rest.slice(rHex)) ?? [];
  if (sLength === undefined || s === undefined) return undefined;
  if (s.length !== 2 * Number.parseInt(sLength, 16)) return undefined;
  if (der.length - 4 !== 2 * Number.parseInt(total, 16)) return undefined;
  const both = [rest.slice(0, rHex), s].map(unsigned32);
  return both.includes(undefined) ? undefined : hex(both.join(''));
}

/** A DER integer that is not negative, in its one form, as 64 hexadecimal digits. */
function unsigned32(integer: string): string | undefined {
  const digits = integer.replace(/^00(?=[89a-f])/, '');
  const one = integer === '00' || !digits.startsWith('00');
  const negative = digits === integer && /^[89a-f]/.test(integer);
  if (!one || negative || digits === '' || digits.length > 64) return undefined;
  return digits.padStart(64, '0');
}
