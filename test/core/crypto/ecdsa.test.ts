/** ES256 of others: the standard's answer is accepted, every other length, point and bit is not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, utf8 } from '../../../src/core/base/bytes.ts';
import { verifyEcdsa } from '../../../src/core/crypto/ecdsa.ts';
import { codeOf, faultIn } from '../base/outcome.ts';

// RFC 6979 A.2.5: P-256, SHA-256, message "sample".
const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;
const X = hex('60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6');
const Y = hex('7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299');
const R = hex('efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716');
const S = hex('f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8');
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
/** The point with x = 0: on the curve, as a key of nobody. */
const Y_OF_ZERO = hex('66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4');
const KEY = concatBytes(Uint8Array.of(4), X, Y);
const SIGNATURE = concatBytes(R, S);
const MESSAGE = utf8('sample');

const judge = (signature: Uint8Array, message = MESSAGE, key = KEY): string =>
  codeOf(verifyEcdsa('P-256', signature, message, key));
const wide = (value: bigint): Uint8Array => hex(value.toString(16).padStart(64, '0'));
const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

describe('verifyEcdsa', () => {
  it('accepts RFC 6979 A.2.5, and its mirrored s as the standard has it', () => {
    expect(judge(SIGNATURE)).toBe('accepted');
    expect(judge(concatBytes(R, wide(N - number(S))))).toBe('accepted');
  });

  it('refuses every other length of signature and key', () => {
    for (let length = 0; length <= 140; length++) {
      const resize = (bytes: Uint8Array): Uint8Array => {
        const resized = new Uint8Array(length);
        resized.set(bytes.subarray(0, length));
        return resized;
      };
      if (length !== 64) expect(judge(resize(SIGNATURE))).toBe('crypto.bad-signature');
      if (length !== 65) {
        expect(judge(SIGNATURE, MESSAGE, resize(KEY))).toBe('crypto.bad-signature');
      }
    }
  });

  it.each([
    ['another form byte', concatBytes(Uint8Array.of(2), X, Y)],
    ['the hybrid form', concatBytes(Uint8Array.of(6), X, Y)],
    ['a point beside the curve', concatBytes(Uint8Array.of(4), Y, X)],
    ['zeros', concatBytes(Uint8Array.of(4), new Uint8Array(64))],
    ['x = p in place of x = 0', concatBytes(Uint8Array.of(4), wide(P), Y_OF_ZERO)],
  ])('refuses a key that is %s', (_, key) => {
    const fault = faultIn(verifyEcdsa('P-256', SIGNATURE, MESSAGE, key));
    expect(fault.code).toBe('crypto.bad-signature');
    expect(fault.message).toContain('not a point of P-256');
  });

  it('tells a point from its form that is not reduced', () => {
    const reduced = concatBytes(Uint8Array.of(4), wide(0n), Y_OF_ZERO);
    const fault = faultIn(verifyEcdsa('P-256', SIGNATURE, MESSAGE, reduced));
    expect(fault.message).toContain('does not verify');
  });

  it('refuses r and s of zero, of n and above n', () => {
    const edges = [0n, N, N + 1n, N + 5n, 2n ** 256n - 1n];
    for (const r of edges) expect(judge(concatBytes(wide(r), S))).toBe('crypto.bad-signature');
    for (const s of edges) expect(judge(concatBytes(R, wide(s)))).toBe('crypto.bad-signature');
    for (const both of edges) {
      const signature = concatBytes(wide(both), wide(both));
      expect(judge(signature, new Uint8Array(0))).toBe('crypto.bad-signature');
    }
  });

  it('refuses every flipped bit of signature, key and message', () => {
    for (let bit = 0; bit < 512; bit++) {
      expect(judge(flip(SIGNATURE, bit)), `bit ${bit}`).toBe('crypto.bad-signature');
    }
    for (let bit = 0; bit < 520; bit += 3) {
      expect(judge(SIGNATURE, MESSAGE, flip(KEY, bit))).toBe('crypto.bad-signature');
    }
    for (let bit = 0; bit < MESSAGE.length * 8; bit++) {
      expect(judge(SIGNATURE, flip(MESSAGE, bit))).toBe('crypto.bad-signature');
    }
  });

  it('never throws on arbitrary bytes and never accepts them', () => {
    const any = fc.uint8Array({ maxLength: 80 });
    const fit = fc.uint8Array({ minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(fc.oneof(any, fit), any, fc.oneof(any, fit), (signature, message, key) => {
        const point = key.length === 64 ? concatBytes(Uint8Array.of(4), key) : key;
        expect(judge(signature, message, point)).toBe('crypto.bad-signature');
      }),
      { seed: 31, numRuns: 300 },
    );
  });
});

function flip(input: Uint8Array, bit: number): Uint8Array {
  return input.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}
