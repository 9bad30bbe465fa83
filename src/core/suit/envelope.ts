/**
 * The SUIT envelope (tag 107) of a bundle: `{2: authentication wrapper, 3: manifest, "#meta": bstr}`
 * and nothing else. The wrapper holds the digest of the bstr-wrapped manifest and one to eight
 * detached COSE_Sign1 over that digest (draft-ietf-suit-manifest-37 section 5.2).
 */
import { equalBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { MANIFEST_BYTES_MAX, ML_DSA_SIGNATURES_MAX, SIGNATURES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { isMlDsaBlock, mlDsaSign1 } from '../cose/ml-dsa-sign1.ts';
import { sign1 } from '../cose/sign1.ts';
import { CborTag, type CborValue, cborMap } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { isMlDsaKey } from '../crypto/ml-dsa.ts';
import { decodeDigest, encodeDigest } from './digest.ts';
import { refuseSuit } from './faults.ts';
import { bstr } from './manifest.ts';

const ENVELOPE_TAG = 107;
const AUTHENTICATION = 2;
const MANIFEST = 3;
export const META_URI = '#meta';
// SUIT signatures have no external data of their own (section 5.2).
export const SUIT_AAD: Uint8Array = new Uint8Array(0);

export interface SuitEnvelope {
  /** The signed bytes: an encoded SUIT_Digest of the wrapped manifest. */
  readonly signedDigest: Uint8Array;
  /** SHA-256 of the wrapped manifest: the name of the release everywhere in Edgeward. */
  readonly manifestSha256: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly manifest: Uint8Array;
  readonly meta: Uint8Array;
}

/** Signs the manifest with every signer, in the order given. */
export function sealEnvelope(
  manifest: Uint8Array,
  meta: Uint8Array,
  signers: readonly Signer[],
): Uint8Array {
  const signedDigest = encodeDigest(sha256(encodeCbor(manifest)));
  return assemble({ signedDigest, manifest, meta }, signaturesOf(signedDigest, signers));
}

/** The same digest, manifest and metadata, byte for byte, with signatures after those it has. */
export function withSignatures(envelope: SuitEnvelope, signers: readonly Signer[]): Uint8Array {
  const more = signaturesOf(envelope.signedDigest, signers);
  return assemble(envelope, [...envelope.signatures, ...more]);
}

/**
 * Takes the envelope apart and checks the digest; the signatures are for the trust room, which
 * must judge them before anything else is read. Faults: `cbor.*`, `suit.*`.
 */
export function openEnvelope(bytes: Uint8Array): Result<SuitEnvelope> {
  return attempt(() => {
    const tagged = need(decodeCbor(bytes, { tags: [ENVELOPE_TAG], bytesMax: MANIFEST_BYTES_MAX }));
    const members = tagged instanceof CborTag ? tagged.value : undefined;
    // Severable, unreferenced and unknown members are outside the profile.
    if (!(members instanceof Map) || members.size !== 3) {
      throw refuseSuit('suit.malformed', 'an envelope has three members: 2, 3 and "#meta"');
    }
    const manifest = bstr(members.get(MANIFEST));
    const wrapper = need(decodeCbor(bstr(members.get(AUTHENTICATION))));
    const blocks = Array.isArray(wrapper) ? (wrapper as readonly CborValue[]).map(bstr) : [];
    const [signedDigest, ...signatures] = blocks;
    if (signedDigest === undefined) {
      throw refuseSuit('suit.malformed', 'the authentication wrapper is empty');
    }
    if (signatures.length < 1 || signatures.length > SIGNATURES_MAX) {
      throw refuseSuit('suit.signatures', `${signatures.length} signature blocks`);
    }
    const large = signatures.filter(isMlDsaBlock).length;
    if (large > ML_DSA_SIGNATURES_MAX) {
      throw refuseSuit('suit.signatures', `${large} signature blocks of ML-DSA-65`);
    }
    const manifestSha256 = sha256(encodeCbor(manifest));
    if (!equalBytes(need(decodeDigest(signedDigest)), manifestSha256)) {
      throw refuseSuit('suit.digest', 'the manifest does not match the signed digest');
    }
    const meta = bstr(members.get(META_URI));
    return { signedDigest, manifestSha256, signatures, manifest, meta };
  });
}

function signaturesOf(signedDigest: Uint8Array, signers: readonly Signer[]): Uint8Array[] {
  return signers.map((signer) =>
    isMlDsaKey(signer.publicKey)
      ? mlDsaSign1(signedDigest, signer)
      : sign1({ payload: signedDigest, detached: true, externalAad: SUIT_AAD, signer }),
  );
}

function assemble(
  parts: Pick<SuitEnvelope, 'signedDigest' | 'manifest' | 'meta'>,
  signatures: readonly Uint8Array[],
): Uint8Array {
  const wrapper = encodeCbor([parts.signedDigest, ...signatures]);
  return encodeCbor(
    new CborTag(
      ENVELOPE_TAG,
      cborMap([AUTHENTICATION, wrapper], [MANIFEST, parts.manifest], [META_URI, parts.meta]),
    ),
  );
}
