/**
 * Slots A, B and GOLDEN on a disk: install, boot, confirm, revert. One object for whoever runs a
 * device; every method starts from what stands on the disk, so that nothing is known only in memory.
 */
import { attempt, type Fault, need, type Result } from '../base/fault.ts';
import type { ByteSource } from '../bundle/source.ts';
import type { Act } from '../trust/admissible.ts';
import type { VerifiedBundle } from '../trust/verify.ts';
import type { SetPin } from './boot-record.ts';
import { type Confirmed, confirmSlot } from './confirm.ts';
import type { Disk } from './disk.ts';
import { refuseUpdate } from './faults.ts';
import {
  type InstallOptions,
  type InstallStream,
  installFrom,
  openInstall,
  type Staged,
} from './install.ts';
import { type BootOptions, type BootOutcome, bootSlots } from './recovery.ts';
import { activateStaged, type Reverted, rejectTrial, revertSlots } from './revert.ts';
import {
  type FloorCommit,
  judgeSlot,
  loadSet,
  pinOf,
  type SlotSet,
  slotSet,
  type Trust,
} from './slot-set.ts';
import { digestOf, type SlotName } from './slot-table.ts';
import { type SlotsStatus, statusOf } from './status.ts';
import type { UpdateStep } from './step.ts';

export type { SlotsStatus } from './status.ts';

export interface SlotsInput {
  readonly disk: Disk;
  /** Exists; holds `boot.0`, `boot.1` and `slots/`. */
  readonly folder: string;
  /** 32 bytes: the device's own, for the boot record. */
  readonly macKey: Uint8Array;
  readonly floors: FloorCommit;
  /** From the image, where it fixes vendor, class and model; the first release sets it otherwise. */
  readonly pin?: SetPin;
  /** Told of every step, in order; telling may fail without changing anything here. */
  readonly onStep?: (step: UpdateStep) => void;
}

export interface Slots {
  /** Into the slot that nothing depends on. Faults: those of `verifyBundle`, `update.*`, `disk.*`. */
  install(source: ByteSource, options: InstallOptions): Result<Staged>;
  /** The same, fed with chunks in order, as a download gives them. */
  openInstall(options: InstallOptions): InstallStream;
  /** Into GOLDEN, with no exemption: it is admitted like any install, and judged at each boot. */
  provision(source: ByteSource, options: InstallOptions): Result<Staged>;
  /** Arms a release that was installed with `activate: false`. */
  activate(): Result<SlotName>;
  /** The first admissible slot of the ladder, or the safe output; never a fault. */
  boot(options: BootOptions): BootOutcome;
  /** Only when golden vectors and soak have passed; may be repeated, and heals a lost copy. */
  confirm(slot: SlotName, trust: Trust): Result<Confirmed>;
  /** Gives up a release on trial at once. */
  reject(slot: SlotName, fault: Fault): Result<true>;
  /** Verifies what a slot holds, changing nothing. Faults: as of `boot`, `update.no-trial`. */
  judge(slot: SlotName, act: Act, options: BootOptions): Result<VerifiedBundle>;
  /** To the other good slot, from the next boot on. */
  revert(trust: Trust): Result<Reverted>;
  status(): SlotsStatus;
}

export function openSlots(input: SlotsInput): Slots {
  const { disk, folder, floors, pin, onStep } = input;
  let reportsLost = 0;
  const tell = (step: UpdateStep): void => {
    try {
      onStep?.(step);
    } catch {
      // Reporting never changes what a device does, and it is not silent about having failed.
      reportsLost++;
    }
  };
  const set = slotSet({ disk, folder, floors, pin, tell }, input.macKey);
  return {
    install: (source, options) => installFrom(set, source, 'model', options),
    openInstall: (options) => openInstall(set, options),
    provision: (source, options) => installFrom(set, source, 'golden', options),
    activate: () => activateStaged(set),
    boot: (options) => bootSlots(set, options),
    confirm: (slot, trust) => confirmSlot(set, slot, trust),
    reject: (slot, fault) => rejectTrial(set, slot, fault),
    judge: (slot, act, options) => judgeAlone(set, slot, act, options),
    revert: (trust) => revertSlots(set, trust),
    status: () => ({ ...statusOf(set), reportsLost }),
  };
}

function judgeAlone(
  set: SlotSet,
  slot: SlotName,
  act: Act,
  { trust, except: _, ...options }: BootOptions,
): Result<VerifiedBundle> {
  return attempt(() => {
    const { record } = loadSet(set);
    const manifestSha256 = digestOf(record.slots[slot]);
    if (manifestSha256 === undefined) {
      throw refuseUpdate('update.no-trial', `slot ${slot} is ${record.slots[slot].state}`);
    }
    const context = { ...trust, floors: need(set.floors.read()).record };
    const pin = pinOf(set, record);
    return need(judgeSlot(set, { slot, act, manifestSha256, context, pin, options }));
  });
}
