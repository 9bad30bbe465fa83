/** Makes a state folder one of tier T2: once, by whoever sets the device up. */
import { randomBytes } from 'node:crypto';
import { concatBytes, equalBytes } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import { removeFile } from '../store/files.ts';
import { openFloorStore } from '../store/floor-file.ts';
import { isProvisioned, provisionTier } from '../store/floor-tier.ts';
import { refusePlatform } from './faults.ts';
import { commitRecord, openTpmFloors } from './tpm-floors.ts';
import { openTpmIndex, TPM_VALUE_BYTES, type TpmIndex, type TpmOptions } from './tpm-index.ts';
import { chainRecord } from './tpm-records.ts';

export interface TpmProvisionInput {
  readonly folder: string;
  readonly macKey: Uint8Array;
  readonly tpm: TpmOptions;
  /** A file with the owner password; none where it is empty, as a new TPM has it. */
  readonly ownerAuthFile?: string | undefined;
}

/**
 * Defines the index where there is none, extends it, commits what T0 had recorded (or the empty
 * record) and seals the tier. Cut off at any point it can be run again; a folder that is
 * provisioned already is read and left as it is.
 *
 * The first extend is by random bytes that nobody keeps. It changes the name of the index, as
 * every first extend does; and because of it, who removes the index and makes it anew (with the
 * owner password, or by clearing the TPM) cannot lead it back to any value by repeating extends.
 *
 * Faults: `platform.tpm-*`, `platform.tool-*`, `store.*`, those of `FloorStore.read`, and
 * `floor.tier-lowered` where the folder has another tier.
 */
export function provisionTpmFloors(input: TpmProvisionInput): Result<FloorStore> {
  return attempt(() => {
    const { folder, macKey, tpm } = input;
    const floors = openTpmFloors(input);
    if (need(isProvisioned(folder, macKey, 'T2'))) {
      need(floors.read());
      return floors;
    }
    const { record } = need(openFloorStore(folder, macKey).read());
    const index = openTpmIndex(tpm, folder, macKey);
    makeIndex(index, input.ownerAuthFile);
    const value = startChain(index);
    commitRecord(folder, 1, chainRecord(record, value, macKey), index);
    need(provisionTier(folder, macKey, 'T2'));
    for (const name of ['floor.0', 'floor.1']) need(removeFile(`${folder}/${name}`));
    need(floors.read());
    return floors;
  });
}

function makeIndex(index: TpmIndex, ownerAuthFile: string | undefined): void {
  const found = index.check();
  const missing = !found.ok && found.fault.code === 'platform.tpm-index-missing';
  if (missing) need(index.define(ownerAuthFile));
  need(missing ? index.check() : found);
}

function startChain(index: TpmIndex): Uint8Array {
  const nobodys = new Uint8Array(randomBytes(TPM_VALUE_BYTES));
  const before = valueOrZero(index);
  need(index.extendUnrecorded(nobodys));
  const value = need(index.value());
  if (equalBytes(value, sha256(concatBytes(before, nobodys)))) return value;
  throw refusePlatform('platform.tool-output', 'the TPM was extended by something else than given');
}

/** An index starts from zeros (TPM 2.0 part 3, TPM2_NV_Extend). */
function valueOrZero(index: TpmIndex): Uint8Array {
  const value = index.value();
  if (!value.ok && value.fault.code === 'platform.tpm-index-unwritten') {
    return new Uint8Array(TPM_VALUE_BYTES);
  }
  return need(value);
}
