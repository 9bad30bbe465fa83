/**
 * Slots A, B and GOLDEN on a disk: install, boot, confirm, revert. One object for whoever runs a
 * device; every method starts from what stands on the disk, so that nothing is known only in memory.
 */
import { equalBytes } from '../base/bytes.ts';
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
  goodSlots,
  judgeSlot,
  loadSet,
  pinOf,
  type SlotSet,
  slotSet,
  type Trust,
} from './slot-set.ts';
import { digestOf, SLOT_NAMES, type SlotEntry, type SlotName } from './slot-table.ts';
import type { UpdateStep } from './step.ts';

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

export interface SlotStatus {
  readonly slot: SlotName;
  readonly entry: SlotEntry;
  /** READY stands and names the release that the record says; nothing is hashed for it. */
  readonly ready: boolean;
}

export interface SlotsStatus {
  readonly slots: readonly SlotStatus[];
  readonly active: SlotName | undefined;
  readonly confirming: SlotName | undefined;
  readonly pin: SetPin | undefined;
  readonly generation: number;
  /** The record was lost; confirm the release that runs. */
  readonly rebuilt: boolean;
  readonly damagedCopies: number;
  /** Good slots, GOLDEN among them: 3 is whole, 0 means the safe output unless a trial holds. */
  readonly redundancy: number;
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
  // Reporting never changes what a device does.
  const tell = (step: UpdateStep): void => onStep?.(step);
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
    status() {
      const { record, marks, damagedCopies } = loadSet(set);
      return {
        slots: SLOT_NAMES.map((slot) => {
          const entry = record.slots[slot];
          const digest = digestOf(entry);
          const mark = marks[slot].digest;
          const ready = digest !== undefined && mark !== undefined && equalBytes(mark, digest);
          return { slot, entry, ready };
        }),
        active: record.active,
        confirming: record.confirming,
        pin: pinOf(set, record),
        generation: record.generation,
        rebuilt: record.rebuilt,
        damagedCopies,
        redundancy: goodSlots(record, marks).length,
      };
    },
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
