/**
 * Floor tier T2: a record stands if and only if the TPM holds SHA-256(its previous value ||
 * SHA-256(record)).
 *
 * A write puts the record with the TPM's present value into the pair of files that does not hold
 * the standing one, makes it durable, and extends the TPM: that instant it stands. Cut off
 * before the extend the record is pending (its previous value is the TPM's), and the next read
 * finishes it, but only beside the record that stands and with every floor at least as high.
 *
 * | what is found | what comes of it |
 * |---|---|
 * | a record that fits the TPM, and a pending one | the pending one, `healed` |
 * | a pending record that lowers a floor | `floor.lowered` |
 * | records, none of which fits (old image, edited) or no file | `floor.rolled-back` |
 * | files, none of which can be read | `store.corrupt` |
 * | no TPM, tool, index or password, another index, a tool that hangs | `floor.tier-missing` |
 *
 * The caller holds the lock of the state folder, or reads only: two that heal at once would extend
 * twice, and no record would fit any more.
 */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { TOOL_DEADLINE_MS } from '../../core/base/limits.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { type FloorStore, needNotLowered } from '../../core/trust/floor-store.ts';
import { refuseStore } from '../store/faults.ts';
import { waitForProcesses } from './process-list.ts';
import { isExtendOf, openTpmIndex, type TpmIndex, type TpmOptions } from './tpm-index.ts';
import { type ChainedRecord, chainRecord, readCopies, writePair } from './tpm-records.ts';

export interface TpmFloorInput {
  readonly folder: string;
  readonly macKey: Uint8Array;
  readonly tpm: TpmOptions;
  /** Finishes nothing: for a look beside a running device, which never writes. */
  readonly readOnly?: boolean | undefined;
}

interface Standing {
  readonly chained: ChainedRecord;
  readonly pair: 0 | 1;
  readonly damagedCopies: number;
  readonly healed: boolean;
}

/** The TPM is asked at the first read, not here. */
export function openTpmFloors(input: TpmFloorInput): FloorStore {
  const { folder, macKey, tpm, readOnly = false } = input;
  const index = openTpmIndex(tpm, folder, macKey);
  let checked = false;
  const standing = (): Standing => {
    if (!checked) {
      if (!readOnly) needNoneUnderWay(tpm);
      needTier(index.check());
      checked = true;
    }
    return findStanding(input, index);
  };
  return {
    tier: 'T2',
    read: () =>
      attempt(() => {
        const { chained, damagedCopies, healed } = standing();
        return { record: chained.record, damagedCopies, healed };
      }),
    write: (record) =>
      attempt(() => {
        const before = standing();
        needNotLowered(before.chained.record, record);
        const chained = chainRecord(record, before.chained.next, macKey);
        commitRecord(folder, before.pair === 0 ? 1 : 0, chained, index);
        return true;
      }),
  };
}

/** Refuses with `store.write`, `floor.tier-missing`, `floor.rolled-back`. */
export function commitRecord(
  folder: string,
  pair: 0 | 1,
  chained: ChainedRecord,
  index: TpmIndex,
): void {
  need(writePair(folder, pair, chained));
  needTier(index.extend(chained.digest));
  if (equalBytes(needTier(index.value()), chained.next)) return;
  throw refuseTrust('floor.rolled-back', 'somebody else extended the TPM at the same time');
}

/** A fault of the TPM or its tools, as what it means to the floor. */
export function needTier<T>(result: Result<T>): T {
  if (result.ok || !result.fault.code.startsWith('platform.')) return need(result);
  const { code, message, next } = result.fault;
  throw refuseTrust('floor.tier-missing', `tier T2: ${code}: ${message} ${next}`);
}

function findStanding(input: TpmFloorInput, index: TpmIndex): Standing {
  const { folder, macKey, readOnly = false } = input;
  const value = needTier(index.value());
  const { valid, damaged } = readCopies(folder, macKey);
  const committed = valid.find(({ chained }) => equalBytes(chained.next, value));
  if (committed === undefined) throw refuseUnproven(valid.length, damaged);
  const found: Standing = { ...committed, damagedCopies: damaged, healed: false };
  const pending = valid.filter(({ chained }) => equalBytes(chained.previous, value));
  for (const { chained } of pending) needNotLowered(found.chained.record, chained.record);
  const [newest] = pending.toSorted(
    (a, b) => b.chained.record.generation - a.chained.record.generation,
  );
  if (newest === undefined || readOnly) return found;
  const pair = found.pair === 0 ? 1 : 0;
  commitRecord(folder, pair, newest.chained, index);
  return { ...newest, pair, damagedCopies: damaged, healed: true };
}

function refuseUnproven(validCount: number, damagedCount: number): Error {
  if (validCount === 0 && damagedCount > 0) {
    return refuseStore('store.corrupt', `none of ${damagedCount} record files can be read`);
  }
  const seen = validCount === 0 ? 'there is no record' : `none of ${validCount} copies fits`;
  const damage = damagedCount === 0 ? '' : `, and ${damagedCount} more cannot be read`;
  return refuseTrust('floor.rolled-back', `${seen} beside the value in the TPM${damage}`);
}

/**
 * A process that was killed leaves the tool that it had started: were the record it extends by
 * taken for pending now, it would be extended by twice.
 */
function needNoneUnderWay(tpm: TpmOptions): void {
  const limitMs = tpm.deadlineMs ?? TOOL_DEADLINE_MS;
  if (waitForProcesses((words) => isExtendOf(tpm, words), limitMs)) return;
  throw refuseTrust('floor.tier-missing', `tier T2: an extend still runs after ${limitMs} ms`);
}
