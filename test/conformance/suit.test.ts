/** The SUIT draft's own examples: shown and verified as published, and never taken for bundles. */
import { createPublicKey } from 'node:crypto';
import { expect, it } from 'vitest';
import { toHex } from '../../src/core/base/bytes.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { openForeignSign1 } from '../../src/core/cose/foreign-sign1.ts';
import { sha256 } from '../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../src/core/crypto/ed25519.ts';
import { encodeDigest } from '../../src/core/suit/digest.ts';
import { META_URI, openEnvelope, SUIT_AAD, sealEnvelope } from '../../src/core/suit/envelope.ts';
import { readForeignEnvelope } from '../../src/core/suit/foreign-envelope.ts';
import { parseManifest } from '../../src/core/suit/manifest.ts';
import { accepted, codeOf, faultIn } from '../core/base/outcome.ts';
import { describeVectors, expectRan, hex, vectorText } from './outside-vectors.ts';

/** The envelopes of one example as printed: bare, signed, and what was severed last. */
function envelopesOf(name: string): Uint8Array[] {
  const blocks = vectorText(`suit/${name}.txt`).matchAll(/~~~\s+((?:[0-9a-f]+\s+)+)~~~/g);
  return [...blocks].map(([, block]) => hex(block as string));
}

const NAMES = ['example0', 'example1', 'example2'] as const;
const VENDOR = hex('fa6b4a53d5ad5fdfbe9de663e4d41ffe');
const CLASS = hex('1492af1425695e48bf429b2d51f2ab45');
const IMAGE = hex('00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210');
const SHARED = [
  {
    name: 'directive-override-parameters',
    argument: new Map<string, unknown>([
      ['vendor-id', VENDOR],
      ['class-id', CLASS],
      ['image-digest', IMAGE],
      ['image-size', 34_768],
    ]),
  },
  { name: 'condition-vendor-identifier', argument: 15 },
  { name: 'condition-class-identifier', argument: 15 },
];
const MATCH = { name: 'condition-image-match', argument: 15 };
const VALIDATE = ['validate', [MATCH]] as const;
const INVOKE = ['invoke', [{ name: 'directive-invoke', argument: 2 }]] as const;
const install = (uri: string) =>
  [
    'install',
    [
      { name: 'directive-override-parameters', argument: new Map([['uri', uri]]) },
      { name: 'directive-fetch', argument: 2 },
      MATCH,
    ],
  ] as const;

/** What the draft's text says about each example, and the digest of the manifest it prints. */
const STATED = {
  example0: {
    digest: '6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af',
    sequences: new Map<string, unknown>([VALIDATE, INVOKE]),
  },
  example1: {
    digest: '1f2e7acca0dc2786f2fe4eb947f50873a6a3cfaa98866c5b02e621f42074daf2',
    sequences: new Map<string, unknown>([VALIDATE, install('http://example.com/file.bin')]),
  },
  example2: {
    digest: '6a5197ed8f9dccf733d1c89a359441708e070b4c6dcb9a1c2c82c6165f609b90',
    sequences: new Map<string, unknown>([
      VALIDATE,
      INVOKE,
      install('http://example.com/very/long/path/to/file/file.bin'),
    ]),
  },
};

describeVectors('SUIT draft examples', () => {
  it.each(NAMES)('%s decodes to what the draft says, with matching digests', (name) => {
    const { digest, sequences } = STATED[name];
    const envelopes = envelopesOf(name);
    for (const bytes of envelopes) {
      const read = accepted(readForeignEnvelope(bytes));
      expect(read.signedDigest).toEqual(encodeDigest(hex(digest)));
      expect(toHex(sha256(encodeCbor(read.manifest)))).toBe(digest);
      expect(read.sequenceNumber).toBe(NAMES.indexOf(name));
      expect(read.components).toEqual([['00']]);
      expect(read.shared).toEqual(SHARED);
    }
    const whole = accepted(readForeignEnvelope(envelopes.at(-1) as Uint8Array));
    expect(whole.sequences).toEqual(sequences);
  });

  it('example2 was severed from its install sequence and its text, which match their digests', () => {
    const [bare, signed, whole] = envelopesOf('example2').map((bytes) =>
      accepted(readForeignEnvelope(bytes)),
    );
    for (const read of [bare, signed, whole]) {
      expect(read?.referenceUri).toBe('https://git.io/JJYoj');
      expect([...(read?.severed ?? [])].map(([name, sha]) => [name, toHex(sha)])).toEqual([
        ['install', 'cfa90c5c58595e7f5119a72f803fd0370b3e6abbec6315cd38f63135281bc498'],
        ['text', '302196d452bce5e8bfeaf71e395645ede6d365e63507a081379721eeecf00007'],
      ]);
    }
    expect([...(signed?.sequences.keys() ?? [])]).toEqual(['validate', 'invoke']);
    expect(signed?.text).toBeUndefined();
    expect(Buffer.from(whole?.text ?? []).toString()).toContain('## Example 2: Simultaneous');
  });

  it('every signed envelope verifies with ES256, and no changed one does', () => {
    const spki = createPublicKey(vectorText('suit/public_key.pem')).export({
      format: 'der',
      type: 'spki',
    });
    const publicKey = new Uint8Array(spki.subarray(-65));
    let envelopes = 0;
    let signatures = 0;
    for (const bytes of NAMES.flatMap(envelopesOf)) {
      envelopes++;
      const read = accepted(readForeignEnvelope(bytes));
      for (const block of read.signatures) {
        const open = (detachedPayload: Uint8Array): string =>
          codeOf(
            openForeignSign1(block, {
              externalAad: SUIT_AAD,
              detachedPayload,
              bytesMax: 512,
              keyOf: (kid) => (kid === undefined ? { curve: 'P-256', publicKey } : undefined),
            }),
          );
        expect(open(read.signedDigest)).toBe('accepted');
        expect(open(encodeDigest(IMAGE))).toBe('crypto.bad-signature');
        signatures++;
      }
    }
    expectRan('SUIT examples', envelopes, 7);
    expectRan('SUIT example signatures', signatures, 4);
  });

  it.each(NAMES)('%s is no bundle, whoever signs it', (name) => {
    const signer = signerFromSeed(new Uint8Array(32).fill(1));
    for (const bytes of envelopesOf(name)) {
      expect(faultIn(openEnvelope(bytes)).code).toBe('suit.malformed');
      // The same manifest in an envelope of ours: the template refuses its one component.
      const { manifest } = accepted(readForeignEnvelope(bytes));
      const ours = sealEnvelope(manifest, encodeCbor(META_URI), [signer]);
      const opened = accepted(openEnvelope(ours));
      expect(faultIn(parseManifest(opened.manifest)).code).toBe('suit.template');
    }
  });
});
