/** The floor and the boot counter: nothing that happens to a file brings an old value back. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FLOOR_BYTES_MAX, FLOORS_MAX, MANIFEST_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import {
  EMPTY_FLOOR,
  encodeFloor,
  type FloorRecord,
  raiseFloor,
} from '../../../src/core/trust/floor.ts';
import { lastEpoch, nextEpoch, openFloorStore } from '../../../src/host/store/device-records.ts';
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
    expect(accepted(store.read())).toEqual({ record: EMPTY_FLOOR, damagedCopies: 0 });
    const record = raised(EMPTY_FLOOR, 5);
    accepted(store.write(record));
    expect(accepted(store.read())).toEqual({ record, damagedCopies: 0 });
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
      expect(accepted(store.read())).toEqual({ record, damagedCopies: 1 });
    }
    rmSync(path);
    expect(accepted(store.read())).toEqual({ record, damagedCopies: 0 });
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
});

describe('nextEpoch', () => {
  it('counts from 1', () => {
    const at = folder();
    expect(accepted(lastEpoch(at, KEY))).toBe(0);
    expect([1, 2, 3].map(() => accepted(nextEpoch(at, KEY)))).toEqual([1, 2, 3]);
    expect(accepted(lastEpoch(at, KEY))).toBe(3);
  });

  it('never gives one twice, whichever copy is lost or put back between boots', () => {
    for (const index of [0, 1]) {
      const at = folder();
      const path = join(at, `epoch.${index}`);
      const given = new Set<number>();
      let old: Uint8Array | undefined;
      for (let boot = 0; boot < 12; boot++) {
        const epoch = accepted(nextEpoch(at, KEY));
        expect(given.has(epoch)).toBe(false);
        given.add(epoch);
        if (boot % 3 === 0) rmSync(path);
        else if (boot % 3 === 1) writeFileSync(path, 'torn');
        else if (old !== undefined) writeFileSync(path, old);
        if (boot % 3 === 2) old = readFileSync(join(at, `epoch.${1 - index}`));
      }
    }
  });

  it('gives none that it could not write down', () => {
    expect(codeOf(nextEpoch(join(folder(), 'gone'), KEY))).toBe('store.write');
  });

  it('refuses a counter of another device, and one that is none', () => {
    const at = folder();
    accepted(nextEpoch(at, OTHER));
    expect(codeOf(nextEpoch(at, KEY))).toBe('store.corrupt');
    for (const body of [['edgeward-epoch/1', 1.5], ['edgeward-epoch/2', 1], [], 'x', new Map()]) {
      for (const i of [0, 1]) {
        writeFileSync(join(at, `epoch.${i}`), sealRecord(KEY, encodeCbor(body)));
      }
      expect(codeOf(nextEpoch(at, KEY))).toBe('store.corrupt');
    }
  });
});
