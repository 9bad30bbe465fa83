/**
 * What a device remembers of its operators: the highest counter of every key, and whether one of
 * them left it forced into SAFE or paused, which a restart does not undo.
 */
import { fromHex, toHex } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { OPERATOR_RECORD_BYTES_MAX } from '../../core/base/limits.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import type { CborValue } from '../../core/cose/value.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseStore } from './faults.ts';
import { openRecordPair, type RecordPair } from './record-pair.ts';

const PROFILE = 'edgeward-operators/1';
const THUMBPRINT_BYTES = 32;

export interface OperatorRecord {
  /** Rises with every write. */
  readonly generation: number;
  readonly forced: boolean;
  readonly paused: boolean;
  /** The highest counter that was accepted, by the thumbprint of the key in hexadecimal. */
  readonly counters: ReadonlyMap<string, number>;
}

export const NO_OPERATORS: OperatorRecord = {
  generation: 0,
  forced: false,
  paused: false,
  counters: new Map(),
};

/** Sealed with the device's own key. Faults of the pair: `store.*`. */
export function openOperatorRecord(folder: string, macKey: Uint8Array): RecordPair<OperatorRecord> {
  return openRecordPair<OperatorRecord>(`${folder}/operators`, {
    bytesMax: OPERATOR_RECORD_BYTES_MAX,
    encode: (record) => sealRecord(macKey, encodeOperators(record)),
    decode: (bytes) => decodeOperators(bytes, macKey),
    generation: ({ generation }) => generation,
  });
}

function encodeOperators({ generation, forced, paused, counters }: OperatorRecord): Uint8Array {
  const pairs = [...counters].map(([kid, counter]) => [fromHex(kid) as Uint8Array, counter]);
  return encodeCbor([PROFILE, generation, forced, paused, pairs]);
}

function decodeOperators(bytes: Uint8Array, macKey: Uint8Array): Result<OperatorRecord> {
  return attempt(() => {
    const body = openRecord(macKey, bytes);
    const parts = body && need(decodeCbor(body));
    const [profile, generation, forced, paused, pairs] = Array.isArray(parts) ? parts : [];
    const whole = profile === PROFILE && isCount(generation) && Array.isArray(pairs);
    if (!whole || typeof forced !== 'boolean' || typeof paused !== 'boolean') throw corrupt();
    return { generation, forced, paused, counters: new Map(pairs.map(counterOf)) };
  });
}

function counterOf(pair: CborValue): readonly [string, number] {
  const [kid, counter] = Array.isArray(pair) ? pair : [];
  if (!(kid instanceof Uint8Array) || kid.length !== THUMBPRINT_BYTES || !isCount(counter)) {
    throw corrupt();
  }
  return [toHex(kid), counter];
}

function corrupt() {
  return refuseStore('store.corrupt', 'the record of operators is not valid');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
