/** Signing a finished bundle as one more key holder: one team packs, another signs what it checked. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { SIGNING_BUNDLE_BYTES_MAX } from '../../core/base/limits.ts';
import type { PrivateKeyFile } from '../../core/crypto/pem.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';
import { addSignatures, type SignedAgain } from '../../core/trust/add-signatures.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { readFileBounded } from '../../host/store/files.ts';

/**
 * The bundle with one signature more for every key. It is read once: what was verified is what is
 * signed and given out. Faults: those of `addSignatures`, `store.*`, `crypto.*`.
 */
export function signBundle(
  path: string,
  keys: readonly PrivateKeyFile[],
  root: RootSet | undefined,
): Result<SignedAgain> {
  return attempt(() => {
    need(cryptoSelfTest());
    need(signingSelfTest());
    const bundle = need(readFileBounded(path, SIGNING_BUNDLE_BYTES_MAX));
    return need(
      addSignatures(
        bundle,
        keys.map(({ signer }) => signer),
        root,
      ),
    );
  });
}
