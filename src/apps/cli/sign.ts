/** `edgeward sign --add`: one more signature on a bundle that `edgeward pack` made. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { signBundle } from '../maker/signing.ts';
import { refuseCli } from './faults.ts';
import { writeOutput } from './output-file.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { note, printable, say, sayJson, styled } from './terminal.ts';

export interface SignOptions extends PassphraseOptions {
  readonly add?: boolean;
  readonly key: readonly string[];
  readonly root?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** Refuses with `cli.option`, `store.*`, `key.*`, `root.*` and what `signBundle` gives. */
export async function sign(file: string, options: SignOptions): Promise<void> {
  if (options.add !== true) {
    throw refuseCli('cli.option', 'the first signatures are made by `edgeward pack`: say --add');
  }
  if (options.key.length === 0) throw refuseCli('cli.option', 'give the --key to sign with');
  const root = options.root === undefined ? undefined : need(readRoot(options.root));
  const keys = await openKeys(options.key, options);
  const { bytes, meta, manifestSha256, signers } = need(signBundle(file, keys, root));
  writeOutput(options.out, bytes, [file, options.root, ...options.key]);
  const threshold = root?.roles.release.threshold;
  const claim = {
    ...{ out: options.out, sizeBytes: bytes.length, name: meta.name, version: meta.version },
    ...{ manifestSha256: toHex(manifestSha256), signers: signers.map(toHex) },
    ...(threshold === undefined ? { verified: false } : { verified: true, threshold }),
  };
  if (options.json === true) sayJson(claim);
  else {
    const { name, version, sizeBytes } = claim;
    say(
      `${styled('green', 'wrote')} ${claim.out}: ${printable(name)} ${version}, ${sizeBytes} bytes`,
    );
    say(`  manifest ${claim.manifestSha256}, unchanged`);
    for (const signer of claim.signers) say(`  signed by ${signer}`);
    if (threshold !== undefined) say(`  ${signers.length} signatures, the root needs ${threshold}`);
  }
  if (root === undefined) {
    const why = 'the earlier signatures were NOT verified: name the trusted keys with --root';
    note(styled('yellow', why, 'stderr'));
  }
  if (keys.some(({ development }) => development)) {
    note(styled('yellow', 'signed with DEVELOPMENT keys: not for production', 'stderr'));
  }
}
