/** verifyBundle against whoever can mix, sign or invent the bytes it reads. */
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import { readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { encodeMetadata } from '../../../src/core/bundle/metadata.ts';
import { type ByteSource, bytesSource } from '../../../src/core/bundle/source.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { openSign1, sign1 } from '../../../src/core/cose/sign1.ts';
import { CborTag, type CborValue } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import { vendorUuid } from '../../../src/core/crypto/uuid.ts';
import { SUIT_AAD } from '../../../src/core/suit/envelope.ts';
import { modelOf, payloadOf, verifyBundle } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import {
  archive,
  forged,
  GUARD,
  keyOf,
  METADATA,
  MODEL,
  metadataOf,
  packed,
  RELEASE,
} from '../bundle/specimen.ts';
import { craft, fromLittleEndian, L, littleEndian } from '../crypto/curve.ts';
import { CONTEXT, FLOOR, floorsOf, ROOT_KEY, roleOf, rootOf } from './trusting.ts';

const SECOND = keyOf(12);
const STRANGER = keyOf(13);
const PAIR = {
  ...CONTEXT,
  root: rootOf({ roles: { root: roleOf(1, ROOT_KEY), release: roleOf(2, RELEASE, SECOND) } }),
};

const judge = (bytes: Uint8Array, context = CONTEXT): string =>
  codeOf(verifyBundle(bytesSource(bytes), 'install', context, { keep: ['model', 'guard'] }));

const GOOD = packed();

describe('a good bundle', () => {
  it('gives its metadata, its signer and the bytes that were hashed', () => {
    const bundle = accepted(
      verifyBundle(bytesSource(GOOD), 'boot', CONTEXT, { keep: ['model', 'guard'] }),
    );
    expect(bundle.meta).toEqual(metadataOf());
    expect(bundle.signers).toEqual([RELEASE.thumbprint]);
    expect(bundle.sequenceNumber).toBe(9);
    expect(bundle.development).toBe(false);
    expect(modelOf(bundle)).toMatchObject({ bytes: MODEL.bytes, sha256: sha256(MODEL.bytes) });
    expect(payloadOf(bundle, 'guard')).toEqual(GUARD.bytes);
    expect(payloadOf(bundle, 'golden')).toBeUndefined();
  });

  it('keeps nothing unless asked, and then has no model to run', () => {
    const bundle = accepted(verifyBundle(bytesSource(GOOD), 'boot', CONTEXT));
    expect(bundle.payloads.size).toBe(0);
    expect(() => modelOf(bundle)).toThrow(AssertionFailure);
  });

  it('says so when a development root admitted it', () => {
    const root = rootOf({ production: false });
    const context = { ...CONTEXT, root, profile: 'development' as const };
    expect(accepted(verifyBundle(bytesSource(GOOD), 'boot', context)).development).toBe(true);
  });

  it('needs no payload byte to be refused: a stranger costs one manifest', () => {
    let last = 0;
    const source: ByteSource = {
      sizeBytes: GOOD.length,
      read(offset, into) {
        last = Math.max(last, offset + into.length);
        return bytesSource(packed({ signers: [STRANGER] })).read(offset, into);
      },
    };
    expect(codeOf(verifyBundle(source, 'install', CONTEXT))).toBe('cose.unknown-key');
    const { endOffset } = accepted(readManifestEntry(bytesSource(GOOD)));
    expect(last).toBe(endOffset);
  });
});

/** The members of an envelope by name, to be changed and put back. */
type Envelope = Map<number | string, CborValue>;

function envelopeOf(bundle: Uint8Array): Envelope {
  const { bytes } = accepted(readManifestEntry(bytesSource(bundle)));
  const tag = accepted(decodeCbor(bytes, { tags: [107] })) as CborTag;
  return new Map(tag.value as Envelope);
}

const blocksOf = (envelope: Envelope): Uint8Array[] =>
  accepted(decodeCbor(envelope.get(2) as Uint8Array)) as Uint8Array[];

function rebuilt(
  bundle: Uint8Array,
  change: (envelope: Envelope, blocks: Uint8Array[]) => void,
  members = [MODEL, GUARD],
): Uint8Array {
  const envelope = envelopeOf(bundle);
  const blocks = blocksOf(envelope);
  change(envelope, blocks);
  envelope.set(2, encodeCbor(blocks));
  return archive(encodeCbor(new CborTag(107, envelope)), members);
}

/** What a signer would make over the digest of this bundle. */
function blockOf(bundle: Uint8Array, signer: Signer, typ?: string): Uint8Array {
  const payload = blocksOf(envelopeOf(bundle))[0] as Uint8Array;
  const input = { payload, detached: true, externalAad: SUIT_AAD, signer };
  return sign1(typ === undefined ? input : { ...input, typ });
}

describe('signatures', () => {
  it('taking apart and putting together changes nothing', () => {
    expect(rebuilt(GOOD, () => undefined)).toEqual(GOOD);
  });

  it('of nobody, of a stranger, or of a root key do not count', () => {
    expect(judge(rebuilt(GOOD, (_, blocks) => blocks.splice(1)))).toBe('suit.signatures');
    expect(judge(packed({ signers: [STRANGER] }))).toBe('cose.unknown-key');
    expect(judge(packed({ signers: [ROOT_KEY] }))).toBe('cose.unknown-key');
  });

  it('a stranger beside a good key refuses the whole envelope', () => {
    expect(judge(packed({ signers: [RELEASE, STRANGER] }))).toBe('cose.unknown-key');
    expect(judge(packed({ signers: [STRANGER, RELEASE] }))).toBe('cose.unknown-key');
  });

  it('two of two pass, in either order; one of two does not, and not twice', () => {
    expect(judge(packed({ signers: [RELEASE, SECOND] }), PAIR)).toBe('accepted');
    expect(judge(packed({ signers: [SECOND, RELEASE] }), PAIR)).toBe('accepted');
    expect(judge(packed({ signers: [RELEASE] }), PAIR)).toBe('trust.threshold');
    expect(judge(packed({ signers: [RELEASE, RELEASE] }), PAIR)).toBe('trust.duplicate-signature');
    expect(judge(packed({ signers: [RELEASE, RELEASE] }))).toBe('trust.duplicate-signature');
  });

  it('one key that signs twice with different bytes still counts once', () => {
    // An attacker with the secret can make any number of signatures over one message.
    const bundle = packed();
    const { payload, header, publicKey } = partsOf(bundle);
    const signed = encodeCbor(['Signature1', header, SUIT_AAD, payload]);
    const second = craft(new Uint8Array(32).fill(11), publicKey, signed, 99n);
    const block = encodeCbor(new CborTag(18, [header, new Map(), null, second]));
    expect(
      codeOf(
        openSign1(block, {
          externalAad: SUIT_AAD,
          detachedPayload: payload,
          keyOf: () => publicKey,
        }),
      ),
    ).toBe('accepted');
    const twice = rebuilt(bundle, (_, blocks) => blocks.push(block));
    expect(judge(twice, PAIR)).toBe('trust.duplicate-signature');
  });

  it('S + L, a torsion point, or a zero signature are refused by name', () => {
    const { header, signature } = partsOf(GOOD);
    const with64 = (bytes: Uint8Array): string =>
      judge(
        rebuilt(GOOD, (_, blocks) => {
          blocks[1] = encodeCbor(new CborTag(18, [header, new Map(), null, bytes]));
        }),
      );
    expect(with64(signature)).toBe('accepted');
    const s = fromLittleEndian(signature.subarray(32)) + L;
    expect(with64(concatBytes(signature.subarray(0, 32), littleEndian(s)))).toBe(
      'crypto.bad-signature',
    );
    expect(with64(new Uint8Array(64))).toBe('crypto.weak-point');
  });

  it('transplanted from another bundle, or another use, are refused', () => {
    const other = packed({ sequenceNumber: 10 });
    const block = blocksOf(envelopeOf(other))[1] as Uint8Array;
    const moved = rebuilt(GOOD, (_, blocks) => {
      blocks[1] = block;
    });
    expect(judge(moved)).toBe('crypto.bad-signature');
    const typed = rebuilt(GOOD, (_, blocks) => {
      blocks[1] = blockOf(GOOD, RELEASE, 'application/edgeward-root+cbor');
    });
    expect(judge(typed)).toBe('cose.type');
    const attached = rebuilt(GOOD, (_, blocks) => {
      const payload = blocks[0] as Uint8Array;
      blocks[1] = sign1({ payload, externalAad: SUIT_AAD, signer: RELEASE });
    });
    expect(judge(attached)).toBe('cose.payload');
  });

  it('under the name of another key are refused', () => {
    const renamed = { ...STRANGER, thumbprint: RELEASE.thumbprint };
    expect(judge(packed({ signers: [renamed] }))).toBe('crypto.bad-signature');
    const impostor = { ...SECOND, thumbprint: RELEASE.thumbprint };
    expect(judge(packed({ signers: [impostor, SECOND] }), PAIR)).toBe('crypto.bad-signature');
  });

  it('an added good signature is welcome, a removed one counts down', () => {
    const added = rebuilt(GOOD, (_, blocks) => blocks.push(blockOf(GOOD, SECOND)));
    expect(judge(added, PAIR)).toBe('accepted');
    const removed = rebuilt(added, (_, blocks) => blocks.splice(1, 1));
    expect(judge(removed, PAIR)).toBe('trust.threshold');
  });
});

describe('pieces of two validly signed bundles', () => {
  const older = packed({ metadata: { ...METADATA, securityVersion: 1 }, sequenceNumber: 1 });
  const swapped = { ...MODEL, bytes: MODEL.bytes.map((byte) => byte ^ 1) };
  const other = packed({ files: [swapped, GUARD], sequenceNumber: 10 });

  it('each is good alone', () => {
    expect([judge(older), judge(other)]).toEqual(['accepted', 'accepted']);
  });

  it('payloads do not swap', () => {
    expect(judge(rebuilt(GOOD, () => undefined, [swapped, GUARD]))).toBe('bundle.file-digest');
    expect(judge(rebuilt(other, () => undefined, [MODEL, GUARD]))).toBe('bundle.file-digest');
  });

  it('metadata does not swap: the old manifest with a new security version', () => {
    const mixed = rebuilt(older, (envelope) =>
      envelope.set('#meta', envelopeOf(GOOD).get('#meta') as CborValue),
    );
    expect(judge(mixed)).toBe('bundle.file-digest');
  });

  it('the manifest does not swap under the digest and signature of another', () => {
    const mixed = rebuilt(older, (envelope) =>
      envelope.set(3, envelopeOf(GOOD).get(3) as CborValue),
    );
    expect(judge(mixed)).toBe('suit.digest');
  });

  it('manifest and digest do not swap under the signature of another', () => {
    const mixed = rebuilt(older, (envelope, blocks) => {
      envelope.set(3, envelopeOf(GOOD).get(3) as CborValue);
      blocks[0] = blocksOf(envelopeOf(GOOD))[0] as Uint8Array;
    });
    expect(judge(mixed)).toBe('crypto.bad-signature');
  });

  it('members in another order, twice, renamed, grown, or more of them', () => {
    const members = (...list: (typeof MODEL)[]): string =>
      judge(rebuilt(GOOD, () => undefined, list));
    expect(members(GUARD, MODEL)).toBe('bundle.header');
    expect(members(MODEL, MODEL, GUARD)).toBe('bundle.header');
    expect(members({ ...MODEL, path: 'Model.onnx' }, GUARD)).toBe('bundle.header');
    expect(members({ ...MODEL, bytes: concatBytes(MODEL.bytes, utf8('x')) }, GUARD)).toBe(
      'bundle.header',
    );
    expect(members({ ...MODEL, bytes: MODEL.bytes.subarray(1) }, GUARD)).toBe('bundle.header');
    expect(members(MODEL)).toBe('bundle.header');
    expect(members()).toBe('bundle.header');
    expect(members(MODEL, GUARD, { ...GUARD, path: 'extra' })).toBe('bundle.padding');
  });
});

describe('a release key holder who signs what does not fit', () => {
  const meta = encodeMetadata(metadataOf());
  const [model, guard] = metadataOf().files;
  if (model === undefined || guard === undefined) throw new Error('two files');
  const own = { path: '#meta', sizeBytes: meta.length, sha256: sha256(meta) };
  const samples: [code: string, what: string, bytes: Uint8Array][] = [
    [
      'bundle.mismatch',
      'a manifest of other files',
      forged({ manifest: { components: [own, guard, model] } }),
    ],
    ['bundle.mismatch', 'a manifest of another model', forged({ manifest: { model: 'other' } })],
    [
      'bundle.mismatch',
      'another vendor',
      forged({ manifest: { vendorId: vendorUuid('evil.example') } }),
    ],
    ['bundle.mismatch', 'another class', forged({ manifest: { classId: new Uint8Array(16) } })],
    [
      'bundle.file-digest',
      'another digest of the metadata',
      forged({ manifest: { components: [{ ...own, sha256: sha256(utf8('x')) }, model, guard] } }),
    ],
    [
      'bundle.file-digest',
      'another size of the metadata',
      forged({ manifest: { components: [{ ...own, sizeBytes: 1 }, model, guard] } }),
    ],
    [
      'bundle.file-digest',
      'the metadata not first',
      forged({ manifest: { components: [model, own, guard] } }),
    ],
    [
      'bundle.file-digest',
      'a file that is another',
      forged({ members: [{ ...MODEL, bytes: new Uint8Array(1024) }, GUARD] }),
    ],
    [
      'suit.template',
      'a path that leads out',
      forged({ manifest: { components: [own, { ...model, path: 'a/b' }, guard] } }),
    ],
    ['metadata.malformed', 'metadata that is none', forged({ meta: encodeCbor('none') })],
    ['cbor.truncated', 'metadata that is no CBOR', forged({ meta: new Uint8Array(0) })],
  ];

  it('is good without a change', () => {
    expect(judge(forged({}))).toBe('accepted');
  });

  it.each(samples)('%s: %s', (code, _, bytes) => {
    expect(faultIn(verifyBundle(bytesSource(bytes), 'install', CONTEXT)).code).toBe(code);
  });
});

describe('what the context decides', () => {
  it('is asked of admissible before a payload is read', () => {
    const damaged = GOOD.map((byte, i) => (i === GOOD.length - 1 ? byte ^ 1 : byte));
    const floors = floorsOf({ ...FLOOR, securityVersion: 6 });
    expect(judge(damaged, { ...CONTEXT, floors })).toBe('rollback.security-version');
    expect(judge(damaged)).toBe('bundle.padding');
  });

  it('a key that left the root cannot release any more', () => {
    const rotated = rootOf({ roles: { root: roleOf(1, ROOT_KEY), release: roleOf(1, SECOND) } });
    expect(judge(GOOD, { ...CONTEXT, root: rotated })).toBe('cose.unknown-key');
  });
});

describe('a source that lies', () => {
  it('with other bytes at every second reading gains nothing: all is read once', () => {
    const offsets = new Map<number, number>();
    const source: ByteSource = {
      sizeBytes: GOOD.length,
      read(offset, into) {
        for (let i = 0; i < into.length; i++) {
          offsets.set(offset + i, (offsets.get(offset + i) ?? 0) + 1);
        }
        return bytesSource(GOOD).read(offset, into);
      },
    };
    accepted(verifyBundle(source, 'boot', CONTEXT, { keep: ['model', 'guard'] }));
    expect(offsets.size).toBe(GOOD.length);
    expect(Math.max(...offsets.values())).toBe(1);
  });

  it('that reads short, or claims too much, never makes another bundle of it', () => {
    const honest = bytesSource(GOOD);
    const short: ByteSource = {
      ...honest,
      read: (at, into) => honest.read(at, into.subarray(0, 100)),
    };
    const bundle = accepted(verifyBundle(short, 'boot', CONTEXT, { keep: ['model'] }));
    expect(modelOf(bundle).bytes).toEqual(MODEL.bytes);
    for (const claim of [Number.NaN, Infinity, 2 ** 31]) {
      const lying: ByteSource = { ...honest, read: () => claim };
      expect(codeOf(verifyBundle(lying, 'boot', CONTEXT))).toBe('bundle.truncated');
    }
    for (const sizeBytes of [0, GOOD.length - 1, GOOD.length + 1, Number.NaN]) {
      const code = sizeBytes === 0 ? 'bundle.truncated' : 'bundle.trailing';
      expect(codeOf(verifyBundle({ ...honest, sizeBytes }, 'boot', CONTEXT))).toBe(code);
    }
  });
});

/** The signed digest of a bundle and the parts of its first signature block. */
function partsOf(bundle: Uint8Array): {
  payload: Uint8Array;
  header: Uint8Array;
  signature: Uint8Array;
  publicKey: Uint8Array;
} {
  const [payload, block] = blocksOf(envelopeOf(bundle));
  const tag = accepted(decodeCbor(block as Uint8Array, { tags: [18] })) as CborTag;
  const [header, , , signature] = tag.value as Uint8Array[];
  return {
    payload: payload as Uint8Array,
    header: header as Uint8Array,
    signature: signature as Uint8Array,
    publicKey: RELEASE.publicKey,
  };
}
