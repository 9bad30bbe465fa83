/** The boot counter that a device keeps about itself. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseStore } from './faults.ts';
import { openRecordPair, type RecordPair } from './record-pair.ts';

const EPOCH_BYTES_MAX = 64;

/**
 * Raises the boot counter and gives its new value, made durable before anything is signed with it:
 * a telemetry epoch is never used twice. Faults: `store.*`.
 */
export function nextEpoch(folder: string, macKey: Uint8Array): Result<number> {
  return attempt(() => {
    const epoch = need(lastEpoch(folder, macKey)) + 1;
    need(epochPair(folder, macKey).write(epoch));
    return epoch;
  });
}

/** The boot counter as it stands; 0 before the first boot. Faults: `store.*`. */
export function lastEpoch(folder: string, macKey: Uint8Array): Result<number> {
  return attempt(() => need(epochPair(folder, macKey).read())?.record ?? 0);
}

function epochPair(folder: string, macKey: Uint8Array): RecordPair<number> {
  return openRecordPair<number>(`${folder}/epoch`, {
    bytesMax: EPOCH_BYTES_MAX,
    encode: (epoch) => sealRecord(macKey, encodeCbor(['edgeward-epoch/1', epoch])),
    decode: (bytes) => decodeEpoch(bytes, macKey),
    generation: (epoch) => epoch,
  });
}

function decodeEpoch(bytes: Uint8Array, macKey: Uint8Array): Result<number> {
  return attempt(() => {
    const body = openRecord(macKey, bytes);
    const parts = body && need(decodeCbor(body));
    const [profile, epoch] = Array.isArray(parts) ? parts : [];
    if (profile !== 'edgeward-epoch/1' || !Number.isSafeInteger(epoch)) {
      throw refuseStore('store.corrupt', 'the boot counter is not valid');
    }
    return epoch as number;
  });
}
