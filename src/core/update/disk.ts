/**
 * The port through which slots reach a disk: few operations, each one a point at which the power may
 * fail. Every expected failure is a fault of the closed family `disk.*`; nothing is thrown raw.
 *
 * What survives a power cut: bytes of a file once `sync` has returned, and names of a folder
 * (created, renamed, removed) once `syncFolder` of that folder has returned. All else may be lost
 * or arrive in any order.
 */
import type { Result } from '../base/fault.ts';
import type { ByteSource } from '../bundle/source.ts';

export interface Disk {
  /** Names in a folder, sorted. Fault: `disk.not-found`, `disk.denied`, `disk.io`. */
  list(folder: string): Result<readonly string[]>;
  /** A whole small file. Faults: `disk.not-found`, `disk.denied`, `disk.io`, `disk.too-large`. */
  read(path: string, bytesMax: number): Result<Uint8Array>;
  /** A regular file, never through a link. Its `read` refuses with `disk.io`. Faults as above. */
  open(path: string): Result<DiskSource>;
  /** A new empty file that only this user reads. Faults: `disk.exists`, `disk.full`, ... */
  create(path: string): Result<DiskFile>;
  /** Replaces `to`, as one step. */
  rename(from: string, to: string): Result<true>;
  /** Of a file. Fault: `disk.not-found`, ... */
  remove(path: string): Result<true>;
  /** One level. Fault: `disk.exists` also where a file stands there. */
  makeFolder(path: string): Result<true>;
  /** Makes the names in this folder durable. */
  syncFolder(path: string): Result<true>;
}

export interface DiskSource extends ByteSource {
  close(): void;
}

/** A file that is being written; every byte goes to its end. */
export interface DiskFile {
  append(bytes: Uint8Array): Result<true>;
  /** Makes the bytes durable, not the name. */
  sync(): Result<true>;
  close(): void;
}
