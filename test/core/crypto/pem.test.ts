/** Key files: ours, OpenSSL's, and everything that is no Ed25519 key. */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import type { Result } from '../../../src/core/base/fault.ts';
import { KEY_FILE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { SPKI_PREFIX, signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import {
  type PrivateKeyFile,
  type PublicKeyFile,
  readPrivateKey,
  readPublicKey,
  writeKeyPair,
  writePublicKey,
} from '../../../src/core/crypto/pem.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { TORSION, TORSION_NON_CANONICAL } from './curve.ts';

const SEED = new Uint8Array(32).fill(42);
const release = writeKeyPair(SEED, false);
const development = writeKeyPair(SEED, true);
const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;
const readPub = (text: string): string => codeOf(readPublicKey(utf8(text)));
const readKey = (text: string): string => codeOf(readPrivateKey(utf8(text)));

describe('our own key files', () => {
  it('read back with the same key, and say whether it is for development', () => {
    const signer = signerFromSeed(SEED);
    for (const [pair, flag] of [
      [release, false],
      [development, true],
    ] as const) {
      const key = accepted(readPrivateKey(utf8(pair.key)));
      const pub = accepted(readPublicKey(utf8(pair.pub)));
      expect(key.signer.publicKey).toEqual(signer.publicKey);
      expect(pub.publicKey).toEqual(signer.publicKey);
      expect(pub.thumbprint).toEqual(signer.thumbprint);
      expect([key.development, pub.development]).toEqual([flag, flag]);
    }
    const bare = accepted(readPublicKey(utf8(writePublicKey(signer.publicKey))));
    expect(bare.publicKey).toEqual(signer.publicKey);
  });

  it('never carry the secret in the public file', () => {
    for (const { pub } of [release, development]) {
      expect(pub).not.toContain(Buffer.from(SEED).toString('base64').slice(0, 20));
      expect(pub).not.toContain(toHex(SEED));
    }
  });
});

const tool = spawnSync('openssl', ['version']).status === 0;
const reason = tool ? '' : ' (no openssl command here)';

describe('the openssl command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-keys-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const openssl = (...args: string[]): string => {
    const ran = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    expect(ran.status, ran.stderr).toBe(0);
    return ran.stdout;
  };

  it.skipIf(!tool)(`reads our files and finds the same key in both${reason}`, () => {
    writeFileSync(join(folder, 'ours.key'), release.key);
    writeFileSync(join(folder, 'ours.pub'), release.pub);
    const fromKey = openssl('pkey', '-in', 'ours.key', '-pubout');
    const fromPub = openssl('pkey', '-pubin', '-in', 'ours.pub', '-pubout');
    expect(fromKey).toBe(fromPub);
    expect(readPub(fromKey)).toBe('accepted');
  });

  it.skipIf(!tool)(`makes keys that we read, and verifies what they sign${reason}`, () => {
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'theirs.key');
    openssl('pkey', '-in', 'theirs.key', '-pubout', '-out', 'theirs.pub');
    const { signer } = accepted(readPrivateKey(readFileSync(join(folder, 'theirs.key'))));
    const pub = accepted(readPublicKey(readFileSync(join(folder, 'theirs.pub'))));
    expect(pub.publicKey).toEqual(signer.publicKey);
    expect(pub.development).toBe(false);
    const message = utf8('signed here');
    writeFileSync(join(folder, 'message'), message);
    writeFileSync(join(folder, 'signature'), signer.sign(message));
    const verify = ['pkeyutl', '-verify', '-pubin', '-inkey', 'theirs.pub', '-rawin'];
    openssl(...verify, '-in', 'message', '-sigfile', 'signature');
  });

  it.skipIf(!tool)(`makes certificates, which are refused${reason}`, () => {
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'ca.key');
    const subject = ['-subj', '/CN=someone', '-key', 'ca.key', '-out', 'ca.pem'];
    openssl('req', '-x509', '-new', ...subject);
    expect(readPub(readFileSync(join(folder, 'ca.pem'), 'utf8'))).toBe('key.malformed');
  });
});

describe('what is no Ed25519 key', () => {
  it.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['EC', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['X25519', generateKeyPairSync('x25519')],
    ['Ed448', generateKeyPairSync('ed448')],
  ])('%s is refused by name', (_, pair) => {
    const key = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const pub = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    expect(readKey(key)).toBe('key.algorithm');
    expect(readPub(pub)).toBe('key.algorithm');
  });

  it('a private key is refused where a public one belongs, and the reverse', () => {
    expect(readPub(release.key)).toBe('key.malformed');
    expect(faultIn(readPublicKey(utf8(release.key))).message).toContain('private key');
    expect(readKey(release.pub)).toBe('key.malformed');
  });

  it('points of small order and bytes that are no point are refused', () => {
    for (const point of [...TORSION, ...TORSION_NON_CANONICAL, new Uint8Array(32).fill(255)]) {
      expect(readPub(pem('PUBLIC KEY', concatBytes(SPKI_PREFIX, point)))).toBe('key.malformed');
    }
  });

  it('two keys in one file are refused: only one would have been read', () => {
    const other = writeKeyPair(new Uint8Array(32).fill(43), false);
    expect(readPub(release.pub + other.pub)).toBe('key.malformed');
    expect(readKey(release.key + other.key)).toBe('key.malformed');
  });

  it('a head that names another thumbprint than the key below it is refused', () => {
    const other = writeKeyPair(new Uint8Array(32).fill(43), false);
    const mixed = (head: string, block: string): string =>
      head.slice(0, head.indexOf('-----')) + block.slice(block.indexOf('-----'));
    expect(readPub(mixed(other.pub, release.pub))).toBe('key.malformed');
    expect(readKey(mixed(other.key, release.key))).toBe('key.malformed');
    expect(readPub(mixed(release.pub, release.pub))).toBe('accepted');
  });

  it('garbage is refused and never thrown', () => {
    const samples = ['', 'key', pem('PUBLIC KEY', new Uint8Array(44)), pem('PRIVATE KEY', SEED)];
    for (const text of samples) {
      expect(readPub(text)).toBe('key.malformed');
      expect(readKey(text)).toBe('key.malformed');
    }
    const big = `${release.pub}${' '.repeat(KEY_FILE_BYTES_MAX)}`;
    expect(readPub(big)).toBe('key.malformed');
    expect(codeOf(readPublicKey(new Uint8Array([0xff, 0xfe])))).toBe('key.malformed');
    fc.assert(
      fc.property(fc.nat(release.pub.length - 1), fc.nat(255), (at, byte) => {
        for (const [text, read] of [
          [release.pub, readPublicKey],
          [release.key, readPrivateKey],
        ] as const) {
          const damaged = utf8(text);
          damaged[at] = byte;
          // Damage in the block is another key, which the thumbprint in the head shows; damage in
          // the head leaves the key.
          expect(['same key', 'key.malformed', 'key.algorithm']).toContain(keyIn(read(damaged)));
        }
      }),
      { seed: 9, numRuns: 300 },
    );
  });

  it('every changed character of the base64 is refused, or was one that carries no bit', () => {
    const start = release.pub.indexOf('\n', release.pub.indexOf('BEGIN')) + 1;
    const end = release.pub.indexOf('\n-----END');
    for (let at = start; at < end; at++) {
      const damaged = utf8(release.pub);
      damaged[at] = damaged[at] === 0x41 ? 0x42 : 0x41;
      const carries = at < end - 2;
      const code = keyIn(readPublicKey(damaged));
      expect(
        carries ? ['key.malformed', 'key.algorithm'] : ['same key', 'key.malformed'],
      ).toContain(code);
    }
  });

  it('the secret of a PKCS#8 file with its public half attached is the right one', () => {
    // RFC 8410 section 10.3: a version 2 key, seed first, public key behind it.
    const der =
      '3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273812100' +
      '19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1';
    const text = pem('PRIVATE KEY', new Uint8Array(Buffer.from(der, 'hex')));
    expect(createPrivateKey(text).asymmetricKeyType).toBe('ed25519');
    const { signer } = accepted(readPrivateKey(utf8(text)));
    expect(toHex(signer.publicKey)).toBe(
      '19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1',
    );
  });
});

function keyIn(result: Result<PublicKeyFile | PrivateKeyFile>): string {
  if (!result.ok) return result.fault.code;
  const { publicKey } = 'signer' in result.value ? result.value.signer : result.value;
  return toHex(publicKey) === toHex(signerFromSeed(SEED).publicKey) ? 'same key' : 'another key';
}
