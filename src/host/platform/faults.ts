/** What can go wrong when a board profile is looked up. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type PlatformFaultCode = 'platform.profile-missing' | 'platform.profile-json';

export const PLATFORM_FAULTS: FaultTable<PlatformFaultCode> = {
  'platform.profile-missing': 'Give one of the listed board names, or the path of a profile file.',
  'platform.profile-json': 'Give a board profile of at most 64 KiB of JSON.',
};

export const refusePlatform: (code: PlatformFaultCode, message: string) => Refusal =
  refusing(PLATFORM_FAULTS);
