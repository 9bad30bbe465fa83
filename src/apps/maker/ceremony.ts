/**
 * The ceremony of documents that several people sign, each on a machine of their own: a root, a
 * revocation list. What is there is verified before anything is added.
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { bytesToSign } from '../../core/crypto/detached-signature.ts';
import type { Signer } from '../../core/crypto/ed25519.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';

/** The document with one signature more: `addRootSignature`, `addRevocationSignature`. */
export type AddSignature = (document: Uint8Array, signer: Signer) => Result<Uint8Array>;

/** Faults: those of `add`, `crypto.self-test`. */
export function signDocument(
  document: Uint8Array,
  signers: readonly Signer[],
  add: AddSignature,
): Result<Uint8Array> {
  return attempt(() => {
    selfTests();
    return signers.reduce((signed, signer) => need(add(signed, signer)), document);
  });
}

/** The exact bytes that a key elsewhere has to sign. Faults: as above. */
export function requestDocumentSignature(
  document: Uint8Array,
  publicKey: Uint8Array,
  add: AddSignature,
): Result<Uint8Array> {
  return attempt(() => {
    selfTests();
    return need(bytesToSign(publicKey, (signer) => add(document, signer)));
  });
}

function selfTests(): void {
  need(cryptoSelfTest());
  need(signingSelfTest());
}
