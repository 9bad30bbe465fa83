/** RFC 8949 appendix A: what the profile admits round-trips, and the rest is refused by name. */
import { expect, it } from 'vitest';
import { toHex } from '../../src/core/base/bytes.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { codeOf } from '../core/base/outcome.ts';
import { describeVectors, expectRan, hex, vectorJson } from './outside-vectors.ts';

interface Example {
  readonly hex: string;
  readonly roundtrip: boolean;
  readonly decoded?: unknown;
  /** Where JSON cannot say it. */
  readonly diagnostic?: string;
}

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  // Whole numbers and negative zero as floats; infinities and NaN in too many bytes.
  'cbor.float': [
    ...['f90000', 'f98000', 'f93c00', 'f97bff', 'f9c400', 'fa47c35000'],
    ...['fa7f800000', 'fa7fc00000', 'faff800000'],
    ...['fb7ff0000000000000', 'fb7ff8000000000000', 'fbfff0000000000000'],
  ],
  // undefined and the unassigned.
  'cbor.simple': ['f7', 'f0', 'f818', 'f8ff'],
  // Bignums, dates, expected conversions, encoded CBOR, a URI.
  'cbor.tag': [
    ...['c249010000000000000000', 'c349010000000000000000'],
    ...['c074323031332d30332d32315432303a30343a30305a', 'c11a514b67b0', 'c1fb41d452d9ec200000'],
    ...['d74401020304', 'd818456449455446'],
    'd82076687474703a2f2f7777772e6578616d706c652e636f6d',
  ],
  'cbor.indefinite': [
    ...['5f42010243030405ff', '7f657374726561646d696e67ff', '9fff', '9f018202039f0405ffff'],
    ...['9f01820203820405ff', '83018202039f0405ff', '83019f0203ff820405'],
    '9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff',
    ...['bf61610161629f0203ffff', '826161bf61626163ff', 'bf6346756ef563416d7421ff'],
  ],
};

describeVectors('RFC 8949 appendix A', () => {
  const refusedAs = new Map(
    Object.entries(REFUSED).flatMap(([code, list]) => list.map((text) => [text, code])),
  );

  it('every example: byte for byte, or refused by the name that it should have', () => {
    const admitted: string[] = [];
    const refused: string[] = [];
    for (const example of vectorJson<Example[]>('cbor/appendix_a.json')) {
      const result = decodeCbor(hex(example.hex));
      expect(codeOf(result), example.hex).toBe(refusedAs.get(example.hex) ?? 'accepted');
      if (!result.ok) {
        refused.push(example.hex);
        continue;
      }
      admitted.push(example.hex);
      expect(example.roundtrip, example.hex).toBe(true);
      expect(toHex(encodeCbor(result.value))).toBe(example.hex);
      if (example.diagnostic === undefined) {
        expect(asJson(result.value), example.hex).toEqual(example.decoded);
      } else expect(diagnostic(result.value)).toBe(example.diagnostic);
    }
    expectRan('RFC 8949 appendix A', admitted.length + refused.length, 82);
    expectRan('RFC 8949 appendix A, admitted', admitted.length, 47);
    expectRan('RFC 8949 appendix A, refused by name', refused.length, 35);
    expect([...refused].sort()).toEqual([...refusedAs.keys()].sort());
  });
});

/** As JSON.parse gives it: 64-bit integers rounded, text keys as members. */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(asJson);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, entry]) => [key, asJson(entry)]));
}

function diagnostic(value: unknown): string {
  if (value instanceof Uint8Array) return `h'${toHex(value)}'`;
  if (!(value instanceof Map)) return String(value);
  return `{${[...value].map(([key, entry]) => `${key}: ${diagnostic(entry)}`).join(', ')}}`;
}
