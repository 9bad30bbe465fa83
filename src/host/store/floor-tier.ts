/** The tier that a state folder was provisioned for, sealed, and whether a folder is a memory only. */
import { statfsSync } from 'node:fs';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { type FloorTier, TIERS_RISING } from '../../core/trust/floor-store.ts';
import { errnoOf, refuseStore } from './faults.ts';
import { openRecordPair, type RecordPair } from './record-pair.ts';

const TIER_PROFILE = 'edgeward-floor-tier/1';
const TIER_BYTES_MAX = 128;
/** `TMPFS_MAGIC` and `RAMFS_MAGIC` of statfs(2). */
const VOLATILE_TYPES: readonly number[] = [0x01021994, 0x858458f6];

/** `undefined` where nothing was provisioned: files only. Faults: `store.corrupt`. */
export function provisionedTier(folder: string, macKey: Uint8Array): Result<FloorTier | undefined> {
  return attempt(() => need(tierPair(folder, macKey).read())?.record);
}

/** Faults: as of `provisionedTier`, and `floor.tier-lowered` where it has another one. */
export function isProvisioned(
  folder: string,
  macKey: Uint8Array,
  tier: FloorTier,
): Result<boolean> {
  return attempt(() => {
    const sealed = need(provisionedTier(folder, macKey));
    if (sealed === undefined || sealed === tier) return sealed !== undefined;
    throw refuseTrust('floor.tier-lowered', `${tier} is asked for, the folder has ${sealed}`);
  });
}

/** Seals it in `FOLDER/floor-tier.0` and `.1`. Fault: `store.write`. */
export function provisionTier(folder: string, macKey: Uint8Array, tier: FloorTier): Result<true> {
  return tierPair(folder, macKey).write(tier);
}

/**
 * True on tmpfs and ramfs, which forget at a restart. An overlay over one is not seen: what mounts
 * it has to declare tier `none`. Fault: `store.read`.
 */
export function isVolatileFolder(folder: string): Result<boolean> {
  return attempt(() => {
    try {
      return VOLATILE_TYPES.includes(statfsSync(folder).type);
    } catch (thrown) {
      throw refuseStore('store.read', `${folder}: ${errnoOf(thrown)}`);
    }
  });
}

function tierPair(folder: string, macKey: Uint8Array): RecordPair<FloorTier> {
  return openRecordPair<FloorTier>(`${folder}/floor-tier`, {
    bytesMax: TIER_BYTES_MAX,
    encode: (tier) => sealRecord(macKey, encodeCbor([TIER_PROFILE, tier])),
    decode: (bytes) => decodeTier(bytes, macKey),
    // Of two copies the one that promises more: a tier is never lowered.
    generation: (tier) => TIERS_RISING.indexOf(tier),
  });
}

function decodeTier(bytes: Uint8Array, macKey: Uint8Array): Result<FloorTier> {
  return attempt(() => {
    const body = openRecord(macKey, bytes);
    const parts = body && need(decodeCbor(body));
    const [profile, name] = Array.isArray(parts) ? parts : [];
    const tier = TIERS_RISING.find((one) => one === name);
    if (profile !== TIER_PROFILE || tier === undefined) {
      throw refuseStore('store.corrupt', 'the provisioned tier is not valid');
    }
    return tier;
  });
}
