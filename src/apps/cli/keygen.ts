/** `edgeward keygen`: a signing key pair as two PEM files. */
import { need } from '../../core/base/fault.ts';
import { makeKey } from '../maker/keys.ts';
import { say, sayJson, styled } from './terminal.ts';

export interface KeygenOptions {
  readonly out: string;
  readonly dev?: boolean;
  readonly json?: boolean;
}

/** Never overwrites a key. Refuses with `store.exists`, `store.write`. */
export function keygen(options: KeygenOptions): void {
  const development = options.dev === true;
  const { key, pub, thumbprint } = need(makeKey(options.out, development));
  if (options.json === true) {
    sayJson({ key, pub, thumbprint, development });
    return;
  }
  say(`${key}  private, mode 0600: keep it off devices and out of repositories`);
  say(`${pub}  public, for \`edgeward root init\``);
  say(`thumbprint ${thumbprint}`);
  if (development) say(styled('yellow', 'a development key: production roots refuse it'));
}
