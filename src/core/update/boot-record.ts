/**
 * The boot record: what each slot holds and how far it has come, which one is preferred, and to which
 * vendor, class and model the set belongs. Deterministic CBOR, sealed with the device's MAC key.
 *
 * It is a cache of decisions and never a licence: whatever it says, a slot boots only when
 * `verifyBundle` admits it against the floors. Replaying an older record can cost a trial or bring
 * one back, and cannot bring back a release below the floor.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { BOOT_RECORD_BYTES_MAX, TRIAL_ATTEMPTS } from '../base/limits.ts';
import { readName } from '../bundle/metadata.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { openRecord, sealRecord } from '../crypto/mac.ts';
import { refuseUpdate } from './faults.ts';
import {
  advance,
  digestOf,
  SLOT_NAMES,
  SLOT_STATES,
  type SlotCause,
  type SlotEntry,
  type SlotName,
} from './slot-table.ts';

const PROFILE = 'edgeward-boot/1';

/** To whom a set of slots belongs; a bundle of anybody else is refused. */
export interface SetPin {
  readonly vendor: string;
  readonly hardwareClass: string;
  readonly model: string;
}

export interface BootRecord {
  /** Rises with every write; the newest valid copy wins. */
  readonly generation: number;
  /** Set by the first release that is installed or provisioned. */
  readonly pin?: SetPin;
  /** Preferred among what is good: the slot confirmed or reverted to last. */
  readonly active?: SlotName;
  /** Its release has proved itself; the copy, the floor or the flip may be outstanding. */
  readonly confirming?: SlotName;
  /** The record was lost and made anew from READY markers; until the next confirm. */
  readonly rebuilt: boolean;
  readonly slots: Readonly<Record<SlotName, SlotEntry>>;
}

export const EMPTY_BOOT_RECORD: BootRecord = {
  generation: 0,
  rebuilt: false,
  slots: { A: { state: 'empty' }, B: { state: 'empty' }, GOLDEN: { state: 'empty' } },
};

/** The record with one slot advanced. */
export function withSlot(record: BootRecord, slot: SlotName, cause: SlotCause): BootRecord {
  return { ...record, slots: { ...record.slots, [slot]: advance(record.slots[slot], cause) } };
}

export function encodeBootRecord(record: BootRecord, macKey: Uint8Array): Uint8Array {
  const { pin } = record;
  const body = cborMap(
    ['profile', PROFILE],
    ['generation', record.generation],
    [
      'pin',
      pin && cborMap(['vendor', pin.vendor], ['class', pin.hardwareClass], ['model', pin.model]),
    ],
    ['active', record.active],
    ['confirming', record.confirming],
    ['rebuilt', record.rebuilt],
    ['slots', new Map(SLOT_NAMES.map((name) => [name, entryToCbor(record.slots[name])]))],
  );
  return sealRecord(macKey, encodeCbor(body));
}

/** Faults: `update.record-mac`, `update.record-malformed`, `cbor.*`, `field.*`. */
export function decodeBootRecord(bytes: Uint8Array, macKey: Uint8Array): Result<BootRecord> {
  return attempt(() => {
    if (bytes.length > BOOT_RECORD_BYTES_MAX) {
      throw refuseUpdate('update.record-malformed', `the record has ${bytes.length} bytes`);
    }
    const body = openRecord(macKey, bytes);
    if (body === undefined) throw refuseUpdate('update.record-mac', 'the MAC does not match');
    const fields = Fields.of('', need(decodeCbor(body)));
    if (fields.text('profile') !== PROFILE) {
      throw refuseUpdate('update.record-malformed', 'the record has another profile');
    }
    const pin = fields.optional('pin', (n) => readPin(fields.map(n)));
    const active = fields.optional('active', (n) => fields.oneOf(n, SLOT_NAMES));
    const confirming = fields.optional('confirming', (n) => fields.oneOf(n, SLOT_NAMES));
    const slots = fields.map('slots');
    const record: BootRecord = {
      generation: fields.integer('generation'),
      ...(pin === undefined ? {} : { pin }),
      ...(active === undefined ? {} : { active }),
      ...(confirming === undefined ? {} : { confirming }),
      rebuilt: fields.boolean('rebuilt'),
      slots: {
        A: readEntry(slots.map('A')),
        B: readEntry(slots.map('B')),
        GOLDEN: readEntry(slots.map('GOLDEN')),
      },
    };
    slots.done();
    fields.done();
    return record;
  });
}

function entryToCbor(entry: SlotEntry): CborMap {
  return cborMap(
    ['state', entry.state],
    ['manifest', digestOf(entry)],
    ['attempts', entry.state === 'trial' ? entry.attemptsLeft : undefined],
    ['reason', entry.state === 'bad' ? entry.reason : undefined],
  );
}

function readEntry(fields: Fields): SlotEntry {
  const entry = readState(fields);
  fields.done();
  return entry;
}

function readState(fields: Fields): SlotEntry {
  const state = fields.oneOf('state', SLOT_STATES);
  if (state === 'empty') return { state };
  if (state === 'bad') return { state, reason: fields.text('reason', 64) };
  const manifestSha256 = fields.bytes('manifest', 32).slice();
  if (state !== 'trial') return { state, manifestSha256 };
  return { state, manifestSha256, attemptsLeft: fields.integer('attempts', 0, TRIAL_ATTEMPTS) };
}

function readPin(fields: Fields): SetPin {
  const pin = {
    vendor: fields.text('vendor'),
    hardwareClass: readName(fields.text('class')),
    model: readName(fields.text('model')),
  };
  fields.done();
  return pin;
}
