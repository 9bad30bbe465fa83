/** `edgeward root init` and `root rotate`: who is trusted for what, and how that changes. */
import { need } from '../../core/base/fault.ts';
import type { RoleName } from '../../core/trust/root-codec.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { writeFileAtomic } from '../../host/store/files.ts';
import { openPublicKey } from '../maker/keys.ts';
import { makeRoot, type RoleKeys, rotateRoot } from '../maker/root-set.ts';
import { refuseCli } from './faults.ts';
import { keyForRole, thresholds, thumbprintNamed } from './key-name.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { showRoot } from './root-show.ts';

interface RootOptions extends PassphraseOptions {
  readonly models?: readonly string[];
  readonly classes?: readonly string[];
  readonly expires?: string;
  readonly out: string;
  readonly json?: boolean;
}

export interface RootInitOptions extends RootOptions {
  readonly rootKey: readonly string[];
  readonly rootPub?: readonly string[];
  readonly releaseKey: readonly string[];
  readonly releaseMlDsaKey?: readonly string[];
  readonly revocationKey?: readonly string[];
  readonly operatorKey?: readonly string[];
  readonly runtimeKey?: readonly string[];
  readonly enrolmentKey?: readonly string[];
  readonly threshold: number;
  readonly releaseThreshold: number;
  readonly roleThreshold: readonly string[];
  readonly production?: boolean;
}

export interface RootRotateOptions extends RootOptions {
  readonly add: readonly string[];
  readonly retire: readonly string[];
  readonly remove: readonly string[];
  readonly roleThreshold: readonly string[];
  readonly rootKey: readonly string[];
}

/**
 * Writes the first root, which may still lack signatures. Refuses with `cli.option`, `store.exists`,
 * `store.*`, `key.*`, `root.*`, `trust.development-key`.
 */
export async function rootInit(options: RootInitOptions): Promise<void> {
  const named = thresholds(options.roleThreshold);
  const bytes = need(
    makeRoot({
      rootKeys: await openKeys(options.rootKey, options),
      otherRootKeys: (options.rootPub ?? []).map((path) => need(openPublicKey(path))),
      releaseKeys: options.releaseKey.map((path) => need(openPublicKey(path))),
      threshold: named.root ?? options.threshold,
      releaseThreshold: named.release ?? options.releaseThreshold,
      others: otherRoles(options, named),
      scope: { modelPrefixes: options.models ?? [], classes: options.classes ?? [] },
      expiresS: options.expires === undefined ? undefined : dateS(options.expires),
      production: options.production === true,
    }),
  );
  write(bytes, options);
}

/**
 * Writes the next root, which may still lack signatures. Refuses as `rootInit` does, and with
 * `cose.unknown-key` for a key that is a root key of neither root.
 */
export async function rootRotate(file: string, options: RootRotateOptions): Promise<void> {
  const current = need(readRoot(file));
  const { models, classes, expires } = options;
  const bytes = need(
    rotateRoot(
      current,
      {
        add: options.add.map(keyForRole),
        retire: options.retire.map(thumbprintNamed),
        remove: options.remove.map(thumbprintNamed),
        thresholds: thresholds(options.roleThreshold),
        scope: {
          ...(models === undefined ? {} : { modelPrefixes: anyOr(models) }),
          ...(classes === undefined ? {} : { classes: anyOr(classes) }),
        },
        expiresS: expires === undefined ? undefined : expires === 'never' ? null : dateS(expires),
      },
      await openKeys(options.rootKey, options),
    ),
  );
  write(bytes, options);
}

function write(bytes: Uint8Array, options: RootOptions): void {
  // A root that devices trust is not replaced by a slip of the hand.
  need(writeFileAtomic(options.out, [bytes], { fresh: true }));
  showRoot(bytes, options.out, options.json === true);
}

function otherRoles(
  options: RootInitOptions,
  named: Partial<Record<RoleName, number>>,
): Partial<Record<RoleName, RoleKeys>> {
  const files: Partial<Record<RoleName, readonly string[] | undefined>> = {
    'release-ml-dsa-65': options.releaseMlDsaKey,
    revocation: options.revocationKey,
    operator: options.operatorKey,
    runtime: options.runtimeKey,
    enrolment: options.enrolmentKey,
  };
  const roles: Partial<Record<RoleName, RoleKeys>> = {};
  for (const [name, paths] of Object.entries(files) as [RoleName, readonly string[]][]) {
    if (paths === undefined && named[name] === undefined) continue;
    const keys = (paths ?? []).map((path) => need(openPublicKey(path)));
    roles[name] = { keys, threshold: named[name] ?? 1 };
  }
  return roles;
}

/** `any` takes a limit away. */
function anyOr(names: readonly string[]): readonly string[] {
  return names.length === 1 && names[0] === 'any' ? [] : names;
}

function dateS(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  // Some days that do not exist, such as 02-31, are read as days of the next month.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    throw refuseCli('cli.option', `--expires ${text} is no date such as 2029-12-31`);
  }
  return ms / 1000;
}
