/** What can be wrong with a board profile. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type DeviceFaultCode = 'device.contradiction' | 'device.text';

export const DEVICE_FAULTS: FaultTable<DeviceFaultCode> = {
  'device.contradiction': 'Make the two named members of the board profile agree.',
  'device.text': 'Write the named member of the board profile in the stated form.',
};

export const refuseDevice: (code: DeviceFaultCode, message: string) => Refusal =
  refusing(DEVICE_FAULTS);
