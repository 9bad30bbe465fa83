/** The roots of a product: the first one, and the ones that follow it. */
import { equalBytes, toHex } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import type { PrivateKeyFile, PublicKeyFile } from '../../core/crypto/pem.ts';
import { thumbprintOf } from '../../core/crypto/thumbprint.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { draftRoot, type RootSet } from '../../core/trust/root.ts';
import type {
  Quorum,
  ReleaseScope,
  Role,
  RoleName,
  RootContent,
  RootKey,
} from '../../core/trust/root-codec.ts';
import { systemClock } from '../../host/platform/clock.ts';

export interface FirstRoot {
  /** All of them sign. */
  readonly rootKeys: readonly PrivateKeyFile[];
  /** Root keys of others, who sign on machines of their own. */
  readonly otherRootKeys?: readonly PublicKeyFile[];
  readonly releaseKeys: readonly PublicKeyFile[];
  readonly threshold: number;
  readonly releaseThreshold: number;
  /** Further roles, each with the keys and the threshold it is to have. */
  readonly others?: Partial<Readonly<Record<RoleName, RoleKeys>>>;
  readonly scope: ReleaseScope;
  readonly expiresS?: number | undefined;
  /** Refuses development keys for good. */
  readonly production: boolean;
}

export interface RoleKeys {
  readonly keys: readonly PublicKeyFile[];
  readonly threshold: number;
}

/** What the next root changes; what is not named stays. Keys are named by thumbprint. */
export interface RootChange {
  readonly add: readonly { readonly role: RoleName; readonly key: PublicKeyFile }[];
  /** Out of use: what they signed goes on where it is confirmed, and is installed nowhere. */
  readonly retire: readonly Uint8Array[];
  /** Out of the root, current or retired: what only they signed stops at once. */
  readonly remove: readonly Uint8Array[];
  readonly thresholds: Partial<Readonly<Record<RoleName, number>>>;
  readonly scope?: Partial<ReleaseScope>;
  /** `null` for no expiry. */
  readonly expiresS?: number | null | undefined;
}

/**
 * Version 1 of a root, issued now; it may still lack signatures of others. Faults: `root.*`,
 * `trust.development-key`.
 */
export function makeRoot(first: FirstRoot): Result<Uint8Array> {
  return attempt(() => {
    const { rootKeys, releaseKeys, threshold, releaseThreshold, expiresS } = first;
    const others = Object.entries(first.others ?? {}).map(
      ([name, role]) =>
        [name, { threshold: role.threshold, keys: role.keys.map(entryOf) }] as const,
    );
    return need(
      draftRoot(
        {
          version: 1,
          production: first.production,
          issuedS: nowS(),
          ...(expiresS === undefined ? {} : { expiresS }),
          roles: {
            ...Object.fromEntries(others),
            root: {
              threshold,
              keys: [
                ...rootKeys.map(({ signer: { publicKey }, development }) => {
                  return { publicKey, development };
                }),
                ...(first.otherRootKeys ?? []).map(entryOf),
              ],
            },
            release: { threshold: releaseThreshold, keys: releaseKeys.map(entryOf) },
          },
          scope: first.scope,
        },
        rootKeys.map(({ signer }) => signer),
      ),
    );
  });
}

/**
 * The root after this one, issued now and signed with the keys at hand: holders of other root keys,
 * old and new, add theirs elsewhere. Faults: `root.*`, `trust.*`, `cose.*`.
 */
export function rotateRoot(
  current: RootSet,
  change: RootChange,
  signers: readonly PrivateKeyFile[],
): Result<Uint8Array> {
  return attempt(() => {
    const names = Object.keys(current.roles).concat(change.add.map(({ role }) => role));
    const roles = Object.fromEntries(
      [...new Set(names as RoleName[])].map((name) => [name, nextRole(name, current, change)]),
    ) as RootContent['roles'];
    const lost = [...change.retire, ...change.remove].find((kid) => !isListed(current, kid));
    if (lost) throw refuseTrust('root.invalid', `${toHex(lost)} is no key of this root`);
    const expiresS = change.expiresS === undefined ? current.expiresS : change.expiresS;
    const next: RootContent = {
      version: current.version + 1,
      production: current.production,
      issuedS: nowS(),
      ...(typeof expiresS === 'number' ? { expiresS } : {}),
      roles,
      scope: { ...current.scope, ...change.scope },
      previous: { sha256: current.sha256, root: current.roles.root },
    };
    return need(
      draftRoot(
        next,
        signers.map(({ signer }) => signer),
      ),
    );
  });
}

function nextRole(name: RoleName, current: RootSet, change: RootChange): Role {
  const before: Role = current.roles[name] ?? { threshold: change.thresholds[name] ?? 1, keys: [] };
  const named = (list: readonly Uint8Array[]) => (key: RootKey) =>
    list.some((kid) => equalBytes(kid, thumbprintOf(key.publicKey)));
  const [retire, remove] = [named(change.retire), named(change.remove)];
  const added = change.add.filter(({ role }) => role === name).map(({ key }) => entryOf(key));
  const keys = [...before.keys.filter((key) => !retire(key) && !remove(key)), ...added];
  const threshold = change.thresholds[name] ?? before.threshold;
  // A root is known by what follows it: its own keys are not retired but replaced.
  if (name === 'root') return { threshold, keys };
  const retiredKeys = [...(before.retired?.keys ?? []), ...before.keys.filter(retire)].filter(
    (key) => !remove(key),
  );
  const retired: Quorum = {
    // What was enough when it was confirmed is enough to go on.
    threshold: Math.min(threshold, before.threshold, before.retired?.threshold ?? threshold),
    keys: retiredKeys,
  };
  return retired.keys.length === 0 && retired.threshold === threshold
    ? { threshold, keys }
    : { threshold, keys, retired };
}

function isListed({ roles }: RootSet, kid: Uint8Array): boolean {
  const keys = Object.values(roles).flatMap((role) => [
    ...role.keys,
    ...(role.retired?.keys ?? []),
  ]);
  return keys.some((key) => equalBytes(kid, thumbprintOf(key.publicKey)));
}

function entryOf({ publicKey, development }: PublicKeyFile): RootKey {
  return { publicKey, development };
}

function nowS(): number {
  return Math.floor(systemClock.unixMs() / 1000);
}
