/**
 * What a device counts about itself: its boots, and the newest generation of the floor record. A floor
 * record that is put back from an older copy of the folder is older than its own count.
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import { refuseStore } from './faults.ts';
import { openRecordPair, type RecordPair } from './record-pair.ts';

const EPOCH_BYTES_MAX = 96;
const PROFILE = 'edgeward-epoch/2';

interface Counts {
  /** 0 before the first boot. */
  readonly epoch: number;
  /** 0 before the first floor record. */
  readonly floorGeneration: number;
}

/**
 * Raises the boot counter and gives its new value, made durable before anything is signed with it:
 * a telemetry epoch is never used twice. Faults: `store.*`.
 */
export function nextEpoch(folder: string, macKey: Uint8Array): Result<number> {
  return attempt(() => {
    const counts = countsOf(folder, macKey);
    const epoch = counts.epoch + 1;
    need(countsPair(folder, macKey).write({ ...counts, epoch }));
    return epoch;
  });
}

/** The boot counter as it stands; 0 before the first boot. Faults: `store.*`. */
export function lastEpoch(folder: string, macKey: Uint8Array): Result<number> {
  return attempt(() => countsOf(folder, macKey).epoch);
}

/**
 * The floor store, its newest generation counted beside it: an older record than that is
 * `floor.rolled-back`. A loss of power between the record and its count leaves a count that is too
 * low by one, which the record is not held against.
 */
export function countedFloors(floors: FloorStore, folder: string, macKey: Uint8Array): FloorStore {
  return {
    tier: floors.tier,
    read: () =>
      attempt(() => {
        const reading = need(floors.read());
        const { generation } = reading.record;
        const { floorGeneration } = countsOf(folder, macKey);
        if (generation >= floorGeneration) return reading;
        throw refuseTrust(
          'floor.rolled-back',
          `the record has generation ${generation}, ${floorGeneration} was counted`,
        );
      }),
    write: (record) =>
      attempt(() => {
        need(floors.write(record));
        const counts = countsOf(folder, macKey);
        if (record.generation <= counts.floorGeneration) return true;
        const floorGeneration = record.generation;
        return need(countsPair(folder, macKey).write({ ...counts, floorGeneration }));
      }),
  };
}

function countsOf(folder: string, macKey: Uint8Array): Counts {
  return need(countsPair(folder, macKey).read())?.record ?? { epoch: 0, floorGeneration: 0 };
}

function countsPair(folder: string, macKey: Uint8Array): RecordPair<Counts> {
  return openRecordPair<Counts>(`${folder}/epoch`, {
    bytesMax: EPOCH_BYTES_MAX,
    encode: ({ epoch, floorGeneration }) =>
      sealRecord(macKey, encodeCbor([PROFILE, epoch, floorGeneration])),
    decode: (bytes) => decodeCounts(bytes, macKey),
    // Neither is ever lowered.
    generation: ({ epoch, floorGeneration }) => epoch + floorGeneration,
  });
}

function decodeCounts(bytes: Uint8Array, macKey: Uint8Array): Result<Counts> {
  return attempt(() => {
    const body = openRecord(macKey, bytes);
    const parts = body && need(decodeCbor(body));
    const [profile, epoch, floorGeneration] = Array.isArray(parts) ? parts : [];
    if (profile !== PROFILE || !isCount(epoch) || !isCount(floorGeneration)) {
      throw refuseStore('store.corrupt', 'the boot counter is not valid');
    }
    return { epoch, floorGeneration };
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
