/** What can go wrong with a board profile or the identity of the device. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type PlatformFaultCode =
  | 'platform.profile-missing'
  | 'platform.profile-json'
  | 'platform.identity'
  | 'platform.in-use'
  | 'platform.tool-missing'
  | 'platform.tool-deadline'
  | 'platform.tool-output'
  | 'platform.tool-failed'
  | 'platform.tpm-unreachable'
  | 'platform.tpm-index-missing'
  | 'platform.tpm-index-exists'
  | 'platform.tpm-index-unwritten'
  | 'platform.tpm-index-kind'
  | 'platform.tpm-refused'
  | 'platform.tpm-busy'
  | 'platform.otp-reply';

export const PLATFORM_FAULTS: FaultTable<PlatformFaultCode> = {
  'platform.profile-missing': 'Give one of the listed board names, or the path of a profile file.',
  'platform.profile-json': 'Give a board profile of at most 64 KiB of JSON.',
  'platform.in-use': 'Stop the other process first, or give this one a state folder of its own.',
  'platform.identity':
    'The device key is damaged: restore it from a backup, or remove it and enrol the device anew.',
  'platform.tool-missing':
    'Install the package that brings the tool (tpm2-tools; vcmailbox is in raspi-utils).',
  'platform.tool-deadline': 'The tool hung and was ended: check the device that it speaks to.',
  'platform.tool-output': 'The tool said something else than it should: check its version.',
  'platform.tool-failed': 'Read what the tool said; run it by hand to see more.',
  'platform.tpm-unreachable': 'Check the TCTI, the device file and the right to open it.',
  'platform.tpm-index-missing': 'Provision the TPM; if it was, somebody removed the index.',
  'platform.tpm-index-exists': 'Use another index, or remove this one with the owner password.',
  'platform.tpm-index-unwritten':
    'Provision the TPM; if it was, somebody removed the index and made a new one.',
  'platform.tpm-index-kind':
    'This index is not one that Edgeward made: use another, or remove it and provision anew.',
  'platform.tpm-refused':
    'The TPM refuses the password or is locked: check the owner password and this device key; what an earlier state folder left there goes with `tpm2_nvundefine -C o 0x1500010`.',
  'platform.tpm-busy': 'Others use the TPM without a resource manager: use /dev/tpmrm0.',
  'platform.otp-reply': 'The firmware does not give the OTP out: check the board and its locks.',
};

export const refusePlatform: (code: PlatformFaultCode, message: string) => Refusal =
  refusing(PLATFORM_FAULTS);
