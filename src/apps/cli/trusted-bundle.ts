/** What `verify` and `infer` share: a bundle, the root it is held against, and how it is called. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { Detection } from '../../core/bundle/metadata.ts';
import { cryptoSelfTest } from '../../core/crypto/self-test.ts';
import type { Act, TrustProfile } from '../../core/trust/admissible.ts';
import { EMPTY_FLOOR } from '../../core/trust/floor.ts';
import {
  type VerifiedBundle,
  type VerifyOptions,
  verifyBundleAhead,
} from '../../core/trust/verify.ts';
import { systemClock } from '../../host/platform/clock.ts';
import { readRevocations, readRoot, trustContext } from '../../host/runtime/trust-state.ts';
import { openBundleFile } from '../../host/store/bundle-file.ts';
import { noteDevelopment, progress } from './terminal.ts';

export interface TrustOptions {
  readonly root: string;
  readonly revocations?: string;
  readonly floor?: number;
  readonly class?: string;
  readonly profile?: TrustProfile;
  readonly json?: boolean;
}

/** Refuses with whatever `verifyBundleAhead` finds. A floor counts for the model in the file. */
export async function openTrusted(
  path: string,
  act: Act,
  options: TrustOptions,
  how: Pick<VerifyOptions, 'keep' | 'signatureCheck'>,
): Promise<VerifiedBundle> {
  need(cryptoSelfTest());
  const root = need(readRoot(options.root));
  const { floor, profile = 'development' } = options;
  const source = need(openBundleFile(path));
  const bar = progress('verifying', source.sizeBytes);
  try {
    const context = {
      ...trustContext(root, EMPTY_FLOOR, profile, options.class, systemClock),
      ...(floor === undefined ? {} : { securityVersionMin: floor }),
      revocations: readRevocations(options.revocations, root),
    };
    const onBytes = (count: number): void => bar.advance(count);
    return need(await verifyBundleAhead(source, act, context, { ...how, onBytes }));
  } finally {
    bar.done();
    source.close();
  }
}

/** Development keys are accepted outside production, and it is said. */
export function warnDevelopment(bundle: VerifiedBundle): void {
  if (!bundle.development) return;
  noteDevelopment();
}

/** What names a verified bundle, for people and programs; digests in hexadecimal. */
export interface BundleIdentity {
  readonly name: string;
  readonly version: string;
  readonly securityVersion: number;
  readonly sequenceNumber: number;
  readonly class: string;
  readonly manifestSha256: string;
  readonly signers: readonly string[];
  readonly development: boolean;
  readonly detection: Detection;
}

export function identityOf(bundle: VerifiedBundle): BundleIdentity {
  const { meta } = bundle;
  return {
    name: meta.name,
    version: meta.version,
    securityVersion: meta.securityVersion,
    sequenceNumber: bundle.sequenceNumber,
    class: meta.hardwareClass,
    manifestSha256: toHex(bundle.manifestSha256),
    signers: bundle.signers.map(toHex),
    development: bundle.development,
    detection: meta.detection,
  };
}
