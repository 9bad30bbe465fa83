/** Back to the other good slot, because an operator says so, and the giving up of a trial. */
import { attempt, type Fault, need, type Result } from '../base/fault.ts';
import type { VerifiedBundle } from '../trust/verify.ts';
import type { ReadyMarks } from './boot-choice.ts';
import { type BootRecord, withSlot } from './boot-record.ts';
import { refuseUpdate } from './faults.ts';
import {
  goodSlots,
  judgeSlot,
  loadSet,
  pinOf,
  type SlotSet,
  saveRecord,
  type Trust,
} from './slot-set.ts';
import { digestOf, SLOT_NAMES, type SlotName } from './slot-table.ts';

export interface Reverted {
  /** Preferred from the next boot on. */
  readonly slot: SlotName;
  readonly bundle: VerifiedBundle;
}

/**
 * Takes a release on trial back, or prefers the other good slot; what is reverted to is verified
 * first, and nothing changes where it is refused. Faults: `update.nothing-good`, those of
 * `verifyBundle` with act `revert`, `disk.*`.
 */
export function revertSlots(set: SlotSet, trust: Trust): Result<Reverted> {
  return attempt(() => {
    const { record, marks } = loadSet(set);
    const context = { ...trust, floors: need(set.floors.read()).record };
    let refusal: Fault | undefined;
    for (const slot of candidates(record, marks)) {
      const manifestSha256 = digestOf(record.slots[slot]);
      if (manifestSha256 === undefined) continue;
      const pin = pinOf(set, record);
      const judged = judgeSlot(set, { slot, act: 'revert', manifestSha256, context, pin });
      if (judged.ok) {
        saveRecord(set, revertedRecord(record, slot));
        set.tell({ step: 'reverted', slot, manifestSha256 });
        return { slot, bundle: judged.value };
      }
      refusal ??= judged.fault;
    }
    if (refusal !== undefined) need({ ok: false, fault: refusal });
    throw refuseUpdate('update.nothing-good', 'no other slot is good');
  });
}

/**
 * Gives up what is on trial at once, for a release whose golden vectors or worker failed: the next
 * boot takes the confirmed one. Faults: `update.no-trial`, `disk.*`.
 */
export function rejectTrial(set: SlotSet, slot: SlotName, fault: Fault): Result<true> {
  return attempt(() => {
    const { record } = loadSet(set);
    if (record.slots[slot].state !== 'trial') {
      throw refuseUpdate('update.no-trial', `slot ${slot} is ${record.slots[slot].state}`);
    }
    saveRecord(set, giveUp(record, slot, fault.code));
    set.tell({ step: 'slot-refused', slot, fault: fault.code, bad: true });
    return true;
  });
}

/** Arms a release that was installed to wait. Fault: `update.no-trial`, `disk.*`. */
export function activateStaged(set: SlotSet): Result<SlotName> {
  return attempt(() => {
    const { record } = loadSet(set);
    const slot = SLOT_NAMES.find(
      (name) => name !== 'GOLDEN' && record.slots[name].state === 'staged',
    );
    if (slot === undefined) throw refuseUpdate('update.no-trial', 'no slot is staged');
    saveRecord(set, withSlot(record, slot, { cause: 'arm' }));
    return slot;
  });
}

/** With a trial: the preferred good slot. Without: the other one. GOLDEN last, unless preferred. */
function candidates(record: BootRecord, marks: ReadyMarks): readonly SlotName[] {
  const { active } = record;
  const good = goodSlots(record, marks);
  const [first, ...rest] = [
    ...good.filter((slot) => slot === active),
    ...good.filter((slot) => slot !== active),
  ];
  if (first === undefined) return [];
  return waiting(record).length > 0 || first !== active ? [first, ...rest] : rest;
}

function waiting(record: BootRecord): readonly SlotName[] {
  return SLOT_NAMES.filter((slot) => {
    const { state } = record.slots[slot];
    return slot !== 'GOLDEN' && (state === 'trial' || state === 'staged');
  });
}

function revertedRecord(record: BootRecord, slot: SlotName): BootRecord {
  const taken = waiting(record).reduce(
    (next, name) => giveUp(next, name, 'update.reverted'),
    record,
  );
  return { ...taken, active: slot };
}

function giveUp(record: BootRecord, slot: SlotName, reason: string): BootRecord {
  const { confirming, ...kept } = withSlot(record, slot, { cause: 'refuse', reason });
  return confirming === undefined || confirming === slot ? kept : { ...kept, confirming };
}
