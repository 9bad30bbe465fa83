/**
 * Slots beside or before a running device: for the commands that install, show, confirm and revert.
 * A change waits its turn and holds the lock of the slots; a look changes nothing at all.
 */
import { attemptAsync, type Fault, need, type Result } from '../../core/base/fault.ts';
import { cryptoSelfTest } from '../../core/crypto/self-test.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import type { FloorStore, FloorTier } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
import type { Trust } from '../../core/update/slot-set.ts';
import type { Slots } from '../../core/update/slots.ts';
import { systemClock } from '../platform/clock.ts';
import { type DeviceIdentity, hasIdentity, loadIdentity } from '../platform/identity.ts';
import { provisionOtpFloors } from '../platform/otp-floors.ts';
import { provisionTpmFloors } from '../platform/tpm-provision.ts';
import { lastEpoch, nextEpoch } from '../store/boot-counter.ts';
import { openDeviceSlots, type Verification } from './device-slots.ts';
import {
  type FloorStoreOptions,
  keepFirstFloor,
  lockSlots,
  needNothingRemoved,
  openStateFloors,
} from './device-state.ts';
import { adoptTrust, readTrust, type TrustFiles } from './device-trust.ts';
import { refuseRuntime } from './faults.ts';

export interface MaintenanceOptions extends TrustFiles {
  readonly pin?: SetPin | undefined;
  readonly floorStore?: FloorStoreOptions | undefined;
  /** `kernel` has fs-verity seal what is installed. */
  readonly verification?: Verification | undefined;
  readonly onEvent?: ((event: EdgeEvent) => void) | undefined;
}

/** What a command works on. */
export interface OpenFolder {
  readonly slots: Slots;
  readonly floors: FloorStore;
  readonly trust: Trust;
}

/**
 * Takes what the device trusts and changes slots; a fresh folder is made a device's. Faults: those
 * of `adoptTrust` and of the floors, `platform.in-use`, `platform.identity`.
 */
export function changeSlots<T>(
  options: MaintenanceOptions,
  act: (folder: OpenFolder) => Promise<T> | T,
): Promise<Result<T>> {
  return attemptAsync(async () => {
    need(cryptoSelfTest());
    const identity = need(loadIdentity(options.stateFolder));
    const { macKey } = identity.keys;
    const lock = need(await lockSlots(options.stateFolder, macKey));
    try {
      const floors = need(openStateFloors(stateOf(options), macKey));
      const counted = need(lastEpoch(options.stateFolder, macKey));
      keepFirstFloor(floors, counted);
      // From here on a floor record without a boot counter is one that somebody removed.
      if (counted === 0) need(nextEpoch(options.stateFolder, macKey));
      const refuse = (fault: Fault): void => void need({ ok: false, fault });
      const trust = need(adoptTrust(options, floors, systemClock, refuse));
      return await act({ slots: slotsOf(options, identity, floors), floors, trust });
    } finally {
      lock.release();
    }
  });
}

export interface ProvisionOptions {
  readonly stateFolder: string;
  readonly floorStore: FloorStoreOptions;
  /** A file with the owner password of the TPM, where it has one. */
  readonly ownerAuthFile?: string | undefined;
  /** Stated by who burns fuses: they stay burnt. */
  readonly irreversible: boolean;
}

/**
 * Makes a state folder one of a higher floor tier, once and before its first release. Faults: those
 * of `provisionTpmFloors` and `provisionOtpFloors`, `platform.in-use`, `floor.tier-missing`.
 */
export function provisionFolder(options: ProvisionOptions): Promise<Result<FloorTier>> {
  return attemptAsync(async () => {
    const { stateFolder: folder, floorStore, ownerAuthFile, irreversible } = options;
    const { macKey } = need(loadIdentity(folder)).keys;
    const lock = need(await lockSlots(folder, macKey));
    try {
      const { tier, tpm, otp } = floorStore;
      if (tier === 'T2' && tpm !== undefined) {
        return need(provisionTpmFloors({ folder, macKey, tpm, ownerAuthFile })).tier;
      }
      if (tier === 'T1' && otp !== undefined && irreversible) {
        return need(provisionOtpFloors({ folder, macKey, otp, irreversible })).tier;
      }
      throw refuseTrust('floor.tier-missing', `tier ${tier} is not one to be provisioned so`);
    } finally {
      lock.release();
    }
  });
}

/** Faults: `runtime.not-installed` for a folder that is no device's, and as above. */
export function lookAtSlots<T>(
  options: MaintenanceOptions,
  act: (folder: OpenFolder) => Promise<T> | T,
): Promise<Result<T>> {
  return attemptAsync(async () => {
    need(cryptoSelfTest());
    const { stateFolder } = options;
    // A look must not make a device of a misspelt folder.
    if (!hasIdentity(stateFolder)) {
      throw refuseRuntime('runtime.not-installed', `${stateFolder} holds no device`);
    }
    const identity = need(loadIdentity(stateFolder));
    const { macKey } = identity.keys;
    const floors = need(openStateFloors(stateOf(options), macKey, true));
    const { record } = need(floors.read());
    needNothingRemoved(record, need(lastEpoch(stateFolder, macKey)));
    const trust = need(readTrust(options, record, systemClock));
    return await act({ slots: slotsOf(options, identity, floors), floors, trust });
  });
}

function stateOf({ stateFolder, floorStore, profile }: MaintenanceOptions) {
  return { stateFolder, floorStore, production: profile === 'production' };
}

function slotsOf(options: MaintenanceOptions, identity: DeviceIdentity, floors: FloorStore): Slots {
  const { stateFolder, pin, verification, onEvent } = options;
  const { macKey } = identity.keys;
  return openDeviceSlots({
    ...{ stateFolder, macKey, floors, pin, verification },
    onEvent: onEvent ?? (() => {}),
  }).slots;
}
