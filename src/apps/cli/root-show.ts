/** `edgeward root show`: what a root says, who signed it, and what is missing. */
import { equalBytes, toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { ROOT_BYTES_MAX } from '../../core/base/limits.ts';
import { thumbprintOf } from '../../core/crypto/thumbprint.ts';
import { inspectRoot, type RootReading } from '../../core/trust/root.ts';
import { type Quorum, ROLE_NAMES, type Role } from '../../core/trust/root-codec.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { say, sayJson, styled } from './terminal.ts';

/** Refuses with `store.*`, `root.*` and what the signatures give. */
export function rootShow(file: string, options: { readonly json?: boolean }): void {
  showRoot(need(readFileBounded(file, ROOT_BYTES_MAX)), file, options.json === true);
}

export function showRoot(bytes: Uint8Array, file: string, json: boolean): void {
  const reading = need(inspectRoot(bytes));
  const root = described(reading);
  if (json) {
    sayJson({ file, ...root });
    return;
  }
  say(`${file}  root version ${root.version}, SHA-256 ${root.sha256}`);
  const kind = root.production ? 'production' : styled('yellow', 'development root');
  say(`  ${kind}, issued ${root.issued}, expires ${root.expires}`);
  if (root.follows !== undefined) say(`  follows the root ${root.follows}`);
  for (const [name, role] of Object.entries(root.roles)) {
    say(`  ${name}: ${role.threshold} of ${role.keys.length}`);
    for (const key of role.keys) say(`    ${marked(key)}`);
    if (role.retired === undefined) continue;
    say(`    what is confirmed goes on with ${role.retired.threshold} of these and retired keys`);
    for (const key of role.retired.keys) say(`    ${marked(key)}  retired`);
  }
  const { modelPrefixes, classes } = root.scope;
  say(`  models ${listed(modelPrefixes)}, classes ${listed(classes)}`);
  sayMissing(reading, root);
}

function sayMissing({ missing, content }: RootReading, root: ReturnType<typeof described>): void {
  if (root.complete) return;
  say(styled('yellow', '  INCOMPLETE: no device accepts it before others have signed'));
  const count = ({ threshold }: Quorum, few: number) => `${threshold - few} of ${threshold}`;
  say(`    ${count(content.roles.root, missing.own)} signatures of the root keys above`);
  if (content.previous === undefined) return;
  const { root: before } = content.previous;
  say(`    ${count(before, missing.previous)} signatures of the keys of the root before:`);
  for (const key of root.previousKeys ?? []) say(`      ${marked(key)}`);
}

function described(reading: RootReading) {
  const { content, signers, missing, sha256 } = reading;
  const { version, production, issuedS, expiresS, scope, previous, roles } = content;
  const present = ROLE_NAMES.flatMap((name): [string, Role][] => {
    const role = roles[name];
    return role === undefined ? [] : [[name, role]];
  });
  return {
    version,
    production,
    sha256: toHex(sha256),
    issued: new Date(issuedS * 1000).toISOString(),
    expires: expiresS === undefined ? 'never' : new Date(expiresS * 1000).toISOString(),
    roles: Object.fromEntries(
      present.map(([name, role]) => {
        const { retired } = role;
        return [
          name,
          { ...keysOf(role, signers), ...(retired && { retired: keysOf(retired, signers) }) },
        ];
      }),
    ),
    scope,
    ...(previous && {
      follows: toHex(previous.sha256),
      previousKeys: keysOf(previous.root, signers).keys,
    }),
    signers: signers.map(toHex),
    missing,
    complete: missing.own === 0 && missing.previous === 0,
  };
}

interface ShownKey {
  readonly thumbprint: string;
  readonly development: boolean;
  readonly signed: boolean;
}

interface ShownQuorum {
  readonly threshold: number;
  readonly keys: readonly ShownKey[];
}

function keysOf(
  { threshold, keys }: Quorum,
  signers: readonly Uint8Array[],
): ShownQuorum & { readonly retired?: ShownQuorum } {
  const shown = keys.map(({ publicKey, development }) => {
    const kid = thumbprintOf(publicKey);
    return {
      thumbprint: toHex(kid),
      development,
      signed: signers.some((signer) => equalBytes(signer, kid)),
    };
  });
  return { threshold, keys: shown };
}

function marked({ thumbprint, development, signed }: ShownKey): string {
  return `${thumbprint}${signed ? '  signed' : ''}${development ? '  development' : ''}`;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'any' : names.join(', ');
}
