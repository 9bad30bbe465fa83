/** The maker's key files: made once, never overwritten, refused when others can read them. */
import { dirname } from 'node:path';
import { toHex, utf8 } from '../../core/base/bytes.ts';
import { attempt, need, Refusal, type Result } from '../../core/base/fault.ts';
import { KEY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import { keyLock } from '../../core/crypto/encrypted-key.ts';
import {
  type KeyKind,
  type PrivateKeyFile,
  type PublicKeyFile,
  readPrivateKey,
  readPublicKey,
  writeKeyPair,
} from '../../core/crypto/pem.ts';
import { newKeySeed } from '../../host/platform/identity.ts';
import {
  makeFolder,
  readFileBounded,
  readSecretFile,
  removeFile,
  writeFileAtomic,
} from '../../host/store/files.ts';

export interface KeyPaths {
  readonly key: string;
  readonly pub: string;
  /** Hexadecimal, RFC 9679. */
  readonly thumbprint: string;
}

/**
 * Writes NAME.key (mode 0600, encrypted where a passphrase is given) and NAME.pub. Faults:
 * `store.exists`, `store.write`, `key.passphrase-length`, `crypto.no-ml-dsa`.
 */
export function makeKey(
  name: string,
  development: boolean,
  passphrase?: Uint8Array,
  kind: KeyKind = 'Ed25519',
): Result<KeyPaths> {
  return attempt(() => {
    // Salt and vector are 32 fresh random bytes, as a seed is.
    const lock = passphrase && need(keyLock(passphrase, newKeySeed()));
    const seed = newKeySeed();
    const text = writeKeyPair(seed, development, lock, kind);
    seed.fill(0);
    const thumbprint = toHex(need(readPublicKey(utf8(text.pub))).thumbprint);
    const paths = { key: `${name}.key`, pub: `${name}.pub`, thumbprint };
    need(makeFolder(dirname(name)));
    need(writeFileAtomic(paths.key, [utf8(text.key)], { secret: true, fresh: true }));
    const published = writeFileAtomic(paths.pub, [utf8(text.pub)], { fresh: true });
    // Half a pair would stand in the way of the next attempt under this name.
    if (!published.ok) need(removeFile(paths.key));
    need(published);
    return paths;
  });
}

/**
 * Faults: `store.loose-mode` where others may read it, `store.*`, `key.*`: `key.encrypted` where it
 * needs a passphrase and none was given.
 */
export function openPrivateKey(path: string, passphrase?: Uint8Array): Result<PrivateKeyFile> {
  return attempt(() => {
    const key = readPrivateKey(need(readSecretFile(path, KEY_FILE_BYTES_MAX)), passphrase);
    if (key.ok) return key.value;
    // Several keys may be asked for at once: which one is it?
    throw new Refusal({ ...key.fault, message: `${path}: ${key.fault.message}` });
  });
}

/** Faults: `store.*`, `key.*`. */
export function openPublicKey(path: string): Result<PublicKeyFile> {
  return attempt(() => need(readPublicKey(need(readFileBounded(path, KEY_FILE_BYTES_MAX)))));
}
