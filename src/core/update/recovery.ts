/**
 * A boot: takes up what was interrupted, walks the ladder, and gives the first slot that the one
 * verifier admits, or the safe output. It never fails: every way ends in one of the two.
 */
import { attempt, type Fault, faultOf } from '../base/fault.ts';
import type { FloorRecord } from '../trust/floor.ts';
import type { VerifiedBundle, VerifyOptions } from '../trust/verify.ts';
import { bootPlan, type Rung, type RungKind } from './boot-choice.ts';
import { type BootRecord, withSlot } from './boot-record.ts';
import { confirmSlot } from './confirm.ts';
import { UPDATE_FAULTS } from './faults.ts';
import {
  judgeSlot,
  type LoadedSet,
  loadSet,
  pinOf,
  refuseSlot,
  type SlotSet,
  saveRecord,
  type Trust,
  withPin,
} from './slot-set.ts';
import { SLOT_NAMES, type SlotName } from './slot-table.ts';

export interface BootOptions extends VerifyOptions {
  readonly trust: Trust;
  /** Slots that verified and would not run: this boot goes on without them. */
  readonly except?: readonly SlotName[];
}

export interface BootedSlot {
  readonly slot: SlotName;
  readonly kind: RungKind;
  readonly bundle: VerifiedBundle;
  /** Confirm it when it has proved itself; without that a trial ends after its attempts. */
  readonly awaitsConfirm: boolean;
}

export interface BootOutcome {
  /** Absent: the safe output. */
  readonly booted: BootedSlot | undefined;
  /** Of the slot that was refused last, or why none could be judged. */
  readonly refusal: Fault | undefined;
  /** A slot was refused, unreadable or given up on the way, or the record was damaged. */
  readonly degraded: boolean;
}

/** The walk, one write of the record at a time. */
interface Walk {
  record: BootRecord;
  /** Something is not written yet. */
  dirty: boolean;
  refusal: Fault | undefined;
  degraded: boolean;
}

export function bootSlots(set: SlotSet, options: BootOptions): BootOutcome {
  const floors = set.floors.read();
  // Without the floors nobody can say what is admissible.
  if (!floors.ok) return safeOutput(set, floors.fault);
  const resumed = resumeConfirm(set, options);
  const read = resumed ? set.floors.read() : floors;
  if (!read.ok) return safeOutput(set, read.fault);
  const loaded = loadSet(set);
  const walk = startWalk(set, loaded);
  const { rungs } = settle(set, walk, loaded, read.value.record);
  for (const rung of rungs) {
    if (options.except?.includes(rung.slot)) continue;
    const bundle = climb(set, walk, rung, read.value.record, options);
    if (bundle === undefined) continue;
    return chosen(set, walk, rung, bundle);
  }
  write(set, walk);
  const none = faultOf(UPDATE_FAULTS, 'update.nothing-good', 'no slot holds a release');
  return { ...safeOutput(set, walk.refusal ?? none), degraded: walk.degraded };
}

/** True when it was tried: records and floors are to be read again. */
function resumeConfirm(set: SlotSet, { trust, except }: BootOptions): boolean {
  const { stored } = loadSet(set);
  const slot = stored?.confirming;
  // What was just seen not to run is not confirmed, whatever it did before.
  if (slot === undefined || except?.includes(slot) === true) return false;
  const confirmed = confirmSlot(set, slot, trust);
  set.tell({
    step: 'confirm-resumed',
    slot,
    ...(confirmed.ok ? {} : { fault: confirmed.fault.code }),
  });
  return true;
}

function startWalk(set: SlotSet, loaded: LoadedSet): Walk {
  const { record, stored, damagedCopies, whole } = loaded;
  if (stored === undefined && record.rebuilt) set.tell({ step: 'record-rebuilt', damagedCopies });
  else if (!whole) set.tell({ step: 'record-healed', damagedCopies });
  return { record, dirty: !whole, refusal: undefined, degraded: !whole };
}

/** Gives up what cannot be on the ladder, before anything is booted. */
function settle(
  set: SlotSet,
  walk: Walk,
  loaded: LoadedSet,
  floors: FloorRecord,
): { readonly rungs: readonly Rung[] } {
  const plan = bootPlan(loaded.stored, loaded.marks, floors);
  for (const { slot, reason } of plan.givenUp) {
    set.tell({ step: 'slot-refused', slot, fault: reason, bad: true });
    walk.refusal = faultOf(UPDATE_FAULTS, reason, `slot ${slot}`);
    walk.dirty = true;
    walk.degraded = true;
  }
  for (const { slot, fault } of plan.unreadable) {
    set.tell({ step: 'slot-unreadable', slot, fault: fault.code });
    walk.refusal = fault;
    walk.degraded = true;
  }
  walk.record = plan.record;
  return plan;
}

function climb(
  set: SlotSet,
  walk: Walk,
  rung: Rung,
  floors: FloorRecord,
  options: BootOptions,
): VerifiedBundle | undefined {
  const { slot, act, manifestSha256 } = rung;
  if (rung.spends && !spend(set, walk, slot)) return undefined;
  const { trust, except: _, ...verify } = options;
  const judged = judgeSlot(set, {
    slot,
    act,
    manifestSha256,
    context: { ...trust, floors },
    pin: pinOf(set, walk.record),
    options: verify,
  });
  if (judged.ok) return judged.value;
  const before = walk.record;
  walk.record = refuseSlot(set, walk.record, slot, judged.fault);
  walk.dirty ||= walk.record !== before;
  walk.refusal = judged.fault;
  walk.degraded = true;
  return undefined;
}

/** Durable before the slot is read: a release that kills the process must not be tried for ever. */
function spend(set: SlotSet, walk: Walk, slot: SlotName): boolean {
  const spent = withSlot(walk.record, slot, { cause: 'spend' });
  const saved = attempt(() => saveRecord(set, spent));
  if (!saved.ok) {
    set.tell({ step: 'trial-postponed', slot, fault: saved.fault.code });
    walk.refusal = saved.fault;
    walk.degraded = true;
    return false;
  }
  walk.record = saved.value;
  walk.dirty = false;
  const entry = saved.value.slots[slot];
  const attemptsLeft = entry.state === 'trial' ? entry.attemptsLeft : 0;
  set.tell({ step: 'attempt-spent', slot, attemptsLeft });
  return true;
}

function chosen(set: SlotSet, walk: Walk, rung: Rung, bundle: VerifiedBundle): BootOutcome {
  const { slot, kind, manifestSha256 } = rung;
  const { record } = walk;
  const pinned = withPin(record, set, bundle.meta);
  if (record.pin === undefined) walk.dirty = true;
  walk.record = pinned;
  // The slot that was being confirmed is gone and its copy stands: the copy is confirmed instead.
  if (record.confirming !== undefined && kind === 'proven' && record.confirming !== slot) {
    walk.record = adopt(pinned, slot, manifestSha256);
    walk.dirty = true;
  }
  write(set, walk);
  set.tell({ step: 'slot-chosen', slot, kind, manifestSha256 });
  const awaitsConfirm = awaitsConfirmIn(walk.record, slot);
  const booted = { slot, kind, bundle, awaitsConfirm };
  return { booted, refusal: walk.refusal, degraded: walk.degraded };
}

/** GOLDEN is copied only where nothing confirmed would be written over: it was meant to be passing. */
function awaitsConfirmIn(record: BootRecord, slot: SlotName): boolean {
  if (slot !== 'GOLDEN') return record.slots[slot].state !== 'confirmed';
  return record.slots.A.state !== 'confirmed' && record.slots.B.state !== 'confirmed';
}

function adopt(record: BootRecord, slot: SlotName, manifestSha256: Uint8Array): BootRecord {
  if (record.slots[slot].state === 'confirmed') return { ...record, confirming: slot };
  let adopted = withSlot(record, slot, { cause: 'begin', manifestSha256 });
  adopted = withSlot(adopted, slot, { cause: 'publish' });
  adopted = withSlot(adopted, slot, { cause: 'arm' });
  return { ...adopted, confirming: slot };
}

/** Best effort: a read-only disk must not keep a good slot from booting. */
function write(set: SlotSet, walk: Walk): void {
  walk.record = withoutLostConfirm(walk.record);
  if (!walk.dirty) return;
  const saved = attempt(() => saveRecord(set, walk.record));
  if (saved.ok) walk.dirty = false;
  else walk.degraded = true;
}

/** A release that was being confirmed and was given up is not waited for; nor is its half copy. */
function withoutLostConfirm(record: BootRecord): BootRecord {
  const { confirming, ...kept } = record;
  if (confirming === undefined || record.slots[confirming].state !== 'bad') return record;
  const half = SLOT_NAMES.find((slot) => record.slots[slot].state === 'staging');
  if (half === undefined) return kept;
  return withSlot(kept, half, { cause: 'refuse', reason: 'update.interrupted' });
}

function safeOutput(set: SlotSet, fault: Fault): BootOutcome {
  set.tell({ step: 'safe-output', fault: fault.code });
  return { booted: undefined, refusal: fault, degraded: true };
}
