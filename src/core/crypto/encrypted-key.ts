/**
 * Encrypted private keys as OpenSSL writes and reads them: PKCS#8 (RFC 5958) under PBES2 (RFC 8018).
 * Written with PBKDF2-HMAC-SHA256 at 600,000 rounds and AES-256-CBC: `export()` of `node:crypto`
 * writes the same form with 2,048 rounds, which a graphics card guesses through. Read with PBKDF2 of
 * any PRF and with any cipher that OpenSSL has; scrypt and the schemes before PBES2 are refused.
 *
 * What is zeroised: the derived key, and the passphrase and the seed by their owner. What JavaScript
 * does not let anyone zeroise: strings, copies that the garbage collector moved, and the key inside
 * an OpenSSL object, which OpenSSL cleanses when it frees that object.
 */
import { createCipheriv, createPrivateKey, type KeyObject, pbkdf2Sync } from 'node:crypto';
import { concatBytes, equalBytes, fromHex } from '../base/bytes.ts';
import { assert, attempt, type Result } from '../base/fault.ts';
import {
  KEY_KDF_ITERATIONS_MAX,
  PASSPHRASE_BYTES_MAX,
  PASSPHRASE_BYTES_MIN,
} from '../base/limits.ts';
import { refuseCrypto } from './faults.ts';

/** Salt and initialisation vector, 16 bytes each. */
export const KEY_LOCK_FRESH_BYTES = 32;
/** OWASP Password Storage Cheat Sheet for PBKDF2-HMAC-SHA256. */
export const KEY_KDF_ITERATIONS = 600_000;
const AES_KEY_BYTES = 32;

const SEQUENCE = 0x30;
const OCTETS = 0x04;
const INTEGER = 0x02;
const OID = 0x06;
const PBES2 = fromHex('2a864886f70d01050d') as Uint8Array;
const PBKDF2 = fromHex('2a864886f70d01050c') as Uint8Array;
const AES_256_CBC = fromHex('60864801650304012a') as Uint8Array;
// hmacWithSHA256 with its NULL parameters.
const PRF = fromHex('06082a864886f70d02090500') as Uint8Array;

/** What a new key is locked with; made by `keyLock` only. */
export interface KeyLock {
  readonly passphrase: Uint8Array;
  /** 32 random bytes, never used twice. */
  readonly fresh: Uint8Array;
}

/** Fault: `key.passphrase-length`. The passphrase is taken as bytes, in no Unicode normal form. */
export function keyLock(passphrase: Uint8Array, fresh: Uint8Array): Result<KeyLock> {
  assert(fresh.length === KEY_LOCK_FRESH_BYTES, 'a lock takes 32 fresh bytes');
  return attempt(() => {
    const { length } = passphrase;
    if (length < PASSPHRASE_BYTES_MIN || length > PASSPHRASE_BYTES_MAX) {
      throw refuseCrypto('key.passphrase-length', `a passphrase of ${length} bytes`);
    }
    return { passphrase, fresh };
  });
}

/** The DER of an EncryptedPrivateKeyInfo around the DER of a private key. */
export function encryptPkcs8(der: Uint8Array, { passphrase, fresh }: KeyLock): Uint8Array {
  const salt = fresh.subarray(0, 16);
  const iv = fresh.subarray(16);
  const key = pbkdf2Sync(passphrase, salt, KEY_KDF_ITERATIONS, AES_KEY_BYTES, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const locked = concatBytes(cipher.update(der), cipher.final());
  key.fill(0);
  const rounds = fromHex(KEY_KDF_ITERATIONS.toString(16).padStart(6, '0')) as Uint8Array;
  const derivation = [item(OCTETS, salt), item(INTEGER, rounds), item(SEQUENCE, PRF)];
  const scheme = [
    item(SEQUENCE, item(OID, PBKDF2), item(SEQUENCE, ...derivation)),
    item(SEQUENCE, item(OID, AES_256_CBC), item(OCTETS, iv)),
  ];
  const algorithm = item(SEQUENCE, item(OID, PBES2), item(SEQUENCE, ...scheme));
  return item(SEQUENCE, algorithm, item(OCTETS, locked));
}

/**
 * Refuses with `key.malformed`, and with `key.passphrase` where the passphrase does not open it:
 * CBC has no tag, so a damaged file, or a cipher that OpenSSL does not have, looks the same.
 */
export function decryptPkcs8(der: Uint8Array, passphrase: Uint8Array): KeyObject {
  checkDerivation(der);
  try {
    return createPrivateKey({
      key: viewOf(der),
      format: 'der',
      type: 'pkcs8',
      passphrase: viewOf(passphrase),
    });
  } catch {
    throw refuseCrypto('key.passphrase', 'the passphrase does not open this key');
  }
}

/** The file says how long a guess takes; a hostile one must not keep us for days. */
function checkDerivation(der: Uint8Array): void {
  const [outer] = itemsIn(der);
  const [algorithm] = itemsIn(bodyOf(outer, SEQUENCE));
  const [scheme, parameters] = itemsIn(bodyOf(algorithm, SEQUENCE));
  const [derivation] = equalBytes(bodyOf(scheme, OID), PBES2)
    ? itemsIn(bodyOf(parameters, SEQUENCE))
    : [];
  const [method, details] = derivation === undefined ? [] : itemsIn(bodyOf(derivation, SEQUENCE));
  if (method === undefined || !equalBytes(bodyOf(method, OID), PBKDF2)) {
    throw refuseCrypto('key.malformed', 'the key is encrypted otherwise than by PBES2 with PBKDF2');
  }
  const [, rounds] = itemsIn(bodyOf(details, SEQUENCE));
  const count = bodyOf(rounds, INTEGER).reduce((sum, byte) => sum * 256 + byte, 0);
  if (count > KEY_KDF_ITERATIONS_MAX) {
    throw refuseCrypto('key.malformed', `${count} rounds of PBKDF2`);
  }
}

interface DerItem {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** The items of one level. Refuses with `key.malformed`. */
function itemsIn(bytes: Uint8Array): readonly DerItem[] {
  const items: DerItem[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    // Lengths of one or two bytes: a key file has 4 KiB at most.
    const more = short < 0x80 ? 0 : short - 0x80;
    if (more > 2) throw malformedDer();
    const coded = bytes.subarray(at + 2, at + 2 + more);
    const length = more === 0 ? short : coded.reduce((sum, byte) => sum * 256 + byte, 0);
    const start = at + 2 + more;
    if (start + length > bytes.length) throw malformedDer();
    items.push({ tag: bytes[at] as number, body: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return items;
}

function bodyOf(item: DerItem | undefined, tag: number): Uint8Array {
  if (item?.tag !== tag) throw malformedDer();
  return item.body;
}

function malformedDer(): Error {
  return refuseCrypto('key.malformed', 'the encrypted key is not what RFC 5958 and 8018 describe');
}

/** One item; its body has fewer than 256 bytes. */
function item(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...parts);
  assert(body.length < 256, 'a key file is made of short items');
  const head = body.length < 0x80 ? [tag, body.length] : [tag, 0x81, body.length];
  return concatBytes(Uint8Array.from(head), body);
}

/** The same memory, so that zeroising the one zeroises the other. */
function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
