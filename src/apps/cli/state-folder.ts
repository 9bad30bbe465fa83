/** What the commands on a state folder are told, as the runtime takes it. */

import type { TrustProfile } from '../../core/trust/admissible.ts';
import type { FloorTier } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
import type { Verification } from '../../host/runtime/device-slots.ts';
import type { FloorStoreOptions } from '../../host/runtime/device-state.ts';
import type { MaintenanceOptions } from '../../host/runtime/maintenance.ts';
import { showEvent } from './event-line.ts';
import { refuseCli } from './faults.ts';

export interface DeviceTrustOptions {
  readonly root: readonly string[];
  readonly revocations?: string;
  readonly class?: string;
  readonly pin?: SetPin;
  readonly floorTier?: FloorTier;
  readonly tcti?: string;
  readonly otpFor?: Pick<SetPin, 'hardwareClass' | 'model'>;
  readonly verification?: Verification;
  readonly profile?: TrustProfile;
}

export interface StateFolderOptions extends DeviceTrustOptions {
  readonly state: string;
  readonly json?: boolean;
}

/** Refuses with `cli.option`. */
export function maintenanceOf(options: StateFolderOptions): MaintenanceOptions {
  const { revocations, pin, verification, profile = 'development' } = options;
  return {
    stateFolder: options.state,
    roots: options.root,
    revocations,
    profile,
    hardwareClass: options.class,
    pin,
    verification,
    floorStore: floorStoreOf(options),
    onEvent: showEvent,
  };
}

/** Refuses with `cli.option`. */
export function floorStoreOf(
  options: Pick<DeviceTrustOptions, 'floorTier' | 'tcti' | 'otpFor'>,
): FloorStoreOptions | undefined {
  const { floorTier, tcti, otpFor } = options;
  needBoth('--tcti', tcti, 'T2', floorTier);
  needBoth('--otp-for', otpFor, 'T1', floorTier);
  if (floorTier === undefined) return undefined;
  return {
    tier: floorTier,
    ...(tcti !== undefined && { tpm: { tcti } }),
    ...(otpFor !== undefined && { otp: otpFor }),
  };
}

function needBoth(
  option: string,
  value: unknown,
  tier: FloorTier,
  given: FloorTier | undefined,
): void {
  if ((value !== undefined) === (given === tier)) return;
  throw refuseCli('cli.option', `${option} and --floor-tier ${tier} belong together`);
}
