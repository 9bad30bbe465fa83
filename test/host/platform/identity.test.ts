/** The device's identity: made once, kept, and refused when its key is damaged or open to others. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPublicKey } from '../../../src/core/crypto/pem.ts';
import { PLATFORM_FAULTS } from '../../../src/host/platform/faults.ts';
import { loadIdentity, newBootSeed, newKeySeed } from '../../../src/host/platform/identity.ts';
import { bytesWritten } from '../../../src/host/store/files.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';

const folder = scratch();
const keyAt = (at: string): string => join(at, 'device.key');

describe('loadIdentity', () => {
  it('makes a private folder, a 32-byte key of mode 0600 and a public key that parses', () => {
    const at = join(folder(), 'state');
    const { keys, defaultName } = accepted(loadIdentity(at));
    expect(statSync(at).mode & 0o777).toBe(0o700);
    expect(statSync(keyAt(at)).mode & 0o777).toBe(0o600);
    expect(readFileSync(keyAt(at))).toHaveLength(32);
    const pub = accepted(readPublicKey(readFileSync(join(at, 'device.pub'))));
    expect(pub.publicKey).toEqual(keys.signer.publicKey);
    expect(defaultName).toMatch(/^ew-[0-9a-f]{12}$/);
    expect(readdirSync(at).sort()).toEqual(['device.key', 'device.pub']);
  });

  it('gives the same keys the next time, and writes nothing', () => {
    const at = folder();
    const first = accepted(loadIdentity(at));
    const before = bytesWritten();
    const second = accepted(loadIdentity(at));
    expect(second.keys.macKey).toEqual(first.keys.macKey);
    expect(second.keys.signer.publicKey).toEqual(first.keys.signer.publicKey);
    expect(second.defaultName).toBe(first.defaultName);
    expect(bytesWritten()).toBe(before);
  });

  it('gives two devices two identities', () => {
    const names = [folder(), folder()].map((at) => accepted(loadIdentity(at)).defaultName);
    expect(new Set(names).size).toBe(2);
  });

  it('puts a public key right that was lost or exchanged', () => {
    const at = folder();
    accepted(loadIdentity(at));
    const right = readFileSync(join(at, 'device.pub'));
    rmSync(join(at, 'device.pub'));
    accepted(loadIdentity(at));
    expect(readFileSync(join(at, 'device.pub'))).toEqual(right);
    accepted(loadIdentity(folder()));
    writeFileSync(join(at, 'device.pub'), 'the key of somebody else'.repeat(99));
    accepted(loadIdentity(at));
    expect(readFileSync(join(at, 'device.pub'))).toEqual(right);
  });

  it('does without a public key that cannot be written: only an operator reads it', () => {
    const at = folder();
    const { keys } = accepted(loadIdentity(at));
    rmSync(join(at, 'device.pub'));
    mkdirSync(join(at, 'device.pub'));
    expect(accepted(loadIdentity(at)).keys.macKey).toEqual(keys.macKey);
    rmSync(join(at, 'device.pub'), { recursive: true });
    accepted(loadIdentity(at));
    expect(accepted(readPublicKey(readFileSync(join(at, 'device.pub')))).publicKey).toEqual(
      keys.signer.publicKey,
    );
  });

  it.each([
    ['empty', ''],
    ['short', 'x'.repeat(31)],
    ['long', 'x'.repeat(33)],
    ['of zeros, as a failing card gives', '\0'.repeat(32)],
    ['of one byte', '\x7f'.repeat(32)],
  ])('refuses a key file that is %s, and leaves it there', (_, content) => {
    const at = folder();
    writeFileSync(keyAt(at), content);
    chmodSync(keyAt(at), 0o600);
    const { code, next } = faultIn(loadIdentity(at));
    expect([code, next]).toEqual(['platform.identity', PLATFORM_FAULTS['platform.identity']]);
    expect(readFileSync(keyAt(at), 'latin1')).toBe(content);
  });

  it.each([0o640, 0o604, 0o644])('refuses a key of mode %o', (mode) => {
    const at = folder();
    accepted(loadIdentity(at));
    chmodSync(keyAt(at), mode);
    expect(codeOf(loadIdentity(at))).toBe('store.loose-mode');
  });

  it('does not wait for a pipe, and takes no file for a folder', () => {
    const at = folder();
    makePipe(keyAt(at));
    expect(codeOf(loadIdentity(at))).toBe('store.read');
    writeFileSync(join(at, 'file'), '');
    expect(codeOf(loadIdentity(join(at, 'file')))).toBe('store.write');
  });
});

describe('newBootSeed and newKeySeed', () => {
  it('are random bytes of the length that birth and keys need', () => {
    expect([newBootSeed().length, newKeySeed().length]).toEqual([16, 32]);
    expect(newBootSeed()).not.toEqual(newBootSeed());
    expect(newKeySeed()).not.toEqual(newKeySeed());
  });
});
