/** COSE_Sign1: the one profile that is written, and a name for everything else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, fromHex, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { SIGNATURE_BLOCK_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { externalAad } from '../../../src/core/cose/domain.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { COSE_FAULTS } from '../../../src/core/cose/faults.ts';
import { claimedKid, openSign1, sign1 } from '../../../src/core/cose/sign1.ts';
import { CborTag, type CborValue, cborMap } from '../../../src/core/cose/value.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { CRYPTO_FAULTS } from '../../../src/core/crypto/faults.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const signer = signerFromSeed(new Uint8Array(32).fill(1));
const stranger = signerFromSeed(new Uint8Array(32).fill(2));
const payload = utf8('payload');
const externalAadBytes = externalAad('telemetry', 'ew/v1/site/node');
const keyOf = (kid: Uint8Array): Uint8Array | undefined =>
  equalBytes(kid, signer.thumbprint) ? signer.publicKey : undefined;
const typ = 'application/edgeward-sample+cbor';
const rules = { externalAad: externalAadBytes, keyOf };
const attached = sign1({ payload, externalAad: externalAadBytes, signer });
const typed = sign1({ payload, typ, externalAad: externalAadBytes, signer });
const detached = sign1({ payload, detached: true, externalAad: externalAadBytes, signer });

const HEADER: [number, CborValue][] = [
  [1, -19],
  [4, signer.thumbprint],
];
const header = (...pairs: [number | string, CborValue][]): Uint8Array => encodeCbor(new Map(pairs));

/** A block from parts, signed over whatever header it is given. */
function block(parts: {
  header?: Uint8Array;
  unprotected?: CborValue;
  payload?: CborValue;
  signature?: CborValue;
}): Uint8Array {
  const body = parts.header ?? header(...HEADER);
  const signed = encodeCbor(['Signature1', body, externalAadBytes, payload]);
  return encodeCbor(
    new CborTag(18, [
      body,
      parts.unprotected ?? new Map(),
      parts.payload === undefined ? payload : parts.payload,
      parts.signature ?? signer.sign(signed),
    ]),
  );
}

describe('what it writes', () => {
  it('opens with the payload and the thumbprint', () => {
    for (const [bytes, more] of [
      [attached, {}],
      [typed, { typ }],
      [detached, { detachedPayload: payload }],
      [block({}), {}],
    ] as const) {
      const opened = accepted(openSign1(bytes, { ...rules, ...more }));
      expect(opened.payload).toEqual(payload);
      expect(opened.kid).toEqual(signer.thumbprint);
    }
    expect(accepted(claimedKid(attached))).toEqual(signer.thumbprint);
  });

  it('fits in the limit of a signature block', () => {
    expect(detached.length).toBeLessThan(SIGNATURE_BLOCK_BYTES_MAX / 2);
  });
});

const SAMPLES: [code: string, what: string, bytes: Uint8Array, more?: object][] = [
  ['cose.not-sign1', 'no tag', encodeCbor([header(...HEADER), new Map(), payload, payload])],
  ['cose.not-sign1', 'no list', encodeCbor(new CborTag(18, 'text'))],
  ['cose.not-sign1', 'three parts', encodeCbor(new CborTag(18, [payload, new Map(), payload]))],
  [
    'cose.not-sign1',
    'five parts',
    encodeCbor(new CborTag(18, [payload, new Map(), null, payload, 0])),
  ],
  ['cbor.tag', 'COSE_Sign, tag 98', encodeCbor(new CborTag(98, []))],
  ['cbor.tag', 'COSE_Mac0, tag 17', encodeCbor(new CborTag(17, []))],
  ['cbor.tag', 'a Sign1 within a Sign1 tag of another kind', encodeCbor(new CborTag(107, 0))],
  ['cose.malformed', 'a header that is no byte string', replaced(0, null)],
  ['cose.malformed', 'a signature that is no byte string', block({ signature: 'text' })],
  ['cose.malformed', 'a signature of 63 bytes', block({ signature: new Uint8Array(63) })],
  ['cose.malformed', 'a signature of 65 bytes', block({ signature: new Uint8Array(65) })],
  ['cose.malformed', 'a header that is a list', block({ header: encodeCbor([]) })],
  ['cbor.truncated', 'an empty header', block({ header: new Uint8Array(0) })],
  ['cbor.key-order', 'an unsorted header', block({ header: fromHex('a204000100') as Uint8Array })],
  ['cose.algorithm', 'EdDSA (-8)', block({ header: header([1, -8], [4, signer.thumbprint]) })],
  ['cose.algorithm', 'ES256 (-7)', block({ header: header([1, -7], [4, signer.thumbprint]) })],
  ['cose.algorithm', 'none at all', block({ header: header([4, signer.thumbprint]) })],
  ['cose.algorithm', 'the number as text', block({ header: header([1, '-19'], [4, payload]) })],
  ['cose.header', 'no key id', block({ header: header([1, -19]) })],
  ['cose.header', 'a short key id', block({ header: header([1, -19], [4, payload]) })],
  ['cose.header', 'a key id that is text', block({ header: header([1, -19], [4, 'me']) })],
  ['cose.header', 'crit', block({ header: header(...HEADER, [2, [1]]) })],
  ['cose.header', 'a content type', block({ header: header(...HEADER, [3, 0]) })],
  ['cose.header', 'a text label', block({ header: header(...HEADER, ['alg', -19]) })],
  ['cose.header', 'something unprotected', block({ unprotected: new Map([[4, payload]]) })],
  ['cose.header', 'an unprotected header that is no map', block({ unprotected: [] })],
  ['cose.type', 'a type where none belongs', typed],
  ['cose.type', 'no type where one belongs', attached, { typ }],
  ['cose.type', 'another type', typed, { typ: 'application/edgeward-root+cbor' }],
  ['cose.type', 'a type that is a number', block({ header: header(...HEADER, [16, 0]) }), { typ }],
  ['cose.payload', 'attached where it must be detached', attached, { detachedPayload: payload }],
  ['cose.payload', 'detached where it must be attached', detached],
  ['cose.payload', 'a payload that is text', block({ payload: 'payload' })],
  [
    'cose.payload',
    'an empty payload for a detached one',
    block({ payload: new Uint8Array(0) }),
    { detachedPayload: payload },
  ],
  [
    'cose.unknown-key',
    'a stranger',
    sign1({ payload, externalAad: externalAadBytes, signer: stranger }),
  ],
  [
    'crypto.bad-signature',
    'a stranger under a known name',
    block({ signature: stranger.sign(payload) }),
  ],
  [
    'crypto.bad-signature',
    'another scope',
    attached,
    { externalAad: externalAad('telemetry', 'ew/v1/site/other') },
  ],
  [
    'crypto.bad-signature',
    'another kind',
    attached,
    { externalAad: externalAad('root', 'ew/v1/site/node') },
  ],
  ['crypto.bad-signature', 'no scope', attached, { externalAad: new Uint8Array(0) }],
  [
    'crypto.bad-signature',
    'another detached payload',
    detached,
    { detachedPayload: utf8('payloae') },
  ],
  ['crypto.weak-point', 'R of small order', block({ signature: new Uint8Array(64) })],
  ['cbor.size', 'a block over the limit', new Uint8Array(SIGNATURE_BLOCK_BYTES_MAX + 1)],
];

describe('what it refuses', () => {
  it.each(SAMPLES)('%s: %s', (code, _, bytes, more = {}) => {
    expect(faultIn(openSign1(bytes, { ...rules, ...more })).code).toBe(code);
  });

  it('includes every cose code', () => {
    const made = new Set(SAMPLES.map(([code]) => code));
    const codes = Object.keys(COSE_FAULTS).filter((code) => code.startsWith('cose.'));
    // A curve is to be told from another on import only.
    expect(codes.filter((code) => !made.has(code))).toEqual(['cose.curve']);
    expect(Object.keys(CRYPTO_FAULTS)).toContain('crypto.weak-point');
  });

  it('a key that is known only as another than its thumbprint says does not help', () => {
    const swapped = (): Uint8Array => stranger.publicKey;
    const result = openSign1(attached, { ...rules, keyOf: swapped });
    expect(codeOf(result)).toBe('crypto.bad-signature');
  });

  it('every flipped byte, in every form', () => {
    for (const [bytes, more] of [
      [typed, { typ }],
      [detached, { detachedPayload: payload }],
    ] as const) {
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of [0x01, 0x80, 0xff]) {
          const damaged = bytes.map((byte, i) => (i === at ? byte ^ mask : byte));
          const code = codeOf(openSign1(damaged, { ...rules, ...more }));
          expect(code, `byte ${at} ^ ${mask}`).toMatch(/^(cbor|cose|crypto)\./);
        }
      }
      for (let length = 0; length < bytes.length; length++) {
        const code = codeOf(openSign1(bytes.subarray(0, length), { ...rules, ...more }));
        expect(code).toBe('cbor.truncated');
      }
    }
  });

  it('arbitrary bytes, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(openSign1(bytes, rules).ok).toBe(false);
        expect(claimedKid(bytes).ok).toBe(false);
      }),
      { seed: 16, numRuns: 500 },
    );
  });

  it('asks for a key only after the header was found in order', () => {
    let asked = 0;
    const counting = { ...rules, keyOf: () => void asked++ };
    openSign1(typed, counting);
    expect(asked).toBe(0);
    openSign1(attached, counting);
    expect(asked).toBe(1);
  });
});

describe('domain separation', () => {
  it('kind and scope cannot run into each other', () => {
    const kinds = ['root', 'revocation', 'command', 'telemetry', 'floor'] as const;
    const scopes = ['', 'a', 'a/b', '","'];
    const seen = kinds.flatMap((kind) => scopes.map((scope) => toHex(externalAad(kind, scope))));
    expect(new Set(seen).size).toBe(kinds.length * scopes.length);
    const expected = encodeCbor(['edgeward/root/v1', '']);
    expect(toHex(externalAad('root', ''))).toBe(toHex(expected));
  });
});

/** A block with one of its four parts exchanged. */
function replaced(at: number, value: CborValue): Uint8Array {
  const parts: CborValue[] = [header(...HEADER), cborMap(), payload, new Uint8Array(64)];
  parts[at] = value;
  return encodeCbor(new CborTag(18, parts));
}

describe('every payload', () => {
  it('comes back under its own external data, attached or detached, and under no other', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.boolean(),
        fc.string(),
        (payload, externalAad, detached, typ) => {
          const block = sign1({ payload, externalAad, detached, typ, signer });
          const open = (aad: Uint8Array) =>
            openSign1(block, {
              typ,
              externalAad: aad,
              keyOf: () => signer.publicKey,
              ...(detached ? { detachedPayload: payload } : {}),
            });
          expect(open(externalAad)).toEqual({
            ok: true,
            value: { payload, kid: signer.thumbprint },
          });
          expect(codeOf(open(Uint8Array.of(...externalAad, 0)))).toBe('crypto.bad-signature');
        },
      ),
      { seed: 83, numRuns: 40 },
    );
  });
});
