/** The equation on noble's points decides as noble's own `verify` does, for right and wrong alike. */
import * as noble from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { signerFromSeed, verifyStrict } from '../../../src/core/crypto/ed25519.ts';
import { codeOf } from '../base/outcome.ts';
import { craft, fromLittleEndian, L, littleEndian, TORSION } from './curve.ts';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const scalar = fc.bigInt({ min: 1n, max: L - 1n });

describe('verifyStrict and noble', () => {
  it('are of one opinion on honest, damaged, shifted and random signatures', () => {
    const counts = { accepted: 0, refused: 0, disagreed: 0 };
    fc.assert(
      fc.property(bytes32, bytes32, scalar, fc.nat({ max: 7 }), (seed, message, r, twist) => {
        const { publicKey } = signerFromSeed(seed);
        const honest = craft(seed, publicKey, message, r);
        const s = fromLittleEndian(honest.subarray(32));
        const otherS = (value: bigint): Uint8Array =>
          concatBytes(honest.subarray(0, 32), littleEndian(value));
        const shifted = craft(seed, publicKey, message, r, TORSION[twist]);
        const wrong = [otherS((s + 1n) % L), otherS(r), otherS(0n), otherS(L - 1n)];
        for (const signature of [honest, shifted, ...wrong]) {
          const noblesOwn = noble.verify(signature, message, publicKey, { zip215: false });
          const code = codeOf(verifyStrict(signature, message, publicKey));
          // noble multiplies by the cofactor and OpenSSL does not: torsion is where they differ.
          if (code === 'accepted') counts.accepted++;
          else if (code === 'crypto.disagreement') counts.disagreed++;
          else counts.refused++;
          expect(noblesOwn).toBe(code === 'accepted' || code === 'crypto.disagreement');
        }
      }),
      { seed: 11, numRuns: 60 },
    );
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(20);
  });
});
