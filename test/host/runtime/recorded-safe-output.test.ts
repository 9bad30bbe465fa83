/** The safe output on record: that of the release confirmed last, or none. */
import { describe, expect, it } from 'vitest';
import { EMPTY_FLOOR, type FloorRecord } from '../../../src/core/trust/floor.ts';
import { recordedSafeOutput } from '../../../src/host/runtime/recorded-safe-output.ts';
import { accepted } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { Machine } from './machine.ts';
import { rowOf, SAFE } from './releases.ts';

const folder = scratch();
const recordOf = (device: Machine): FloorRecord => accepted(device.floors.read()).record;

describe('recordedSafeOutput', () => {
  it('is that of the release confirmed last, read from the disk, and none when that has none', () => {
    const device = new Machine(folder()).confirmed();
    expect(rowOf(recordedSafeOutput(recordOf(device)))).toEqual([1, 2]);
    const safe = new Map([['outputs', new Map([['y', [3, 4]]])]]);
    device.confirmed({ version: '2.0.0', sequenceNumber: 20, safe });
    expect(rowOf(recordedSafeOutput(recordOf(device)))).toEqual([3, 4]);
    device.confirmed({ version: '3.0.0', sequenceNumber: 30, safe: 'none' });
    expect(recordedSafeOutput(recordOf(device))).toBeUndefined();
  });

  it('is nothing for a record that contradicts itself', () => {
    const safeOutputIo = new Map();
    expect(recordedSafeOutput(EMPTY_FLOOR)).toBeUndefined();
    expect(recordedSafeOutput({ ...EMPTY_FLOOR, safeOutput: SAFE })).toBeUndefined();
    expect(recordedSafeOutput({ ...EMPTY_FLOOR, safeOutput: SAFE, safeOutputIo })).toBeUndefined();
  });
});
