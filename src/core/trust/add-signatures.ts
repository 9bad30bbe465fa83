/**
 * Signatures added to a bundle that is signed already: the manifest, its digest, the metadata and
 * the payloads stay byte for byte what they were, so the signatures it has stay good.
 */
import { concatBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { MANIFEST_BYTES_MAX, SIGNATURES_MAX } from '../base/limits.ts';
import { refuseBundle } from '../bundle/faults.ts';
import { readManifestEntry, walkPayloads } from '../bundle/layout.ts';
import type { ModelMetadata } from '../bundle/metadata.ts';
import { bytesSource } from '../bundle/source.ts';
import { MANIFEST_PATH, paddingBytes, ustarHeader } from '../bundle/ustar.ts';
import { claimedSigner } from '../cose/ml-dsa-sign1.ts';
import { bytesToSign } from '../crypto/detached-signature.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { verifyTwice } from '../crypto/second-opinion.ts';
import { thumbprintOf } from '../crypto/thumbprint.ts';
import { openEnvelope, type SuitEnvelope, withSignatures } from '../suit/envelope.ts';
import { refuseSuit } from '../suit/faults.ts';
import { parseManifest } from '../suit/manifest.ts';
import { refuseTrust } from './faults.ts';
import { keyInRole, type RootSet } from './root.ts';
import { verifyMetadata, verifySigners } from './verify.ts';

export interface SignedAgain {
  readonly bytes: Uint8Array;
  readonly meta: ModelMetadata;
  readonly manifestSha256: Uint8Array;
  /** Thumbprints of all signers, those that were there first; claims where no root was given. */
  readonly signers: readonly Uint8Array[];
}

export interface SigningRequest extends Omit<SignedAgain, 'bytes'> {
  /** Exactly what the key must sign: the Sig_structure of RFC 9052 section 4.4. */
  readonly bytes: Uint8Array;
}

/**
 * Checks digest, template, metadata and every payload byte before it signs. With a root, the
 * signatures that are there must verify under its release keys, and the new keys must be among them;
 * without one the earlier signatures are kept unverified. Faults: those of `verifyBundle` but for
 * admission, `trust.duplicate-signature`, `trust.unauthorised`, `suit.signatures` (more than eight),
 * `bundle.too-large`.
 */
export function addSignatures(
  bundle: Uint8Array,
  signers: readonly Signer[],
  root: RootSet | undefined,
): Result<SignedAgain> {
  return attempt(() => {
    const kids = signers.map(({ thumbprint }) => thumbprint);
    const { envelope, endOffset, meta, earlier } = openToSign(bundle, kids, root);
    const signed = withSignatures(envelope, signers);
    if (signed.length > MANIFEST_BYTES_MAX) {
      throw refuseBundle('bundle.too-large', `the manifest would have ${signed.length} bytes`);
    }
    const { manifestSha256 } = need(openEnvelope(signed));
    return {
      bytes: concatBytes(
        ustarHeader(MANIFEST_PATH, signed.length),
        signed,
        new Uint8Array(paddingBytes(signed.length)),
        bundle.subarray(endOffset),
      ),
      meta,
      manifestSha256,
      signers: [...earlier, ...kids],
    };
  });
}

/**
 * What a key that is elsewhere has to sign for `addSignatures` to take its signature; checks what
 * that checks. `signers` are those that are there. Faults: as there.
 */
export function requestSignature(
  bundle: Uint8Array,
  publicKey: Uint8Array,
  root: RootSet | undefined,
): Result<SigningRequest> {
  return attempt(() => {
    const { envelope, meta, earlier } = openToSign(bundle, [thumbprintOf(publicKey)], root);
    const bytes = need(
      bytesToSign(publicKey, (signer) => attempt(() => withSignatures(envelope, [signer]))),
    );
    return { bytes, meta, manifestSha256: envelope.manifestSha256, signers: earlier };
  });
}

/** Everything that is checked before a signature is made. */
function openToSign(
  bundle: Uint8Array,
  kids: readonly Uint8Array[],
  root: RootSet | undefined,
): {
  readonly envelope: SuitEnvelope;
  readonly endOffset: number;
  readonly meta: ModelMetadata;
  readonly earlier: readonly Uint8Array[];
} {
  const source = bytesSource(bundle);
  const { bytes, endOffset } = need(readManifestEntry(source));
  const envelope = need(openEnvelope(bytes));
  if (root !== undefined) verifySigners(envelope, root, verifyTwice);
  const meta = verifyMetadata(envelope, need(parseManifest(envelope.manifest)));
  need(walkPayloads(source, endOffset, meta.files, { keep: () => false }));
  const earlier = envelope.signatures.map((block) => need(claimedSigner(block)));
  checkNew(earlier, kids, root);
  return { envelope, endOffset, meta, earlier };
}

function checkNew(
  earlier: readonly Uint8Array[],
  kids: readonly Uint8Array[],
  root: RootSet | undefined,
): void {
  const seen = new Set(earlier.map(toHex));
  if (seen.size < earlier.length) {
    throw refuseTrust('trust.duplicate-signature', 'one key has signed this bundle twice');
  }
  for (const thumbprint of kids) {
    const kid = toHex(thumbprint);
    if (seen.has(kid)) {
      throw refuseTrust('trust.duplicate-signature', `${kid} has signed this bundle already`);
    }
    seen.add(kid);
    if (root !== undefined && !maySign(root, thumbprint)) {
      throw refuseTrust('trust.unauthorised', `${kid} is no release key of this root`);
    }
  }
  const count = earlier.length + kids.length;
  if (count > SIGNATURES_MAX) {
    throw refuseSuit('suit.signatures', `there would be ${count} signatures`);
  }
}

function maySign(root: RootSet, kid: Uint8Array): boolean {
  const roles = ['release', 'release-ml-dsa-65'] as const;
  return roles.some((role) => keyInRole(root, role, kid) !== undefined);
}
