/**
 * A small record in two copies, `NAME.0` and `NAME.1`, on a `Disk`: whenever the power fails one whole
 * copy stands, and once a write has returned the loss of either copy costs nothing.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import type { Disk } from './disk.ts';

export interface PairCodec<T> {
  readonly bytesMax: number;
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): Result<T>;
  generation(record: T): number;
}

export interface PairState<T> {
  /** The newest valid copy. */
  readonly record: T | undefined;
  /** Present, and not readable or not valid. */
  readonly damagedCopies: number;
  /** Both copies stand and say the same. */
  readonly whole: boolean;
}

export interface DiskPair<T> {
  read(): PairState<T>;
  /** Replaces the older copy, then the other one. Faults: `disk.*`. */
  write(record: T): Result<true>;
}

/** The pair `FOLDER/NAME.0` and `.1`. */
export function openDiskPair<T>(
  disk: Disk,
  folder: string,
  name: string,
  codec: PairCodec<T>,
): DiskPair<T> {
  const paths = [`${folder}/${name}.0`, `${folder}/${name}.1`] as const;
  const copies = () => {
    const read = paths.map((path) => ({ path, bytes: disk.read(path, codec.bytesMax) }));
    const valid: { path: string; record: T }[] = [];
    let damagedCopies = 0;
    for (const { path, bytes } of read) {
      if (!bytes.ok && bytes.fault.code === 'disk.not-found') continue;
      const record = bytes.ok ? codec.decode(bytes.value) : bytes;
      if (record.ok) valid.push({ path, record: record.value });
      else damagedCopies++;
    }
    valid.sort((a, b) => codec.generation(b.record) - codec.generation(a.record));
    return { valid, damagedCopies };
  };
  return {
    read() {
      const { valid, damagedCopies } = copies();
      const [newest, other] = valid;
      const whole =
        newest !== undefined &&
        other !== undefined &&
        codec.generation(newest.record) === codec.generation(other.record);
      return { record: newest?.record, damagedCopies, whole };
    },
    write(record) {
      return attempt(() => {
        const newest = copies().valid[0]?.path;
        const olderFirst = newest === paths[0] ? paths.toReversed() : paths;
        const bytes = codec.encode(record);
        // rollback: were one copy left a generation behind, damage to the other would bring it back.
        for (const path of olderFirst) writeCopy(disk, folder, path, bytes);
        return true;
      });
    },
  };
}

/** Temporary file, sync, rename, sync of the folder: the old copy stands until the new one does. */
function writeCopy(disk: Disk, folder: string, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  removeIfThere(disk, temporary);
  const written = attempt(() => {
    writeNew(disk, temporary, bytes);
    need(disk.rename(temporary, path));
    need(disk.syncFolder(folder));
  });
  if (written.ok) return;
  // What is left over on a full disk would keep it full.
  disk.remove(temporary);
  need(written);
}

/** A whole new file, its bytes durable and its name not yet. Refuses with `disk.*`. */
export function writeNew(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = need(disk.create(path));
  try {
    need(file.append(bytes));
    need(file.sync());
  } finally {
    file.close();
  }
}

/** Refuses with `disk.*`. */
export function removeIfThere(disk: Disk, path: string): void {
  const removed = disk.remove(path);
  if (!removed.ok && removed.fault.code !== 'disk.not-found') need(removed);
}
