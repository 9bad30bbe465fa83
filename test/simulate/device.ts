/** A device in the simulation: slots and a floor record on one simulated disk. */
import { attempt, type Result } from '../../src/core/base/fault.ts';
import { FLOOR_BYTES_MAX } from '../../src/core/base/limits.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import {
  decodeFloor,
  EMPTY_FLOOR,
  encodeFloor,
  type FloorRecord,
} from '../../src/core/trust/floor.ts';
import { modelOf } from '../../src/core/trust/verify.ts';
import type { SetPin } from '../../src/core/update/boot-record.ts';
import type { Confirmed } from '../../src/core/update/confirm.ts';
import type { Disk } from '../../src/core/update/disk.ts';
import { refuseUpdate } from '../../src/core/update/faults.ts';
import type { Staged } from '../../src/core/update/install.ts';
import { openDiskPair } from '../../src/core/update/record-pair.ts';
import type { BootOutcome } from '../../src/core/update/recovery.ts';
import type { FloorCommit } from '../../src/core/update/slot-set.ts';
import type { SlotName } from '../../src/core/update/slot-table.ts';
import { openSlots, type Slots } from '../../src/core/update/slots.ts';
import type { UpdateStep } from '../../src/core/update/step.ts';
import { type Release, TRUST } from './releases.ts';

export const FOLDER = 'state';
const MAC_KEY: Uint8Array = new Uint8Array(32).fill(5);

export interface Device {
  readonly disk: Disk;
  readonly slots: Slots;
  readonly floors: FloorCommit;
  readonly steps: UpdateStep[];
}

export function deviceOn(disk: Disk, pin?: SetPin): Device {
  const steps: UpdateStep[] = [];
  const floors = floorsOn(disk);
  const slots = openSlots({
    disk,
    folder: FOLDER,
    macKey: MAC_KEY,
    floors,
    ...(pin === undefined ? {} : { pin }),
    onStep: (step) => steps.push(step),
  });
  return { disk, slots, floors, steps };
}

export function install(device: Device, release: Release): Result<Staged> {
  return device.slots.install(bytesSource(release.bundle), { trust: TRUST });
}

export function provision(device: Device, release: Release): Result<Staged> {
  return device.slots.provision(bytesSource(release.bundle), { trust: TRUST });
}

export function boot(device: Device): BootOutcome {
  return device.slots.boot({ trust: TRUST, keep: ['model'] });
}

export function confirm(device: Device, slot: SlotName): Result<Confirmed> {
  return device.slots.confirm(slot, TRUST);
}

/** The bytes of the model that came up. */
export function bootedModel(outcome: BootOutcome): Uint8Array | undefined {
  return outcome.booted === undefined ? undefined : modelOf(outcome.booted.bundle).bytes;
}

/** Tier T0 on the same disk, so that its writes are cut and torn like all others. */
function floorsOn(disk: Disk): FloorCommit {
  const pair = openDiskPair<FloorRecord>(disk, FOLDER, 'floor', {
    bytesMax: FLOOR_BYTES_MAX,
    encode: (record) => encodeFloor(record, MAC_KEY),
    decode: (bytes) => decodeFloor(bytes, MAC_KEY),
    generation: (record) => record.generation,
  });
  return {
    read: () =>
      attempt(() => {
        const { record, damagedCopies } = pair.read();
        if (record === undefined && damagedCopies > 0) {
          throw refuseUpdate('update.record-mac', 'no copy of the floors is left');
        }
        return { record: record ?? EMPTY_FLOOR };
      }),
    write: (record) => pair.write(record),
  };
}
