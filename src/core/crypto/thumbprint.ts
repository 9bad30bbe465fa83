/** COSE key thumbprints (RFC 9679): what a key is called everywhere in Edgeward. */
import { concatBytes, fromHex } from '../base/bytes.ts';
import { sha256 } from './digest.ts';

// {1: 1 (OKP), -1: 6 (Ed25519), -2: bstr .size 32}, deterministic: only x is not fixed.
const OKP_ED25519_PREFIX = fromHex('a301012006215820') as Uint8Array;

/** SHA-256 over the deterministic COSE_Key of an Ed25519 public key (32 bytes). */
export function thumbprintOf(publicKey: Uint8Array): Uint8Array {
  return sha256(coseKeyBytes(publicKey));
}

/** The deterministic COSE_Key with its required members only (RFC 9679 section 4.1). */
export function coseKeyBytes(publicKey: Uint8Array): Uint8Array {
  return concatBytes(OKP_ED25519_PREFIX, publicKey);
}
