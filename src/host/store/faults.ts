/** The closed fault codes of the store room. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type StoreFaultCode =
  | 'store.not-found'
  | 'store.read'
  | 'store.write'
  | 'store.exists'
  | 'store.too-large'
  | 'store.loose-mode'
  | 'store.corrupt';

export const STORE_FAULTS: FaultTable<StoreFaultCode> = {
  'store.not-found': 'Check the path; nothing is there.',
  'store.read': 'Check that the file is readable and the disk is healthy.',
  'store.write': 'Check that the disk has room and is not mounted read-only.',
  'store.exists': 'Choose another name: existing files are never overwritten here.',
  'store.too-large': 'The file is over a limit that protects the device: make it smaller.',
  'store.loose-mode':
    'Others can read this secret: run `chmod 600` on it, and replace it if they may have.',
  'store.corrupt':
    'Both copies are damaged: restore the state folder from a backup, or enrol the device anew.',
};

export const refuseStore: (code: StoreFaultCode, message: string) => Refusal =
  refusing(STORE_FAULTS);

/** The code of an error of the operating system, or its text. */
export function errnoOf(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown) return String(thrown.code);
  return String(thrown);
}
