/**
 * Where the rollback floor is kept, behind one port, and how much each place can promise:
 *
 * - `none`: files that do not survive a restart (tmpfs). Declared, and refused in production.
 * - `T0`: files with an HMAC under the device's key. Damage and torn writes show; whoever reads the
 *   device key can forge them, and an old image of the whole card is visible to the fleet only.
 * - `T1`: T0, and the security version of ONE model as a count of fuses that cannot be cleared.
 * - `T2`: T0, and a hash chain in a TPM over every record: old images and edits by a holder of the
 *   device key are refused.
 *
 * Not promised by any: that a record is kept. Whoever can write the disk can destroy it, and then
 * the device has its safe output only.
 */
import { equalBytes } from '../base/bytes.ts';
import type { Result } from '../base/fault.ts';
import { refuseTrust } from './faults.ts';
import { type FloorRecord, floorOf } from './floor.ts';

export type FloorTier = 'none' | 'T0' | 'T1' | 'T2';

/** From the least that is promised to the most. */
export const TIERS_RISING: readonly FloorTier[] = ['none', 'T0', 'T1', 'T2'];

export interface FloorReading {
  /** The empty record where none was ever written (`none` and `T0` only). */
  readonly record: FloorRecord;
  /** Files that are there and cannot be read or are not this device's; 1 or more is worth a word. */
  readonly damagedCopies: number;
  /** This read finished a write that a loss of power had cut off. */
  readonly healed: boolean;
}

/**
 * Every fault of `read` and `write` means the safe output: no floor is known, and a lower tier or an
 * empty record never stands in for one.
 */
export interface FloorStore {
  /** The tier in force, never more than it can promise here and now. */
  readonly tier: FloorTier;
  /**
   * Faults: `store.corrupt` (no copy can be read), `store.write` (an interrupted write cannot be
   * finished), `floor.rolled-back`, `floor.lowered`, `floor.tier-missing`, `floor.fuses-full`.
   */
  read(): Result<FloorReading>;
  /**
   * Durable once it returns. After a fault the next `read` gives the record before or this one: a
   * write that was begun is finished, not taken back. Faults: as of `read`, and `store.write`.
   */
  write(record: FloorRecord): Result<true>;
}

/**
 * Refuses with `floor.lowered` unless everything that counts upwards in the record is at least as
 * high as before: each model's floor and every number of the record itself, whichever there are. Of
 * one version there is one digest.
 */
export function needNotLowered(before: FloorRecord, after: FloorRecord): void {
  const numbers: Readonly<Record<string, unknown>> = { ...after };
  for (const [name, value] of Object.entries(before)) {
    if (typeof value === 'number') needAtLeast(name, value, numbers[name]);
  }
  for (const [version, digest] of DIGESTS) {
    const known = before[digest];
    const kept = known === undefined || equalBytes(known, after[digest] ?? new Uint8Array());
    if (kept || after[version] !== before[version]) continue;
    throw refuseTrust('floor.lowered', `another digest for ${version} ${before[version]}`);
  }
  for (const floor of before.floors) {
    const { hardwareClass, model } = floor;
    const now = floorOf(after, hardwareClass, model);
    const at = `${model} on ${hardwareClass}`;
    needAtLeast(`the security version of ${at}`, floor.securityVersion, now?.securityVersion);
    needAtLeast(`the sequence number of ${at}`, floor.sequenceNumber, now?.sequenceNumber);
  }
}

const DIGESTS = [
  ['rootVersion', 'rootSha256'],
  ['revocationVersion', 'revocationSha256'],
] as const;

function needAtLeast(name: string, before: number, after: unknown): void {
  if (typeof after === 'number' && after >= before) return;
  throw refuseTrust('floor.lowered', `${name} would go from ${before} to ${String(after)}`);
}
