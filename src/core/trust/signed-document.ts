/**
 * Documents that several keys sign: `[payload, [COSE_Sign1, ...]]`, every block detached and over
 * the same payload. Roots and revocation lists have this form, so that a key holder adds a signature
 * on another machine without touching a byte that others signed.
 */
import { compareBytes, equalBytes, toHex } from '../base/bytes.ts';
import { need } from '../base/fault.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { openSign1, sign1 } from '../cose/sign1.ts';
import type { CborValue } from '../cose/value.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { refuseTrust, type TrustFaultCode } from './faults.ts';

export interface DocumentKind {
  readonly typ: string;
  readonly externalAad: Uint8Array;
  readonly bytesMax: number;
  readonly signaturesMax: number;
  readonly malformed: TrustFaultCode;
}

export interface SignedDocument {
  readonly payload: Uint8Array;
  readonly blocks: readonly Uint8Array[];
}

/** Takes the document apart, nothing verified. Refuses with `cbor.*` and the kind's `malformed`. */
export function openDocument(bytes: Uint8Array, kind: DocumentKind): SignedDocument {
  const parts = need(decodeCbor(bytes, { bytesMax: kind.bytesMax }));
  const [payload, blocks] = Array.isArray(parts) && parts.length === 2 ? parts : [];
  if (!(payload instanceof Uint8Array) || !Array.isArray(blocks)) {
    throw refuseTrust(kind.malformed, 'the document is not [payload, signatures]');
  }
  if (blocks.length > kind.signaturesMax) {
    throw refuseTrust(kind.malformed, `more than ${kind.signaturesMax} signatures`);
  }
  return { payload, blocks: (blocks as readonly CborValue[]).map((block) => bytesOf(block, kind)) };
}

/**
 * The distinct thumbprints of all signers. A block that does not verify under a key that `keyOf`
 * knows refuses the document, as a second one of the same key does. Refuses with `cose.*`,
 * `crypto.*`, `trust.duplicate-signature`.
 */
export function verifiedSigners(
  { payload, blocks }: SignedDocument,
  kind: DocumentKind,
  keyOf: (kid: Uint8Array) => Uint8Array | undefined,
): readonly Uint8Array[] {
  const seen = new Set<string>();
  return blocks.map((block) => {
    const { typ, externalAad } = kind;
    const { kid } = need(openSign1(block, { typ, externalAad, detachedPayload: payload, keyOf }));
    // go-tuf #369: a threshold counts distinct keys, never signatures.
    if (seen.has(toHex(kid))) {
      throw refuseTrust('trust.duplicate-signature', `${toHex(kid)} signed twice`);
    }
    seen.add(toHex(kid));
    return kid;
  });
}

/** The document with a block more for every signer. */
export function signedDocument(
  { payload, blocks }: SignedDocument,
  kind: DocumentKind,
  signers: readonly Signer[],
): Uint8Array {
  const { typ, externalAad } = kind;
  const more = signers.map((signer) =>
    sign1({ payload, detached: true, typ, externalAad, signer }),
  );
  return assembled(payload, [...blocks, ...more]);
}

/**
 * The signatures of both copies, one for each signer; `undefined` where the copies hold different
 * payloads. `verifiedSigners` gave the signers, in the order of the blocks.
 */
export function mergedDocument(
  a: SignedDocument & { readonly signers: readonly Uint8Array[] },
  b: SignedDocument & { readonly signers: readonly Uint8Array[] },
): Uint8Array | undefined {
  if (!equalBytes(a.payload, b.payload)) return undefined;
  const known = new Set(a.signers.map(toHex));
  const fresh = b.blocks.filter((_, i) => !known.has(toHex(b.signers[i] as Uint8Array)));
  return assembled(a.payload, [...a.blocks, ...fresh]);
}

// Blocks of one kind differ first in their signer, so this is the order of the signers: whoever
// collects the signatures, and in whatever order, has the same file.
function assembled(payload: Uint8Array, blocks: readonly Uint8Array[]): Uint8Array {
  return encodeCbor([payload, blocks.toSorted(compareBytes)]);
}

function bytesOf(block: CborValue, kind: DocumentKind): Uint8Array {
  if (block instanceof Uint8Array) return block;
  throw refuseTrust(kind.malformed, 'a signature block is no byte string');
}
