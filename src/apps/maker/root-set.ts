/** The first root of a product: which keys sign roots, which release bundles. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import type { PrivateKeyFile, PublicKeyFile } from '../../core/crypto/pem.ts';
import { type ReleaseScope, sealRoot } from '../../core/trust/root.ts';
import { systemClock } from '../../host/platform/clock.ts';

export interface FirstRoot {
  /** All of them sign. */
  readonly rootKeys: readonly PrivateKeyFile[];
  readonly releaseKeys: readonly PublicKeyFile[];
  readonly threshold: number;
  readonly releaseThreshold: number;
  readonly scope: ReleaseScope;
  readonly expiresS?: number | undefined;
  /** Refuses development keys for good. */
  readonly production: boolean;
}

/** Version 1 of a root, issued now. Faults: `root.*`, `trust.development-key`. */
export function makeRoot(first: FirstRoot): Result<Uint8Array> {
  return attempt(() => {
    const { rootKeys, releaseKeys, threshold, releaseThreshold, expiresS } = first;
    return need(
      sealRoot(
        {
          version: 1,
          production: first.production,
          issuedS: Math.floor(systemClock.unixMs() / 1000),
          ...(expiresS === undefined ? {} : { expiresS }),
          roles: {
            root: {
              threshold,
              keys: rootKeys.map(({ signer, development }) => {
                return { publicKey: signer.publicKey, development };
              }),
            },
            release: {
              threshold: releaseThreshold,
              keys: releaseKeys.map(({ publicKey, development }) => ({ publicKey, development })),
            },
          },
          scope: first.scope,
        },
        rootKeys.map(({ signer }) => signer),
      ),
    );
  });
}
