/** Name-based UUIDs (RFC 9562 version 5), as SUIT uses them for vendor and class identifiers. */
import { createHash } from 'node:crypto';
import { concatBytes, fromHex, utf8 } from '../base/bytes.ts';

const DNS_NAMESPACE = fromHex('6ba7b8109dad11d180b400c04fd430c8') as Uint8Array;

/** The vendor identifier: UUID version 5 of a DNS name, 16 bytes. */
export function vendorUuid(vendorDomain: string): Uint8Array {
  return uuid5(DNS_NAMESPACE, vendorDomain);
}

/** The class identifier: UUID version 5 of the hardware class under its vendor, 16 bytes. */
export function classUuid(vendorDomain: string, hardwareClass: string): Uint8Array {
  return uuid5(vendorUuid(vendorDomain), hardwareClass);
}

// SHA-1 names things here and protects nothing; the signature covers the resulting bytes.
function uuid5(namespace: Uint8Array, name: string): Uint8Array {
  const hash = createHash('sha1')
    .update(concatBytes(namespace, utf8(name)))
    .digest();
  const uuid = new Uint8Array(hash.subarray(0, 16));
  uuid[6] = ((uuid[6] as number) & 0x0f) | 0x50;
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
  return uuid;
}
