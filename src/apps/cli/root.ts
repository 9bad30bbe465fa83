/** `edgeward root`: who is trusted for what. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { thumbprintOf } from '../../core/crypto/thumbprint.ts';
import { decodeRoot, type RoleName, type RootSet } from '../../core/trust/root.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { writeFileAtomic } from '../../host/store/files.ts';
import { openPublicKey } from '../maker/keys.ts';
import { makeRoot } from '../maker/root-set.ts';
import { refuseCli } from './faults.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { say, sayJson, styled } from './terminal.ts';

export interface RootInitOptions extends PassphraseOptions {
  readonly rootKey: readonly string[];
  readonly releaseKey: readonly string[];
  readonly threshold: number;
  readonly releaseThreshold: number;
  readonly models?: readonly string[];
  readonly classes?: readonly string[];
  readonly expires?: string;
  readonly production?: boolean;
  readonly out: string;
  readonly json?: boolean;
}

/** Refuses with `cli.option`, `store.exists`, `store.*`, `key.*`, `root.*`, `trust.development-key`. */
export async function rootInit(options: RootInitOptions): Promise<void> {
  const bytes = need(
    makeRoot({
      rootKeys: await openKeys(options.rootKey, options),
      releaseKeys: options.releaseKey.map((path) => need(openPublicKey(path))),
      threshold: options.threshold,
      releaseThreshold: options.releaseThreshold,
      scope: { modelPrefixes: options.models ?? [], classes: options.classes ?? [] },
      expiresS: options.expires === undefined ? undefined : dateS(options.expires),
      production: options.production === true,
    }),
  );
  // A root that devices trust is not replaced by a slip of the hand.
  need(writeFileAtomic(options.out, [bytes], { fresh: true }));
  show(need(decodeRoot(bytes)), options.out, options.json === true);
}

/** Refuses with `store.*`, `root.*` and what the signatures give. */
export function rootShow(file: string, options: { readonly json?: boolean }): void {
  show(need(readRoot(file)), file, options.json === true);
}

function show(root: RootSet, file: string, json: boolean): void {
  if (json) {
    sayJson({ file, ...describe(root) });
    return;
  }
  const { version, production, sha256, expires, scope } = describe(root);
  say(`${file}  root version ${version}, SHA-256 ${sha256}`);
  say(`  ${production ? 'production' : styled('yellow', 'development root')}, expires ${expires}`);
  for (const name of ['root', 'release'] as const) {
    const { threshold, keys } = root.roles[name];
    say(`  ${name}: ${threshold} of ${keys.length}`);
    for (const key of keysOf(root, name)) {
      say(`    ${key.thumbprint}${key.development ? '  development' : ''}`);
    }
  }
  say(`  models ${listed(scope.modelPrefixes)}, classes ${listed(scope.classes)}`);
}

function describe(root: RootSet) {
  return {
    version: root.version,
    production: root.production,
    sha256: toHex(root.sha256),
    issued: new Date(root.issuedS * 1000).toISOString(),
    expires: root.expiresS === undefined ? 'never' : new Date(root.expiresS * 1000).toISOString(),
    roles: {
      root: { threshold: root.roles.root.threshold, keys: keysOf(root, 'root') },
      release: { threshold: root.roles.release.threshold, keys: keysOf(root, 'release') },
    },
    scope: root.scope,
  };
}

function keysOf(root: RootSet, name: RoleName): { thumbprint: string; development: boolean }[] {
  return root.roles[name].keys.map(({ publicKey, development }) => {
    return { thumbprint: toHex(thumbprintOf(publicKey)), development };
  });
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'any' : names.join(', ');
}

function dateS(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  // Some days that do not exist, such as 02-31, are read as days of the next month.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    throw refuseCli('cli.option', `--expires ${text} is no date such as 2029-12-31`);
  }
  return ms / 1000;
}
