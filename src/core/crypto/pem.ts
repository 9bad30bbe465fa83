/**
 * Key files as people and OpenSSL know them: PKCS#8 and SPKI in PEM (RFC 7468), with explanatory
 * lines above the block. A line `edgeward-key: development` marks a development key. A private key
 * may be encrypted (`encrypted-key.ts`). ML-DSA-65 keys have the same form (RFC 9881).
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { concatBytes, fromUtf8, toHex } from '../base/bytes.ts';
import { attempt, Refusal, type Result } from '../base/fault.ts';
import { KEY_FILE_BYTES_MAX } from '../base/limits.ts';
import {
  ED25519_PUBLIC_KEY_BYTES,
  PKCS8_PREFIX,
  type Signer,
  SPKI_PREFIX,
  signerFromSeed,
} from './ed25519.ts';
import { decryptPkcs8, encryptPkcs8, type KeyLock } from './encrypted-key.ts';
import { refuseCrypto } from './faults.ts';
import {
  isMlDsaKey,
  ML_DSA_65_PUBLIC_KEY_BYTES,
  mlDsaPkcs8,
  mlDsaSigner,
  mlDsaSignerFromSeed,
  mlDsaSpki,
} from './ml-dsa.ts';
import { isUsablePublicKey } from './second-opinion.ts';
import { thumbprintOf } from './thumbprint.ts';

const DEVELOPMENT_LINE = 'edgeward-key: development';
const RELEASE_LINE = 'edgeward-key: release';
const ENCRYPTED_LABEL = 'ENCRYPTED PRIVATE KEY';

export interface PublicKeyFile {
  readonly publicKey: Uint8Array;
  readonly thumbprint: Uint8Array;
  readonly development: boolean;
}

export interface PrivateKeyFile {
  readonly signer: Signer;
  readonly development: boolean;
}

export type KeyKind = 'Ed25519' | 'ML-DSA-65';

/**
 * The text of NAME.key and NAME.pub for a 32-byte seed; the key is encrypted where a lock is given.
 * Refuses with `crypto.no-ml-dsa`.
 */
export function writeKeyPair(
  seed: Uint8Array,
  development: boolean,
  lock?: KeyLock,
  kind: KeyKind = 'Ed25519',
): { readonly key: string; readonly pub: string } {
  const mlDsa = kind === 'ML-DSA-65';
  const signer = mlDsa ? mlDsaSignerFromSeed(seed) : signerFromSeed(seed);
  const head = [
    development ? DEVELOPMENT_LINE : RELEASE_LINE,
    `thumbprint: ${toHex(signer.thumbprint)}`,
  ];
  const warning = development ? ['For development only: a production root refuses it.'] : [];
  const der = mlDsa ? mlDsaPkcs8(seed) : concatBytes(PKCS8_PREFIX, seed);
  const block =
    lock === undefined
      ? pemBlock('PRIVATE KEY', der)
      : pemBlock(ENCRYPTED_LABEL, encryptPkcs8(der, lock));
  der.fill(0);
  return {
    key: [...head, ...warning, block].join('\n'),
    pub: publicKeyText(signer.publicKey, [...head, ...warning]),
  };
}

/** The text of a .pub file for a key that no file of ours holds the secret of. */
export function writePublicKey(publicKey: Uint8Array): string {
  return publicKeyText(publicKey, [`thumbprint: ${toHex(thumbprintOf(publicKey))}`]);
}

/**
 * The passphrase is for an encrypted key only; without one such a key is `key.encrypted`, with the
 * wrong one `key.passphrase`. Faults besides: `key.malformed`, `key.algorithm`.
 */
export function readPrivateKey(bytes: Uint8Array, passphrase?: Uint8Array): Result<PrivateKeyFile> {
  return attempt(() => {
    const text = keyText(bytes);
    const key = text.includes(`-----BEGIN ${ENCRYPTED_LABEL}-----`)
      ? unlocked(text, passphrase)
      : parseKey(() => createPrivateKey(text));
    const signer = signerOfKey(key);
    checkHead(text, signer.thumbprint);
    return { signer, development: text.includes(DEVELOPMENT_LINE) };
  });
}

/** Faults: `key.malformed`, `key.algorithm`. A private key file is refused: it is not for sharing. */
export function readPublicKey(bytes: Uint8Array): Result<PublicKeyFile> {
  return attempt(() => {
    const text = keyText(bytes);
    if (text.includes('PRIVATE KEY')) {
      throw refuseCrypto('key.malformed', 'this is a private key where a .pub file belongs');
    }
    // Node reads the key out of a certificate too; nobody here would judge what the rest says.
    if (text.includes('CERTIFICATE')) {
      throw refuseCrypto('key.malformed', 'this is a certificate where a .pub file belongs');
    }
    const key = parseKey(() => createPublicKey(text));
    const der = key.export({ format: 'der', type: 'spki' });
    const mlDsa = key.asymmetricKeyType === 'ml-dsa-65';
    const length = mlDsa ? ML_DSA_65_PUBLIC_KEY_BYTES : ED25519_PUBLIC_KEY_BYTES;
    const publicKey = new Uint8Array(der.subarray(der.length - length));
    if (!mlDsa && !isUsablePublicKey(publicKey)) {
      throw refuseCrypto('key.malformed', 'the public key is not a usable Ed25519 point');
    }
    const thumbprint = thumbprintOf(publicKey);
    checkHead(text, thumbprint);
    return {
      publicKey,
      thumbprint,
      development: text.includes(DEVELOPMENT_LINE),
    };
  });
}

function publicKeyText(publicKey: Uint8Array, head: readonly string[]): string {
  const mlDsa = isMlDsaKey(publicKey);
  const der = mlDsa ? mlDsaSpki(publicKey) : concatBytes(SPKI_PREFIX, publicKey);
  const block = pemBlock('PUBLIC KEY', der);
  return [...head, block].join('\n');
}

function signerOfKey(key: KeyObject): Signer {
  if (key.asymmetricKeyType === 'ml-dsa-65') return mlDsaSigner(key);
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const signer = signerFromSeed(der.subarray(der.length - 32));
  der.fill(0);
  return signer;
}

function keyText(bytes: Uint8Array): string {
  if (bytes.length > KEY_FILE_BYTES_MAX) {
    throw refuseCrypto('key.malformed', `a key file has at most ${KEY_FILE_BYTES_MAX} bytes`);
  }
  const text = fromUtf8(bytes);
  if (text === undefined) throw refuseCrypto('key.malformed', 'the key file is not text');
  if (text.split('-----BEGIN ').length > 2) {
    throw refuseCrypto('key.malformed', 'the file holds more than one block: which key is meant?');
  }
  return text;
}

// People compare thumbprints by reading the file: the line they read must name the key below it.
function checkHead(text: string, thumbprint: Uint8Array): void {
  const named = /^thumbprint:(.*)$/m.exec(text)?.[1]?.trim();
  if (named !== undefined && named !== toHex(thumbprint)) {
    throw refuseCrypto('key.malformed', `the file says thumbprint ${named}, its key has another`);
  }
}

function unlocked(text: string, passphrase: Uint8Array | undefined): KeyObject {
  const [, body = ''] = text.split(`-----BEGIN ${ENCRYPTED_LABEL}-----`);
  const [base64 = '', end] = body.split(`-----END ${ENCRYPTED_LABEL}-----`);
  if (end === undefined || !/^[A-Za-z0-9+/=\s]*$/.test(base64)) {
    throw refuseCrypto('key.malformed', 'the block of the encrypted key is not whole');
  }
  if (passphrase === undefined) {
    throw refuseCrypto('key.encrypted', 'the key is encrypted, and no passphrase was given');
  }
  return signingKeyOnly(decryptPkcs8(Buffer.from(base64, 'base64'), passphrase));
}

function parseKey(parse: () => KeyObject): KeyObject {
  try {
    return signingKeyOnly(parse());
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    throw refuseCrypto('key.malformed', `no PEM key could be read: ${String(thrown)}`);
  }
}

function signingKeyOnly(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'ed25519' && key.asymmetricKeyType !== 'ml-dsa-65') {
    throw refuseCrypto('key.algorithm', `the key is of type ${key.asymmetricKeyType}`);
  }
  return key;
}

function pemBlock(label: string, der: Uint8Array): string {
  // RFC 7468 section 2: lines of 64 characters.
  const body = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}
