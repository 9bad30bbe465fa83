/**
 * Floor tier T1: the files of T0, and the security version of one pinned model in fuses that cannot
 * be cleared: an old image of the whole card is refused once that model's version has risen.
 *
 * Guarded is that count and nothing else: sequence numbers, other models, root and clock are as in
 * T0. The 256 steps are one model's, since counts of several could not be told apart.
 *
 * A write makes the record durable and then burns. Cut off between, the next read burns. So a holder
 * of the device key can burn fuses that no release needed, which cannot be undone.
 *
 * | what is found | what comes of it |
 * |---|---|
 * | the record has the fuses' count | the record |
 * | it is above the fuses, or they have gaps | burnt, `healed` |
 * | it is below the fuses | `floor.rolled-back` |
 * | a security version above 256 | `floor.fuses-full`; `write` changes nothing |
 * | no mailbox, locked fuses, a tool that hangs | `floor.tier-missing` |
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { type Floor, type FloorRecord, floorOf } from '../../core/trust/floor.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import { openFloorStore } from '../store/floor-file.ts';
import { isProvisioned, provisionTier } from '../store/floor-tier.ts';
import { burnFuses, FUSES_MAX, type OtpOptions, readFuses } from './otp-fuses.ts';

export interface OtpPin extends OtpOptions {
  /** The model whose security version is counted, as the image pins it. */
  readonly hardwareClass: string;
  readonly model: string;
}

export interface OtpFloorInput {
  readonly folder: string;
  readonly macKey: Uint8Array;
  readonly otp: OtpPin;
  /** Burns nothing: for a look beside a running device, which never writes. */
  readonly readOnly?: boolean | undefined;
}

/** The fuses are read at every `read`. */
export function openOtpFloors(input: OtpFloorInput): FloorStore {
  const { folder, macKey, otp, readOnly = false } = input;
  const files = openFloorStore(folder, macKey);
  const read: FloorStore['read'] = () =>
    attempt(() => {
      const reading = need(files.read());
      const burnt = holdAgainstFuses(reading.record, otp, readOnly);
      return { ...reading, healed: burnt };
    });
  return {
    tier: 'T1',
    read,
    write: (record) =>
      attempt(() => {
        needRoom(countOf(record, otp));
        need(read());
        need(files.write(record));
        holdAgainstFuses(record, otp, false);
        return true;
      }),
  };
}

export interface OtpProvisionInput extends OtpFloorInput {
  /** To be stated: a burnt fuse stays burnt, and the customer OTP serves nothing else any more. */
  readonly irreversible: true;
}

/**
 * Makes a state folder one of tier T1. Where the board's fuses count already (it was in use before)
 * the model's floor starts there; where other data is in them, `floor.fuses-taken`. Nothing is burnt
 * here beyond what the record holds. Faults: `platform.*`, `store.*`, those of `FloorStore.read`,
 * and `floor.tier-lowered` where the folder has another tier.
 */
export function provisionOtpFloors(input: OtpProvisionInput): Result<FloorStore> {
  return attempt(() => {
    const { folder, macKey, otp } = input;
    const floors = openOtpFloors(input);
    if (!need(isProvisioned(folder, macKey, 'T1'))) {
      const { count, gapless } = need(readFuses(otp));
      if (!gapless) throw refuseTrust('floor.fuses-taken', 'the burnt fuses are no count');
      const files = openFloorStore(folder, macKey);
      const { record } = need(files.read());
      if (countOf(record, otp) < count) need(files.write(startingAt(count, record, otp)));
      need(provisionTier(folder, macKey, 'T1'));
    }
    need(floors.read());
    return floors;
  });
}

function startingAt(count: number, record: FloorRecord, otp: OtpPin): FloorRecord {
  const { hardwareClass, model } = otp;
  const before = floorOf(record, hardwareClass, model);
  const floor: Floor = {
    hardwareClass,
    model,
    // No release has this digest: whatever comes is an install.
    manifestSha256: new Uint8Array(32),
    sequenceNumber: 0,
    ...before,
    securityVersion: count,
  };
  const floors = [...record.floors.filter((one) => one !== before), floor];
  return { ...record, generation: record.generation + 1, floors };
}

function countOf(record: FloorRecord, { hardwareClass, model }: OtpPin): number {
  return floorOf(record, hardwareClass, model)?.securityVersion ?? 0;
}

function needRoom(count: number): void {
  if (count <= FUSES_MAX) return;
  throw refuseTrust('floor.fuses-full', `security version ${count} has no fuse`);
}

/** Whether fuses had to be burnt. */
function holdAgainstFuses(record: FloorRecord, otp: OtpPin, readOnly: boolean): boolean {
  const recorded = countOf(record, otp);
  needRoom(recorded);
  const { count, gapless } = needTier(readFuses(otp));
  if (recorded < count) {
    const seen = `the record has security version ${recorded}, the fuses ${count}`;
    throw refuseTrust('floor.rolled-back', seen);
  }
  if (readOnly || (recorded === count && gapless)) return false;
  needTier(burnFuses(otp, recorded));
  return true;
}

function needTier<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, next } = result.fault;
  throw refuseTrust('floor.tier-missing', `tier T1: ${code}: ${message} ${next}`);
}
