/** `edgeward sign`: one more signature on a bundle that `edgeward pack` made. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { PublicKeyFile } from '../../core/crypto/pem.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { requestBundleSignature, signBundle } from '../maker/signing.ts';
import { refuseCli } from './faults.ts';
import { writeOutput } from './output-file.ts';
import { inputsOf, type SigningOptions, signingWay, writeRequest } from './signing-way.ts';
import { note, noteDevelopment, printable, say, sayJson, styled } from './terminal.ts';

export interface SignOptions extends SigningOptions {
  readonly add?: boolean;
  readonly root?: string;
}

/** Refuses with `cli.option`, `store.*`, `key.*`, `root.*` and what `signBundle` gives. */
export async function sign(file: string, options: SignOptions): Promise<void> {
  if ((options.add === true) === (options.request === true)) {
    throw refuseCli(
      'cli.option',
      'say --add or --request; the first signatures are made by `edgeward pack`',
    );
  }
  const root = options.root === undefined ? undefined : need(readRoot(options.root));
  const way = await signingWay(options);
  if (way.kind === 'request') {
    request(file, options, way.key, root);
    return;
  }
  const signers = way.keys.map(({ signer }) => signer);
  const signed = need(signBundle(file, signers, root));
  const { bytes, meta, manifestSha256 } = signed;
  writeOutput(options.out, bytes, [file, options.root, ...inputsOf(options)]);
  const threshold = root?.roles.release.threshold;
  const claim = {
    ...{ out: options.out, sizeBytes: bytes.length, name: meta.name, version: meta.version },
    ...{ manifestSha256: toHex(manifestSha256), signers: signed.signers.map(toHex) },
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
    if (threshold !== undefined) {
      say(`  ${claim.signers.length} signatures, the root needs ${threshold}`);
    }
  }
  warnOf(root, way.keys);
}

function request(
  file: string,
  options: SignOptions,
  key: PublicKeyFile,
  root: RootSet | undefined,
): void {
  const { bytes, meta, manifestSha256, signers } = need(
    requestBundleSignature(file, key.publicKey, root),
  );
  const { name, version } = meta;
  const manifest = toHex(manifestSha256);
  writeRequest(options, key, bytes, [file, options.root, ...inputsOf(options)], {
    what: `${printable(name)} ${version}, manifest ${manifest}, ${signers.length} signed it so far`,
    ...{ name, version, manifestSha256: manifest, signers: signers.map(toHex) },
    verified: root !== undefined,
  });
  warnOf(root, [key]);
}

function warnOf(
  root: RootSet | undefined,
  keys: readonly { readonly development: boolean }[],
): void {
  if (root === undefined) {
    const why = 'the earlier signatures were NOT verified: name the trusted keys with --root';
    note(styled('yellow', why, 'stderr'));
  }
  if (keys.some(({ development }) => development)) {
    noteDevelopment();
  }
}
