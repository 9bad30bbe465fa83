/** The three keys of a device, derived from its one secret so that no key serves two purposes. */
import { hkdfSync } from 'node:crypto';
import { assert } from '../base/fault.ts';
import { type Signer, signerFromSeed } from './ed25519.ts';

export const DEVICE_SECRET_BYTES = 32;

export interface DeviceKeys {
  /** Signs telemetry. */
  readonly signer: Signer;
  /** 32 bytes; HMAC of the device's own state files. */
  readonly macKey: Uint8Array;
}

/** HKDF-SHA256 (RFC 5869) with one label per use; `secret` has 32 bytes. */
export function deriveDeviceKeys(secret: Uint8Array): DeviceKeys {
  assert(secret.length === DEVICE_SECRET_BYTES, 'a device secret has 32 bytes');
  return {
    signer: signerFromSeed(derive(secret, 'edgeward/device/sign/v1')),
    macKey: derive(secret, 'edgeward/device/mac/v1'),
  };
}

function derive(secret: Uint8Array, label: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), label, 32));
}
