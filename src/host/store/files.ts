/** Files as Edgeward reads and writes them: bounded reads, atomic writes, secrets with tight modes. */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { attempt, type Result } from '../../core/base/fault.ts';
import { errnoOf, refuseStore } from './faults.ts';

const PUBLIC_MODE = 0o644;
const SECRET_MODE = 0o600;
const OTHERS_BITS = 0o077;

/** Faults: `store.not-found`, `store.read`, `store.too-large`. Nothing beyond `bytesMax` is read. */
export function readFileBounded(path: string, bytesMax: number): Result<Uint8Array> {
  return attempt(() => withFile(path, (fd) => readOpen(fd, path, bytesMax)));
}

/** Like `readFileBounded`, for secrets: `store.loose-mode` when group or others have any access. */
export function readSecretFile(path: string, bytesMax: number): Result<Uint8Array> {
  return attempt(() =>
    withFile(path, (fd) => {
      const { mode } = fstatSync(fd);
      if ((mode & OTHERS_BITS) !== 0) {
        throw refuseStore('store.loose-mode', `${path} has mode ${(mode & 0o777).toString(8)}`);
      }
      return readOpen(fd, path, bytesMax);
    }),
  );
}

export interface WriteOptions {
  /** Mode 0600 instead of 0644. */
  readonly secret?: boolean;
  /** `store.exists` when the file is there already. */
  readonly fresh?: boolean;
}

/**
 * Writes a whole file or nothing: temporary file beside it, fsync, rename, fsync of the folder.
 * Faults: `store.write`, `store.exists`.
 */
export function writeFileAtomic(
  path: string,
  chunks: readonly Uint8Array[],
  options: WriteOptions = {},
): Result<true> {
  return attempt(() => {
    const temporary = `${path}.tmp`;
    try {
      if (options.fresh === true) refuseExisting(path);
      const mode = options.secret === true ? SECRET_MODE : PUBLIC_MODE;
      const fd = openSync(temporary, 'w', mode);
      try {
        // An older temporary file may have had another mode.
        fchmodSync(fd, mode);
        for (const chunk of chunks) writeAll(fd, chunk);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      publish(temporary, path);
    } catch (thrown) {
      throw asWriteRefusal(thrown, path);
    }
    return true;
  });
}

/** Renames a finished file into place and makes the rename durable. */
export function publish(temporary: string, path: string): void {
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Fault: `store.write`. */
export function makeFolder(path: string): Result<true> {
  return attempt(() => {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      throw asWriteRefusal(thrown, path);
    }
    return true;
  });
}

/** Removes a file that may be there; a file that cannot be removed is `store.write`. */
export function removeFile(path: string): Result<true> {
  return attempt(() => {
    try {
      unlinkSync(path);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') throw asWriteRefusal(thrown, path);
    }
    return true;
  });
}

let writtenBytes = 0;

/** Bytes this process has written to its files: SD cards wear out by them. */
export function bytesWritten(): number {
  return writtenBytes;
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  writtenBytes += bytes.length;
}

function refuseExisting(path: string): void {
  try {
    closeSync(openSync(path, 'r'));
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return;
    throw thrown;
  }
  throw refuseStore('store.exists', `${path} exists`);
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  const fd = openForReading(path);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** A descriptor; a folder is refused here, where its error is still clear. */
export function openForReading(path: string): number {
  try {
    const fd = openSync(path, 'r');
    if (!fstatSync(fd).isDirectory()) return fd;
    closeSync(fd);
  } catch (thrown) {
    const code = errnoOf(thrown) === 'ENOENT' ? 'store.not-found' : 'store.read';
    throw refuseStore(code, `${path}: ${errnoOf(thrown)}`);
  }
  throw refuseStore('store.read', `${path} is a folder`);
}

function readOpen(fd: number, path: string, bytesMax: number): Uint8Array {
  const { size } = fstatSync(fd);
  if (size > bytesMax) {
    throw refuseStore('store.too-large', `${path} has ${size} bytes, at most ${bytesMax}`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const count = readSome(fd, bytes, at, path);
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

function readSome(fd: number, into: Uint8Array, at: number, path: string): number {
  try {
    return readSync(fd, into, at, into.length - at, null);
  } catch (thrown) {
    throw refuseStore('store.read', `${path}: ${errnoOf(thrown)}`);
  }
}

function asWriteRefusal(thrown: unknown, path: string): unknown {
  if (thrown instanceof Error && 'code' in thrown) {
    return refuseStore('store.write', `${path}: ${errnoOf(thrown)}`);
  }
  return thrown;
}
