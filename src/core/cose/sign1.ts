/**
 * COSE_Sign1 (RFC 9052 section 4.2) in the one profile Edgeward writes: tag 18, protected header
 * {1 alg: -19 (Ed25519, RFC 9864), 4 kid: RFC 9679 thumbprint, 16 typ: text (RFC 9596) where the
 * use has one}, an empty unprotected header, a 64-byte signature.
 */
import { toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { SIGNATURE_BLOCK_BYTES_MAX } from '../base/limits.ts';
import type { SignatureCheck, Signer } from '../crypto/ed25519.ts';
import { ED25519_SIGNATURE_BYTES, verifyStrict } from '../crypto/ed25519.ts';
import { decodeCbor } from './decode.ts';
import { encodeCbor } from './encode.ts';
import { refuseCose } from './faults.ts';
import { CborTag, type CborValue, cborMap } from './value.ts';

export const SIGN1_TAG = 18;
const ALG_ED25519 = -19;
export const HEADER_ALG = 1;
export const HEADER_KID = 4;
const HEADER_TYP = 16;
const THUMBPRINT_BYTES = 32;

export interface SignInput {
  readonly payload: Uint8Array;
  /** The payload travels beside the signature, not in it. */
  readonly detached?: boolean;
  readonly typ?: string;
  readonly externalAad: Uint8Array;
  readonly signer: Signer;
}

export function sign1(input: SignInput): Uint8Array {
  const header = encodeCbor(
    cborMap(
      [HEADER_ALG, ALG_ED25519],
      [HEADER_KID, input.signer.thumbprint],
      [HEADER_TYP, input.typ],
    ),
  );
  const signature = input.signer.sign(toBeSigned(header, input.externalAad, input.payload));
  const payload = input.detached ? null : input.payload;
  return encodeCbor(new CborTag(SIGN1_TAG, [header, new Map(), payload, signature]));
}

export interface OpenInput {
  readonly typ?: string;
  readonly externalAad: Uint8Array;
  /** Given exactly when the payload must be detached. */
  readonly detachedPayload?: Uint8Array;
  /** The public key for a thumbprint, when the caller knows and trusts it for this use. */
  readonly keyOf: (kid: Uint8Array) => Uint8Array | undefined;
  /** `verifyStrict` unless another is named. */
  readonly signatureCheck?: SignatureCheck | undefined;
  /** Of the whole block, with its payload where that is attached. */
  readonly bytesMax?: number;
}

export interface Opened {
  readonly payload: Uint8Array;
  readonly kid: Uint8Array;
}

/** Faults: `cbor.*`, `cose.*`, `crypto.*`. Nothing of the payload is read before it verified. */
export function openSign1(bytes: Uint8Array, input: OpenInput): Result<Opened> {
  return attempt(() => {
    const bytesMax = input.bytesMax ?? SIGNATURE_BLOCK_BYTES_MAX;
    const parts = sign1Parts(need(decodeCbor(bytes, { tags: [SIGN1_TAG], bytesMax })));
    const kid = readHeader(parts.header, input.typ);
    const payload = payloadOf(parts.payload, input.detachedPayload);
    const publicKey = input.keyOf(kid);
    if (publicKey === undefined) {
      throw refuseCose('cose.unknown-key', `the signer ${toHex(kid)} is not known for this use`);
    }
    const signed = toBeSigned(parts.header, input.externalAad, payload);
    need((input.signatureCheck ?? verifyStrict)(parts.signature, signed, publicKey));
    return { payload, kid };
  });
}

/** The signer's claimed thumbprint, before anything is verified; for choosing and showing only. */
export function claimedKid(bytes: Uint8Array): Result<Uint8Array> {
  return attempt(() => {
    const value = need(
      decodeCbor(bytes, { tags: [SIGN1_TAG], bytesMax: SIGNATURE_BLOCK_BYTES_MAX }),
    );
    return readHeader(sign1Parts(value).header, undefined);
  });
}

/** RFC 9052 4.4: Sig_structure = ["Signature1", body_protected, external_aad, payload]. */
export function toBeSigned(header: Uint8Array, aad: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', header, aad, payload]);
}

function sign1Parts(value: CborValue): {
  header: Uint8Array;
  payload: CborValue;
  signature: Uint8Array;
} {
  const list = value instanceof CborTag && Array.isArray(value.value) ? value.value : undefined;
  if (list?.length !== 4) throw refuseCose('cose.not-sign1', 'no COSE_Sign1 with tag 18');
  const [header, unprotected, payload, signature] = list as readonly CborValue[];
  if (!(header instanceof Uint8Array) || !(signature instanceof Uint8Array)) {
    throw refuseCose('cose.malformed', 'the header and the signature must be byte strings');
  }
  // Whatever is not protected by the signature has no place here.
  if (!(unprotected instanceof Map) || unprotected.size !== 0) {
    throw refuseCose('cose.header', 'the unprotected header must be empty');
  }
  if (signature.length !== ED25519_SIGNATURE_BYTES) {
    throw refuseCose('cose.malformed', `a signature of ${signature.length} bytes`);
  }
  return { header, payload: payload as CborValue, signature };
}

function readHeader(bytes: Uint8Array, typ: string | undefined): Uint8Array {
  const header = need(decodeCbor(bytes));
  if (!(header instanceof Map)) throw refuseCose('cose.malformed', 'the header is not a map');
  const algorithm = header.get(HEADER_ALG);
  if (algorithm !== ALG_ED25519) {
    throw refuseCose('cose.algorithm', `the algorithm is ${String(algorithm)}`);
  }
  const kid = header.get(HEADER_KID);
  if (!(kid instanceof Uint8Array) || kid.length !== THUMBPRINT_BYTES) {
    throw refuseCose('cose.header', 'the key id must be a SHA-256 thumbprint');
  }
  const claimed = header.get(HEADER_TYP);
  if (claimed !== typ) {
    throw refuseCose('cose.type', `made for ${String(claimed)}, expected ${String(typ)}`);
  }
  if (header.size !== (typ === undefined ? 2 : 3)) {
    throw refuseCose('cose.header', 'unknown members in the protected header');
  }
  return kid;
}

/** The payload from the one place where it must be. Fault: `cose.payload`. */
export function payloadOf(
  attached: CborValue | undefined,
  detached: Uint8Array | undefined,
): Uint8Array {
  if (detached !== undefined) {
    if (attached !== null) throw refuseCose('cose.payload', 'the payload must be detached');
    return detached;
  }
  if (!(attached instanceof Uint8Array)) {
    throw refuseCose('cose.payload', 'the payload must be attached');
  }
  return attached;
}
