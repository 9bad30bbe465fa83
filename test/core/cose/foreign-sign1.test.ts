/** COSE_Sign1 of others: more forms than our own, and a name for everything that is still refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  type ForeignInput,
  type ForeignKey,
  openForeignSign1,
} from '../../../src/core/cose/foreign-sign1.ts';
import { sign1, toBeSigned } from '../../../src/core/cose/sign1.ts';
import { CborTag, type CborValue } from '../../../src/core/cose/value.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const signer = signerFromSeed(new Uint8Array(32).fill(1));
const payload = utf8('payload');
const none = new Uint8Array(0);
const KID = utf8('11');
const key: ForeignKey = { curve: 'Ed25519', publicKey: signer.publicKey };
const rules: ForeignInput = { externalAad: none, bytesMax: 500, keyOf: () => key };
const map = (...pairs: [number | string, CborValue][]): Map<number | string, CborValue> =>
  new Map(pairs);
const EDDSA: [number, CborValue] = [1, -8];

/** A block from parts, signed over the header as RFC 9052 4.4 wants it. */
function block(
  parts: {
    header?: CborValue;
    unprotected?: CborValue;
    payload?: CborValue;
    signature?: CborValue;
    tag?: number;
  } = {},
): Uint8Array {
  const header = parts.header ?? encodeCbor(map(EDDSA));
  const body = header instanceof Uint8Array ? header : none;
  const signed = toBeSigned(toHex(body) === 'a0' ? none : body, none, payload);
  const list: CborValue[] = [
    header,
    parts.unprotected ?? map(),
    parts.payload === undefined ? payload : parts.payload,
    parts.signature ?? signer.sign(signed),
  ];
  return encodeCbor(parts.tag === 0 ? list : new CborTag(parts.tag ?? 18, list));
}

const signerPart = (header: CborValue, signature: CborValue): CborValue => [
  header,
  map(),
  signature,
];
const sign = (...signers: CborValue[]): Uint8Array =>
  encodeCbor(new CborTag(98, [none, map(), payload, signers]));
const eddsa = encodeCbor(map(EDDSA));

describe('what it accepts', () => {
  it.each([
    ['EdDSA, protected', block()],
    ['no tag', block({ tag: 0 })],
    [
      'an unprotected algorithm, with no protected header',
      block({ header: none, unprotected: map(EDDSA) }),
    ],
    ['the same with an empty map', block({ header: encodeCbor(map()), unprotected: map(EDDSA) })],
    [
      'a content type and headers of others',
      block({ header: encodeCbor(map(EDDSA, [3, 0], ['x', 1])) }),
    ],
    ['the profile of a device', sign1({ payload, externalAad: none, signer })],
  ])('%s', (_, bytes) => {
    expect(accepted(openForeignSign1(bytes, rules)).payload).toEqual(payload);
  });

  it('gives the key id wherever it stands, to the caller and in the result', () => {
    for (const [bytes, expected] of [
      [block(), undefined],
      [block({ unprotected: map([4, KID]) }), KID],
      [block({ header: encodeCbor(map(EDDSA, [4, KID])) }), KID],
    ] as const) {
      const asked: unknown[] = [];
      const keyOf = (kid: Uint8Array | undefined): ForeignKey => {
        asked.push(kid);
        return key;
      };
      expect(accepted(openForeignSign1(bytes, { ...rules, keyOf })).kid).toEqual(expected);
      expect(asked).toEqual([expected]);
    }
  });

  it('takes a detached payload, and external data', () => {
    const bytes = block({ payload: null });
    const detached = { ...rules, detachedPayload: payload };
    expect(codeOf(openForeignSign1(bytes, detached))).toBe('accepted');
    const other = { ...detached, externalAad: KID };
    expect(codeOf(openForeignSign1(bytes, other))).toBe('crypto.bad-signature');
  });
});

const p256: ForeignKey = { curve: 'P-256', publicKey: new Uint8Array(65) };
const SAMPLES: [code: string, what: string, bytes: Uint8Array, more?: Partial<ForeignInput>][] = [
  ['cbor.tag', 'COSE_Mac0, tag 17', block({ tag: 17 })],
  ['cbor.size', 'more than the caller allows', block(), { bytesMax: 20 }],
  ['cbor.indefinite', 'CBOR that is not deterministic', Uint8Array.of(0x9f, 0xff)],
  ['cose.not-sign1', 'three parts', encodeCbor([none, map(), payload])],
  ['cose.not-sign1', 'a tag in a tag', encodeCbor(new CborTag(18, new CborTag(18, [])))],
  ['cose.not-sign1', 'COSE_Sign', sign(signerPart(eddsa, new Uint8Array(64)))],
  ['cose.not-sign1', 'COSE_Sign without signers', sign()],
  ['cose.not-sign1', 'COSE_Sign that is no list', encodeCbor(new CborTag(98, 0))],
  ['cose.not-sign1', 'COSE_Sign with a signer of one part', sign([none])],
  [
    'cose.malformed',
    'COSE_Sign with a text for signers',
    encodeCbor(new CborTag(98, [none, map(), payload, ''])),
  ],
  ['cose.curve', 'COSE_Sign with an Ed448 signature', sign(signerPart(eddsa, new Uint8Array(114)))],
  ['cose.curve', 'an Ed448 signature', block({ signature: new Uint8Array(114) })],
  ['cose.malformed', 'a signature of 63 bytes', block({ signature: new Uint8Array(63) })],
  [
    'cose.malformed',
    'a signature of 114 bytes that is not EdDSA',
    block({ header: encodeCbor(map([1, -7])), signature: new Uint8Array(114) }),
  ],
  ['cose.malformed', 'a signature that is text', block({ signature: 'text' })],
  ['cose.malformed', 'a header that is text', block({ header: 'text' })],
  ['cose.malformed', 'a header that holds a list', block({ header: encodeCbor([]) })],
  ['cose.malformed', 'an unprotected header that is a list', block({ unprotected: [] })],
  ['cose.malformed', 'a key id that is text', block({ unprotected: map([4, '11']) })],
  ['cose.header', 'an algorithm in both headers', block({ unprotected: map(EDDSA) })],
  ['cose.header', 'crit', block({ header: encodeCbor(map(EDDSA, [2, [3]], [3, 0])) })],
  ['cose.header', 'crit that nobody protected', block({ unprotected: map([2, [3]]) })],
  ['cose.algorithm', 'no algorithm', block({ header: none })],
  ['cose.algorithm', 'ES384', block({ header: encodeCbor(map([1, -35])) })],
  ['cose.algorithm', 'a MAC', block({ header: encodeCbor(map([1, 5])) })],
  ['cose.algorithm', 'EdDSA under a key of P-256', block(), { keyOf: () => p256 }],
  ['cose.algorithm', 'ES256 under a key of Ed25519', block({ header: encodeCbor(map([1, -7])) })],
  ['cose.payload', 'detached where it must be attached', block({ payload: null })],
  ['cose.payload', 'attached where it must be detached', block(), { detachedPayload: payload }],
  ['cose.unknown-key', 'a stranger', block(), { keyOf: () => undefined }],
  ['crypto.bad-signature', 'another payload', block({ payload: KID })],
  [
    'crypto.bad-signature',
    'a key that is no point',
    block({ header: encodeCbor(map([1, -7])) }),
    { keyOf: () => p256 },
  ],
];

describe('what it refuses', () => {
  it.each(SAMPLES)('%s: %s', (code, _, bytes, more) => {
    expect(faultIn(openForeignSign1(bytes, { ...rules, ...more })).code).toBe(code);
  });

  it('every flipped bit of a block that has nothing unprotected', () => {
    const bytes = block();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const code = codeOf(openForeignSign1(damaged, rules));
      expect(code, `bit ${bit}`).toMatch(/^(cbor|cose|crypto)\./);
    }
  });

  it('arbitrary bytes, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(18, 98), (bytes, tag) => {
        expect(openForeignSign1(bytes, rules).ok).toBe(false);
        const head = tag === 18 ? [0xd2] : [0xd8, tag];
        const tagged = Uint8Array.of(...head, 0x84, 0x40, 0xa0, 0xf6, ...bytes);
        expect(openForeignSign1(tagged, rules).ok).toBe(false);
      }),
      { seed: 32, numRuns: 500 },
    );
  });
});
