/**
 * What a device has of its state folder, each part as far as it can be had. Nothing here ends the
 * start: a device that cannot read its key, its floors or its counter comes up with less.
 *
 * | what cannot be had | what the device does without it |
 * |---|---|
 * | the device key | no model, no safe output on record, no telemetry |
 * | the floor record, or the TPM behind it | no model, no safe output on record |
 * | the boot counter (a disk that cannot be written) | no telemetry: its numbers would be used twice |
 */
import { fromUtf8, utf8 } from '../../core/base/bytes.ts';
import { attempt, attemptAsync, type Fault, need, ok, type Result } from '../../core/base/fault.ts';
import { SLOTS_LOCK_WAIT_MS } from '../../core/base/limits.ts';
import { deriveDeviceKeys } from '../../core/crypto/device-keys.ts';
import { MODES, type ModeName } from '../../core/telemetry/vocabulary.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';
import type { FloorStore, FloorTier } from '../../core/trust/floor-store.ts';
import { type FloorOptions, openFloors } from '../platform/floors.ts';
import { type DeviceIdentity, loadIdentity, newKeySeed } from '../platform/identity.ts';
import { type InstanceLock, type LockPurpose, lockFolder } from '../platform/instance-lock.ts';
import { countedFloors, lastEpoch, nextEpoch } from '../store/boot-counter.ts';
import { refuseStore } from '../store/faults.ts';
import { readFileBounded, removeFile, writeFileAtomic } from '../store/files.ts';

export interface DeviceState {
  readonly identity: DeviceIdentity;
  /** Where the device key cannot be read, `identity` is one for this process alone. */
  readonly anonymous: boolean;
  readonly lock: InstanceLock;
  readonly epoch: Result<number>;
  readonly floors: Result<FloorStore>;
  /** Never more than can be promised; `none` where the floors cannot be read. */
  readonly floorTier: FloorTier;
  readonly clockFloorMs: number;
}

export interface StateOptions {
  readonly stateFolder: string;
  /** Tier T0 by default. */
  readonly floorStore?: FloorStoreOptions | undefined;
  readonly production: boolean;
}

/** Where the floor record is kept, as the image pins it. */
export type FloorStoreOptions = Pick<FloorOptions, 'tier' | 'tpm' | 'otp'>;

/** Fault: `platform.in-use`, which is about another process and not about this device. */
export function openState(options: StateOptions): Promise<Result<DeviceState>> {
  return attemptAsync(async () => {
    const { stateFolder } = options;
    const loaded = loadIdentity(stateFolder);
    if (!loaded.ok) return stateless(loaded.fault);
    const identity = loaded.value;
    const { macKey } = identity.keys;
    const lock = need(await lockWithin(stateFolder, macKey, 'device', LOOKED_AT_MS));
    // Reading floors may heal them, and two that heal a TPM at once would extend it twice.
    const slotsLocked = await lockSlots(stateFolder, macKey);
    if (!slotsLocked.ok) lock.release();
    const slotsLock = need(slotsLocked);
    // The word of an earlier run; a folder that cannot be written keeps it.
    removeFile(modePath(stateFolder));
    const counted = lastEpoch(stateFolder, macKey);
    const floors = attempt(() => {
      const store = need(openStateFloors(options, macKey));
      keepFirstFloor(store, need(counted));
      return store;
    });
    const epoch = attempt(() => {
      // A counter that somebody removed would begin anew, and at the next start look like a new one.
      if (need(counted) === 0) need(floors);
      return need(nextEpoch(stateFolder, macKey));
    });
    const read = floors.ok ? floors.value.read() : floors;
    slotsLock.release();
    return {
      ...{ identity, anonymous: false, lock, epoch, floors },
      floorTier: floors.ok ? floors.value.tier : 'none',
      clockFloorMs: read.ok ? read.value.record.clockFloorMs : 0,
    };
  });
}

/** The floors of a state folder, for who has its key. Faults: `floor.*`, `store.*`. */
export function openStateFloors(
  { stateFolder, floorStore, production }: StateOptions,
  macKey: Uint8Array,
  readOnly = false,
): Result<FloorStore> {
  const pinned = floorStore ?? { tier: 'T0' };
  const opened = openFloors({ ...pinned, folder: stateFolder, macKey, production, readOnly });
  return opened.ok ? ok(countedFloors(opened.value, stateFolder, macKey)) : opened;
}

/**
 * For as long as slots are changed; whoever else changes them is waited for. Fault: `platform.in-use`.
 */
export function lockSlots(
  stateFolder: string,
  macKey: Uint8Array,
  waitMs: number = SLOTS_LOCK_WAIT_MS,
): Promise<Result<InstanceLock>> {
  return lockWithin(stateFolder, macKey, 'slots', waitMs);
}

/** Leaves word of the mode in the folder, for who asks from outside. Fault: `store.write`. */
export function keepMode(stateFolder: string, mode: ModeName): Result<true> {
  return writeFileAtomic(modePath(stateFolder), [utf8(`${mode}\n`)]);
}

function modePath(stateFolder: string): string {
  return `${stateFolder}/mode`;
}

/**
 * The mode of the device that holds the folder now, `undefined` where none does or it still boots. Whoever writes the
 * folder can forge it: it is word of health, not evidence. Faults: `store.*`, `platform.identity`.
 */
export function runningMode(stateFolder: string): Promise<Result<ModeName | undefined>> {
  return attemptAsync(async () => {
    const lock = await lockFolder(stateFolder, need(loadIdentity(stateFolder)).keys.macKey);
    if (lock.ok) lock.value.release();
    else if (lock.fault.code !== 'platform.in-use') need(lock);
    if (lock.ok) return undefined;
    const kept = readFileBounded(modePath(stateFolder), MODE_BYTES_MAX);
    if (!kept.ok && kept.fault.code !== 'store.not-found') need(kept);
    const word = kept.ok ? fromUtf8(kept.value)?.trim() : undefined;
    return MODES.find((mode) => mode === word);
  });
}

const MODE_BYTES_MAX = 16;
const LOCK_PAUSE_MS = 50;
/** Who only asks whether a device runs holds its lock for a moment: no reason not to start. */
const LOOKED_AT_MS = 500;

async function lockWithin(
  stateFolder: string,
  macKey: Uint8Array,
  purpose: LockPurpose,
  waitMs: number,
): Promise<Result<InstanceLock>> {
  const endMs = Date.now() + waitMs;
  for (;;) {
    const locked = await lockFolder(stateFolder, macKey, purpose);
    if (locked.ok || locked.fault.code !== 'platform.in-use' || Date.now() >= endMs) return locked;
    await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
  }
}

function stateless(fault: Fault): DeviceState {
  const keys = deriveDeviceKeys(newKeySeed());
  const none = { ok: false, fault } as const;
  return {
    identity: { keys, defaultName: 'ew-unknown' },
    anonymous: true,
    lock: { release: () => {} },
    epoch: none,
    floors: none,
    floorTier: 'none',
    clockFloorMs: 0,
  };
}

/**
 * The floor record, made before the first epoch is counted: where boots were counted and there is
 * none, somebody removed it, and an empty one would let old releases in. Refuses with `store.*`.
 */
export function keepFirstFloor(floors: FloorStore, counted: number): void {
  const { record } = need(floors.read());
  needNothingRemoved(record, counted);
  if (record.generation === 0) need(floors.write({ ...record, generation: 1 }));
}

/** Refuses with `store.corrupt` where one of the two is there without the other. */
export function needNothingRemoved({ generation }: FloorRecord, counted: number): void {
  // The first boot that is counted finds the first record, and nothing has raised it yet.
  if (generation > 1 && counted === 0) {
    throw refuseStore('store.corrupt', 'the boot counter is gone: its numbers would be used twice');
  }
  if (generation === 0 && counted > 0) {
    throw refuseStore('store.corrupt', `the rollback record is gone after ${counted} boots`);
  }
}
