/** Keys, digests and roles as they are named on the command line. */
import { fromHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { PublicKeyFile } from '../../core/crypto/pem.ts';
import { ROLE_NAMES, type RoleName } from '../../core/trust/root-codec.ts';
import { openPublicKey } from '../maker/keys.ts';
import { refuseCli } from './faults.ts';

/** 32 bytes in hexadecimal, or `undefined` for what must be a file. */
export function digestNamed(text: string): Uint8Array | undefined {
  return text.length === 64 ? fromHex(text) : undefined;
}

/** The thumbprint of `THUMBPRINT` or `FILE.pub`. Refuses with `store.*`, `key.*`. */
export function thumbprintNamed(text: string): Uint8Array {
  return digestNamed(text) ?? need(openPublicKey(text)).thumbprint;
}

/** `ROLE=FILE.pub`. Refuses with `cli.option`, `store.*`, `key.*`. */
export function keyForRole(text: string): { role: RoleName; key: PublicKeyFile } {
  const [role, path] = forRole(text, 'FILE.pub');
  return { role, key: need(openPublicKey(path)) };
}

/** `ROLE=N`, by role. Refuses with `cli.option`. */
export function thresholds(texts: readonly string[]): Partial<Record<RoleName, number>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [role, count] = forRole(text, 'N');
      if (!/^[1-9]\d?$/.test(count)) throw refuseCli('cli.option', `${text}: no number of keys`);
      return [role, Number(count)];
    }),
  );
}

function forRole(text: string, what: string): readonly [RoleName, string] {
  const at = text.indexOf('=');
  const role = ROLE_NAMES.find((name) => name === text.slice(0, at));
  if (at > 0 && role !== undefined) return [role, text.slice(at + 1)];
  throw refuseCli(
    'cli.option',
    `${text} is not ROLE=${what}, with one of ${ROLE_NAMES.join(', ')}`,
  );
}
