/** `edgeward keygen`: a signing key pair as two PEM files. */
import { need } from '../../core/base/fault.ts';
import { makeKey } from '../maker/keys.ts';
import { refuseCli } from './faults.ts';
import { newPassphrase, type PassphraseOptions } from './passphrase.ts';
import { say, sayJson, styled } from './terminal.ts';

export interface KeygenOptions extends PassphraseOptions {
  readonly out: string;
  readonly dev?: boolean;
  readonly encrypt?: boolean;
  readonly mlDsa65?: boolean;
  readonly json?: boolean;
}

/**
 * Never overwrites a key. Refuses with `store.exists`, `store.*`, `cli.option`, `cli.passphrase`,
 * `key.passphrase-length`, `crypto.no-ml-dsa`.
 */
export async function keygen(options: KeygenOptions): Promise<void> {
  const development = options.dev === true;
  const encrypted = options.encrypt === true;
  if (!encrypted && options.passphraseFile !== undefined) {
    throw refuseCli('cli.option', '--passphrase-file without --encrypt would protect nothing');
  }
  const algorithm = options.mlDsa65 === true ? 'ML-DSA-65' : 'Ed25519';
  const passphrase = encrypted ? await newPassphrase(options) : undefined;
  const { key, pub, thumbprint } = need(makeKey(options.out, development, passphrase, algorithm));
  passphrase?.fill(0);
  if (options.json === true) {
    sayJson({ key, pub, thumbprint, algorithm, development, encrypted });
    return;
  }
  const locked = encrypted ? 'encrypted, ' : '';
  say(`${key}  private, ${locked}mode 0600: keep it off devices and out of repositories`);
  say(`${pub}  public, for \`edgeward root init\``);
  say(`thumbprint ${thumbprint}`);
  if (options.mlDsa65 === true) say('ML-DSA-65: signs bundles beside an Ed25519 key, never alone');
  if (development) say(styled('yellow', 'a development key: production roots refuse it'));
}
