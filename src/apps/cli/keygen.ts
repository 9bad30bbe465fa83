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
  readonly json?: boolean;
}

/**
 * Never overwrites a key. Refuses with `store.exists`, `store.*`, `cli.option`, `cli.passphrase`,
 * `key.passphrase-length`.
 */
export async function keygen(options: KeygenOptions): Promise<void> {
  const development = options.dev === true;
  const encrypted = options.encrypt === true;
  if (!encrypted && options.passphraseFile !== undefined) {
    throw refuseCli('cli.option', '--passphrase-file without --encrypt would protect nothing');
  }
  const passphrase = encrypted ? await newPassphrase(options) : undefined;
  const { key, pub, thumbprint } = need(makeKey(options.out, development, passphrase));
  passphrase?.fill(0);
  if (options.json === true) {
    sayJson({ key, pub, thumbprint, development, encrypted });
    return;
  }
  const locked = encrypted ? 'encrypted, ' : '';
  say(`${key}  private, ${locked}mode 0600: keep it off devices and out of repositories`);
  say(`${pub}  public, for \`edgeward root init\``);
  say(`thumbprint ${thumbprint}`);
  if (development) say(styled('yellow', 'a development key: production roots refuse it'));
}
