/** What the commands on a state folder are told, as the runtime takes it. */

import type { TrustProfile } from '../../core/trust/admissible.ts';
import type { FloorTier } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
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
  readonly profile?: TrustProfile;
}

export interface StateFolderOptions extends DeviceTrustOptions {
  readonly state: string;
  readonly json?: boolean;
}

/** Refuses with `cli.option`. */
export function maintenanceOf(options: StateFolderOptions): MaintenanceOptions {
  const { revocations, pin, profile = 'development' } = options;
  return {
    stateFolder: options.state,
    roots: options.root,
    revocations,
    profile,
    hardwareClass: options.class,
    pin,
    floorStore: floorStoreOf(options),
    onEvent: showEvent,
  };
}

/** Refuses with `cli.option`. */
export function floorStoreOf({
  floorTier,
  tcti,
}: DeviceTrustOptions): FloorStoreOptions | undefined {
  if (floorTier !== 'T2' && tcti !== undefined) {
    throw refuseCli('cli.option', '--tcti needs --floor-tier T2');
  }
  if (floorTier === 'T2' && tcti === undefined) {
    throw refuseCli('cli.option', '--floor-tier T2 needs --tcti');
  }
  if (floorTier === undefined) return undefined;
  return { tier: floorTier, ...(tcti !== undefined && { tpm: { tcti } }) };
}
