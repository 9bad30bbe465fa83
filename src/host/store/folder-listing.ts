/** What stands in a folder, in an order that is the same on every machine. */
import { type Dir, type Dirent, opendirSync, statSync } from 'node:fs';
import { attempt, type Result } from '../../core/base/fault.ts';
import { errnoOf, refuseStore } from './faults.ts';

export interface FolderEntry {
  readonly name: string;
  /** A folder itself; a link to one is not. */
  readonly folder: boolean;
}

/** Whether a folder is there, or what a link there leads to is one. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * The entries of a folder, sorted by the code units of their names. No more than `namesMax` are
 * ever held. Faults: `store.not-found`, `store.read`, `store.too-large`.
 */
export function listFolder(path: string, namesMax: number): Result<readonly FolderEntry[]> {
  return attempt(() => {
    const folder = reading(path, () => opendirSync(path));
    try {
      return entriesOf(folder, path, namesMax).sort((a, b) => (a.name < b.name ? -1 : 1));
    } finally {
      folder.closeSync();
    }
  });
}

function entriesOf(folder: Dir, path: string, namesMax: number): FolderEntry[] {
  const entries: FolderEntry[] = [];
  const next = (): Dirent | null => reading(path, () => folder.readSync());
  for (let entry = next(); entry !== null; entry = next()) {
    if (entries.length === namesMax) {
      throw refuseStore('store.too-large', `${path} holds more than ${namesMax} names`);
    }
    entries.push({ name: entry.name, folder: entry.isDirectory() });
  }
  return entries;
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const errno = errnoOf(thrown);
    throw refuseStore(errno === 'ENOENT' ? 'store.not-found' : 'store.read', `${path}: ${errno}`);
  }
}
