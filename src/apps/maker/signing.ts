/** Signing a finished bundle as one more key holder: one team packs, another signs what it checked. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { SIGNATURE_FILE_BYTES_MAX, SIGNING_BUNDLE_BYTES_MAX } from '../../core/base/limits.ts';
import { readSignature } from '../../core/crypto/detached-signature.ts';
import type { Signer } from '../../core/crypto/ed25519.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';
import {
  addSignatures,
  requestSignature,
  type SignedAgain,
  type SigningRequest,
} from '../../core/trust/add-signatures.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { readFileBounded } from '../../host/store/files.ts';

/**
 * The bundle with one signature more for every signer. It is read once: what was verified is what is
 * signed and given out. Faults: those of `addSignatures`, `store.*`, `crypto.*`.
 */
export function signBundle(
  path: string,
  signers: readonly Signer[],
  root: RootSet | undefined,
): Result<SignedAgain> {
  return attempt(() => need(addSignatures(bundleAt(path), signers, root)));
}

/** The bytes that a key elsewhere has to sign. Faults: as `signBundle`. */
export function requestBundleSignature(
  path: string,
  publicKey: Uint8Array,
  root: RootSet | undefined,
): Result<SigningRequest> {
  return attempt(() => need(requestSignature(bundleAt(path), publicKey, root)));
}

/** Faults: `store.*`, `crypto.signature-file`. */
export function openSignature(path: string): Result<Uint8Array> {
  return attempt(() => need(readSignature(need(readFileBounded(path, SIGNATURE_FILE_BYTES_MAX)))));
}

function bundleAt(path: string): Uint8Array {
  need(cryptoSelfTest());
  need(signingSelfTest());
  return need(readFileBounded(path, SIGNING_BUNDLE_BYTES_MAX));
}
