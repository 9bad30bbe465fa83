/** SUIT envelopes of others: shown as they are written, and refused by name where they are not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { MANIFEST_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { CborTag, type CborValue } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { encodeDigest } from '../../../src/core/suit/digest.ts';
import { META_URI, sealEnvelope } from '../../../src/core/suit/envelope.ts';
import { readForeignEnvelope } from '../../../src/core/suit/foreign-envelope.ts';
import { encodeManifest } from '../../../src/core/suit/manifest.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

type Pairs = readonly (readonly [number | string, CborValue])[];
const map = (pairs: Pairs): Map<number | string, CborValue> => new Map(pairs);
const digestOf = (content: Uint8Array): Uint8Array => encodeDigest(sha256(encodeCbor(content)));
const severedDigest = (content: Uint8Array): CborValue => accepted(decodeCbor(digestOf(content)));
const commands = (...flat: CborValue[]): Uint8Array => encodeCbor(flat);
const COMMON: Pairs = [
  [2, [[utf8('a'), utf8('b')]]],
  [4, commands(1, 15)],
];

/** An envelope whose digest is right unless it is given; later members replace earlier ones. */
function envelope(
  parts: {
    manifest?: Pairs;
    common?: Pairs;
    members?: Pairs;
    digest?: CborValue;
    tag?: number;
  } = {},
): Uint8Array {
  const common = encodeCbor(map([...COMMON, ...(parts.common ?? [])]));
  const manifest = encodeCbor(map([[1, 1], [2, 3], [3, common], ...(parts.manifest ?? [])]));
  const wrapper = encodeCbor([parts.digest ?? digestOf(manifest)]);
  const members = map([[2, wrapper], [3, manifest], ...(parts.members ?? [])]);
  return encodeCbor(new CborTag(parts.tag ?? 107, members));
}

describe('what it shows', () => {
  it('our own manifest, command by command', () => {
    const [one, two] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    const sha = sha256(one);
    const manifest = encodeManifest({
      sequenceNumber: 7,
      vendorId: one,
      classId: two,
      model: 'm',
      components: [
        { path: '#meta', sha256: sha, sizeBytes: 1 },
        { path: 'p', sha256: sha, sizeBytes: 2 },
      ],
    });
    const signers = [signerFromSeed(new Uint8Array(32))];
    const read = accepted(readForeignEnvelope(sealEnvelope(manifest, utf8(META_URI), signers)));
    expect(read.signatures).toHaveLength(1);
    expect(read.sequenceNumber).toBe(7);
    expect(read.components).toEqual([
      ['6d', '236d657461'],
      ['6d', '70'],
    ]);
    expect(read.shared.slice(0, 3)).toEqual([
      { name: 'directive-set-component-index', argument: 0 },
      {
        name: 'directive-override-parameters',
        argument: new Map<string, unknown>([
          ['vendor-id', one],
          ['class-id', two],
          ['image-digest', sha],
          ['image-size', 1],
        ]),
      },
      { name: 'condition-vendor-identifier', argument: 15 },
    ]);
    expect([...read.sequences.keys()]).toEqual(['validate', 'install']);
  });

  it('numbers where it knows no name, and the arguments as they are', () => {
    const sequence = commands(32, commands(), -1, null, 20, map([[-7, 'own']]));
    const read = accepted(readForeignEnvelope(envelope({ manifest: [[9, sequence]] })));
    expect(read.sequences.get('invoke')).toEqual([
      { name: '32', argument: commands() },
      { name: '-1', argument: null },
      { name: 'directive-override-parameters', argument: new Map([['-7', 'own']]) },
    ]);
  });

  it('a severed sequence by its digest, and by its commands where they travelled along', () => {
    const install = commands(21, 2);
    const manifest: Pairs = [[20, severedDigest(install)]];
    const away = accepted(readForeignEnvelope(envelope({ manifest })));
    expect(away.severed.get('install')).toEqual(sha256(encodeCbor(install)));
    expect(away.sequences.has('install')).toBe(false);
    const along = accepted(readForeignEnvelope(envelope({ manifest, members: [[20, install]] })));
    expect(along.sequences.get('install')).toEqual([{ name: 'directive-fetch', argument: 2 }]);
    expect(along.severed).toEqual(away.severed);
  });
});

const SAMPLES: [code: string, what: string, bytes: Uint8Array][] = [
  ['cbor.tag', 'another tag', envelope({ tag: 18 })],
  ['cbor.size', 'more than the limit', new Uint8Array(MANIFEST_BYTES_MAX + 1)],
  ['suit.malformed', 'no tag', encodeCbor(map([]))],
  ['suit.malformed', 'no members', encodeCbor(new CborTag(107, map([])))],
  ['suit.malformed', 'an empty wrapper', envelope({ members: [[2, encodeCbor([])]] })],
  ['suit.malformed', 'a digest of another kind', envelope({ digest: encodeCbor([-44, utf8('')]) })],
  ['suit.malformed', 'another version', envelope({ manifest: [[1, 2]] })],
  ['suit.malformed', 'no sequence number', envelope({ manifest: [[2, 'x']] })],
  ['suit.malformed', 'a reference that is no text', envelope({ manifest: [[4, 1]] })],
  ['suit.malformed', 'components that are no list', envelope({ common: [[2, 1]] })],
  ['suit.malformed', 'a component id of text', envelope({ common: [[2, [['a']]]] })],
  ['suit.malformed', 'no shared sequence', envelope({ common: [[4, 0]] })],
  ['suit.malformed', 'a command without argument', envelope({ manifest: [[7, commands(3)]] })],
  ['suit.malformed', 'a command that is text', envelope({ manifest: [[7, commands('3', 15)]] })],
  ['suit.malformed', 'parameters that are a list', envelope({ manifest: [[7, commands(20, [])]] })],
  [
    'cbor.truncated',
    'an image digest that is none',
    envelope({ manifest: [[7, commands(20, map([[3, utf8('')]]))]] }),
  ],
  ['suit.malformed', 'a severed member that is no digest', envelope({ manifest: [[20, [1]]] })],
  ['suit.digest', 'the digest of another manifest', envelope({ digest: digestOf(utf8('x')) })],
  [
    'suit.digest',
    'another severed member',
    envelope({ manifest: [[23, severedDigest(utf8('x'))]], members: [[23, utf8('y')]] }),
  ],
];

describe('what it refuses', () => {
  it('nothing in the sample that the others are changed from', () => {
    expect(codeOf(readForeignEnvelope(envelope()))).toBe('accepted');
  });

  it.each(SAMPLES)('%s: %s', (code, _, bytes) => {
    expect(faultIn(readForeignEnvelope(bytes)).code).toBe(code);
  });

  it('every flipped bit, for the digest covers all that is shown', () => {
    const bytes = envelope();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(codeOf(readForeignEnvelope(damaged)), `bit ${bit}`).toMatch(/^(cbor|suit)\./);
    }
  });

  it('arbitrary bytes in every place, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(3, 7, 23), (bytes, place) => {
        const read = [
          readForeignEnvelope(bytes),
          readForeignEnvelope(envelope({ manifest: [[place, bytes]] })),
          readForeignEnvelope(envelope({ common: [[4, bytes]] })),
        ];
        for (const result of read) expect(codeOf(result)).toMatch(/^(cbor|suit)\.|^accepted$/);
      }),
      { seed: 33, numRuns: 300 },
    );
  });
});
