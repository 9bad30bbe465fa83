/** `edgeward verify`: exit 0 for a bundle that may be installed, or the fault that says why not. */

import { say, sayJson, styled } from './terminal.ts';
import { identityOf, openTrusted, type TrustOptions, warnDevelopment } from './trusted-bundle.ts';

export interface VerifyCommandOptions extends TrustOptions {
  readonly secondOpinion?: boolean;
}

export async function verify(file: string, options: VerifyCommandOptions): Promise<void> {
  const signatureCheck =
    options.secondOpinion === true
      ? (await import('../../core/crypto/second-opinion.ts')).verifyTwice
      : undefined;
  const bundle = openTrusted(file, 'install', options, { signatureCheck });
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
