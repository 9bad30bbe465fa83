/** Opens the floor records of a state folder at the tier that the image pins, or not at all. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { type FloorStore, type FloorTier, TIERS_RISING } from '../../core/trust/floor-store.ts';
import { refuseStore } from '../store/faults.ts';
import { openFloorStore } from '../store/floor-file.ts';
import { isVolatileFolder, provisionedTier } from '../store/floor-tier.ts';
import { type OtpPin, openOtpFloors } from './otp-floors.ts';
import { openTpmFloors } from './tpm-floors.ts';
import type { TpmOptions } from './tpm-index.ts';

export interface FloorOptions {
  /** As the image pins it; what the folder was provisioned for has to be the same. */
  readonly tier: FloorTier;
  /** The state folder; it exists. */
  readonly folder: string;
  readonly macKey: Uint8Array;
  /** Under a production root nothing volatile is accepted. */
  readonly production: boolean;
  /** For `T2`. */
  readonly tpm?: TpmOptions | undefined;
  /** For `T1`. */
  readonly otp?: OtpPin | undefined;
  /** Heals and burns nothing and refuses to write: for who does not hold the folder's lock. */
  readonly readOnly?: boolean | undefined;
}

/**
 * The store's own `tier` is the one to report: files on tmpfs are `none`, whatever was asked for.
 * TPM and fuses are asked at the first `read`.
 *
 * Faults: `floor.volatile`; `floor.tier-lowered` (the folder has a higher tier); `floor.tier-missing`
 * (it was never provisioned for this one, or its options are not given); `store.corrupt` and
 * `store.read` of what the folder was provisioned for.
 */
export function openFloors(options: FloorOptions): Result<FloorStore> {
  return attempt(() => {
    const { folder, macKey, tier } = options;
    const volatile = need(isVolatileFolder(folder)) || tier === 'none';
    if (options.production && volatile) {
      throw refuseTrust('floor.volatile', `${folder} is declared or found to be volatile`);
    }
    needProvisioned(need(provisionedTier(folder, macKey)), tier);
    const floors = openTier(options, volatile ? 'none' : 'T0');
    return options.readOnly === true ? { ...floors, write: refuseWrite } : floors;
  });
}

function openTier(options: FloorOptions, files: 'none' | 'T0'): FloorStore {
  const { folder, macKey, tier, tpm, otp } = options;
  if (tier === 'T2' && tpm !== undefined) return openTpmFloors({ ...options, tpm });
  if (tier === 'T1' && otp !== undefined) return openOtpFloors({ ...options, otp });
  if (tier === 'none' || tier === 'T0') return openFloorStore(folder, macKey, files);
  throw refuseTrust('floor.tier-missing', `tier ${tier} is pinned and its options are not given`);
}

function refuseWrite(): Result<true> {
  return attempt(() => {
    throw refuseStore('store.write', 'these floors were opened to be read only');
  });
}

/** Tiers of files alone need no provisioning and leave no seal. */
function needProvisioned(sealed: FloorTier | undefined, tier: FloorTier): void {
  const rank = (one: FloorTier): number => TIERS_RISING.indexOf(one);
  const [has, wants] = [rank(sealed ?? 'T0'), Math.max(rank(tier), rank('T0'))];
  if (has > wants) {
    throw refuseTrust('floor.tier-lowered', `${tier} is asked for, the folder has ${sealed}`);
  }
  if (has < wants) {
    throw refuseTrust(
      'floor.tier-missing',
      `${tier} is asked for, the folder has ${sealed ?? 'T0'}: \`edgeward provision\` comes first`,
    );
  }
}
