/** `edgeward revoke`: what is good for nothing any more, and what a list says. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { REVOCATION_BYTES_MAX } from '../../core/base/limits.ts';
import { readManifestEntry } from '../../core/bundle/layout.ts';
import { openEnvelope } from '../../core/suit/envelope.ts';
import {
  decodeRevocations,
  inspectRevocations,
  type Minimum,
} from '../../core/trust/revocation.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { openBundleFile } from '../../host/store/bundle-file.ts';
import { readFileBounded, writeFileAtomic } from '../../host/store/files.ts';
import { nextRevocations } from '../maker/revocation.ts';
import { refuseCli } from './faults.ts';
import { digestNamed, thumbprintNamed } from './key-name.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { printable, say, sayJson, styled } from './terminal.ts';

export interface RevokeOptions extends PassphraseOptions {
  readonly root?: string;
  readonly from?: string;
  readonly key: readonly string[];
  readonly manifest: readonly string[];
  readonly minSecurityVersion: readonly string[];
  readonly revocationKey: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

/** Refuses with `cli.option`, `store.*`, `key.*`, `root.*`, `revocation.*`, `bundle.*`, `suit.*`. */
export async function revoke(options: RevokeOptions): Promise<void> {
  const { from, out } = options;
  if (options.root === undefined || out === undefined) {
    throw refuseCli('cli.option', 'name the trusted keys with --root, and the list with --out');
  }
  const root = need(readRoot(options.root));
  const earlier = from === undefined ? undefined : need(decodeRevocations(read(from), root));
  const bytes = need(
    nextRevocations(
      earlier,
      {
        keys: options.key.map(thumbprintNamed),
        manifests: options.manifest.map(manifestNamed),
        minimums: options.minSecurityVersion.map(minimumNamed),
      },
      root,
      await openKeys(options.revocationKey, options),
    ),
  );
  // A list that was given out is not replaced by a slip of the hand: versions count one by one.
  need(writeFileAtomic(out, [bytes], { fresh: true }));
  show(bytes, out, root, options.json === true);
}

/** Refuses with `store.*`, `root.*`, `revocation.*` and what the signatures give. */
export function revokeShow(
  file: string,
  options: { readonly root: string; readonly json?: boolean },
): void {
  show(read(file), file, need(readRoot(options.root)), options.json === true);
}

function read(file: string): Uint8Array {
  return need(readFileBounded(file, REVOCATION_BYTES_MAX));
}

function show(bytes: Uint8Array, file: string, root: RootSet, json: boolean): void {
  const { content, sha256, signers, missing } = need(inspectRevocations(bytes, root));
  const list = {
    version: content.version,
    sha256: toHex(sha256),
    issued: new Date(content.issuedS * 1000).toISOString(),
    keys: content.keys.map(toHex),
    manifests: content.manifests.map(toHex),
    minimums: content.minimums,
    signers: signers.map(toHex),
    missing,
    complete: missing === 0,
  };
  if (json) {
    sayJson({ file, ...list });
    return;
  }
  say(`${file}  revocation list ${list.version}, SHA-256 ${list.sha256}`);
  say(`  issued ${list.issued}`);
  for (const key of list.keys) say(`  key ${key}`);
  for (const digest of list.manifests) say(`  release ${digest}`);
  for (const { model, hardwareClass, securityVersion } of list.minimums) {
    say(printable(`  ${model} for ${hardwareClass} below security version ${securityVersion}`));
  }
  for (const signer of list.signers) say(`  signed by ${signer}`);
  if (missing === 0) return;
  say(styled('yellow', `  INCOMPLETE: ${missing} more signatures of revocation keys are missing`));
}

/** A manifest digest, or the bundle that has it; nothing of the bundle is verified. */
function manifestNamed(text: string): Uint8Array {
  const digest = digestNamed(text);
  if (digest !== undefined) return digest;
  const source = need(openBundleFile(text));
  try {
    return need(openEnvelope(need(readManifestEntry(source)).bytes)).manifestSha256.slice();
  } finally {
    source.close();
  }
}

function minimumNamed(text: string): Minimum {
  const found = /^([A-Za-z0-9._-]{1,64})@([A-Za-z0-9._-]{1,64})=(\d{1,16})$/.exec(text);
  const [, model, hardwareClass, number] = found ?? [];
  const securityVersion = Number(number);
  if (!model || !hardwareClass || !Number.isSafeInteger(securityVersion)) {
    throw refuseCli('cli.option', `${text} is not MODEL@CLASS=SECURITY-VERSION`);
  }
  return { hardwareClass, model, securityVersion };
}
