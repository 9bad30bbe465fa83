/** Which slot may be written: never one that the device would need tomorrow. */
import { TRIAL_ATTEMPTS } from '../base/limits.ts';
import type { FloorRecord } from '../trust/floor.ts';
import { attestedBy, type ReadyMarks } from './boot-choice.ts';
import type { BootRecord } from './boot-record.ts';
import { refuseUpdate } from './faults.ts';
import { goodSlots } from './slot-set.ts';
import { digestOf, type SlotName } from './slot-table.ts';

const TURNS: readonly SlotName[] = ['A', 'B'];

/**
 * The slot for a new release: neither the preferred good one nor the only good one.
 * Refuses with `update.trial-pending` while a release that ran is not decided on.
 */
export function installTarget(
  record: BootRecord,
  marks: ReadyMarks,
  floors: FloorRecord,
): SlotName {
  const tried = TURNS.find((slot) => {
    const entry = record.slots[slot];
    return entry.state === 'trial' && entry.attemptsLeft < TRIAL_ATTEMPTS;
  });
  const undecided = record.confirming ?? tried;
  if (undecided !== undefined) {
    throw refuseUpdate('update.trial-pending', `slot ${undecided} is on trial`);
  }
  const good = goodOfTurns(record, marks, floors);
  const free = TURNS.filter((slot) => !good.includes(slot));
  if (free.length === 0) return record.active === 'B' ? 'A' : 'B';
  // What waits to be booted is replaced last.
  return free.find((slot) => !isWaiting(record, slot)) ?? (free[0] as SlotName);
}

/** GOLDEN, unless nothing else is good. Refuses with `update.only-good-slot`. */
export function goldenTarget(record: BootRecord, marks: ReadyMarks): SlotName {
  const good = goodSlots(record, marks);
  if (!good.includes('GOLDEN') || good.length > 1) return 'GOLDEN';
  throw refuseUpdate('update.only-good-slot', 'GOLDEN is the only good slot');
}

function goodOfTurns(
  record: BootRecord,
  marks: ReadyMarks,
  floors: FloorRecord,
): readonly SlotName[] {
  const good = goodSlots(record, marks);
  return TURNS.filter((slot) => {
    const digest = digestOf(record.slots[slot]);
    const attested = record.rebuilt && digest !== undefined && attestedBy(floors, digest);
    return good.includes(slot) || attested;
  });
}

function isWaiting(record: BootRecord, slot: SlotName): boolean {
  const { state } = record.slots[slot];
  return state === 'staged' || state === 'trial';
}
