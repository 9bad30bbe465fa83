/**
 * A small record in two copies, `NAME.0` and `NAME.1`, written one after the other and each
 * atomically: whenever the power fails one whole copy stands, and once a write has returned, the
 * loss of either copy costs nothing. The newest valid copy wins.
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { refuseStore } from './faults.ts';
import { readFileBounded, writeFileAtomic } from './files.ts';

export interface RecordCodec<T> {
  readonly bytesMax: number;
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): Result<T>;
  generation(record: T): number;
}

export interface RecordPair<T> {
  /** `undefined` when neither copy exists. Faults: `store.corrupt`, `store.read`. */
  read(): Result<{ readonly record: T; readonly damagedCopies: number } | undefined>;
  /** Replaces the older copy, then the other one. Fault: `store.write`. */
  write(record: T): Result<true>;
}

interface Copies<T> {
  readonly valid: readonly { readonly path: string; readonly record: T }[];
  readonly damaged: number;
}

export function openRecordPair<T>(path: string, codec: RecordCodec<T>): RecordPair<T> {
  const paths = [`${path}.0`, `${path}.1`] as const;
  return {
    read() {
      return attempt(() => {
        const copies = readCopies(paths, codec);
        const newest = copies.valid[0];
        if (newest !== undefined) return { record: newest.record, damagedCopies: copies.damaged };
        if (copies.damaged > 0) {
          throw refuseStore('store.corrupt', `${path} has no valid copy left`);
        }
        return undefined;
      });
    },
    write(record) {
      return attempt(() => {
        const newest = readCopies(paths, codec).valid[0]?.path;
        const olderFirst = newest === paths[0] ? paths.toReversed() : paths;
        const bytes = codec.encode(record);
        // rollback: were the other copy left a generation behind, damage to one file would bring it
        // back, and with it a lower floor or an epoch that was used before.
        for (const target of olderFirst) need(writeFileAtomic(target, [bytes], { secret: true }));
        return true;
      });
    },
  };
}

function readCopies<T>(paths: readonly string[], codec: RecordCodec<T>): Copies<T> {
  let damaged = 0;
  const valid: { path: string; record: T }[] = [];
  for (const path of paths) {
    const bytes = readFileBounded(path, codec.bytesMax);
    if (!bytes.ok && bytes.fault.code === 'store.not-found') continue;
    const record = bytes.ok ? codec.decode(bytes.value) : bytes;
    if (record.ok) valid.push({ path, record: record.value });
    else damaged++;
  }
  valid.sort((a, b) => codec.generation(b.record) - codec.generation(a.record));
  return { valid, damaged };
}
