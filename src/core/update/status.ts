/** What the slots hold and how much is left to fall back to, read from the disk without hashing. */
import { equalBytes } from '../base/bytes.ts';
import { attempt, need } from '../base/fault.ts';
import { MANIFEST_BYTES_MAX } from '../base/limits.ts';
import { decodeMetadata, type ModelMetadata } from '../bundle/metadata.ts';
import { MANIFEST_PATH } from '../bundle/ustar.ts';
import { openEnvelope } from '../suit/envelope.ts';
import { type FloorRecord, floorOf } from '../trust/floor.ts';
import type { SetPin } from './boot-record.ts';
import { slotFolder } from './slot-layout.ts';
import { goodSlots, loadSet, pinOf, type SlotSet } from './slot-set.ts';
import { digestOf, SLOT_NAMES, type SlotEntry, type SlotName } from './slot-table.ts';

export interface SlotStatus {
  readonly slot: SlotName;
  readonly entry: SlotEntry;
  /** READY stands and names the release that the record says; nothing is hashed for it. */
  readonly ready: boolean;
  /** The release that READY names, whatever the record says of the slot. */
  readonly marked: Uint8Array | undefined;
  /** What it holds may never boot again, or nobody can tell. */
  readonly belowFloor: boolean;
  /** What the manifest in it says of itself; no signature is verified for it. */
  readonly claim: { readonly name: string; readonly version: string } | undefined;
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
  /**
   * Good slots that are not below the floor, GOLDEN among them: 3 is whole, 0 means the safe output
   * unless a trial holds. Nothing is hashed for it.
   */
  readonly redundancy: number;
  /** Steps that `onStep` threw at. */
  readonly reportsLost: number;
}

export function statusOf(set: SlotSet): Omit<SlotsStatus, 'reportsLost'> {
  const { record, marks, damagedCopies } = loadSet(set);
  const floors = set.floors.read();
  const slots = SLOT_NAMES.map((slot) => {
    const entry = record.slots[slot];
    const digest = digestOf(entry);
    const marked = marks[slot].digest;
    const ready = digest !== undefined && marked !== undefined && equalBytes(marked, digest);
    const meta = marked === undefined ? undefined : claimedMeta(set, slot);
    const belowFloor = ready && isBelowFloor(meta, floors.ok ? floors.value.record : undefined);
    const claim = meta && { name: meta.name, version: meta.version };
    return { slot, entry, ready, marked, belowFloor, claim };
  });
  const good = goodSlots(record, marks);
  return {
    slots,
    active: record.active,
    confirming: record.confirming,
    pin: pinOf(set, record),
    generation: record.generation,
    rebuilt: record.rebuilt,
    damagedCopies,
    redundancy: slots.filter(({ slot, belowFloor }) => good.includes(slot) && !belowFloor).length,
  };
}

function claimedMeta(set: SlotSet, slot: SlotName): ModelMetadata | undefined {
  const claimed = attempt(() => {
    const path = `${slotFolder(set.folder, slot)}/${MANIFEST_PATH}`;
    const envelope = need(openEnvelope(need(set.disk.read(path, MANIFEST_BYTES_MAX))));
    return need(decodeMetadata(envelope.meta));
  });
  return claimed.ok ? claimed.value : undefined;
}

/** By what the slot's manifest claims: redundancy that the floor has overtaken is none. */
function isBelowFloor(meta: ModelMetadata | undefined, floors: FloorRecord | undefined): boolean {
  if (meta === undefined || floors === undefined) return true;
  const { hardwareClass, name, securityVersion } = meta;
  return securityVersion < (floorOf(floors, hardwareClass, name)?.securityVersion ?? 0);
}
