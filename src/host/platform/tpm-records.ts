/**
 * The record files of tier T2: each names the TPM's value before it, so that file and value prove
 * each other. Four files in two pairs, used in turn: a write never touches the pair of the record
 * that stands.
 */
import { concatBytes } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { FLOOR_BYTES_MAX } from '../../core/base/limits.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseTrust } from '../../core/trust/faults.ts';
import { decodeFloor, encodeFloor, type FloorRecord } from '../../core/trust/floor.ts';
import { readFileBounded, writeFileAtomic } from '../store/files.ts';
import { TPM_VALUE_BYTES } from './tpm-index.ts';

const PROFILE = 'edgeward-floor-tpm/1';
const ENVELOPE_BYTES_MAX = 128;
const PAIRS = [
  ['floor.0', 'floor.1'],
  ['floor.2', 'floor.3'],
] as const;

/** A record as it lies in its file, or will. */
export interface ChainedRecord {
  readonly record: FloorRecord;
  /** The TPM's value before it was extended by this record. */
  readonly previous: Uint8Array;
  /** What the TPM is extended by. */
  readonly digest: Uint8Array;
  /** The TPM's value once this record is committed. */
  readonly next: Uint8Array;
  readonly file: Uint8Array;
}

export interface RecordCopies {
  readonly valid: readonly { readonly pair: 0 | 1; readonly chained: ChainedRecord }[];
  readonly damaged: number;
}

export function chainRecord(
  record: FloorRecord,
  previous: Uint8Array,
  macKey: Uint8Array,
): ChainedRecord {
  const sealed = encodeFloor(record, macKey);
  const file = sealRecord(macKey, encodeCbor([PROFILE, previous, sealed]));
  return linked(record, previous, sealed, file);
}

export function readCopies(folder: string, macKey: Uint8Array): RecordCopies {
  const valid: { pair: 0 | 1; chained: ChainedRecord }[] = [];
  let damaged = 0;
  for (const pair of [0, 1] as const) {
    for (const name of PAIRS[pair]) {
      const bytes = readFileBounded(`${folder}/${name}`, FLOOR_BYTES_MAX + ENVELOPE_BYTES_MAX);
      if (!bytes.ok && bytes.fault.code === 'store.not-found') continue;
      const chained = bytes.ok ? decodeFile(bytes.value, macKey) : bytes;
      if (chained.ok) valid.push({ pair, chained: chained.value });
      else damaged++;
    }
  }
  return { valid, damaged };
}

/** Both copies, each durable before the next step. Fault: `store.write`. */
export function writePair(folder: string, pair: 0 | 1, chained: ChainedRecord): Result<true> {
  return attempt(() => {
    for (const name of PAIRS[pair]) {
      need(writeFileAtomic(`${folder}/${name}`, [chained.file], { secret: true }));
    }
    return true;
  });
}

function decodeFile(file: Uint8Array, macKey: Uint8Array): Result<ChainedRecord> {
  return attempt(() => {
    const body = openRecord(macKey, file);
    const parts = body && need(decodeCbor(body));
    const [profile, previous, sealed] = Array.isArray(parts) ? parts : [];
    if (profile !== PROFILE || !(sealed instanceof Uint8Array) || !isValue(previous)) {
      throw refuseTrust('floor.malformed', 'the file holds no record of this tier');
    }
    return linked(need(decodeFloor(sealed, macKey)), previous, sealed, file);
  });
}

function isValue(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === TPM_VALUE_BYTES;
}

function linked(
  record: FloorRecord,
  previous: Uint8Array,
  sealed: Uint8Array,
  file: Uint8Array,
): ChainedRecord {
  const digest = sha256(sealed);
  return { record, previous, digest, next: sha256(concatBytes(previous, digest)), file };
}
