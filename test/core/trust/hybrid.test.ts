/** The demand for ML-DSA-65 beside Ed25519: both thresholds, neither in the place of the other. */
import { describe, expect, it } from 'vitest';
import {
  ML_DSA_BLOCK_BYTES_MAX,
  ML_DSA_SIGNATURES_MAX,
  SIGNATURE_BLOCK_BYTES_MAX,
} from '../../../src/core/base/limits.ts';
import { readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  claimedSigner,
  isMlDsaBlock,
  mlDsaSign1,
  openMlDsaSign1,
} from '../../../src/core/cose/ml-dsa-sign1.ts';
import { SIGN1_TAG } from '../../../src/core/cose/sign1.ts';
import { CborTag, type CborValue } from '../../../src/core/cose/value.ts';
import { signerOf } from '../../../src/core/crypto/detached-signature.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import { openEnvelope } from '../../../src/core/suit/envelope.ts';
import { addSignatures, requestSignature } from '../../../src/core/trust/add-signatures.ts';
import type { Act } from '../../../src/core/trust/admissible.ts';
import { sealRoot } from '../../../src/core/trust/root.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { keyOf, METADATA, packed, RELEASE } from '../bundle/specimen.ts';
import {
  CONTEXT,
  FLOOR,
  floorsOf,
  mlDsaKeyOf,
  ROOT,
  ROOT_KEY,
  roleOf,
  rootOf,
} from './trusting.ts';

const [PQ, PQ_TWO, PQ_STRANGER] = [mlDsaKeyOf(1), mlDsaKeyOf(2), mlDsaKeyOf(3)];
const SECOND = keyOf(12);
const HYBRID = rootOf({
  roles: { ...ROOT.roles, 'release-ml-dsa-65': roleOf(1, PQ, PQ_TWO) },
});
const CLASSIC = rootOf();
const signedBy = (...signers: readonly Signer[]): Uint8Array => packed({ signers });
const judged = (bundle: Uint8Array, root = HYBRID, act: Act = 'install', floors = CONTEXT.floors) =>
  verifyBundle(bytesSource(bundle), act, { ...CONTEXT, root, floors });

describe('a root with ML-DSA-65 release keys', () => {
  it('takes a bundle with both signatures, and tells both signers', () => {
    const verified = accepted(judged(signedBy(RELEASE, PQ)));
    expect(verified.signers).toEqual([RELEASE.thumbprint, PQ.thumbprint]);
    expect(verified.development).toBe(false);
    expect(codeOf(judged(signedBy(PQ, RELEASE)))).toBe('accepted');
    expect(codeOf(judged(signedBy(RELEASE, PQ, PQ_TWO)))).toBe('accepted');
  });

  it('refuses either kind alone, whatever the act', () => {
    for (const act of ['install', 'boot', 'revert', 'confirm', 're-verify'] as const) {
      const [classic, quantum] = [signedBy(RELEASE), signedBy(PQ)].map((bundle) =>
        faultIn(judged(bundle, HYBRID, act)),
      );
      expect(classic).toMatchObject({ code: 'trust.threshold' });
      expect(classic?.message).toBe('0 of 1 release-ml-dsa-65 signatures');
      expect(quantum?.message).toBe('0 of 1 release signatures');
    }
  });

  it('counts each kind against its own threshold', () => {
    const root = rootOf({
      roles: { ...ROOT.roles, 'release-ml-dsa-65': roleOf(2, PQ, PQ_TWO) },
    });
    expect(codeOf(judged(signedBy(RELEASE, PQ), root))).toBe('trust.threshold');
    expect(codeOf(judged(signedBy(RELEASE, PQ, PQ_TWO), root))).toBe('accepted');
    const twice = judged(signedBy(RELEASE, PQ, PQ), root);
    expect(codeOf(twice)).toBe('trust.duplicate-signature');
  });

  it('refuses a signature of a key that it does not list, and one that does not verify', () => {
    expect(codeOf(judged(signedBy(RELEASE, PQ, PQ_STRANGER)))).toBe('cose.unknown-key');
    expect(codeOf(judged(signedBy(RELEASE, PQ), CLASSIC))).toBe('cose.unknown-key');
    const liar: Signer = { ...PQ, sign: (message) => PQ_TWO.sign(message) };
    expect(codeOf(judged(signedBy(RELEASE, liar)))).toBe('crypto.bad-signature');
  });

  it('keeps what a device confirmed before the demand, and installs it no more', () => {
    const bundle = signedBy(RELEASE);
    const { manifestSha256 } = accepted(judged(bundle, CLASSIC));
    const floors = floorsOf({ ...FLOOR, sequenceNumber: 1, manifestSha256 });
    for (const act of ['boot', 'revert', 'confirm', 're-verify'] as const) {
      expect(codeOf(judged(bundle, HYBRID, act, floors)), act).toBe('accepted');
    }
    expect(codeOf(judged(bundle, HYBRID, 'install', floors))).toBe('trust.threshold');
  });

  it('takes the other kind of key in no role, and no demand that no bundle could meet', () => {
    const seal = (roles: object) =>
      codeOf(sealRoot({ ...ROOT, roles: { ...ROOT.roles, ...roles } }, [ROOT_KEY]));
    expect(seal({ 'release-ml-dsa-65': roleOf(1, SECOND) })).toBe('field.range');
    expect(seal({ revocation: roleOf(1, PQ) })).toBe('field.range');
    expect(seal({ release: roleOf(1, PQ) })).toBe('field.range');
    const eight = Array.from({ length: 8 }, (_, i) => keyOf(30 + i));
    const both = { release: roleOf(8, ...eight), 'release-ml-dsa-65': roleOf(1, PQ) };
    expect(seal(both)).toBe('root.invalid');
    const five = Array.from({ length: 5 }, (_, i) => mlDsaKeyOf(30 + i));
    expect(seal({ 'release-ml-dsa-65': roleOf(5, ...five) })).toBe('field.range');
    expect(seal({ 'release-ml-dsa-65': roleOf(4, ...five) })).toBe('accepted');
  });
});

describe('signing with an ML-DSA-65 key', () => {
  it('adds to what Ed25519 signed, here or elsewhere, and the bundle verifies', () => {
    const classic = signedBy(RELEASE);
    const here = accepted(addSignatures(classic, [PQ], HYBRID));
    expect(codeOf(judged(here.bytes))).toBe('accepted');
    const asked = accepted(requestSignature(classic, PQ.publicKey, HYBRID));
    const signer = signerOf(PQ.publicKey, PQ.sign(asked.bytes));
    const there = accepted(addSignatures(classic, [signer], HYBRID));
    expect(codeOf(judged(there.bytes))).toBe('accepted');
    expect(there.signers).toEqual([RELEASE.thumbprint, PQ.thumbprint]);
    const liar = signerOf(PQ.publicKey, PQ_TWO.sign(asked.bytes));
    expect(codeOf(addSignatures(classic, [liar], HYBRID))).toBe('crypto.bad-signature');
  });

  it('refuses a key that the root does not list, and one that has signed', () => {
    const both = signedBy(RELEASE, PQ);
    expect(codeOf(addSignatures(both, [PQ_STRANGER], HYBRID))).toBe('trust.unauthorised');
    expect(codeOf(addSignatures(both, [PQ], HYBRID))).toBe('trust.duplicate-signature');
  });

  it('stops where the manifest would have no room left for what is signed', () => {
    const many = Array.from({ length: ML_DSA_SIGNATURES_MAX + 1 }, (_, i) => mlDsaKeyOf(10 + i));
    const most = many.slice(1);
    const full = addSignatures(signedBy(RELEASE), most, undefined);
    expect(accepted(full).signers).toHaveLength(ML_DSA_SIGNATURES_MAX + 1);
    expect(codeOf(addSignatures(signedBy(RELEASE), many, undefined))).toBe('suit.signatures');
  });
});

describe('a block of ML-DSA-65', () => {
  const PAYLOAD = new Uint8Array([1, 2, 3]);
  const BLOCK = mlDsaSign1(PAYLOAD, PQ);
  const keys = (kid: Uint8Array): Uint8Array | undefined =>
    [PQ, PQ_TWO].find((key) => Buffer.from(key.thumbprint).equals(kid))?.publicKey;
  const open = (block: Uint8Array, payload = PAYLOAD): string =>
    codeOf(openMlDsaSign1(block, payload, keys));
  const parts = (accepted(decodeCbor(BLOCK, { tags: [SIGN1_TAG], bytesMax: 4096 })) as CborTag)
    .value as readonly CborValue[];
  const rebuilt = (at: number, part: CborValue): Uint8Array =>
    encodeCbor(new CborTag(SIGN1_TAG, parts.with(at, part) as CborValue));

  it('is known by its size, which no block of Ed25519 has', () => {
    expect(BLOCK.length).toBeGreaterThan(SIGNATURE_BLOCK_BYTES_MAX);
    expect(BLOCK.length).toBeLessThanOrEqual(ML_DSA_BLOCK_BYTES_MAX);
    const envelope = (bundle: Uint8Array) =>
      accepted(openEnvelope(accepted(readManifestEntry(bytesSource(bundle))).bytes));
    const { signatures } = envelope(signedBy(RELEASE, PQ));
    expect(signatures.map(isMlDsaBlock)).toEqual([false, true]);
    expect(signatures.map((block) => accepted(claimedSigner(block)))).toEqual([
      RELEASE.thumbprint,
      PQ.thumbprint,
    ]);
  });

  it('opens for its payload and key only', () => {
    expect(open(BLOCK)).toBe('accepted');
    expect(open(BLOCK, new Uint8Array([1, 2, 4]))).toBe('crypto.bad-signature');
    expect(codeOf(openMlDsaSign1(BLOCK, PAYLOAD, () => undefined))).toBe('cose.unknown-key');
    const ed25519 = openMlDsaSign1(BLOCK, PAYLOAD, () => RELEASE.publicKey);
    expect(codeOf(ed25519)).toBe('crypto.bad-signature');
  });

  it.each<[code: string, what: string, block: () => Uint8Array]>([
    ['cose.header', 'something unprotected', () => rebuilt(1, new Map([[4, PQ.thumbprint]]))],
    ['cose.payload', 'an attached payload', () => rebuilt(2, PAYLOAD)],
    ['cose.malformed', 'a short signature', () => rebuilt(3, new Uint8Array(3308))],
    ['cose.malformed', 'no signature', () => rebuilt(3, 7)],
    ['cose.malformed', 'a header that is no map', () => rebuilt(0, encodeCbor(7))],
    ['cose.algorithm', 'Ed25519 by name', () => rebuilt(0, encodeCbor(new Map([[1, -19]])))],
    ['cose.header', 'no key id', () => rebuilt(0, encodeCbor(new Map([[1, -49]])))],
    [
      'cose.header',
      'one header more',
      () =>
        rebuilt(
          0,
          encodeCbor(
            new Map<number, CborValue>([
              [1, -49],
              [4, PQ.thumbprint],
              [16, 'x'],
            ]),
          ),
        ),
    ],
    [
      'cose.not-sign1',
      'three parts',
      () => encodeCbor(new CborTag(SIGN1_TAG, parts.slice(1) as CborValue)),
    ],
    ['cbor.size', 'too many bytes', () => new Uint8Array(ML_DSA_BLOCK_BYTES_MAX + 1)],
  ])('%s: %s', (code, _, block) => {
    expect(open(block())).toBe(code);
  });

  it('is refused with every changed byte', () => {
    for (let at = 0; at < BLOCK.length; at += 7) {
      const changed = Uint8Array.from(BLOCK);
      changed[at] = (changed[at] as number) ^ 0x04;
      expect(open(changed), `byte ${at}`).not.toBe('accepted');
    }
  });
});

describe('a bundle of both kinds', () => {
  it('is refused with every changed byte of its manifest entry', () => {
    const bundle = signedBy(RELEASE, PQ);
    const { bytes } = accepted(readManifestEntry(bytesSource(bundle)));
    for (let at = 512; at < 512 + bytes.length; at += 61) {
      const changed = Uint8Array.from(bundle);
      changed[at] = (changed[at] as number) ^ 1;
      expect(judged(changed).ok, `byte ${at}`).toBe(false);
    }
    expect(METADATA.name).toBe(accepted(judged(bundle)).meta.name);
  });
});
