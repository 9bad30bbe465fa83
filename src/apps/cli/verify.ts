/** `edgeward verify`: exit 0 for a bundle that may be installed, or the fault that says why not. */

import type { SignatureCheck } from '../../core/crypto/ed25519.ts';
import { say, sayJson, styled } from './terminal.ts';
import { identityOf, openTrusted, type TrustOptions, warnDevelopment } from './trusted-bundle.ts';

/** `signatureCheck` is `verifyStrict` unless another is named. */
export async function verify(
  file: string,
  options: TrustOptions,
  signatureCheck?: SignatureCheck,
): Promise<void> {
  const bundle = await openTrusted(file, 'install', options, { signatureCheck });
  const identity = identityOf(bundle);
  if (options.json === true) {
    sayJson({ verified: true, ...identity });
    return;
  }
  const { name, version, securityVersion, manifestSha256, signers } = identity;
  say(`${styled('green', 'verified')} ${name} ${version}, security version ${securityVersion}`);
  say(`  manifest ${manifestSha256}`);
  for (const signer of signers) say(`  signed by ${signer}`);
  warnDevelopment(bundle);
}
