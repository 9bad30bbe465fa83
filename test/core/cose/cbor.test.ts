/** The encoder and the strict gate: one value, one encoding, and a name for everything else. */
import { Decoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareBytes, concatBytes, fromHex, toHex } from '../../../src/core/base/bytes.ts';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor, type GateOptions } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { CborTag, type CborValue, cborMap } from '../../../src/core/cose/value.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const TAGS = [18, 107, 70_000];
const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', '')) as Uint8Array;
const gate = (text: string, options?: GateOptions): string =>
  codeOf(decodeCbor(hex(text), options));

const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(
      fc.maxSafeInteger(),
      fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.float().map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.uint8Array({ maxLength: 30 }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(fc.maxSafeInteger(), fc.string({ maxLength: 8 })), tie('value')), {
        maxLength: 5,
      })
      .map((pairs) => new Map(pairs)),
    fc.tuple(fc.constantFrom(...TAGS), tie('value')).map(([tag, v]) => new CborTag(tag, v)),
  ),
}));

describe('round trips', () => {
  it('every value comes back, and encodes to the same bytes again', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeCbor(value);
        const back = accepted(decodeCbor(bytes, { tags: TAGS }));
        expect(back).toEqual(sorted(value));
        expect(toHex(encodeCbor(back))).toBe(toHex(bytes));
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it('the order of a map as it was built does not show', () => {
    const pairs = fc.uniqueArray(fc.oneof(fc.maxSafeInteger(), fc.string()), { maxLength: 12 });
    fc.assert(
      fc.property(pairs, (keys) => {
        const map = (list: (string | number)[]): CborValue => new Map(list.map((k) => [k, 0]));
        expect(encodeCbor(map(keys))).toEqual(encodeCbor(map([...keys].reverse())));
      }),
      { seed: 12 },
    );
  });

  it('cborMap leaves out what is undefined and keeps null', () => {
    const map = cborMap(['a', undefined], ['b', null], [1, false]);
    expect([...map.keys()]).toEqual(['b', 1]);
  });
});

describe('the gate is total', () => {
  it('on random bytes: a fault or a document that re-encodes byte for byte', () => {
    let documents = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        const result = decodeCbor(bytes, { tags: TAGS });
        if (!result.ok) {
          expect(result.fault.code).toMatch(/^cbor\./);
          return;
        }
        documents++;
        expect(toHex(encodeCbor(result.value))).toBe(toHex(bytes));
      }),
      { seed: 13, numRuns: 4000 },
    );
    expect(documents).toBeGreaterThan(100);
  });

  it('on every document of one and of two bytes', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = -1; second < 256; second++) {
        const bytes = Uint8Array.from(second < 0 ? [first] : [first, second]);
        const result = decodeCbor(bytes, { tags: TAGS });
        if (result.ok) expect(toHex(encodeCbor(result.value))).toBe(toHex(bytes));
        else expect(result.fault.code).toMatch(/^cbor\./);
      }
    }
  });

  it('on mutated documents: what is still accepted re-encodes byte for byte', () => {
    const mutation = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        anyValue,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (value, changes) => {
          const bytes = encodeCbor(value);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          const result = decodeCbor(bytes, { tags: TAGS });
          if (result.ok) expect(toHex(encodeCbor(result.value))).toBe(toHex(bytes));
          else expect(result.fault.code).toMatch(/^cbor\./);
        },
      ),
      { seed: 14, numRuns: 2000 },
    );
  });

  it('on every truncation of a document, which is never a document', () => {
    const bytes = encodeCbor(
      new Map<string, CborValue>([
        ['list', [1, -1, 1.5, 2 ** 40, 0.1, true, null]],
        ['text', 'größer'],
        ['bytes', new Uint8Array(30)],
      ]),
    );
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(decodeCbor(bytes.subarray(0, length)))).toBe('cbor.truncated');
    }
  });
});

describe('differential', () => {
  const theirs = new Decoder({ mapsAsObjects: false, useRecords: false });

  it('cbor-x reads from our bytes the value that we wrote', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        if (holdsTag(value)) return;
        expect(plain(theirs.decode(encodeCbor(value)))).toEqual(plain(value));
      }),
      { seed: 15, numRuns: 500 },
    );
  });
});

const repeat = (part: string, count: number): string => part.repeat(count);
const SAMPLES: [code: string, what: string, text: string, options?: GateOptions][] = [
  ['cbor.truncated', 'nothing at all', ''],
  ['cbor.truncated', 'half a head', '19 01'],
  ['cbor.truncated', 'a byte string that ends early', '43 01 02'],
  ['cbor.truncated', 'a list that announces 2^32 - 1 entries', '9a ff ff ff ff'],
  ['cbor.truncated', 'a list that announces 2^64 - 1 entries', '9b ff ff ff ff ff ff ff ff'],
  ['cbor.truncated', 'a map that announces 2^63 entries', 'bb 80 00 00 00 00 00 00 00'],
  ['cbor.truncated', 'a byte string of 2^64 - 1 bytes', '5b ff ff ff ff ff ff ff ff'],
  ['cbor.truncated', 'a text of 2^53 bytes', '7b 00 20 00 00 00 00 00 00'],
  ['cbor.trailing', 'a second document', '00 00'],
  ['cbor.not-minimal', '0 in two bytes', '18 00'],
  ['cbor.not-minimal', '23 in two bytes', '18 17'],
  ['cbor.not-minimal', '255 in three bytes', '19 00 ff'],
  ['cbor.not-minimal', '65535 in five bytes', '1a 00 00 ff ff'],
  ['cbor.not-minimal', '2^32 - 1 in nine bytes', '1b 00 00 00 00 ff ff ff ff'],
  ['cbor.not-minimal', 'a long length', '58 01 00'],
  ['cbor.not-minimal', 'a long tag', 'd8 12 00', { tags: [18] }],
  ['cbor.indefinite', 'a list', '9f ff'],
  ['cbor.indefinite', 'a map', 'bf ff'],
  ['cbor.indefinite', 'a byte string', '5f 41 00 ff'],
  ['cbor.indefinite', 'a text', '7f 61 61 ff'],
  ['cbor.indefinite', 'a break alone', 'ff'],
  ['cbor.indefinite', 'a tag', 'df 00'],
  ['cbor.reserved', 'additional information 28', '1c'],
  ['cbor.reserved', 'additional information 30', '9e'],
  ['cbor.reserved', 'simple 28', 'fc'],
  ['cbor.tag', 'a date', 'c0 60'],
  ['cbor.tag', 'a bignum', 'c2 41 01'],
  ['cbor.tag', 'another than the allowed one', 'd8 6b 00', { tags: [18] }],
  ['cbor.tag', 'a 64-bit tag', 'db ff ff ff ff ff ff ff ff 00', { tags: [18] }],
  ['cbor.simple', 'undefined', 'f7'],
  ['cbor.simple', 'simple 16', 'f0'],
  ['cbor.simple', 'simple 255', 'f8 ff'],
  ['cbor.float', '1.0', 'f9 3c 00'],
  ['cbor.float', 'negative zero', 'f9 80 00'],
  ['cbor.float', '1.5 in four bytes', 'fa 3f c0 00 00'],
  ['cbor.float', '1.5 in eight bytes', 'fb 3f f8 00 00 00 00 00 00'],
  ['cbor.float', 'NaN with a payload', 'f9 7e 01'],
  ['cbor.float', 'a signalling NaN', 'fa 7f 80 00 01'],
  ['cbor.float', 'infinity in eight bytes', 'fb 7f f0 00 00 00 00 00 00'],
  ['cbor.utf8', 'a lone continuation', '61 80'],
  ['cbor.utf8', 'an encoded surrogate', '63 ed a0 80'],
  ['cbor.utf8', 'an overlong NUL', '62 c0 80'],
  ['cbor.key-type', 'a byte string key', 'a1 41 00 00'],
  ['cbor.key-type', 'a list key', 'a1 80 00'],
  ['cbor.key-type', 'a key of null', 'a1 f6 00'],
  ['cbor.key-type', 'a fraction as key', 'a1 f9 3e 00 00'],
  ['cbor.key-type', 'a 64-bit key', 'a1 1b ff ff ff ff ff ff ff ff 00'],
  ['cbor.key-order', 'texts', 'a2 61 62 00 61 61 00'],
  ['cbor.key-order', 'a longer text first', 'a2 62 61 61 00 61 62 00'],
  ['cbor.key-order', 'a text before a number', 'a2 61 61 00 01 00'],
  ['cbor.key-order', 'a negative before a positive number', 'a2 20 00 01 00'],
  ['cbor.key-duplicate', 'the same text', 'a2 61 61 00 61 61 01'],
  ['cbor.key-duplicate', 'the same number', 'a2 01 00 01 01'],
  ['cbor.depth', 'lists', `${repeat('81', CBOR_DEPTH_MAX + 1)}00`],
  ['cbor.depth', 'tags', `${repeat('d2', CBOR_DEPTH_MAX + 1)}00`, { tags: [18] }],
  ['cbor.depth', 'a million lists', repeat('81', 1_000_000)],
  ['cbor.size', 'one byte more', '00', { bytesMax: 0 }],
];

describe('the gate names what it refuses', () => {
  it.each(SAMPLES)('%s: %s', (code, _, text, options) => {
    const fault = faultIn(decodeCbor(hex(text), options));
    expect(fault.code).toBe(code);
  });

  it('cbor.items: one more than the limit, in lists or in maps', () => {
    const list = (count: number): Uint8Array => concatBytes(hex('9a 00 01 00 00'), zeros(count));
    expect(CBOR_ITEMS_MAX).toBe(0x1_0000);
    expect(codeOf(decodeCbor(list(0x1_0000)))).toBe('cbor.items');
    const short = concatBytes(hex('99 ff ff'), zeros(0xffff));
    expect(accepted(decodeCbor(short))).toHaveLength(0xffff);
  });

  it('the deepest document allowed is accepted', () => {
    expect(gate(`${repeat('81', CBOR_DEPTH_MAX)}00`)).toBe('accepted');
    expect(gate('d200', { tags: [18], bytesMax: 2 })).toBe('accepted');
  });

  it('the samples above include every cbor code but cbor.items', () => {
    expect(new Set(SAMPLES.map(([code]) => code)).size).toBe(14);
  });
});

describe('edges of the number line', () => {
  it.each([
    [2 ** 53 - 1, '1b001fffffffffffff'],
    [-(2 ** 53 - 1), '3b001ffffffffffffe'],
    [2n ** 53n, '1b0020000000000000'],
    [-(2n ** 53n), '3b001fffffffffffff'],
    [2n ** 64n - 1n, '1bffffffffffffffff'],
    [-(2n ** 64n), '3bffffffffffffffff'],
    [2 ** -24, 'f90001'],
    [6.103515625e-5, 'f90400'],
    [65504.5, 'fa477fe080'],
    [1.1, 'fb3ff199999999999a'],
    [Infinity, 'f97c00'],
    [Number.NaN, 'f97e00'],
    [3.4028234663852886e38, 'fa7f7fffff'],
  ])('%s is %s', (value, text) => {
    expect(toHex(encodeCbor(value))).toBe(text);
    expect(accepted(decodeCbor(hex(text)))).toEqual(value);
  });

  it('small bigints and negative zero become the one integer that they are', () => {
    expect(toHex(encodeCbor(5n))).toBe('05');
    expect(toHex(encodeCbor(-5n))).toBe('24');
    expect(toHex(encodeCbor(-0))).toBe('00');
  });

  it('what has no encoding is a bug of the caller', () => {
    expect(() => encodeCbor(2n ** 64n)).toThrow(AssertionFailure);
    expect(() => encodeCbor(-(2n ** 64n) - 1n)).toThrow(AssertionFailure);
    expect(() => encodeCbor(new CborTag(-1, 0))).toThrow(AssertionFailure);
    expect(() => encodeCbor(new CborTag(1.5, 0))).toThrow(AssertionFailure);
  });
});

function zeros(count: number): Uint8Array {
  return new Uint8Array(count);
}

/** The value with every map in the order that travels, and bigints that fit as numbers. */
function sorted(value: CborValue): CborValue {
  if (value instanceof CborTag) return new CborTag(value.tag, sorted(value.value));
  if (Array.isArray(value)) return value.map(sorted);
  if (!(value instanceof Map)) return value;
  const entries = [...(value as ReadonlyMap<string | number, CborValue>)];
  entries.sort(([a], [b]) => compareBytes(encodeCbor(a), encodeCbor(b)));
  return new Map(entries.map(([key, entry]) => [key, sorted(entry)]));
}

function holdsTag(value: CborValue): boolean {
  if (value instanceof CborTag) return true;
  if (Array.isArray(value)) return value.some(holdsTag);
  return value instanceof Map && [...value.values()].some(holdsTag);
}

/** One shape for two libraries: bytes as hex, numbers as text, maps as sorted pairs. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `h'${toHex(value)}'`;
  if (typeof value === 'number' || typeof value === 'bigint') return `${value}`;
  if (typeof value === 'string') return `"${value}"`;
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  const pairs = [...value].map(([key, entry]) => [plain(key), plain(entry)]);
  return pairs.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
