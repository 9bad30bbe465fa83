/**
 * The ways to sign that `sign`, `root sign` and `pack` share: with key files here, or with a key
 * elsewhere (a token, a service, another machine) in two steps, a request out and a signature in.
 */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { signerOf } from '../../core/crypto/detached-signature.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { PrivateKeyFile, PublicKeyFile } from '../../core/crypto/pem.ts';
import { openPublicKey } from '../maker/keys.ts';
import { openSignature } from '../maker/signing.ts';
import { refuseCli } from './faults.ts';
import { writeOutput } from './output-file.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { note, say, sayJson, styled } from './terminal.ts';

export interface SigningOptions extends PassphraseOptions {
  readonly key: readonly string[];
  readonly request?: boolean;
  readonly pub?: string;
  readonly signature?: string;
  readonly out: string;
  readonly json?: boolean;
}

export type SigningWay =
  | { readonly kind: 'request'; readonly key: PublicKeyFile }
  | { readonly kind: 'sign'; readonly keys: readonly PrivateKeyFile[] };

/** Refuses with `cli.option` where the options name no way or two, and with `store.*`, `key.*`. */
export async function signingWay(options: SigningOptions): Promise<SigningWay> {
  const { key: paths, pub, signature } = options;
  const request = options.request === true;
  if (pub === undefined) {
    if (request || signature !== undefined) {
      throw refuseCli('cli.option', `${request ? '--request' : '--signature'} needs the --pub key`);
    }
    if (paths.length > 0) return { kind: 'sign', keys: await openKeys(paths, options) };
    throw refuseCli('cli.option', 'give the --key to sign with, or --pub for a key elsewhere');
  }
  if (paths.length > 0) throw refuseCli('cli.option', 'give either --key or --pub');
  if (request === (signature !== undefined)) {
    throw refuseCli('cli.option', '--pub takes either --request or the --signature');
  }
  const key = need(openPublicKey(pub));
  if (signature === undefined) return { kind: 'request', key };
  const signer = signerOf(key.publicKey, need(openSignature(signature)));
  return { kind: 'sign', keys: [{ signer, development: key.development }] };
}

/** The files that --out must not overwrite. */
export function inputsOf({
  key,
  pub,
  signature,
  passphraseFile,
}: SigningOptions): readonly (string | undefined)[] {
  return [...key, pub, signature, passphraseFile];
}

/** Writes the bytes to be signed, and tells whoever signs what they are and how. */
export function writeRequest(
  options: SigningOptions,
  key: PublicKeyFile,
  bytes: Uint8Array,
  inputs: readonly (string | undefined)[],
  claim: Readonly<Record<string, unknown>> & { readonly what: string },
): void {
  const { out } = options;
  writeOutput(out, bytes, inputs);
  const { what, ...rest } = claim;
  const request = { out, sizeBytes: bytes.length, sha256: toHex(sha256(bytes)) };
  const signer = toHex(key.thumbprint);
  if (options.json === true) {
    sayJson({ ...request, signer, ...rest });
    return;
  }
  say(`${styled('green', 'wrote')} ${out}: what ${signer} has to sign`);
  say(`  ${what}`);
  say(`  ${request.sizeBytes} bytes, SHA-256 ${request.sha256}`);
  note(
    `Nothing is signed yet: sign ${out} with Ed25519 (\`--help\` shows how), then give --signature.`,
  );
}
