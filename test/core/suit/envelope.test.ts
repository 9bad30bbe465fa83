/** The envelope: laid out as the draft says, and closed against everything else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MANIFEST_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { openSign1 } from '../../../src/core/cose/sign1.ts';
import { CborTag, type CborValue, cborMap } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { encodeDigest } from '../../../src/core/suit/digest.ts';
import { META_URI, openEnvelope, SUIT_AAD, sealEnvelope } from '../../../src/core/suit/envelope.ts';
import { SUIT_FAULTS } from '../../../src/core/suit/faults.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const signers = [1, 2].map((fill) => signerFromSeed(new Uint8Array(32).fill(fill)));
const manifest = encodeCbor('any manifest');
const meta = encodeCbor('any metadata');
const good = sealEnvelope(manifest, meta, signers);

describe('an envelope', () => {
  it('opens to what was sealed, with a signature of each signer over the digest', () => {
    const envelope = accepted(openEnvelope(good));
    expect(envelope.manifest).toEqual(manifest);
    expect(envelope.meta).toEqual(meta);
    expect(envelope.manifestSha256).toEqual(sha256(encodeCbor(manifest)));
    expect(envelope.signatures).toHaveLength(2);
    envelope.signatures.forEach((block, index) => {
      const opened = openSign1(block, {
        externalAad: SUIT_AAD,
        detachedPayload: encodeDigest(envelope.manifestSha256),
        keyOf: () => signers[index]?.publicKey,
      });
      expect(codeOf(opened)).toBe('accepted');
    });
  });

  it('is deterministic', () => {
    expect(sealEnvelope(manifest, meta, signers)).toEqual(good);
  });
});

/** An envelope from parts that are good unless given. */
function envelope(parts: {
  tag?: number;
  wrapper?: CborValue;
  members?: [number | string, CborValue | undefined][];
}): Uint8Array {
  const digest = encodeDigest(sha256(encodeCbor(manifest)));
  const wrapper = parts.wrapper ?? encodeCbor([digest, new Uint8Array(3)]);
  const members = cborMap([2, wrapper], [3, manifest], [META_URI, meta], ...(parts.members ?? []));
  return encodeCbor(new CborTag(parts.tag ?? 107, members));
}

const digest = encodeDigest(sha256(encodeCbor(manifest)));
const blocks = (count: number): CborValue[] =>
  Array.from({ length: count }, () => new Uint8Array(3));

const SAMPLES: [code: string, what: string, bytes: Uint8Array][] = [
  ['cbor.tag', 'another tag', envelope({ tag: 18 })],
  ['suit.malformed', 'no tag', encodeCbor(cborMap([2, digest], [3, manifest], [META_URI, meta]))],
  ['suit.malformed', 'no map', encodeCbor(new CborTag(107, []))],
  [
    'suit.malformed',
    'no metadata',
    encodeCbor(new CborTag(107, cborMap([2, digest], [3, manifest]))),
  ],
  ['suit.malformed', 'a severed member', envelope({ members: [[20, new Uint8Array(0)]] })],
  [
    'suit.malformed',
    'an integrated payload that is not asked for',
    envelope({ members: [['#x', meta]] }),
  ],
  [
    'suit.malformed',
    'other three members',
    encodeCbor(new CborTag(107, cborMap([1, digest], [3, manifest], [META_URI, meta]))),
  ],
  ['suit.malformed', 'a manifest that is no byte string', envelope({ members: [[3, 'text']] })],
  ['suit.malformed', 'metadata that is no byte string', envelope({ members: [[META_URI, 0]] })],
  ['suit.malformed', 'a wrapper that is no byte string', envelope({ members: [[2, [digest]]] })],
  ['suit.malformed', 'an empty wrapper', envelope({ wrapper: encodeCbor([]) })],
  ['suit.malformed', 'a wrapper that is no list', envelope({ wrapper: encodeCbor(new Map()) })],
  [
    'suit.malformed',
    'a signature that is no byte string',
    envelope({ wrapper: encodeCbor([digest, 1]) }),
  ],
  [
    'suit.malformed',
    'a digest that is none',
    envelope({ wrapper: encodeCbor([new Uint8Array(1), ...blocks(1)]) }),
  ],
  ['suit.signatures', 'no signature', envelope({ wrapper: encodeCbor([digest]) })],
  ['suit.signatures', 'nine signatures', envelope({ wrapper: encodeCbor([digest, ...blocks(9)]) })],
  ['suit.digest', 'another manifest', envelope({ members: [[3, encodeCbor('another')]] })],
  [
    'suit.digest',
    'the digest of the manifest without its wrapping',
    envelope({ wrapper: encodeCbor([encodeDigest(sha256(manifest)), ...blocks(1)]) }),
  ],
  ['cbor.size', 'more than the limit', new Uint8Array(MANIFEST_BYTES_MAX + 1)],
];

describe('what it refuses', () => {
  it('nothing in the sample that the others are changed from', () => {
    expect(codeOf(openEnvelope(envelope({})))).toBe('accepted');
    expect(codeOf(openEnvelope(envelope({ wrapper: encodeCbor([digest, ...blocks(8)]) })))).toBe(
      'accepted',
    );
  });

  it.each(SAMPLES)('%s: %s', (code, _, bytes) => {
    expect(faultIn(openEnvelope(bytes)).code).toBe(code);
  });

  it('by every code but the template, which the manifest has', () => {
    const made = new Set(SAMPLES.map(([code]) => code));
    const missing = Object.keys(SUIT_FAULTS).filter((code) => !made.has(code));
    expect(missing).toEqual(['suit.template']);
  });

  it('arbitrary bytes, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(openEnvelope(bytes).ok).toBe(false);
        expect(openEnvelope(Uint8Array.of(0xd8, 0x6b, ...bytes)).ok).toBe(false);
      }),
      { seed: 23, numRuns: 500 },
    );
  });
});

describe('every manifest and metadata', () => {
  it('come back with their digest', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 2 }), (inner, beside, count) => {
        const sealedBytes = sealEnvelope(inner, beside, signers.slice(0, count));
        const envelope = accepted(openEnvelope(sealedBytes));
        expect(envelope).toMatchObject({ manifest: inner, meta: beside });
        expect(envelope.manifestSha256).toEqual(sha256(encodeCbor(inner)));
        expect(envelope.signatures).toHaveLength(count);
      }),
      { seed: 84 },
    );
  });
});
