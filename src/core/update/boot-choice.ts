/**
 * The boot choice as a pure function of the boot record, the READY markers and the floors: an ordered
 * ladder, at whose end stands the safe output. It says what is tried and in which order; whether a
 * slot may boot is for `verifyBundle` alone.
 */
import { equalBytes } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import { TRIAL_ATTEMPTS } from '../base/limits.ts';
import type { Act } from '../trust/admissible.ts';
import type { FloorRecord } from '../trust/floor.ts';
import { type BootRecord, EMPTY_BOOT_RECORD, withSlot } from './boot-record.ts';
import type { UpdateFaultCode } from './faults.ts';
import { digestOf, SLOT_NAMES, type SlotEntry, type SlotName } from './slot-table.ts';

/** What READY of a slot says: a digest, nothing, or that the medium would not tell. */
export interface ReadyMark {
  readonly digest?: Uint8Array;
  readonly fault?: Fault;
}
export type ReadyMarks = Readonly<Record<SlotName, ReadyMark>>;

export type RungKind =
  /** Not confirmed yet: costs an attempt. */
  | 'trial'
  /** Its confirm was interrupted, or the floor attests it while the record was lost. */
  | 'proven'
  /** The confirmed slot that is preferred. */
  | 'confirmed'
  /** The other confirmed slot. */
  | 'other'
  | 'golden';

export interface Rung {
  readonly slot: SlotName;
  readonly kind: RungKind;
  readonly act: Act;
  readonly manifestSha256: Uint8Array;
  /** An attempt must be spent durably before this slot is even read. */
  readonly spends: boolean;
}

export interface BootPlan {
  /** The record with everything given up that cannot be on the ladder. */
  readonly record: BootRecord;
  readonly rungs: readonly Rung[];
  readonly givenUp: readonly { readonly slot: SlotName; readonly reason: UpdateFaultCode }[];
  readonly unreadable: readonly { readonly slot: SlotName; readonly fault: Fault }[];
}

export function bootPlan(
  stored: BootRecord | undefined,
  marks: ReadyMarks,
  floors: FloorRecord,
): BootPlan {
  let record = stored ?? rebuiltRecord(marks);
  const givenUp: { slot: SlotName; reason: UpdateFaultCode }[] = [];
  const unreadable: { slot: SlotName; fault: Fault }[] = [];
  for (const slot of SLOT_NAMES) {
    const { fault } = marks[slot];
    if (fault !== undefined && record.slots[slot].state !== 'empty') {
      unreadable.push({ slot, fault });
      continue;
    }
    const reason = whyGivenUp(record, slot, marks[slot]);
    if (reason === undefined) continue;
    givenUp.push({ slot, reason });
    record = withSlot(record, slot, { cause: 'refuse', reason });
  }
  const usable = SLOT_NAMES.filter((slot) => marks[slot].fault === undefined);
  return { record, rungs: rungsOf(record, usable, marks, floors), givenUp, unreadable };
}

/** Nothing counts as confirmed: what stands whole is on trial, and GOLDEN is what it was. */
export function rebuiltRecord(marks: ReadyMarks): BootRecord {
  const entryOf = (slot: SlotName): SlotEntry => {
    const manifestSha256 = marks[slot].digest;
    if (manifestSha256 === undefined) return { state: 'empty' };
    return slot === 'GOLDEN'
      ? { state: 'staged', manifestSha256 }
      : { state: 'trial', manifestSha256, attemptsLeft: TRIAL_ATTEMPTS };
  };
  const slots = { A: entryOf('A'), B: entryOf('B'), GOLDEN: entryOf('GOLDEN') };
  const rebuilt = SLOT_NAMES.some((slot) => slots[slot].state !== 'empty');
  return { ...EMPTY_BOOT_RECORD, rebuilt, slots };
}

/** The floor record names this release as the one confirmed last. */
export function attestedBy(floors: FloorRecord, manifestSha256: Uint8Array): boolean {
  return floors.floors.some((floor) => equalBytes(floor.manifestSha256, manifestSha256));
}

function whyGivenUp(
  record: BootRecord,
  slot: SlotName,
  mark: ReadyMark,
): UpdateFaultCode | undefined {
  const entry = record.slots[slot];
  const digest = digestOf(entry);
  if (digest === undefined) return undefined;
  if (entry.state === 'staging') {
    // The copy of a release that is being confirmed is finished with it.
    return record.confirming === undefined ? 'update.interrupted' : undefined;
  }
  if (mark.digest === undefined) return 'update.not-ready';
  if (!equalBytes(mark.digest, digest)) return 'update.other-release';
  const exhausted =
    entry.state === 'trial' && entry.attemptsLeft === 0 && record.confirming !== slot;
  return exhausted ? 'update.trial-exhausted' : undefined;
}

function rungsOf(
  record: BootRecord,
  usable: readonly SlotName[],
  marks: ReadyMarks,
  floors: FloorRecord,
): readonly Rung[] {
  const rung = (slot: SlotName, kind: RungKind, act: Act, digest: Uint8Array): Rung => ({
    slot,
    kind,
    act,
    manifestSha256: digest,
    spends: kind === 'trial',
  });
  // The release confirmed last is booted; whatever else is good is a step back.
  const actOf = (digest: Uint8Array): Act => (attestedBy(floors, digest) ? 'boot' : 'revert');
  const found: Rung[] = confirmingSlots(record, usable, marks).map(({ slot, digest }) =>
    rung(slot, 'proven', 'boot', digest),
  );
  const inState = (state: SlotEntry['state']) =>
    usable.flatMap((slot) => {
      const digest = digestOf(record.slots[slot]);
      const taken = found.some((earlier) => earlier.slot === slot);
      return record.slots[slot].state === state && digest !== undefined && !taken
        ? [{ slot, digest }]
        : [];
    });
  // The floor says that this release was confirmed here: with the record lost, it must not be used up
  // by a few power cuts.
  const attested = (digest: Uint8Array): boolean => record.rebuilt && attestedBy(floors, digest);
  const trials = inState('trial');
  for (const { slot, digest } of trials) {
    if (attested(digest)) found.push(rung(slot, 'proven', 'boot', digest));
  }
  // What was never confirmed here is an install, however it came there and whatever a record says.
  for (const { slot, digest } of trials) {
    if (!attested(digest)) found.push(rung(slot, 'trial', 'install', digest));
  }
  const golden = inState('staged').filter(({ slot }) => slot === 'GOLDEN');
  const preferGolden = record.active === 'GOLDEN';
  // READY is no proof and a lost or older record no memory: the floors know what came in there.
  const { goldenSha256 } = floors;
  const goldenAct = (digest: Uint8Array): Act =>
    goldenSha256 !== undefined && equalBytes(goldenSha256, digest)
      ? actOf(digest)
      : attestedBy(floors, digest)
        ? 'boot'
        : 'install';
  const last = golden.map(({ slot, digest }) => rung(slot, 'golden', goldenAct(digest), digest));
  if (preferGolden) found.push(...last);
  const confirmed = inState('confirmed').sort(
    (a, b) => Number(b.slot === record.active) - Number(a.slot === record.active),
  );
  confirmed.forEach(({ slot, digest }, index) => {
    found.push(rung(slot, index === 0 ? 'confirmed' : 'other', actOf(digest), digest));
  });
  return preferGolden ? found : [...found, ...last];
}

/** The slot whose release is being confirmed, then its copy where that is published already. */
function confirmingSlots(
  record: BootRecord,
  usable: readonly SlotName[],
  marks: ReadyMarks,
): readonly { readonly slot: SlotName; readonly digest: Uint8Array }[] {
  const { confirming } = record;
  if (confirming === undefined) return [];
  const others = SLOT_NAMES.filter((slot) => slot !== confirming && slot !== 'GOLDEN');
  const digests = [confirming, ...others].map((slot) => digestOf(record.slots[slot]));
  const digest = digests.find((value) => value !== undefined);
  return [confirming, ...others].flatMap((slot, index) => {
    const own = digests[index];
    const mark = marks[slot].digest;
    const same =
      digest !== undefined &&
      own !== undefined &&
      mark !== undefined &&
      equalBytes(own, digest) &&
      equalBytes(mark, digest);
    return same && usable.includes(slot) ? [{ slot, digest }] : [];
  });
}
