/** The rollback floor: never lower, never read when damaged, never too large to read again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { FLOOR_BYTES_MAX, FLOORS_MAX } from '../../../src/core/base/limits.ts';
import { ioSchemaToCbor } from '../../../src/core/bundle/io-schema-codec.ts';
import { packBundleBytes } from '../../../src/core/bundle/pack.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborMap, CborValue } from '../../../src/core/cose/value.ts';
import { openRecord, sealRecord } from '../../../src/core/crypto/mac.ts';
import {
  adoptRevocations,
  adoptRoot,
  decodeFloor,
  EMPTY_FLOOR,
  encodeFloor,
  type Floor,
  type FloorRecord,
  floorOf,
  raiseFloor,
} from '../../../src/core/trust/floor.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { METADATA, packInput } from '../bundle/specimen.ts';
import { FLOOR, floorsOf, listOf, REVOKING, rootOf } from './trusting.ts';

const KEY = new Uint8Array(32).fill(3);
const RECORD: FloorRecord = {
  ...floorsOf(FLOOR, { ...FLOOR, model: 'pump' }),
  rootVersion: 3,
  rootSha256: new Uint8Array(32).fill(4),
  revocationVersion: 2,
  revocationSha256: new Uint8Array(32).fill(5),
  clockFloorMs: 1_700_000_000_000,
  goldenSha256: new Uint8Array(32).fill(6),
  safeOutput: new Map([['logits', [1, 0]]]),
  safeOutputIo: ioSchemaToCbor(METADATA.io),
};
const BYTES = encodeFloor(RECORD, KEY);

const anyFloor: fc.Arbitrary<Floor> = fc.record({
  hardwareClass: fc.constantFrom('a', 'b'),
  model: fc.constantFrom('m', 'n', 'o'),
  securityVersion: fc.maxSafeNat(),
  sequenceNumber: fc.maxSafeNat(),
  manifestSha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});

describe('the record', () => {
  it('comes back as it was written', () => {
    expect(accepted(decodeFloor(BYTES, KEY))).toEqual(RECORD);
    expect(accepted(decodeFloor(encodeFloor(EMPTY_FLOOR, KEY), KEY))).toEqual(EMPTY_FLOOR);
  });

  it('comes back for any floors', () => {
    const floors = fc.uniqueArray(anyFloor, { selector: (f) => f.hardwareClass + f.model });
    fc.assert(
      fc.property(floors, fc.maxSafeNat(), fc.maxSafeNat(), (list, generation, clockFloorMs) => {
        const record = { ...EMPTY_FLOOR, generation, clockFloorMs, floors: list };
        expect(accepted(decodeFloor(encodeFloor(record, KEY), KEY))).toEqual(record);
      }),
      { seed: 71 },
    );
  });

  it('is tampering after any flipped bit, at any other length, or under another key', () => {
    for (let bit = 0; bit < BYTES.length * 8; bit++) {
      const damaged = BYTES.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(codeOf(decodeFloor(damaged, KEY))).toBe('floor.mac');
    }
    for (let length = 0; length < BYTES.length; length++) {
      expect(codeOf(decodeFloor(BYTES.subarray(0, length), KEY))).toBe('floor.mac');
    }
    expect(codeOf(decodeFloor(BYTES, new Uint8Array(32)))).toBe('floor.mac');
  });

  const tree = accepted(decodeCbor(openRecord(KEY, BYTES) as Uint8Array)) as Map<string, CborValue>;
  const written = (value: CborValue): Uint8Array => sealRecord(KEY, encodeCbor(value));
  const having = (name: string, value: CborValue): Uint8Array =>
    written(new Map(tree).set(name, value));

  it.each<[code: string, what: string, bytes: Uint8Array]>([
    ['floor.malformed', 'more bytes than the limit', new Uint8Array(FLOOR_BYTES_MAX + 1)],
    ['floor.malformed', 'no map', written([])],
    [
      'floor.malformed',
      'another profile: no other sealed record is a floor',
      having('profile', 'edgeward-epoch/1'),
    ],
    ['floor.malformed', 'a safe output that is no map', having('safeOutput', 0)],
    ['floor.malformed', 'a safe output schema that is null', having('safeOutputIo', null)],
    ['cbor.truncated', 'an empty body', sealRecord(KEY, new Uint8Array(0))],
    ['cbor.trailing', 'a body and more', sealRecord(KEY, new Uint8Array([0, 0]))],
    ['field.unknown', 'an unknown member', having('x', 0)],
    [
      'floor.malformed',
      'a revocation list without its digest',
      written(new Map([...tree].filter(([name]) => name !== 'revocationSha256'))),
    ],
    [
      'floor.malformed',
      'the digest of no revocation list',
      written(new Map([...tree].filter(([name]) => name !== 'revocationVersion'))),
    ],
    ['field.range', 'version 0 of a revocation list', having('revocationVersion', 0)],
    ['field.range', 'a short digest of the root', having('rootSha256', new Uint8Array(31))],
    ['field.range', 'a negative generation', having('generation', -1)],
    ['field.range', 'too many floors', having('floors', Array(FLOORS_MAX + 1).fill(new Map()))],
    ['field.missing', 'a floor that says nothing', having('floors', [new Map()])],
    ['field.type', 'floors that are a map', having('floors', new Map())],
  ])('is refused though its MAC is right: %s, %s', (code, _, bytes) => {
    expect(faultIn(decodeFloor(bytes, KEY)).code).toBe(code);
  });
});

describe('raising', () => {
  it('never lowers any floor, whatever is raised in whatever order', () => {
    fc.assert(
      fc.property(fc.array(anyFloor, { maxLength: 20 }), (raises) => {
        let record: FloorRecord = { ...RECORD, floors: [] };
        for (const raised of raises) {
          const before = record;
          record = raiseFloor(record, raised);
          expect(record.generation).toBe(before.generation + 1);
          for (const floor of before.floors) {
            const now = floorOf(record, floor.hardwareClass, floor.model);
            expect(now?.securityVersion).toBeGreaterThanOrEqual(floor.securityVersion);
            expect(now?.sequenceNumber).toBeGreaterThanOrEqual(floor.sequenceNumber);
          }
          const own = floorOf(record, raised.hardwareClass, raised.model);
          expect(own?.securityVersion).toBeGreaterThanOrEqual(raised.securityVersion);
          expect(own?.sequenceNumber).toBeGreaterThanOrEqual(raised.sequenceNumber);
          const names = record.floors.map((f) => `${f.hardwareClass}/${f.model}`);
          expect(new Set(names).size).toBe(names.length);
        }
        const { generation: _, floors: __, ...rest } = record;
        const { generation: ___, floors: ____, ...kept } = RECORD;
        expect(rest).toEqual(kept);
      }),
      { seed: 72 },
    );
  });

  it('leaves the record it was given alone', () => {
    const before = encodeFloor(RECORD, KEY);
    raiseFloor(RECORD, { ...FLOOR, securityVersion: 99 });
    expect(encodeFloor(RECORD, KEY)).toEqual(before);
  });
});

describe('what a device holds to from now on', () => {
  const root = rootOf();

  it('is the newest root, by version, digest and issue time, in the next generation', () => {
    const adopted = adoptRoot(EMPTY_FLOOR, root);
    expect(adopted).toEqual({
      ...EMPTY_FLOOR,
      generation: 1,
      rootVersion: 3,
      rootSha256: root.sha256,
      clockFloorMs: root.issuedS * 1000,
    });
    expect(accepted(decodeFloor(encodeFloor(adopted, KEY), KEY))).toEqual(adopted);
    // Nothing to write: neither for the same one nor for an older, nor another of its version.
    expect(adoptRoot(adopted, root)).toBe(adopted);
    expect(adoptRoot(adopted, { ...root, version: 2 })).toBe(adopted);
    expect(adoptRoot(adopted, { ...root, sha256: new Uint8Array(32) })).toBe(adopted);
    expect(adoptRoot(adopted, { ...root, version: Number.NaN })).toBe(adopted);
    expect(adoptRoot(adopted, { ...root, version: 4 })).toMatchObject({ rootVersion: 4 });
  });

  it('gets the digest of a root that was recorded by version only', () => {
    const early = { ...EMPTY_FLOOR, rootVersion: 3, clockFloorMs: 2 ** 50 };
    expect(adoptRoot(early, root)).toEqual({
      ...early,
      generation: 1,
      rootSha256: root.sha256,
    });
  });

  it('is the newest revocation list', () => {
    const list = listOf();
    const adopted = adoptRevocations(EMPTY_FLOOR, list);
    expect(adopted).toEqual({
      ...EMPTY_FLOOR,
      generation: 1,
      revocationVersion: 4,
      revocationSha256: list.sha256,
      clockFloorMs: list.issuedS * 1000,
    });
    expect(accepted(decodeFloor(encodeFloor(adopted, KEY), KEY))).toEqual(adopted);
    expect(adoptRevocations(adopted, list)).toBe(adopted);
    expect(adoptRevocations(adopted, listOf({ version: 3 }))).toBe(adopted);
    expect(adoptRevocations(adopted, listOf({ issuedS: 1 }))).toBe(adopted);
    expect(adoptRevocations(adopted, { ...listOf({ version: 5 }), retired: true })).toBe(adopted);
    expect(adoptRevocations(adopted, listOf({ version: 2 ** 53 - 1 }))).toBe(adopted);
    expect(adoptRevocations(adopted, listOf({ version: 5 }))).toMatchObject({
      revocationVersion: 5,
    });
  });

  it('never falls, whatever is adopted and confirmed in whatever order', () => {
    const version = fc.integer({ min: 1, max: 6 });
    const step = fc.record({ root: version, list: version, floor: anyFloor });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        let record = EMPTY_FLOOR;
        for (const { root: v, list: w, floor } of steps) {
          const root_ = { ...REVOKING, version: v, issuedS: v };
          const list_ = { ...LIST, version: w, issuedS: w };
          const next = adoptRevocations(adoptRoot(raiseFloor(record, floor), root_), list_);
          expect(next.generation).toBeGreaterThan(record.generation);
          expect(next.rootVersion).toBe(Math.max(record.rootVersion, v));
          expect(next.revocationVersion).toBe(Math.max(record.revocationVersion, w));
          expect(next.clockFloorMs).toBeGreaterThanOrEqual(record.clockFloorMs);
          record = next;
        }
      }),
      { seed: 72, numRuns: 50 },
    );
  });
});

const LIST = listOf();

describe('the largest record', () => {
  it('that signed bundles can bring about is read again, in bytes and in items', () => {
    // The most small items that fit in the metadata of one bundle, as its safe output.
    const most = largestSafeOutput();
    const longest = '\uffff'.repeat(256);
    const floors = Array.from({ length: FLOORS_MAX }, (_, i) => ({
      hardwareClass: longest,
      model: `${i}`.padStart(64, 'm'),
      securityVersion: Number.MAX_SAFE_INTEGER,
      sequenceNumber: Number.MAX_SAFE_INTEGER,
      manifestSha256: new Uint8Array(32),
    }));
    const record: FloorRecord = {
      generation: Number.MAX_SAFE_INTEGER,
      floors,
      rootVersion: Number.MAX_SAFE_INTEGER,
      rootSha256: new Uint8Array(32),
      revocationVersion: Number.MAX_SAFE_INTEGER,
      revocationSha256: new Uint8Array(32),
      clockFloorMs: Number.MAX_SAFE_INTEGER,
      goldenSha256: new Uint8Array(32),
      safeOutput: most,
      safeOutputIo: ioSchemaToCbor(METADATA.io),
    };
    const bytes = encodeFloor(record, KEY);
    expect(bytes.length).toBeLessThanOrEqual(FLOOR_BYTES_MAX);
    expect(accepted(decodeFloor(bytes, KEY))).toEqual(record);
  });
});

/** A list of zeros, one byte each, as long as a bundle with it can be packed. */
function largestSafeOutput(): CborMap {
  const { files } = packInput();
  const output = (count: number): CborMap => new Map([['y', Array<number>(count).fill(0)]]);
  const packs = (count: number): boolean => {
    const metadata = { ...METADATA, safeOutput: output(count) };
    return packBundleBytes(packInput({ metadata, files: files.slice(0, 1) })).ok;
  };
  let [fits, over] = [0, 65_536];
  expect(packs(fits)).toBe(true);
  expect(packs(over)).toBe(false);
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    if (packs(middle)) fits = middle;
    else over = middle;
  }
  expect(fits).toBeGreaterThan(60_000);
  expect(utf8('\uffff')).toHaveLength(3);
  return output(fits);
}
