/** The closed fault codes of the COSE and CBOR room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type CoseFaultCode =
  | 'cbor.truncated'
  | 'cbor.trailing'
  | 'cbor.not-minimal'
  | 'cbor.indefinite'
  | 'cbor.reserved'
  | 'cbor.tag'
  | 'cbor.simple'
  | 'cbor.float'
  | 'cbor.utf8'
  | 'cbor.key-type'
  | 'cbor.key-order'
  | 'cbor.key-duplicate'
  | 'cbor.depth'
  | 'cbor.items'
  | 'cbor.size'
  | 'cose.malformed'
  | 'cose.not-sign1'
  | 'cose.algorithm'
  | 'cose.curve'
  | 'cose.header'
  | 'cose.type'
  | 'cose.payload'
  | 'cose.unknown-key';

const NOT_OURS =
  'The bytes are not deterministic CBOR (RFC 8949 4.2.1): get the file from its maker.';

export const COSE_FAULTS: FaultTable<CoseFaultCode> = {
  'cbor.truncated': 'The bytes end early: fetch the file again and compare its size.',
  'cbor.trailing': 'Bytes follow the end of the document: fetch the file again.',
  'cbor.not-minimal': NOT_OURS,
  'cbor.indefinite': NOT_OURS,
  'cbor.reserved': NOT_OURS,
  'cbor.tag': 'The document holds a tag that has no place there: make it with this version.',
  'cbor.simple':
    'Only false, true and null are simple values here: make the file with this version.',
  'cbor.float': NOT_OURS,
  'cbor.utf8': 'A text is not valid UTF-8: make the file again.',
  'cbor.key-type': 'Map keys are whole numbers or texts here: make the file with this version.',
  'cbor.key-order': NOT_OURS,
  'cbor.key-duplicate': NOT_OURS,
  'cbor.depth': 'The document nests deeper than the limit: make it with this version.',
  'cbor.items': 'The document holds more items than the limit: make it smaller.',
  'cbor.size': 'The document is larger than the limit: make it smaller.',
  'cose.malformed': 'The signature block is damaged: get the file from its maker again.',
  'cose.not-sign1': 'Only COSE_Sign1 is accepted, one signer in a block: sign with `edgeward`.',
  'cose.algorithm':
    'Only Ed25519 (-19, RFC 9864) is accepted, and ES256 on import: sign with `edgeward`.',
  'cose.curve': 'Of EdDSA only Ed25519 is accepted: ask the signer for such a signature.',
  'cose.header': 'A header holds members that have no place in it: sign with `edgeward`.',
  'cose.type': 'The signature was made for another kind of document: give the right file.',
  'cose.payload': 'The payload is attached where it must be detached, or the reverse: sign again.',
  'cose.unknown-key':
    'No key with this thumbprint is known here: enrol the signer, or get the file from a known one.',
};

export const refuseCose: (code: CoseFaultCode, message: string) => Refusal = refusing(COSE_FAULTS);
