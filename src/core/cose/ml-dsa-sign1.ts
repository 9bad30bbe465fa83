/**
 * COSE_Sign1 with ML-DSA-65 (RFC 9964) in the one profile that bundles carry beside their Ed25519
 * blocks: tag 18, protected header {1 alg: -49, 4 kid: RFC 9679 thumbprint}, an empty unprotected
 * header, a detached payload, no external data, a 3,309-byte signature.
 */
import { toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { ML_DSA_BLOCK_BYTES_MAX, SIGNATURE_BLOCK_BYTES_MAX } from '../base/limits.ts';
import type { SignatureCheck, Signer } from '../crypto/ed25519.ts';
import { ML_DSA_65_SIGNATURE_BYTES, verifyMlDsa } from '../crypto/ml-dsa.ts';
import { decodeCbor } from './decode.ts';
import { encodeCbor } from './encode.ts';
import { refuseCose } from './faults.ts';
import { claimedKid, HEADER_ALG, HEADER_KID, SIGN1_TAG, toBeSigned } from './sign1.ts';
import { CborTag, cborMap } from './value.ts';

const ALG_ML_DSA_65 = -49;
const THUMBPRINT_BYTES = 32;
const NO_AAD = new Uint8Array(0);

/** By its size: neither kind of block can have the size of the other. */
export function isMlDsaBlock(block: Uint8Array): boolean {
  return block.length > SIGNATURE_BLOCK_BYTES_MAX;
}

/** The claimed thumbprint of a block of either kind, for choosing and showing only. */
export function claimedSigner(block: Uint8Array): Result<Uint8Array> {
  return isMlDsaBlock(block) ? attempt(() => partsOf(block).kid) : claimedKid(block);
}

export function mlDsaSign1(payload: Uint8Array, signer: Signer): Uint8Array {
  const header = encodeCbor(cborMap([HEADER_ALG, ALG_ML_DSA_65], [HEADER_KID, signer.thumbprint]));
  const signature = signer.sign(toBeSigned(header, NO_AAD, payload));
  return encodeCbor(new CborTag(SIGN1_TAG, [header, new Map(), null, signature]));
}

/** The signer of the detached payload. Faults: `cbor.*`, `cose.*`, `crypto.*`. */
export function openMlDsaSign1(
  block: Uint8Array,
  payload: Uint8Array,
  keyOf: (kid: Uint8Array) => Uint8Array | undefined,
  signatureCheck: SignatureCheck = verifyMlDsa,
): Result<Uint8Array> {
  return attempt(() => {
    const { header, kid, signature } = partsOf(block);
    const publicKey = keyOf(kid);
    if (publicKey === undefined) {
      throw refuseCose('cose.unknown-key', `the signer ${toHex(kid)} is not known for this use`);
    }
    need(signatureCheck(signature, toBeSigned(header, NO_AAD, payload), publicKey));
    return kid;
  });
}

function partsOf(block: Uint8Array): {
  readonly header: Uint8Array;
  readonly kid: Uint8Array;
  readonly signature: Uint8Array;
} {
  const value = need(decodeCbor(block, { tags: [SIGN1_TAG], bytesMax: ML_DSA_BLOCK_BYTES_MAX }));
  const list = value instanceof CborTag && Array.isArray(value.value) ? value.value : undefined;
  if (list?.length !== 4) throw refuseCose('cose.not-sign1', 'no COSE_Sign1 with tag 18');
  const [header, unprotected, payload, signature]: readonly unknown[] = list;
  if (!(header instanceof Uint8Array) || !(signature instanceof Uint8Array)) {
    throw refuseCose('cose.malformed', 'the header and the signature must be byte strings');
  }
  if (!(unprotected instanceof Map) || unprotected.size !== 0) {
    throw refuseCose('cose.header', 'the unprotected header must be empty');
  }
  if (payload !== null) throw refuseCose('cose.payload', 'the payload must be detached');
  if (signature.length !== ML_DSA_65_SIGNATURE_BYTES) {
    throw refuseCose('cose.malformed', `a signature of ${signature.length} bytes`);
  }
  return { header, kid: kidIn(header), signature };
}

function kidIn(bytes: Uint8Array): Uint8Array {
  const header = need(decodeCbor(bytes));
  if (!(header instanceof Map)) throw refuseCose('cose.malformed', 'the header is not a map');
  const algorithm = header.get(HEADER_ALG);
  if (algorithm !== ALG_ML_DSA_65) {
    throw refuseCose('cose.algorithm', `the algorithm is ${String(algorithm)}`);
  }
  const kid = header.get(HEADER_KID);
  if (!(kid instanceof Uint8Array) || kid.length !== THUMBPRINT_BYTES || header.size !== 2) {
    throw refuseCose('cose.header', 'the header is {alg, kid: a SHA-256 thumbprint}');
  }
  return kid;
}
