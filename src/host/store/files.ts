/** Files as Edgeward reads and writes them: bounded reads, atomic writes, secrets with tight modes. */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { errnoOf, refuseStore } from './faults.ts';

const PUBLIC_MODE = 0o644;
const SECRET_MODE = 0o600;
const OTHERS_BITS = 0o077;
const FOLDER_MODE = 0o700;

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
    if (options.fresh === true) refuseExisting(path);
    const temporary = `${path}.tmp`;
    try {
      const fd = createFile(temporary, options.secret === true ? SECRET_MODE : PUBLIC_MODE);
      try {
        for (const chunk of chunks) writeAll(fd, chunk);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      publish(temporary, path);
    } catch (thrown) {
      removeFile(temporary);
      throw asWriteRefusal(thrown, path);
    }
    return true;
  });
}

/**
 * A new file of exactly this mode. What stood there is removed first and never opened: a link would
 * lead a secret elsewhere, a pipe would hold us up, and who has the old file open would read along.
 */
export function createFile(path: string, mode: number = PUBLIC_MODE): number {
  need(removeFile(path));
  const fd = openSync(path, 'wx', mode);
  fchmodSync(fd, mode);
  return fd;
}

/** Renames a finished file into place and makes the rename durable. Refuses with `store.write`. */
export function publish(temporary: string, path: string): void {
  try {
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (thrown) {
    throw asWriteRefusal(thrown, path);
  }
}

/**
 * With the folders above it. Step by step: where one of them cannot be made and is not there either
 * (`/proc/x`), Node's own recursion never ends. Fault: `store.write`.
 */
export function makeFolder(path: string): Result<true> {
  return attempt(() => {
    try {
      makeFolders(resolve(path));
    } catch (thrown) {
      throw asWriteRefusal(thrown, path);
    }
    return true;
  });
}

function makeFolders(path: string): void {
  try {
    mkdirSync(path, FOLDER_MODE);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'EEXIST' && statSync(path).isDirectory()) return;
    const above = dirname(path);
    if (errno !== 'ENOENT' || above === path || existsSync(above)) throw thrown;
    makeFolders(above);
    mkdirSync(path, FOLDER_MODE);
  }
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
    lstatSync(path);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return;
    throw asWriteRefusal(thrown, path);
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

/**
 * A descriptor of a regular file. Folders, pipes and devices are refused: they have no size to hold
 * against a limit, and to open a pipe that nobody writes to would block for ever.
 */
export function openForReading(path: string): number {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (thrown) {
    const code = errnoOf(thrown) === 'ENOENT' ? 'store.not-found' : 'store.read';
    throw refuseStore(code, `${path}: ${errnoOf(thrown)}`);
  }
  throw refuseStore('store.read', `${path} is no regular file`);
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
