/** The device's identity: one secret made at first start, and what is derived from it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { equalBytes, toHex, utf8 } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import {
  DEVICE_SECRET_BYTES,
  type DeviceKeys,
  deriveDeviceKeys,
} from '../../core/crypto/device-keys.ts';
import { writePublicKey } from '../../core/crypto/pem.ts';
import { makeFolder, readFileBounded, readSecretFile, writeFileAtomic } from '../store/files.ts';
import { refusePlatform } from './faults.ts';

const BOOT_SEED_BYTES = 16;
/** What the device key sealed: both copies of each record. */
const SEALED_FILES: readonly string[] = ['boot', 'epoch', 'floor-tier', 'floor']
  .flatMap((name) => [`${name}.0`, `${name}.1`])
  .concat('floor.2', 'floor.3');

export interface DeviceIdentity {
  readonly keys: DeviceKeys;
  /** `ew-` and the start of the key's thumbprint: the name where none is configured. */
  readonly defaultName: string;
}

/**
 * Reads `FOLDER/device.key`, or makes it (mode 0600) together with `device.pub`, which an operator
 * enrols. Faults: `store.*`, `platform.identity`.
 */
export function loadIdentity(folder: string): Result<DeviceIdentity> {
  return attempt(() => {
    need(makeFolder(folder));
    const path = `${folder}/device.key`;
    const keys = deriveDeviceKeys(readSecret(path) ?? firstSecret(folder, path));
    keepPublicKey(`${folder}/device.pub`, utf8(writePublicKey(keys.signer.publicKey)));
    return { keys, defaultName: `ew-${toHex(keys.signer.thumbprint).slice(0, 12)}` };
  });
}

/** Whether the folder is a device's already. */
export function hasIdentity(folder: string): boolean {
  return existsSync(`${folder}/device.key`);
}

/** New at every boot, so that two chains of one epoch can be told apart. */
export function newBootSeed(): Uint8Array {
  return new Uint8Array(randomBytes(BOOT_SEED_BYTES));
}

/** 32 random bytes: the seed of a signing key, or the key by which frames are sampled. */
export function newKeySeed(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

function readSecret(path: string): Uint8Array | undefined {
  const stored = readSecretFile(path, DEVICE_SECRET_BYTES);
  if (!stored.ok && stored.fault.code === 'store.not-found') return undefined;
  if (!stored.ok && stored.fault.code === 'store.too-large') {
    throw refusePlatform('platform.identity', stored.fault.message);
  }
  const secret = need(stored);
  if (secret.length !== DEVICE_SECRET_BYTES) {
    throw refusePlatform('platform.identity', `${path} has ${secret.length} bytes, not 32`);
  }
  // What a failing card reads as; a key that anybody can guess.
  if (secret.every((byte) => byte === secret[0])) {
    throw refusePlatform('platform.identity', `${path} holds one byte 32 times`);
  }
  return secret;
}

/**
 * Written when it is not there as it should be, not at every boot: cards wear out. Nothing on the
 * device reads it: where it cannot be written today, that is no reason to be without the key.
 */
function keepPublicKey(path: string, text: Uint8Array): void {
  const stored = readFileBounded(path, text.length);
  if (stored.ok && equalBytes(stored.value, text)) return;
  writeFileAtomic(path, [text]);
}

/** Records without the key that sealed them mean a lost key: a new one would hide that. */
function firstSecret(folder: string, path: string): Uint8Array {
  const left = SEALED_FILES.find((name) => existsSync(`${folder}/${name}`));
  if (left === undefined) return makeSecret(path);
  throw refusePlatform('platform.identity', `${path} is missing, though ${left} is there`);
}

function makeSecret(path: string): Uint8Array {
  const secret = new Uint8Array(randomBytes(DEVICE_SECRET_BYTES));
  need(writeFileAtomic(path, [secret], { secret: true, fresh: true }));
  return secret;
}
