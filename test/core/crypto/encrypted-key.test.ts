/** Encrypted key files: ours and OpenSSL's in both directions, wrong passphrases, hostile files. */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import {
  KEY_FILE_BYTES_MAX,
  KEY_KDF_ITERATIONS_MAX,
  PASSPHRASE_BYTES_MAX,
  PASSPHRASE_BYTES_MIN,
} from '../../../src/core/base/limits.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import {
  KEY_KDF_ITERATIONS,
  type KeyLock,
  keyLock,
} from '../../../src/core/crypto/encrypted-key.ts';
import { ML_DSA_65_PUBLIC_KEY_BYTES, verifyMlDsa } from '../../../src/core/crypto/ml-dsa.ts';
import {
  readPrivateKey,
  readPublicKey,
  writeKeyPair,
  writePublicKey,
} from '../../../src/core/crypto/pem.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const SEED = new Uint8Array(32).fill(42);
const PASSPHRASE = utf8('grüner Tee um vier');
const FRESH = Uint8Array.from({ length: 32 }, (_, at) => at);
const lockOf = (passphrase: Uint8Array): KeyLock => accepted(keyLock(passphrase, FRESH));
const LOCKED = writeKeyPair(SEED, true, lockOf(PASSPHRASE));
const read = (text: string, passphrase?: Uint8Array): string =>
  codeOf(readPrivateKey(utf8(text), passphrase));

/** The key file with bytes of its DER exchanged for others. */
function changed(text: string, from: string, to: string): string {
  const start = text.indexOf('-----\n', text.indexOf('BEGIN')) + 6;
  const end = text.indexOf('\n-----END');
  const hex = Buffer.from(text.slice(start, end), 'base64').toString('hex');
  expect(hex).toContain(from);
  const der = Buffer.from(hex.replace(from, to), 'hex');
  return text.slice(0, start) + der.toString('base64') + text.slice(end);
}

describe('an encrypted key file', () => {
  it('opens with its passphrase to the same key, and keeps its head', () => {
    const key = accepted(readPrivateKey(utf8(LOCKED.key), PASSPHRASE));
    expect(key.signer.publicKey).toEqual(signerFromSeed(SEED).publicKey);
    expect(key.development).toBe(true);
    expect(accepted(readPublicKey(utf8(LOCKED.pub))).development).toBe(true);
  });

  it('holds nothing of the seed, and no fewer rounds than promised', () => {
    const plain = writeKeyPair(SEED, true);
    const seed64 = Buffer.from(SEED).toString('base64').slice(0, 20);
    expect(plain.key).toContain('BEGIN PRIVATE KEY');
    expect(LOCKED.key).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(LOCKED.key).not.toContain(seed64);
    const der = Buffer.from(LOCKED.key.split('-----')[2] as string, 'base64').toString('hex');
    expect(der).not.toContain(toHex(SEED));
    expect(KEY_KDF_ITERATIONS).toBeGreaterThanOrEqual(600_000);
    expect(der).toContain(`0203${KEY_KDF_ITERATIONS.toString(16).padStart(6, '0')}`);
  });

  it('is what another salt and vector make differently', () => {
    const fresh = FRESH.toReversed();
    const other = writeKeyPair(SEED, true, accepted(keyLock(PASSPHRASE, fresh)));
    expect(other.key).not.toBe(LOCKED.key);
    expect(read(other.key, PASSPHRASE)).toBe('accepted');
  });

  it('is refused without a passphrase, and with a wrong one, each by its own name', () => {
    expect(read(LOCKED.key)).toBe('key.encrypted');
    for (const wrong of ['', 'grüner Tee um fünf', 'grüner Tee um vier ']) {
      expect(read(LOCKED.key, utf8(wrong)), wrong).toBe('key.passphrase');
    }
    // The same letters in another Unicode form are other bytes.
    expect(read(LOCKED.key, utf8('grüner Tee um vier'.normalize('NFD')))).toBe('key.passphrase');
  });

  it('a passphrase too short or too long locks nothing', () => {
    const of = (length: number): string => codeOf(keyLock(new Uint8Array(length).fill(97), FRESH));
    expect(of(0)).toBe('key.passphrase-length');
    expect(of(PASSPHRASE_BYTES_MIN - 1)).toBe('key.passphrase-length');
    expect(of(PASSPHRASE_BYTES_MAX + 1)).toBe('key.passphrase-length');
    expect(of(PASSPHRASE_BYTES_MIN)).toBe('accepted');
    const longest = new Uint8Array(PASSPHRASE_BYTES_MAX).fill(97);
    expect(read(writeKeyPair(SEED, false, lockOf(longest)).key, longest)).toBe('accepted');
  });

  it('a passphrase given to a key without encryption changes nothing', () => {
    expect(read(writeKeyPair(SEED, false).key, PASSPHRASE)).toBe('accepted');
  });

  it('of another kind than Ed25519 is refused by name once it is open', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const options = { cipher: 'aes-256-cbc', passphrase: 'long enough' } as const;
    const text = privateKey.export({ format: 'pem', type: 'pkcs8', ...options }).toString();
    expect(read(text, utf8('long enough'))).toBe('key.algorithm');
  });
});

describe('an ML-DSA-65 key file', () => {
  const plain = writeKeyPair(SEED, false, undefined, 'ML-DSA-65');
  const locked = writeKeyPair(SEED, false, lockOf(PASSPHRASE), 'ML-DSA-65');

  it('reads back, encrypted or not, with the same key, which fits its limit', () => {
    const { publicKey, thumbprint } = accepted(readPublicKey(utf8(plain.pub)));
    expect(publicKey).toHaveLength(ML_DSA_65_PUBLIC_KEY_BYTES);
    expect(plain.pub.length).toBeLessThan(KEY_FILE_BYTES_MAX);
    const keys = [
      accepted(readPrivateKey(utf8(plain.key))),
      accepted(readPrivateKey(utf8(locked.key), PASSPHRASE)),
    ];
    for (const { signer } of keys) {
      expect(signer.thumbprint).toEqual(thumbprint);
      const message = utf8('signed here');
      expect(codeOf(verifyMlDsa(signer.sign(message), message, publicKey))).toBe('accepted');
    }
    expect(accepted(readPublicKey(utf8(writePublicKey(publicKey)))).publicKey).toEqual(publicKey);
  });

  it('is written in lines as OpenSSL writes them', () => {
    for (const text of [plain.key, plain.pub, locked.key]) {
      const body = text.split('-----')[2]?.trim().split('\n') ?? [];
      expect(body.slice(0, -1).every((line) => line.length === 64)).toBe(true);
    }
    const spki = createPublicKey(plain.pub).export({ format: 'pem', type: 'spki' });
    expect(plain.pub.endsWith(spki.toString())).toBe(true);
  });

  it('of the other parameter sets is refused by name', () => {
    for (const name of ['ml-dsa-44', 'ml-dsa-87'] as const) {
      const { publicKey, privateKey } = generateKeyPairSync(name as 'ml-dsa-44');
      const spki = publicKey.export({ format: 'pem', type: 'spki' }).toString();
      expect(codeOf(readPublicKey(utf8(spki)))).toMatch(/^key\.(algorithm|malformed)$/);
      const pkcs8 = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
      expect(codeOf(readPrivateKey(utf8(pkcs8)))).toMatch(/^key\.(algorithm|malformed)$/);
    }
  });
});

describe('a hostile encrypted key file', () => {
  it('that asks for days of guessing is refused before the first round', () => {
    const rounds = KEY_KDF_ITERATIONS.toString(16).padStart(6, '0');
    const over = KEY_KDF_ITERATIONS_MAX + 1;
    expect(read(changed(LOCKED.key, rounds, over.toString(16)), PASSPHRASE)).toBe('key.malformed');
    expect(read(changed(LOCKED.key, rounds, 'ffffff'), PASSPHRASE)).toBe('key.malformed');
    expect(read(changed(LOCKED.key, rounds, '000001'), PASSPHRASE)).toBe('key.passphrase');
  });

  it('encrypted by another scheme, or not whole, is refused', () => {
    // PBES1 with MD5 and DES, and scrypt in the place of PBKDF2.
    const des = changed(LOCKED.key, '06092a864886f70d01050d', '06092a864886f70d010503');
    const scrypt = changed(LOCKED.key, '06092a864886f70d01050c', '06092b06010401da470404');
    for (const text of [des, scrypt]) expect(read(text, PASSPHRASE)).toBe('key.malformed');
    const end = LOCKED.key.indexOf('\n-----END');
    expect(read(LOCKED.key.slice(0, end), PASSPHRASE)).toBe('key.malformed');
    const noise = `${LOCKED.key.slice(0, end - 8)}%%%${LOCKED.key.slice(end - 8)}`;
    expect(read(noise, PASSPHRASE)).toBe('key.malformed');
  });

  it('cut or changed anywhere never throws and never opens to another key', () => {
    const start = LOCKED.key.indexOf('-----\n', LOCKED.key.indexOf('BEGIN')) + 6;
    const end = LOCKED.key.indexOf('\n-----END');
    const der = Buffer.from(LOCKED.key.slice(start, end), 'base64');
    const codes = new Set<string>();
    const readDer = (bytes: Uint8Array): void => {
      const body = Buffer.from(bytes).toString('base64');
      codes.add(read(LOCKED.key.slice(0, start) + body + LOCKED.key.slice(end), utf8('wrong one')));
    };
    // With few rounds, so that hundreds of readings take no time.
    const few = Buffer.from(der.toString('hex').replace('0927c0', '000001'), 'hex');
    for (let at = 0; at < few.length; at++) {
      readDer(few.subarray(0, at));
      const flipped = Buffer.from(few);
      flipped[at] = (flipped[at] as number) ^ 0x01;
      readDer(flipped);
    }
    expect([...codes].sort()).toEqual(['key.malformed', 'key.passphrase']);
  });
});

const tool = spawnSync('openssl', ['version']).status === 0;
const reason = tool ? '' : ' (no openssl command here)';

describe('the openssl command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-locked-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => spawnSync('openssl', args, { cwd: folder });

  it.skipIf(!tool)(`opens our encrypted keys with the passphrase, and not without${reason}`, () => {
    writeFileSync(at('ours.key'), LOCKED.key);
    writeFileSync(at('pass'), PASSPHRASE);
    const ran = openssl('pkey', '-in', 'ours.key', '-passin', 'file:pass');
    expect(ran.status, String(ran.stderr)).toBe(0);
    const opened = createPrivateKey(ran.stdout).export({ format: 'der', type: 'pkcs8' });
    expect(toHex(new Uint8Array(opened.subarray(-32)))).toBe(toHex(SEED));
    expect(openssl('pkey', '-in', 'ours.key', '-passin', 'pass:wrong').status).not.toBe(0);
  });

  it.skipIf(!tool)(`makes encrypted keys that we open${reason}`, () => {
    const make = ['genpkey', '-algorithm', 'ed25519', '-aes-256-cbc', '-pass', 'pass:long enough'];
    expect(openssl(...make, '-out', 'theirs.key').status).toBe(0);
    const text = readFileSync(at('theirs.key'), 'utf8');
    expect(read(text, utf8('long enough'))).toBe('accepted');
    expect(read(text, utf8('long enouhg'))).toBe('key.passphrase');
    const convert = ['pkcs8', '-topk8', '-in', 'theirs.key', '-passin', 'pass:long enough'];
    const scrypt = openssl(...convert, '-scrypt', '-passout', 'pass:long enough');
    expect(scrypt.status).toBe(0);
    expect(read(scrypt.stdout.toString(), utf8('long enough'))).toBe('key.malformed');
  });
});
