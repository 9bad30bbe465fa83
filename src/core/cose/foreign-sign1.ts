/**
 * COSE_Sign1 (RFC 9052 section 4.2) as others write it, for import only: what a device trusts is
 * read by `sign1.ts` in its one profile. Accepted here besides: ES256 (-7) and EdDSA (-8), a block
 * without its tag, headers that nobody protected. Refused as there: CBOR that is not deterministic,
 * `crit`, and every other algorithm; COSE_Sign and Ed448 by name.
 *
 * The key decides which algorithm may verify with it (RFC 9052 section 8): an algorithm named
 * outside the protected header can therefore not be exchanged for a weaker one.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { type EcdsaCurve, verifyEcdsa } from '../crypto/ecdsa.ts';
import { ED25519_SIGNATURE_BYTES, verifyStrict } from '../crypto/ed25519.ts';
import { decodeCbor } from './decode.ts';
import { refuseCose } from './faults.ts';
import { HEADER_ALG, HEADER_KID, payloadOf, SIGN1_TAG, toBeSigned } from './sign1.ts';
import { CborTag, type CborValue } from './value.ts';

const SIGN_TAG = 98;
const HEADER_CRIT = 2;
const ALG_EDDSA = -8;
const CURVE_OF: ReadonlyMap<CborValue | undefined, ForeignKey['curve']> = new Map([
  [-7, 'P-256'],
  [ALG_EDDSA, 'Ed25519'],
  [-19, 'Ed25519'],
] as const);
/** Of ES256 and of Ed25519 alike. */
const SIGNATURE_BYTES = ED25519_SIGNATURE_BYTES;
const ED448_SIGNATURE_BYTES = 114;

type Header = ReadonlyMap<unknown, CborValue>;

export interface ForeignKey {
  readonly curve: 'Ed25519' | EcdsaCurve;
  /** 32 bytes for Ed25519; the uncompressed point (65 bytes) for P-256. */
  readonly publicKey: Uint8Array;
}

export interface ForeignInput {
  readonly externalAad: Uint8Array;
  /** Given exactly when the payload must be detached. */
  readonly detachedPayload?: Uint8Array;
  /** The key for a key id, which nobody may have protected and which may be absent. */
  readonly keyOf: (kid: Uint8Array | undefined) => ForeignKey | undefined;
  /** Of the whole block, with its payload where that is attached. */
  readonly bytesMax: number;
}

export interface ForeignOpened {
  readonly payload: Uint8Array;
  readonly kid: Uint8Array | undefined;
}

/** Faults: `cbor.*`, `cose.*`, `crypto.*`. Nothing of the payload is read before it verified. */
export function openForeignSign1(bytes: Uint8Array, input: ForeignInput): Result<ForeignOpened> {
  return attempt(() => {
    const { bytesMax } = input;
    const block = need(decodeCbor(bytes, { tags: [SIGN1_TAG, SIGN_TAG], bytesMax }));
    if (block instanceof CborTag && block.tag === SIGN_TAG) throw refusalOfSign(block.value);
    const [body, unprotected, content, signature] = parts(block, 4);
    const { kid, curve } = readHeaders(body, unprotected, signature);
    const payload = payloadOf(content, input.detachedPayload);
    const key = input.keyOf(kid);
    if (key === undefined) throw refuseCose('cose.unknown-key', 'the signer is not known here');
    if (key.curve !== curve) {
      throw refuseCose('cose.algorithm', `made with ${curve}, the key is one of ${key.curve}`);
    }
    // RFC 9052 section 3: an empty map is signed as no bytes at all, however it was sent.
    const header = headerOf(body).size === 0 ? new Uint8Array(0) : bstr(body);
    const signed = toBeSigned(header, input.externalAad, payload);
    if (curve === 'Ed25519') need(verifyStrict(bstr(signature), signed, key.publicKey));
    else need(verifyEcdsa(curve, bstr(signature), signed, key.publicKey));
    return { payload, kid };
  });
}

/** Says which of two reasons it is: the signers alone, or signers that nobody here could verify. */
function refusalOfSign(value: CborValue): Error {
  const [, , , signers] = parts(value, 4);
  if (!Array.isArray(signers)) throw refuseCose('cose.malformed', 'a COSE_Sign without signers');
  for (const signer of signers as readonly CborValue[]) {
    const [body, unprotected, signature] = parts(signer, 3);
    readHeaders(body, unprotected, signature);
  }
  return refuseCose('cose.not-sign1', `a COSE_Sign with ${signers.length} signers`);
}

function readHeaders(
  body: CborValue | undefined,
  unprotected: CborValue | undefined,
  signature: CborValue | undefined,
): { kid: Uint8Array | undefined; curve: ForeignKey['curve'] } {
  const inner = headerOf(body);
  if (!(unprotected instanceof Map)) throw refuseCose('cose.malformed', 'a header is not a map');
  const outer: Header = unprotected;
  // RFC 9052 section 3: a label that occurs in both would mean whatever the reader likes.
  for (const label of outer.keys()) {
    if (inner.has(label)) throw refuseCose('cose.header', `the label ${label} is there twice`);
  }
  const header = new Map([...inner, ...outer]);
  if (header.has(HEADER_CRIT)) throw refuseCose('cose.header', 'crit names headers to understand');
  const algorithm = header.get(HEADER_ALG);
  const curve = CURVE_OF.get(algorithm);
  if (curve === undefined) {
    throw refuseCose('cose.algorithm', `the algorithm is ${String(algorithm)}`);
  }
  const { length } = bstr(signature);
  if (algorithm === ALG_EDDSA && length === ED448_SIGNATURE_BYTES) {
    throw refuseCose('cose.curve', 'a signature of 114 bytes: EdDSA over Ed448');
  }
  if (length !== SIGNATURE_BYTES) {
    throw refuseCose('cose.malformed', `a signature of ${length} bytes`);
  }
  const kid = header.get(HEADER_KID);
  return { kid: kid === undefined ? undefined : bstr(kid), curve };
}

/** The protected header: no bytes, or a map in a byte string. */
function headerOf(body: CborValue | undefined): Header {
  const bytes = bstr(body);
  if (bytes.length === 0) return new Map();
  const header = need(decodeCbor(bytes));
  if (header instanceof Map) return header;
  throw refuseCose('cose.malformed', 'the protected header is not a map');
}

function parts(value: CborValue, count: number): readonly CborValue[] {
  const list: unknown = value instanceof CborTag ? value.value : value;
  if (Array.isArray(list) && list.length === count) return list;
  throw refuseCose('cose.not-sign1', `no list of ${count} parts`);
}

function bstr(value: CborValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw refuseCose('cose.malformed', 'a byte string is missing in the block');
}
