/** Points and scalars of edwards25519 for building the signatures that no honest signer makes. */
import { createHash } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { concatBytes, fromHex } from '../../../src/core/base/bytes.ts';

/** The order of the base point. */
export const L: bigint = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The eight points of small order in their canonical encodings (the torsion subgroup). */
export const TORSION: readonly Uint8Array[] = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
].map(bytes);

/** Encodings of the same points that ZIP-215 accepts: y not reduced, or the sign of x = 0 set. */
export const TORSION_NON_CANONICAL: readonly Uint8Array[] = [
  `01${'00'.repeat(30)}80`,
  `ec${'ff'.repeat(31)}`,
  `ed${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(31)}`,
  `ee${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(31)}`,
].map(bytes);

export function bytes(hex: string): Uint8Array {
  const out = fromHex(hex);
  if (out === undefined) throw new Error(`no hex: ${hex}`);
  return out;
}

/** The secret scalar of a seed (RFC 8032 5.1.5). */
export function scalarOf(seed: Uint8Array): bigint {
  const hash = new Uint8Array(createHash('sha512').update(seed).digest()).subarray(0, 32);
  hash[0] = (hash[0] as number) & 248;
  hash[31] = ((hash[31] as number) & 63) | 64;
  return fromLittleEndian(hash);
}

/** k = SHA-512(R, A, M) mod L (RFC 8032 5.1.7). */
export function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  const hash = createHash('sha512')
    .update(concatBytes(r, a, message))
    .digest();
  return fromLittleEndian(new Uint8Array(hash)) % L;
}

export function fromLittleEndian(value: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(value).reverse().toString('hex')}`);
}

export function littleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
}

/** (R, S) for a commitment R = r B + shift, where `shift` may be a torsion point. */
export function craft(
  seed: Uint8Array,
  publicKey: Uint8Array,
  message: Uint8Array,
  r: bigint,
  shift?: Uint8Array,
): Uint8Array {
  const base = r === 0n ? noble.Point.ZERO : noble.Point.BASE.multiply(r);
  const point = shift === undefined ? base : base.add(noble.Point.fromBytes(shift));
  const commitment = point.toBytes();
  const s = (r + challenge(commitment, publicKey, message) * scalarOf(seed)) % L;
  return concatBytes(commitment, littleEndian(s));
}
