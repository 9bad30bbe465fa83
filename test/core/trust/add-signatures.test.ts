/** Signatures added to a signed bundle: what stays, what is refused, and what a root then says. */
import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/base/bytes.ts';
import { MANIFEST_BYTES_MAX, SIGNATURES_MAX } from '../../../src/core/base/limits.ts';
import { readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { signerOf } from '../../../src/core/crypto/detached-signature.ts';
import { addSignatures, requestSignature } from '../../../src/core/trust/add-signatures.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import {
  archive,
  forged,
  GUARD,
  keyOf,
  METADATA,
  MODEL,
  packed,
  RELEASE,
} from '../bundle/specimen.ts';
import { CONTEXT, ROOT, roleOf, rootOf } from './trusting.ts';

const SECOND = keyOf(12);
const THIRD = keyOf(13);
const BUNDLE = packed();
const PAIR = rootOf({ roles: { ...ROOT.roles, release: roleOf(2, RELEASE, SECOND) } });

describe('addSignatures', () => {
  it('gives the bundle that both keys would have packed together', () => {
    const signed = accepted(addSignatures(BUNDLE, [SECOND], PAIR));
    const both = packed({ signers: [RELEASE, SECOND] });
    expect(equalBytes(signed.bytes, both)).toBe(true);
    expect(signed.signers).toEqual([RELEASE.thumbprint, SECOND.thumbprint]);
    expect(signed.meta.name).toBe(METADATA.name);
  });

  it('reaches a threshold of two, which one signature does not', () => {
    const context = { ...CONTEXT, root: PAIR };
    const verify = (bytes: Uint8Array) => verifyBundle(bytesSource(bytes), 'install', context);
    expect(codeOf(verify(BUNDLE))).toBe('trust.threshold');
    const { bytes, manifestSha256 } = accepted(addSignatures(BUNDLE, [SECOND], undefined));
    const verified = accepted(verify(bytes));
    expect(verified.manifestSha256).toEqual(manifestSha256);
    expect(verified.signers).toHaveLength(2);
  });

  it('adds several at once, up to the limit and not beyond', () => {
    const signers = Array.from({ length: SIGNATURES_MAX }, (_, i) => keyOf(30 + i));
    const full = accepted(addSignatures(BUNDLE, signers.slice(1), undefined));
    expect(full.signers).toHaveLength(SIGNATURES_MAX);
    expect(faultIn(addSignatures(BUNDLE, signers, undefined)).code).toBe('suit.signatures');
    expect(faultIn(addSignatures(full.bytes, [THIRD], undefined)).code).toBe('suit.signatures');
  });

  it.each([
    ['the key that signed it', BUNDLE, [RELEASE]],
    ['one new key twice', BUNDLE, [SECOND, SECOND]],
    ['a bundle that has one key twice', packed({ signers: [RELEASE, RELEASE] }), [SECOND]],
  ])('refuses %s', (_, bundle, signers) => {
    expect(faultIn(addSignatures(bundle, signers, undefined)).code).toBe(
      'trust.duplicate-signature',
    );
  });

  it('with a root: refuses a new key that it does not name, and earlier ones it does not', () => {
    expect(faultIn(addSignatures(BUNDLE, [THIRD], PAIR)).code).toBe('trust.unauthorised');
    const strange = packed({ signers: [THIRD] });
    expect(faultIn(addSignatures(strange, [SECOND], PAIR)).code).toBe('cose.unknown-key');
    expect(codeOf(addSignatures(strange, [SECOND], undefined))).toBe('accepted');
  });

  it('with a root: refuses an earlier signature that does not verify', () => {
    const at = signatureEnd(BUNDLE);
    const bad = Uint8Array.from(BUNDLE);
    bad[at] = (bad[at] as number) ^ 1;
    expect(faultIn(addSignatures(bad, [SECOND], PAIR)).code).toMatch(/^crypto\./);
    expect(codeOf(addSignatures(bad, [SECOND], undefined))).toBe('accepted');
  });

  it('refuses every bundle that is not whole, with no root to ask', () => {
    const other = { ...MODEL, bytes: MODEL.bytes.slice().fill(1) };
    const swapped = forged({ members: [other, GUARD] });
    expect(faultIn(addSignatures(swapped, [SECOND], undefined)).code).toBe('bundle.file-digest');
    const renamed = forged({ manifest: { model: 'another' } });
    expect(faultIn(addSignatures(renamed, [SECOND], undefined)).code).toBe('bundle.mismatch');
    const cut = BUNDLE.subarray(0, BUNDLE.length - 512);
    expect(faultIn(addSignatures(cut, [SECOND], undefined)).code).toBe('bundle.truncated');
    expect(codeOf(addSignatures(archive(new Uint8Array(9), []), [SECOND], undefined))).not.toBe(
      'accepted',
    );
  });

  it('refuses each single changed byte outside of the signatures it cannot judge', () => {
    const free = new Set<number>();
    for (let at = 0; at < BUNDLE.length; at += 13) {
      const changed = Uint8Array.from(BUNDLE);
      changed[at] = (changed[at] as number) ^ 0x10;
      if (addSignatures(changed, [SECOND], undefined).ok) free.add(at);
      expect(addSignatures(changed, [SECOND], PAIR).ok, `byte ${at}`).toBe(false);
    }
    // Key identifier and signature are claims as long as no root is there to verify them.
    expect(free.size).toBeGreaterThan(0);
    expect(free.size).toBeLessThanOrEqual(Math.ceil((64 + 32) / 13) + 1);
  });

  it('refuses a manifest that would grow beyond its limit', () => {
    const uses = Array.from({ length: 64 }, () => 'x'.repeat(500));
    const bundleWith = (description: string): Uint8Array => {
      const more = { intendedUses: uses, prohibitedUses: uses.slice(0, 62), description };
      return packed({ metadata: { ...METADATA, ...more } });
    };
    const manifest = accepted(readManifestEntry(bytesSource(bundleWith(''))));
    const room = MANIFEST_BYTES_MAX - manifest.bytes.length;
    const almostFull = bundleWith('x'.repeat(room - 200));
    expect(codeOf(addSignatures(almostFull, [SECOND], undefined))).toBe('accepted');
    const signers = Array.from({ length: SIGNATURES_MAX - 1 }, (_, i) => keyOf(40 + i));
    expect(faultIn(addSignatures(almostFull, signers, undefined)).code).toBe('bundle.too-large');
  });
});

describe('requestSignature', () => {
  it('asks for what makes, signed elsewhere, the very bundle of a key at hand', () => {
    const asked = accepted(requestSignature(BUNDLE, SECOND.publicKey, PAIR));
    expect(asked.signers).toEqual([RELEASE.thumbprint]);
    // RFC 9052 4.4: ["Signature1", protected header, no external data, SUIT_Digest].
    expect(asked.bytes[0]).toBe(0x84);
    expect(Buffer.from(asked.bytes).includes('Signature1')).toBe(true);
    expect(Buffer.from(asked.bytes).includes(Buffer.from(SECOND.thumbprint))).toBe(true);
    const signer = signerOf(SECOND.publicKey, SECOND.sign(asked.bytes));
    const byHand = accepted(addSignatures(BUNDLE, [SECOND], PAIR));
    const detached = accepted(addSignatures(BUNDLE, [signer], PAIR));
    expect(equalBytes(detached.bytes, byHand.bytes)).toBe(true);
    expect(detached.manifestSha256).toEqual(asked.manifestSha256);
  });

  it('takes no signature that was asked for by another key or of another bundle', () => {
    const other = packed({ metadata: { ...METADATA, version: '9.9.9' } });
    for (const [bundle, key] of [
      [BUNDLE, THIRD],
      [other, SECOND],
    ] as const) {
      const { bytes } = accepted(requestSignature(bundle, key.publicKey, undefined));
      const signer = signerOf(SECOND.publicKey, SECOND.sign(bytes));
      expect(codeOf(addSignatures(BUNDLE, [signer], undefined))).toBe('crypto.bad-signature');
    }
  });

  it('asks nobody who may not sign, and for nothing that is not whole', () => {
    const ask = (bundle: Uint8Array, key: Uint8Array) => requestSignature(bundle, key, PAIR);
    expect(codeOf(ask(BUNDLE, THIRD.publicKey))).toBe('trust.unauthorised');
    expect(codeOf(ask(BUNDLE, RELEASE.publicKey))).toBe('trust.duplicate-signature');
    const cut = BUNDLE.subarray(0, BUNDLE.length - 512);
    expect(codeOf(ask(cut, SECOND.publicKey))).toBe('bundle.truncated');
  });
});

/** The offset of the last byte of the first signature, a byte string of 64. */
function signatureEnd(bundle: Uint8Array): number {
  const at = bundle.findIndex((byte, i) => byte === 0x58 && bundle[i + 1] === 0x40);
  expect(at).toBeGreaterThan(0);
  return at + 2 + 63;
}
