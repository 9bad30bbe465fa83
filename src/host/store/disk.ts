/**
 * The real disk behind the port of the slots. Links are never followed where a name is opened, made or
 * removed; files are 0600 and folders 0700; every error of the system is one of the closed faults.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { attempt, type Result } from '../../core/base/fault.ts';
import type { Disk, DiskFile, DiskSource } from '../../core/update/disk.ts';
import { type DiskFaultCode, refuseDisk } from '../../core/update/faults.ts';
import { errnoOf } from './faults.ts';
import { writeAll } from './files.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CREATE_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export const realDisk: Disk = {
  list: (folder) =>
    on(folder, () => {
      needFolder(folder);
      return readdirSync(folder).sort();
    }),
  read: (path, bytesMax) =>
    on(path, () => {
      const { fd, sizeBytes } = openFile(path);
      try {
        if (sizeBytes > bytesMax) {
          throw refuseDisk('disk.too-large', `${path} has ${sizeBytes} bytes, at most ${bytesMax}`);
        }
        const bytes = new Uint8Array(sizeBytes);
        let at = 0;
        while (at < sizeBytes) {
          const count = readSync(fd, bytes, at, sizeBytes - at, null);
          if (count === 0) break;
          at += count;
        }
        return bytes.subarray(0, at);
      } finally {
        closeFile(fd, path);
      }
    }),
  open: (path) => on(path, () => sourceOf(path)),
  create: (path) =>
    on(path, () => {
      needFolder(dirname(path));
      return fileOf(openSync(path, CREATE_FLAGS, FILE_MODE), path);
    }),
  rename: (from, to) =>
    on(from, () => {
      needFolder(dirname(to));
      if (!lstatSync(from).isFile()) throw refuseDisk('disk.denied', `${from} is no file`);
      renameSync(from, to);
      return true;
    }),
  remove: (path) =>
    on(path, () => {
      needFolder(dirname(path));
      unlinkSync(path);
      return true;
    }),
  makeFolder: (path) =>
    on(path, () => {
      mkdirSync(path, { mode: FOLDER_MODE });
      return true;
    }),
  syncFolder: (path) =>
    on(path, () => {
      needFolder(path);
      const fd = openSync(path, FOLDER_FLAGS);
      try {
        fsyncSync(fd);
      } finally {
        closeFile(fd, path);
      }
      return true;
    }),
};

function sourceOf(path: string): DiskSource {
  const { fd, sizeBytes } = openFile(path);
  return {
    sizeBytes,
    read(offset, into) {
      try {
        return readSync(fd, into, 0, into.length, offset);
      } catch (thrown) {
        throw refuseDisk(codeOf(thrown), `${path}: ${errnoOf(thrown)}`);
      }
    },
    close: () => closeFile(fd, path),
  };
}

function fileOf(fd: number, path: string): DiskFile {
  let open = true;
  return {
    append: (bytes) =>
      on(path, () => {
        writeAll(fd, bytes);
        return true;
      }),
    sync: () =>
      on(path, () => {
        fsyncSync(fd);
        return true;
      }),
    close() {
      // Twice is allowed: whoever cleans up need not know how far it came.
      if (open) closeFile(fd, path);
      open = false;
    },
  };
}

function openFile(path: string): { readonly fd: number; readonly sizeBytes: number } {
  const fd = openSync(path, READ_FLAGS);
  const stats = fstatSync(fd);
  if (stats.isFile()) return { fd, sizeBytes: stats.size };
  closeFile(fd, path);
  throw refuseDisk('disk.denied', `${path} is no regular file`);
}

/** What was synced is durable and what was not is not counted on: closing decides nothing. */
function closeFile(fd: number, path: string): void {
  on(path, () => closeSync(fd));
}

/** A link in place of a folder would lead the slots elsewhere. */
function needFolder(path: string): void {
  const stats: Stats = lstatSync(path);
  if (!stats.isDirectory()) throw refuseDisk('disk.denied', `${path} is no folder`);
}

function on<T>(path: string, body: () => T): Result<T> {
  return attempt(() => {
    try {
      return body();
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown)) throw thrown;
      throw refuseDisk(codeOf(thrown), `${path}: ${errnoOf(thrown)}`);
    }
  });
}

function codeOf(thrown: unknown): DiskFaultCode {
  return CODES[errnoOf(thrown)] ?? 'disk.io';
}

/** Whatever is not named here is taken for a failing medium: nothing is said about the bytes. */
const CODES: Readonly<Record<string, DiskFaultCode>> = {
  ENOENT: 'disk.not-found',
  EEXIST: 'disk.exists',
  ENOSPC: 'disk.full',
  EDQUOT: 'disk.full',
  EROFS: 'disk.read-only',
  EACCES: 'disk.denied',
  EPERM: 'disk.denied',
  ELOOP: 'disk.denied',
  EISDIR: 'disk.denied',
  ENOTDIR: 'disk.denied',
};
