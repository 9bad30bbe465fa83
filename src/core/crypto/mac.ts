/** HMAC-SHA256 (RFC 2104) over the device's own files, compared in constant time. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export const MAC_BYTES = 32;

export function mac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(message).digest());
}

export function macMatches(key: Uint8Array, message: Uint8Array, tag: Uint8Array): boolean {
  return tag.length === MAC_BYTES && timingSafeEqual(mac(key, message), tag);
}
