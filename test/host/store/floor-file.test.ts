/** The floor in two files: nothing that happens to a file brings an old value back. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FLOOR_BYTES_MAX, FLOORS_MAX, MANIFEST_BYTES_MAX } from '../../../src/core/base/limits.ts';
import {
  EMPTY_FLOOR,
  encodeFloor,
  type FloorRecord,
  raiseFloor,
} from '../../../src/core/trust/floor.ts';
import { nextEpoch } from '../../../src/host/store/boot-counter.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from './folder.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);
const raised = (record: FloorRecord, securityVersion: number): FloorRecord =>
  raiseFloor(record, {
    hardwareClass: 'c',
    model: 'm',
    securityVersion,
    sequenceNumber: 1,
    manifestSha256: new Uint8Array(32),
  });

describe('the floor store', () => {
  it('is empty before the first write and gives back what was written', () => {
    const store = openFloorStore(folder(), KEY);
    expect(accepted(store.read())).toEqual({
      record: EMPTY_FLOOR,
      damagedCopies: 0,
      healed: false,
    });
    const record = raised(EMPTY_FLOOR, 5);
    accepted(store.write(record));
    expect(accepted(store.read())).toEqual({ record, damagedCopies: 0, healed: false });
  });

  it.each([0, 1])('keeps the floor when copy %i is lost or any byte of it flips', (index) => {
    const at = folder();
    const store = openFloorStore(at, KEY);
    accepted(store.write(raised(EMPTY_FLOOR, 1)));
    const record = raised(raised(EMPTY_FLOOR, 1), 5);
    accepted(store.write(record));
    const path = join(at, `floor.${index}`);
    const whole = readFileSync(path);
    for (let i = 0; i < whole.length; i++) {
      const bad = Uint8Array.from(whole);
      bad[i] = (bad[i] as number) ^ 1;
      writeFileSync(path, bad);
      expect(accepted(store.read())).toEqual({ record, damagedCopies: 1, healed: false });
    }
    rmSync(path);
    expect(accepted(store.read())).toEqual({ record, damagedCopies: 0, healed: false });
  });

  it('refuses a record that another device wrote', () => {
    const at = folder();
    accepted(openFloorStore(at, OTHER).write(raised(EMPTY_FLOOR, 0)));
    expect(codeOf(openFloorStore(at, KEY).read())).toBe('store.corrupt');
  });

  it('takes no boot counter for a floor, and no floor for a boot counter', () => {
    const at = folder();
    accepted(openFloorStore(at, KEY).write(raised(EMPTY_FLOOR, 1)));
    for (const i of [0, 1]) copyFileSync(join(at, `floor.${i}`), join(at, `epoch.${i}`));
    expect(codeOf(nextEpoch(at, KEY))).toBe('store.corrupt');
    const other = folder();
    accepted(nextEpoch(other, KEY));
    for (const i of [0, 1]) copyFileSync(join(other, `epoch.${i}`), join(other, `floor.${i}`));
    expect(codeOf(openFloorStore(other, KEY).read())).toBe('store.corrupt');
  });

  it('has room for the largest record there can be', () => {
    const text = '\u{ffff}'.repeat(256);
    const floors = Array.from({ length: FLOORS_MAX }, (_, i) => ({
      hardwareClass: text,
      model: `${String(i).padStart(2, '0')}${'m'.repeat(62)}`,
      securityVersion: Number.MAX_SAFE_INTEGER,
      sequenceNumber: Number.MAX_SAFE_INTEGER,
      manifestSha256: new Uint8Array(32),
    }));
    const record = {
      ...EMPTY_FLOOR,
      floors,
      // Both come out of one metadata, which is no larger than a manifest.
      safeOutput: new Map([['tensors', new Uint8Array(MANIFEST_BYTES_MAX / 2)]]),
      safeOutputIo: new Map([['inputs', new Uint8Array(MANIFEST_BYTES_MAX / 2)]]),
    };
    expect(encodeFloor(record, KEY).length).toBeLessThanOrEqual(FLOOR_BYTES_MAX);
    const store = openFloorStore(folder(), KEY);
    accepted(store.write(record));
    expect(accepted(store.read()).record.floors).toHaveLength(FLOORS_MAX);
  });

  it('gives no empty record for damaged ones, and writes over none of them', () => {
    const record = raised(EMPTY_FLOOR, 5);
    const harms: ((path: string) => void)[] = [
      (path) => writeFileSync(path, ''),
      (path) => writeFileSync(path, readFileSync(path).subarray(0, 40)),
      (path) => writeFileSync(path, new Uint8Array(FLOOR_BYTES_MAX + 1)),
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ];
    for (const harm of harms) {
      const at = folder();
      const store = openFloorStore(at, KEY);
      accepted(store.write(record));
      for (const index of [0, 1]) harm(join(at, `floor.${index}`));
      expect(codeOf(store.read())).toBe('store.corrupt');
      expect(codeOf(store.write(raised(record, 6)))).toBe('store.corrupt');
      rmSync(join(at, 'floor.0'), { recursive: true });
      expect(codeOf(store.read()), 'one damaged, one gone').toBe('store.corrupt');
    }
  });

  it('is store.corrupt in a folder that is none', () => {
    const path = join(folder(), 'file');
    writeFileSync(path, '');
    expect(codeOf(openFloorStore(path, KEY).read())).toBe('store.corrupt');
  });

  it('refuses to lower anything', () => {
    const store = openFloorStore(folder(), KEY);
    const record = raised(EMPTY_FLOOR, 5);
    accepted(store.write(record));
    expect(codeOf(store.write(raised(EMPTY_FLOOR, 4)))).toBe('floor.lowered');
    expect(codeOf(store.write(EMPTY_FLOOR))).toBe('floor.lowered');
    expect(accepted(store.read()).record).toEqual(record);
  });

  it('keeps what it has where nothing can be written any more', () => {
    const at = folder();
    const store = openFloorStore(at, KEY);
    const record = raised(EMPTY_FLOOR, 5);
    accepted(store.write(record));
    // As a read-only disk does, and for root as well: the temporary file cannot be made.
    for (const index of [0, 1]) mkdirSync(join(at, `floor.${index}.tmp`));
    chmodSync(at, 0o500);
    expect(codeOf(store.write(raised(record, 6)))).toBe('store.write');
    chmodSync(at, 0o700);
    expect(accepted(store.read()).record).toEqual(record);
  });

  it('says its tier', () => {
    expect(openFloorStore(folder(), KEY).tier).toBe('T0');
    expect(openFloorStore(folder(), KEY, 'none').tier).toBe('none');
  });
});
