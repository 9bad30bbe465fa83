/** The next revocation list: all that the one before it says, and more. */
import { toHex } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import type { PrivateKeyFile } from '../../core/crypto/pem.ts';
import {
  draftRevocations,
  type Minimum,
  minimumOf,
  type RevocationContent,
} from '../../core/trust/revocation.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { systemClock } from '../../host/platform/clock.ts';

export interface NewlyRevoked {
  /** Thumbprints. */
  readonly keys: readonly Uint8Array[];
  /** Manifest digests. */
  readonly manifests: readonly Uint8Array[];
  readonly minimums: readonly Minimum[];
}

const NOTHING: RevocationContent = {
  version: 0,
  issuedS: 0,
  keys: [],
  manifests: [],
  minimums: [],
};

/**
 * One version on, issued now; nothing that was revoked comes back, and no minimum falls. Signed with
 * the keys at hand: others may add theirs. Faults: `revocation.*`, `field.*`, `cose.*`.
 */
export function nextRevocations(
  earlier: RevocationContent | undefined,
  added: NewlyRevoked,
  root: RootSet,
  signers: readonly PrivateKeyFile[],
): Result<Uint8Array> {
  return attempt(() => {
    const { version, keys, manifests, minimums } = earlier ?? NOTHING;
    const content: RevocationContent = {
      version: version + 1,
      issuedS: Math.floor(systemClock.unixMs() / 1000),
      keys: distinct([...keys, ...added.keys]),
      manifests: distinct([...manifests, ...added.manifests]),
      minimums: added.minimums.reduce(raised, minimums),
    };
    return need(
      draftRevocations(
        content,
        signers.map(({ signer }) => signer),
        root,
      ),
    );
  });
}

function distinct(digests: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(digests.map((digest) => [toHex(digest), digest])).values()];
}

function raised(minimums: readonly Minimum[], added: Minimum): readonly Minimum[] {
  const { hardwareClass, model } = added;
  const before = minimumOf({ ...NOTHING, minimums }, hardwareClass, model);
  const others = minimums.filter((m) => m.hardwareClass !== hardwareClass || m.model !== model);
  const securityVersion = Math.max(before, added.securityVersion);
  return [...others, { hardwareClass, model, securityVersion }];
}
