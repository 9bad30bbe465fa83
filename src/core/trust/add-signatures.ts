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
import { claimedKid } from '../cose/sign1.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { openEnvelope, withSignatures } from '../suit/envelope.ts';
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
    const source = bytesSource(bundle);
    const entry = need(readManifestEntry(source));
    const envelope = need(openEnvelope(entry.bytes));
    if (root !== undefined) verifySigners(envelope, root);
    const meta = verifyMetadata(envelope, need(parseManifest(envelope.manifest)));
    need(walkPayloads(source, entry.endOffset, meta.files, { keep: () => false }));
    const earlier = envelope.signatures.map((block) => need(claimedKid(block)));
    checkNew(earlier, signers, root);
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
        bundle.subarray(entry.endOffset),
      ),
      meta,
      manifestSha256,
      signers: [...earlier, ...signers.map(({ thumbprint }) => thumbprint)],
    };
  });
}

function checkNew(
  earlier: readonly Uint8Array[],
  signers: readonly Signer[],
  root: RootSet | undefined,
): void {
  const seen = new Set(earlier.map(toHex));
  if (seen.size < earlier.length) {
    throw refuseTrust('trust.duplicate-signature', 'one key has signed this bundle twice');
  }
  for (const { thumbprint } of signers) {
    const kid = toHex(thumbprint);
    if (seen.has(kid)) {
      throw refuseTrust('trust.duplicate-signature', `${kid} has signed this bundle already`);
    }
    seen.add(kid);
    if (root !== undefined && keyInRole(root, 'release', thumbprint) === undefined) {
      throw refuseTrust('trust.unauthorised', `${kid} is no release key of this root`);
    }
  }
  const count = earlier.length + signers.length;
  if (count > SIGNATURES_MAX) {
    throw refuseSuit('suit.signatures', `there would be ${count} signatures`);
  }
}
