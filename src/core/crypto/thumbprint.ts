/** COSE key thumbprints (RFC 9679): what a key is called everywhere in Edgeward. */
import { concatBytes, fromHex } from '../base/bytes.ts';
import { sha256 } from './digest.ts';

// {1: 1 (OKP), -1: 6 (Ed25519), -2: bstr .size 32}, deterministic: only x is not fixed.
const OKP_ED25519_PREFIX = fromHex('a301012006215820') as Uint8Array;
// {1: 7 (AKP), 3: -49 (ML-DSA-65), -1: bstr .size 1952} (RFC 9964 section 6).
const AKP_ML_DSA_65_PREFIX = fromHex('a30107033830205907a0') as Uint8Array;
const ML_DSA_65_PUBLIC_KEY_BYTES = 1952;

/** SHA-256 over the deterministic COSE_Key of an Ed25519 (32 bytes) or ML-DSA-65 key (1,952). */
export function thumbprintOf(publicKey: Uint8Array): Uint8Array {
  return sha256(coseKeyBytes(publicKey));
}

/** The deterministic COSE_Key with its required members only (RFC 9679 section 4.1). */
export function coseKeyBytes(publicKey: Uint8Array): Uint8Array {
  const isMlDsa = publicKey.length === ML_DSA_65_PUBLIC_KEY_BYTES;
  return concatBytes(isMlDsa ? AKP_ML_DSA_65_PREFIX : OKP_ED25519_PREFIX, publicKey);
}
