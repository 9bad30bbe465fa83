/** What can go wrong with a board profile or the identity of the device. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type PlatformFaultCode =
  | 'platform.profile-missing'
  | 'platform.profile-json'
  | 'platform.identity'
  | 'platform.in-use';

export const PLATFORM_FAULTS: FaultTable<PlatformFaultCode> = {
  'platform.profile-missing': 'Give one of the listed board names, or the path of a profile file.',
  'platform.profile-json': 'Give a board profile of at most 64 KiB of JSON.',
  'platform.in-use': 'Stop the other process first, or give this one a state folder of its own.',
  'platform.identity':
    'The device key is damaged: restore it from a backup, or remove it and enrol the device anew.',
};

export const refusePlatform: (code: PlatformFaultCode, message: string) => Refusal =
  refusing(PLATFORM_FAULTS);
