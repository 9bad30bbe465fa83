/**
 * A disk in memory with a volatile cache. Bytes are durable after `sync` of their file, names after
 * `syncFolder` of their folder; everything else is lost, kept or torn as a power cut pleases: any
 * subset of the names that were changed, any 512-byte sectors of what was appended.
 */
import { err, faultOf, ok, type Refusal, type Result } from '../../src/core/base/fault.ts';
import type { Disk, DiskFile, DiskSource } from '../../src/core/update/disk.ts';
import { DISK_FAULTS, type DiskFaultCode, refuseDisk } from '../../src/core/update/faults.ts';

export interface Inode {
  readonly bytes: Uint8Array;
  readonly syncedBytes: number;
}

/** A file by its inode, or a folder. */
export type Entry = number | 'folder';
export type Names = ReadonlyMap<string, Entry>;

interface NameChange {
  readonly gone?: string;
  readonly name?: string;
  readonly entry?: Entry;
}

export interface Folder {
  readonly durable: Names;
  readonly pending: readonly NameChange[];
  readonly names: Names;
}

/** Everything there is at one moment; nothing in it is ever changed. */
export interface DiskState {
  readonly inodes: ReadonlyMap<number, Inode>;
  readonly folders: ReadonlyMap<string, Folder>;
  readonly nextInode: number;
}

export interface SimDiskOptions {
  /** Told after every operation that changes anything. */
  readonly onChange?: (state: DiskState, operation: string) => void;
}

const EMPTY_FOLDER: Folder = { durable: new Map(), pending: [], names: new Map() };

export function emptyDisk(folder: string): DiskState {
  return { inodes: new Map(), folders: new Map([[folder, EMPTY_FOLDER]]), nextInode: 1 };
}

export class SimDisk implements Disk {
  #state: DiskState;
  readonly #options: SimDiskOptions;
  /** Bytes in all files; more is `disk.full`. */
  capacityBytes: number = Number.POSITIVE_INFINITY;
  readOnly: boolean = false;
  /** Paths that the medium does not take. */
  unwritable: RegExp | undefined;
  /** Paths that the medium does not give. */
  readonly unreadable: Set<string> = new Set();

  constructor(state: DiskState, options: SimDiskOptions = {}) {
    this.#state = state;
    this.#options = options;
  }

  get state(): DiskState {
    return this.#state;
  }

  list(folder: string): Result<readonly string[]> {
    const found = this.#state.folders.get(folder);
    if (found !== undefined) return ok([...found.names.keys()].sort());
    return refused(
      this.#entry(folder) === undefined ? this.#missing(folder) : 'disk.denied',
      folder,
    );
  }

  read(path: string, bytesMax: number): Result<Uint8Array> {
    const source = this.open(path);
    if (!source.ok) return source;
    if (this.unreadable.has(path)) return refused('disk.io', path);
    const bytes = this.#bytesOf(path);
    return bytes.length > bytesMax ? refused('disk.too-large', path) : ok(bytes.slice());
  }

  open(path: string): Result<DiskSource> {
    const inode = this.#inodeOf(path);
    if (!inode.ok) return inode;
    const { bytes } = this.#state.inodes.get(inode.value) as Inode;
    return ok({
      sizeBytes: bytes.length,
      read: (offset, into) => {
        if (this.unreadable.has(path)) throw refusal('disk.io', path);
        const part = bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: () => undefined,
    });
  }

  create(path: string): Result<DiskFile> {
    const blocked = this.#blocked(path);
    if (blocked !== undefined) return refused(blocked, path);
    if (this.#entry(path) !== undefined) return refused('disk.exists', path);
    const inode = this.#state.nextInode;
    const inodes = new Map(this.#state.inodes);
    inodes.set(inode, { bytes: new Uint8Array(0), syncedBytes: 0 });
    this.#state = { ...this.#state, inodes, nextInode: inode + 1 };
    this.#change(path, { name: nameOf(path), entry: inode }, `create ${path}`);
    return ok({
      append: (bytes) => this.#append(inode, bytes, path),
      sync: () => this.#sync(inode, path),
      close: () => undefined,
    });
  }

  rename(from: string, to: string): Result<true> {
    const blocked = this.#blocked(to);
    if (blocked !== undefined) return refused(blocked, to);
    const inode = this.#inodeOf(from);
    if (!inode.ok) return inode;
    if (this.#entry(to) === 'folder') return refused('disk.denied', to);
    const change = { gone: nameOf(from), name: nameOf(to), entry: inode.value };
    this.#change(to, change, `rename ${from} ${to}`);
    return ok(true);
  }

  remove(path: string): Result<true> {
    const entry = this.#entry(path);
    if (entry === undefined) return refused(this.#missing(path), path);
    const blocked = entry === 'folder' ? 'disk.denied' : this.#blocked(path);
    if (blocked !== undefined) return refused(blocked, path);
    this.#change(path, { gone: nameOf(path) }, `remove ${path}`);
    return ok(true);
  }

  makeFolder(path: string): Result<true> {
    if (this.#entry(path) !== undefined) return refused('disk.exists', path);
    const blocked = this.#blocked(path);
    if (blocked !== undefined) return refused(blocked, path);
    const folders = new Map(this.#state.folders).set(path, EMPTY_FOLDER);
    this.#state = { ...this.#state, folders };
    this.#change(path, { name: nameOf(path), entry: 'folder' }, `mkdir ${path}`);
    return ok(true);
  }

  syncFolder(path: string): Result<true> {
    const folder = this.#state.folders.get(path);
    if (folder === undefined) {
      return refused(this.#entry(path) === undefined ? this.#missing(path) : 'disk.denied', path);
    }
    const synced = { durable: folder.names, pending: [], names: folder.names };
    this.#put(new Map(this.#state.folders).set(path, synced), `sync ${path}`);
    return ok(true);
  }

  /** A second name for the same bytes, as no product code may make. */
  link(from: string, to: string): void {
    const inode = this.#inodeOf(from);
    if (!inode.ok) return;
    this.#change(to, { name: nameOf(to), entry: inode.value }, `link ${from} ${to}`);
  }

  /** Changes bytes where they lie, durably: a bad sector, or somebody with an editor. */
  damage(path: string, at: number): void {
    const inode = this.#inodeOf(path);
    if (!inode.ok) return;
    const { bytes } = this.#state.inodes.get(inode.value) as Inode;
    const changed = Uint8Array.from(bytes, (byte, i) =>
      i === at % bytes.length ? byte ^ 1 : byte,
    );
    const inodes = new Map(this.#state.inodes);
    inodes.set(inode.value, { bytes: changed, syncedBytes: changed.length });
    this.#state = { ...this.#state, inodes };
  }

  usedBytes(): number {
    const seen = new Set<number>();
    let sum = 0;
    for (const { names } of this.#state.folders.values()) {
      for (const entry of names.values()) {
        if (entry === 'folder' || seen.has(entry)) continue;
        seen.add(entry);
        sum += this.#state.inodes.get(entry)?.bytes.length ?? 0;
      }
    }
    return sum;
  }

  #append(inode: number, bytes: Uint8Array, path: string): Result<true> {
    if (this.readOnly) return refused('disk.read-only', path);
    if (this.unwritable?.test(path)) return refused('disk.io', path);
    const room = this.capacityBytes - this.usedBytes();
    const before = this.#state.inodes.get(inode) as Inode;
    const fitting = bytes.subarray(0, Math.max(0, Math.min(bytes.length, room)));
    const grown = new Uint8Array(before.bytes.length + fitting.length);
    grown.set(before.bytes);
    grown.set(fitting, before.bytes.length);
    const inodes = new Map(this.#state.inodes);
    inodes.set(inode, { bytes: grown, syncedBytes: before.syncedBytes });
    this.#state = { ...this.#state, inodes };
    this.#options.onChange?.(this.#state, `append ${path}`);
    return fitting.length === bytes.length ? ok(true) : refused('disk.full', path);
  }

  #sync(inode: number, path: string): Result<true> {
    const { bytes } = this.#state.inodes.get(inode) as Inode;
    const inodes = new Map(this.#state.inodes).set(inode, { bytes, syncedBytes: bytes.length });
    this.#state = { ...this.#state, inodes };
    this.#options.onChange?.(this.#state, `sync ${path}`);
    return ok(true);
  }

  #change(path: string, change: NameChange, operation: string): void {
    const parent = parentOf(path);
    const folder = this.#state.folders.get(parent) ?? EMPTY_FOLDER;
    const names = applied(folder.names, change);
    const pending = [...folder.pending, change];
    this.#put(
      new Map(this.#state.folders).set(parent, { durable: folder.durable, pending, names }),
      operation,
    );
  }

  #put(folders: ReadonlyMap<string, Folder>, operation: string): void {
    this.#state = { ...this.#state, folders };
    this.#options.onChange?.(this.#state, operation);
  }

  #entry(path: string): Entry | undefined {
    return this.#state.folders.get(parentOf(path))?.names.get(nameOf(path));
  }

  #inodeOf(path: string): Result<number> {
    const entry = this.#entry(path);
    if (entry === undefined) return refused(this.#missing(path), path);
    return entry === 'folder' ? refused('disk.denied', path) : ok(entry);
  }

  /** Below a file there is nothing to be found, which a system tells apart from a missing name. */
  #missing(path: string): DiskFaultCode {
    return typeof this.#entry(parentOf(path)) === 'number' ? 'disk.denied' : 'disk.not-found';
  }

  #bytesOf(path: string): Uint8Array {
    const inode = this.#inodeOf(path);
    return inode.ok ? (this.#state.inodes.get(inode.value) as Inode).bytes : new Uint8Array(0);
  }

  #blocked(path: string): DiskFaultCode | undefined {
    if (this.readOnly) return 'disk.read-only';
    if (this.unwritable?.test(path)) return 'disk.io';
    return this.#state.folders.has(parentOf(path)) ? undefined : this.#missing(path);
  }
}

export function applied(names: Names, change: NameChange): Names {
  const next = new Map(names);
  const { gone, name, entry } = change;
  // A rename whose source name never became durable still gives the new name.
  if (gone !== undefined) next.delete(gone);
  if (name !== undefined && entry !== undefined) next.set(name, entry);
  return next;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function refused(
  code: DiskFaultCode,
  path: string,
): { ok: false; fault: ReturnType<typeof fault> } {
  return err(fault(code, path));
}

function fault(code: DiskFaultCode, path: string) {
  return faultOf(DISK_FAULTS, code, path);
}

function refusal(code: DiskFaultCode, path: string): Refusal {
  return refuseDisk(code, path);
}
