/** The closed fault codes of the update room: what slots refuse, and what a disk does. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type UpdateFaultCode =
  | 'update.pinned'
  | 'update.trial-pending'
  | 'update.no-trial'
  | 'update.not-tried'
  | 'update.not-ready'
  | 'update.slot-damaged'
  | 'update.other-release'
  | 'update.interrupted'
  | 'update.trial-exhausted'
  | 'update.reverted'
  | 'update.nothing-good'
  | 'update.only-good-slot'
  | 'update.reserved-name'
  | 'update.record-malformed'
  | 'update.record-mac';

export const UPDATE_FAULTS: FaultTable<UpdateFaultCode> = {
  'update.pinned':
    'These slots belong to another vendor, hardware class or model: install a release of that one.',
  'update.trial-pending':
    'A release is on trial: wait until it is confirmed, or take it back with `edgeward revert`.',
  'update.no-trial': 'No release waits in this slot: install one first.',
  'update.not-tried': 'The release has not run yet: boot it before it is confirmed.',
  'update.not-ready': 'The slot was never published whole: install the release again.',
  'update.slot-damaged':
    'The files of the slot are not the ones its manifest names: install the release again.',
  'update.other-release':
    'The slot holds another release than was recorded: treat it as tampering and install again.',
  'update.interrupted': 'The install was interrupted: install the release again.',
  'update.trial-exhausted': 'The release never proved itself: install one that runs here.',
  'update.reverted': 'The release was taken back: install another one.',
  'update.nothing-good': 'No other slot holds an admissible release: install one.',
  'update.only-good-slot':
    'This is the only good slot: confirm a release in another one before it is written.',
  'update.reserved-name': 'Pack the model again without a file named READY.',
  'update.record-malformed':
    'The boot record is damaged: the slots are judged anew; confirm the release that runs.',
  'update.record-mac':
    'The boot record was not written by this device: treat it as tampering; the slots are judged anew.',
};

export const refuseUpdate: (code: UpdateFaultCode, message: string) => Refusal =
  refusing(UPDATE_FAULTS);

export type DiskFaultCode =
  | 'disk.not-found'
  | 'disk.exists'
  | 'disk.full'
  | 'disk.read-only'
  | 'disk.denied'
  | 'disk.io'
  | 'disk.too-large';

export const DISK_FAULTS: FaultTable<DiskFaultCode> = {
  'disk.not-found': 'A file of the slots is missing: install the release again.',
  'disk.exists': 'Something stands where a slot is written: remove it and try again.',
  'disk.full': 'Make room on the disk and try again; what runs is untouched.',
  'disk.read-only': 'Mount the disk writable and try again; what runs is untouched.',
  'disk.denied': 'Give this user access to the folder of the slots, and leave no links in it.',
  'disk.io': 'The disk fails to read or write: check the medium and replace it.',
  'disk.too-large': 'A file of the slots is larger than its limit: treat it as tampering.',
};

export const refuseDisk: (code: DiskFaultCode, message: string) => Refusal = refusing(DISK_FAULTS);
