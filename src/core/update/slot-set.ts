/** What every act on the slots starts from: the record, the markers, the floors and one judge. */
import { equalBytes } from '../base/bytes.ts';
import { attempt, type Fault, need, type Result } from '../base/fault.ts';
import { BOOT_RECORD_BYTES_MAX } from '../base/limits.ts';
import type { ModelMetadata } from '../bundle/metadata.ts';
import type { Act, TrustContext } from '../trust/admissible.ts';
import type { FloorRecord } from '../trust/floor.ts';
import { type VerifiedBundle, type VerifyOptions, verifyBundle } from '../trust/verify.ts';
import { type ReadyMark, type ReadyMarks, rebuiltRecord } from './boot-choice.ts';
import {
  type BootRecord,
  decodeBootRecord,
  encodeBootRecord,
  type SetPin,
  withSlot,
} from './boot-record.ts';
import type { Disk } from './disk.ts';
import { refuseUpdate } from './faults.ts';
import { type DiskPair, openDiskPair } from './record-pair.ts';
import { readReady } from './slot-files.ts';
import { slotFolder } from './slot-layout.ts';
import { openSlotSource } from './slot-source.ts';
import { SLOT_NAMES, type SlotName } from './slot-table.ts';
import type { UpdateStep } from './step.ts';

/** The floor record behind whatever keeps it: a file pair, a TPM, fuses. */
export interface FloorCommit {
  /** The empty record where nothing was ever confirmed; a fault where that is not certain. */
  read(): Result<{ readonly record: FloorRecord }>;
  /** Durable when it returns. */
  write(record: FloorRecord): Result<true>;
}

/** What the caller trusts; the floors are read here, freshly for each act. */
export type Trust = Omit<TrustContext, 'floors'>;

export interface SlotSet {
  readonly disk: Disk;
  /** Holds `boot.0`, `boot.1` and `slots/`; it exists. */
  readonly folder: string;
  readonly floors: FloorCommit;
  /** Fixed by the image, where it is; otherwise the first release sets it. */
  readonly pin: SetPin | undefined;
  readonly tell: (step: UpdateStep) => void;
  readonly records: DiskPair<BootRecord>;
}

export function slotSet(
  input: Pick<SlotSet, 'disk' | 'folder' | 'floors' | 'pin' | 'tell'>,
  macKey: Uint8Array,
): SlotSet {
  const records = openDiskPair<BootRecord>(input.disk, input.folder, 'boot', {
    bytesMax: BOOT_RECORD_BYTES_MAX,
    encode: (record) => encodeBootRecord(record, macKey),
    decode: (bytes) => decodeBootRecord(bytes, macKey),
    generation: (record) => record.generation,
  });
  return { ...input, records };
}

export interface LoadedSet {
  /** As stored, or made anew from the markers; nothing is written yet. */
  readonly record: BootRecord;
  readonly stored: BootRecord | undefined;
  readonly marks: ReadyMarks;
  readonly damagedCopies: number;
  /** Both copies stand and say the same, or there is nothing to say. */
  readonly whole: boolean;
}

export function loadSet(set: SlotSet): LoadedSet {
  const { record: stored, damagedCopies, whole } = set.records.read();
  const marks = readMarks(set);
  const record = stored ?? rebuiltRecord(marks);
  const fresh = stored === undefined && damagedCopies === 0 && !record.rebuilt;
  return { record, stored, marks, damagedCopies, whole: whole || fresh };
}

/** Durable when it returns; refuses with `disk.*`. */
export function saveRecord(set: SlotSet, record: BootRecord): BootRecord {
  const next = { ...record, generation: record.generation + 1 };
  need(set.records.write(next));
  return next;
}

export interface JudgeInput {
  readonly slot: SlotName;
  readonly act: Act;
  /** The release that the record names: another one, however well signed, was put there. */
  readonly manifestSha256: Uint8Array;
  readonly context: TrustContext;
  readonly pin: SetPin | undefined;
  readonly options?: VerifyOptions;
}

/** Whether what lies in a slot may do this: the one verifier, the record's release and the pin. */
export function judgeSlot(set: SlotSet, input: JudgeInput): Result<VerifiedBundle> {
  return attempt(() => {
    const source = need(openSlotSource(set.disk, slotFolder(set.folder, input.slot)));
    try {
      // Before a payload is hashed: another release is not worth reading.
      if (!equalBytes(source.claims.manifestSha256, input.manifestSha256)) {
        throw refuseUpdate('update.other-release', `slot ${input.slot} holds another manifest`);
      }
      const bundle = need(verifyBundle(source, input.act, input.context, input.options));
      checkPin(bundle.meta, input.pin, input.context.floors);
      return bundle;
    } finally {
      source.close();
    }
  });
}

/** The pin in force: the image's own goes first. */
export function pinOf(set: SlotSet, record: BootRecord): SetPin | undefined {
  return set.pin ?? record.pin;
}

/** Refuses with `update.pinned`. */
export function checkPin(meta: ModelMetadata, pin: SetPin | undefined, floors: FloorRecord): void {
  const { vendor, hardwareClass, name } = meta;
  if (pin !== undefined) {
    const same = pin.vendor === vendor && pin.hardwareClass === hardwareClass && pin.model === name;
    if (same) return;
    throw refuseUpdate(
      'update.pinned',
      `${vendor} ${name} for ${hardwareClass}; pinned is ${pin.vendor} ${pin.model} for ${pin.hardwareClass}`,
    );
  }
  // Where the record with the pin was lost, the floors still know what was confirmed here.
  const known = floors.floors.some((f) => f.hardwareClass === hardwareClass && f.model === name);
  if (floors.floors.length > 0 && !known) {
    throw refuseUpdate('update.pinned', `${name} for ${hardwareClass} was never confirmed here`);
  }
}

/** The record with its pin, from the release that was just admitted where there was none. */
export function withPin(record: BootRecord, set: SlotSet, meta: ModelMetadata): BootRecord {
  const { vendor, hardwareClass, name } = meta;
  return { ...record, pin: pinOf(set, record) ?? { vendor, hardwareClass, model: name } };
}

const READABLE_LATER: readonly string[] = ['disk.io', 'disk.denied', 'store.read'];
/** Of a lasting family, and about who judges: another pin, root or Node.js admits the same bytes. */
const OF_THE_JUDGE: readonly string[] = ['cose.unknown-key', 'crypto.no-ml-dsa', 'update.pinned'];
/** Not `field` and `metadata`: intact signed metadata that cannot be read is of a newer Edgeward. */
const LASTING: readonly string[] = [
  'bundle',
  'cbor',
  'cose',
  'crypto',
  'disk',
  'rollback',
  'suit',
  'update',
];

/** The medium or its rights, not the bytes. */
export function isUnreadable(fault: Fault): boolean {
  return READABLE_LATER.includes(fault.code);
}

/**
 * Whether the refusal can never turn: damage, and what is below the floor. What another root, list
 * or runtime may readmit stays what it is, refused at each boot anew: giving it up would make one
 * wrong root file, or one start with a wrong pin or under an older Node.js, cost every slot.
 */
export function isLasting(fault: Fault): boolean {
  if (isUnreadable(fault) || OF_THE_JUDGE.includes(fault.code)) return false;
  return LASTING.includes(fault.code.slice(0, fault.code.indexOf('.')));
}

/** Gives a slot up where the refusal lasts, and tells in any case. */
export function refuseSlot(
  set: SlotSet,
  record: BootRecord,
  slot: SlotName,
  fault: Fault,
): BootRecord {
  if (isUnreadable(fault)) {
    set.tell({ step: 'slot-unreadable', slot, fault: fault.code });
    return record;
  }
  const bad = isLasting(fault);
  set.tell({ step: 'slot-refused', slot, fault: fault.code, bad });
  return bad ? withSlot(record, slot, { cause: 'refuse', reason: fault.code }) : record;
}

function readMarks(set: SlotSet): ReadyMarks {
  const markOf = (slot: SlotName): ReadyMark => {
    const ready = readReady(set.disk, slotFolder(set.folder, slot));
    if (!ready.ok) return { fault: ready.fault };
    return ready.value === undefined ? {} : { digest: ready.value };
  };
  return { A: markOf('A'), B: markOf('B'), GOLDEN: markOf('GOLDEN') };
}

/** Slots whose READY names the release that the record says, in a state that may boot. */
export function goodSlots(record: BootRecord, marks: ReadyMarks): readonly SlotName[] {
  return SLOT_NAMES.filter((slot) => {
    const entry = record.slots[slot];
    const mark = marks[slot].digest;
    const bootable = entry.state === 'confirmed' || (slot === 'GOLDEN' && entry.state === 'staged');
    return bootable && mark !== undefined && equalBytes(mark, entry.manifestSha256);
  });
}
