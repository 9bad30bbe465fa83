/**
 * Floor tier T0 (and `none`): the record in two files with an HMAC under the device's key.
 *
 * | what happened | what comes of it |
 * |---|---|
 * | neither file was ever written | the empty record |
 * | one file is lost, torn, unreadable or foreign | the other one's record; `damagedCopies` |
 * | no file can be read, one at least is there | `store.corrupt`; `write` is refused as well |
 * | the folder cannot be written | `store.write`; what was written before still reads |
 *
 * Both files removed look like a new device: the boot counter beside them tells that apart, and
 * against removal of the whole folder only a higher tier helps.
 */
import { attempt, need } from '../../core/base/fault.ts';
import { FLOOR_BYTES_MAX } from '../../core/base/limits.ts';
import { decodeFloor, EMPTY_FLOOR, encodeFloor, type FloorRecord } from '../../core/trust/floor.ts';
import { type FloorStore, needNotLowered } from '../../core/trust/floor-store.ts';
import { openRecordPair } from './record-pair.ts';

/** `FOLDER/floor.0` and `.1`. */
export function openFloorStore(
  folder: string,
  macKey: Uint8Array,
  tier: 'none' | 'T0' = 'T0',
): FloorStore {
  const pair = openRecordPair<FloorRecord>(`${folder}/floor`, {
    bytesMax: FLOOR_BYTES_MAX,
    encode: (record) => encodeFloor(record, macKey),
    decode: (bytes) => decodeFloor(bytes, macKey),
    generation: (record) => record.generation,
  });
  const read: FloorStore['read'] = () =>
    attempt(() => ({
      ...(need(pair.read()) ?? { record: EMPTY_FLOOR, damagedCopies: 0 }),
      healed: false,
    }));
  return {
    tier,
    read,
    write: (record) =>
      attempt(() => {
        // Over a damaged record nothing is written: what it held would be forgotten.
        needNotLowered(need(read()).record, record);
        return need(pair.write(record));
      }),
  };
}
