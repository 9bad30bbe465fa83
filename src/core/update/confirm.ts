/**
 * The confirm transaction. The caller says that the release proved itself (golden vectors, soak; never
 * live verdicts); here it is admitted, copied byte by byte into the other slot and verified there,
 * and only then the floor rises, and after that the record says CONFIRMED.
 *
 *     confirming = slot, other = STAGING  ->  copy, verify the copy  ->  floor  ->  both CONFIRMED
 *
 * Each arrow is durable before the next step; a power cut at any point is taken up by the next boot,
 * and doing a step twice changes nothing.
 */
import { equalBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { TRIAL_ATTEMPTS } from '../base/limits.ts';
import { ioSchemaToCbor } from '../bundle/io-schema-codec.ts';
import type { TrustContext } from '../trust/admissible.ts';
import { adoptRoot, type FloorRecord, floorOf, raiseFloor } from '../trust/floor.ts';
import type { VerifiedBundle } from '../trust/verify.ts';
import { attestedBy, type ReadyMarks } from './boot-choice.ts';
import { type BootRecord, withSlot } from './boot-record.ts';
import { refuseUpdate } from './faults.ts';
import { copySlot, emptySlot, makeSlotFolders, publishSlot } from './slot-files.ts';
import { slotFolder } from './slot-layout.ts';
import {
  goodSlots,
  isLasting,
  judgeSlot,
  type LoadedSet,
  loadSet,
  pinOf,
  type SlotSet,
  saveRecord,
  type Trust,
  withPin,
} from './slot-set.ts';
import { digestOf, type SlotName } from './slot-table.ts';

export interface Confirmed {
  readonly slot: SlotName;
  readonly bundle: VerifiedBundle;
  /** Where the second copy stands; absent while another release waits in that slot. */
  readonly copy: SlotName | undefined;
}

/**
 * Confirms the release in this slot, or restores its second copy where it is confirmed already.
 * Faults: `update.no-trial`, `update.not-tried`, those of `verifyBundle` and of the floor, `disk.*`.
 */
export function confirmSlot(set: SlotSet, slot: SlotName, trust: Trust): Result<Confirmed> {
  return attempt(() => {
    const loaded = loadSet(set);
    const { record, marks } = loaded;
    const context = { ...trust, floors: need(set.floors.read()).record };
    const manifestSha256 = releaseToConfirm(record, slot, context.floors);
    const pin = pinOf(set, record);
    const judge = (where: SlotName) =>
      judgeSlot(set, { slot: where, act: 'confirm', manifestSha256, context, pin });
    const bundle = need(judge(slot));
    const copy = copyTarget(record, slot, marks);
    // Another release waits there, and losing it to a second copy is not what was asked.
    if (copy === undefined) return { slot, bundle, copy };
    const plan = { slot, copy, manifestSha256 };
    const begun = copyRelease(set, loaded, plan, () => judge(copy));
    raiseFloors(set, bundle, context);
    saveRecord(set, confirmedRecord(set, begun, slot, copy, bundle));
    set.tell({ step: 'confirmed', slot, manifestSha256 });
    return { slot, bundle, copy };
  });
}

/** The floor record after this bundle proved itself: floors raised, its safe output kept. */
export function confirmedFloors(
  record: FloorRecord,
  bundle: VerifiedBundle,
  context: Pick<TrustContext, 'root'>,
): FloorRecord {
  const { meta, sequenceNumber } = bundle;
  const raised = raiseFloor(record, {
    hardwareClass: meta.hardwareClass,
    model: meta.name,
    securityVersion: meta.securityVersion,
    sequenceNumber,
    manifestSha256: bundle.manifestSha256,
  });
  const { safeOutput: _, safeOutputIo: __, ...kept } = adoptRoot(raised, context.root);
  return {
    ...kept,
    ...(meta.safeOutput === undefined
      ? {}
      : { safeOutput: meta.safeOutput, safeOutputIo: ioSchemaToCbor(meta.io) }),
  };
}

function releaseToConfirm(record: BootRecord, slot: SlotName, floors: FloorRecord): Uint8Array {
  const entry = record.slots[slot];
  const digest = digestOf(entry);
  if (digest === undefined || entry.state === 'staging') {
    throw refuseUpdate('update.no-trial', `slot ${slot} is ${entry.state}`);
  }
  const proven =
    entry.state === 'confirmed' ||
    slot === 'GOLDEN' ||
    record.confirming === slot ||
    (record.rebuilt && attestedBy(floors, digest)) ||
    (entry.state === 'trial' && entry.attemptsLeft < TRIAL_ATTEMPTS);
  if (!proven) throw refuseUpdate('update.not-tried', `slot ${slot} was never booted`);
  return digest;
}

/** `undefined` where the release is confirmed and the other slot holds one that waits. */
function copyTarget(record: BootRecord, slot: SlotName, marks: ReadyMarks): SlotName | undefined {
  if (slot === 'GOLDEN') {
    const good = goodSlots(record, marks);
    return good.includes('B') || !good.includes('A') ? 'A' : 'B';
  }
  const other = slot === 'A' ? 'B' : 'A';
  const { state } = record.slots[other];
  const waits = state === 'staged' || state === 'trial';
  return record.slots[slot].state === 'confirmed' && waits ? undefined : other;
}

/** Gives the record as it stands when the copy is published and verified. */
function copyRelease(
  set: SlotSet,
  loaded: LoadedSet,
  plan: { readonly slot: SlotName; readonly copy: SlotName; readonly manifestSha256: Uint8Array },
  judgeCopy: () => Result<VerifiedBundle>,
): BootRecord {
  const { disk, folder } = set;
  const { slot, copy, manifestSha256 } = plan;
  const { record, marks } = loaded;
  const standing = digestOf(record.slots[copy]);
  const mark = marks[copy].digest;
  if (
    standing !== undefined &&
    mark !== undefined &&
    equalBytes(standing, manifestSha256) &&
    equalBytes(mark, manifestSha256)
  ) {
    const judged = judgeCopy();
    if (judged.ok) return record;
    // A medium that fails today must not cost a copy that is whole.
    if (!isLasting(judged.fault)) need(judged);
  }
  makeSlotFolders(disk, folder);
  // From here on the release counts as proven: no attempt is spent on it any more.
  const begun = saveRecord(set, {
    ...withSlot(record, copy, { cause: 'begin', manifestSha256 }),
    confirming: slot,
  });
  const target = slotFolder(folder, copy);
  emptySlot(disk, target);
  copySlot(disk, slotFolder(folder, slot), target);
  publishSlot(disk, target, manifestSha256);
  // What was written is what counts, not what was meant.
  need(judgeCopy());
  return begun;
}

/** Raises the floor, unless it stands there already: a TPM and a flash cell wear out. */
function raiseFloors(set: SlotSet, bundle: VerifiedBundle, context: TrustContext): void {
  const before = context.floors;
  const after = confirmedFloors(before, bundle, context);
  const { hardwareClass, name } = bundle.meta;
  const [was, is] = [before, after].map((record) => floorOf(record, hardwareClass, name));
  const same =
    was !== undefined &&
    is !== undefined &&
    equalBytes(was.manifestSha256, is.manifestSha256) &&
    was.securityVersion === is.securityVersion &&
    was.sequenceNumber === is.sequenceNumber &&
    adoptRoot(before, context.root) === before;
  if (!same) need(set.floors.write(after));
}

function confirmedRecord(
  set: SlotSet,
  record: BootRecord,
  slot: SlotName,
  copy: SlotName,
  bundle: VerifiedBundle,
): BootRecord {
  let next = record;
  if (next.slots[copy].state === 'staging') next = withSlot(next, copy, { cause: 'publish' });
  next = withSlot(next, copy, { cause: 'confirm' });
  // GOLDEN stays what the factory put there; its copy is the one that is confirmed.
  if (slot !== 'GOLDEN') next = withSlot(next, slot, { cause: 'confirm' });
  const { confirming: _, ...kept } = withPin(next, set, bundle.meta);
  return { ...kept, rebuilt: false, active: slot === 'GOLDEN' ? copy : slot };
}
