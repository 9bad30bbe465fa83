/** HMAC-SHA256 (RFC 2104) over the device's own files, compared in constant time. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';

const MAC_BYTES = 32;

/** The body with its tag behind it. */
export function sealRecord(key: Uint8Array, body: Uint8Array): Uint8Array {
  return concatBytes(body, tagOf(key, body));
}

/** The body when the tag is right, `undefined` otherwise. */
export function openRecord(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < MAC_BYTES) return undefined;
  const body = sealed.subarray(0, sealed.length - MAC_BYTES);
  const tag = sealed.subarray(sealed.length - MAC_BYTES);
  return timingSafeEqual(tagOf(key, body), tag) ? body : undefined;
}

function tagOf(key: Uint8Array, body: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(body).digest());
}
