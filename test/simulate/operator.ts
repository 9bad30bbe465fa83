/**
 * Who works the slots in the simulation: the product as it is, or with one planted bug. A bug lives
 * in a disk that lies or in steps taken in another order, never in a switch inside the product.
 */

import { equalBytes } from '../../src/core/base/bytes.ts';
import { need, ok, type Result } from '../../src/core/base/fault.ts';
import { type Confirmed, confirmedFloors } from '../../src/core/update/confirm.ts';
import type { Disk, DiskFile } from '../../src/core/update/disk.ts';
import type { BootOutcome } from '../../src/core/update/recovery.ts';
import type { SlotName } from '../../src/core/update/slot-table.ts';
import { boot, confirm, type Device } from './device.ts';
import { TRUST } from './releases.ts';
import type { SimDisk } from './sim-disk.ts';

export interface Operator {
  readonly name: string;
  /** What the slots see of the disk. */
  readonly disk: (disk: SimDisk) => Disk;
  readonly boot: (device: Device) => BootOutcome;
  readonly confirm: (device: Device, slot: SlotName) => Result<Confirmed>;
}

export const PRODUCT: Operator = { name: 'product', disk: (disk) => disk, boot, confirm };

/** MCUboot #2282: the counter rises although the release may still be taken back. */
const FLOOR_FIRST: Operator = {
  ...PRODUCT,
  name: 'floor raised before confirm',
  boot(device) {
    const outcome = boot(device);
    if (outcome.booted?.kind === 'trial') {
      const floors = need(device.floors.read()).record;
      need(device.floors.write(confirmedFloors(floors, outcome.booted.bundle, TRUST)));
    }
    return outcome;
  },
};

/** The floor rises when soak has passed, and the copy is made after that. */
const FLOOR_BEFORE_COPY: Operator = {
  ...PRODUCT,
  name: 'floor raised before copy',
  confirm(device, slot) {
    const outcome = boot(device);
    if (outcome.booted !== undefined) {
      const floors = need(device.floors.read()).record;
      need(device.floors.write(confirmedFloors(floors, outcome.booted.bundle, TRUST)));
    }
    return confirm(device, slot);
  },
};

/** The bytes of records are renamed into place before they are on the disk. */
const RENAME_WITHOUT_SYNC: Operator = {
  ...PRODUCT,
  name: 'rename without fsync',
  disk: (disk) =>
    lying(disk, {
      create(path) {
        const file = disk.create(path);
        if (!file.ok || !path.endsWith('.tmp')) return file;
        return ok({ ...file.value, sync: () => ok(true) });
      },
    }),
};

/** READY and the record may be durable while the files of the slot are not. */
const FILES_WITHOUT_SYNC: Operator = {
  ...PRODUCT,
  name: 'slot files without fsync',
  disk: (disk) =>
    lying(disk, {
      create(path) {
        const file = disk.create(path);
        if (!file.ok || !path.includes('/slots/')) return file;
        return ok({ ...file.value, sync: () => ok(true) });
      },
    }),
};

const FOLDER_WITHOUT_SYNC: Operator = {
  ...PRODUCT,
  name: 'folders without fsync',
  disk: (disk) => lying(disk, { syncFolder: () => ok(true) }),
};

/** A copy that shares its bytes with the original: one edit costs both. */
const HARD_LINK: Operator = {
  ...PRODUCT,
  name: 'hard link instead of copy',
  disk: (disk) =>
    lying(disk, {
      create(path) {
        const file = disk.create(path);
        return file.ok ? ok({ ...file.value, close: () => linkTwin(disk, path) }) : file;
      },
    }),
};

/** The attempt is spent in the cache only: what kills the device takes its own counting with it. */
const ATTEMPT_NOT_SPENT: Operator = {
  ...PRODUCT,
  name: 'attempt not spent before trial boot',
  disk: (disk) =>
    lying(disk, {
      create(path) {
        const file = disk.create(path);
        if (!file.ok || !booting.has(disk)) return file;
        return ok({ ...file.value, sync: () => ok(true) });
      },
      syncFolder: (path) => (booting.has(disk) ? ok(true) : disk.syncFolder(path)),
    }),
  boot(device) {
    const disk = simulated.get(device.disk);
    if (disk === undefined) return boot(device);
    booting.add(disk);
    const outcome = boot(device);
    booting.delete(disk);
    return outcome;
  },
};

export const PLANTED: readonly Operator[] = [
  FLOOR_FIRST,
  FLOOR_BEFORE_COPY,
  RENAME_WITHOUT_SYNC,
  FILES_WITHOUT_SYNC,
  FOLDER_WITHOUT_SYNC,
  HARD_LINK,
  ATTEMPT_NOT_SPENT,
];

const booting = new Set<SimDisk>();
const simulated = new WeakMap<Disk, SimDisk>();

function lying(disk: SimDisk, lies: Partial<Disk>): Disk {
  const liar: Disk = {
    list: (folder) => disk.list(folder),
    read: (path, bytesMax) => disk.read(path, bytesMax),
    open: (path) => disk.open(path),
    create: (path): Result<DiskFile> => disk.create(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    makeFolder: (path) => disk.makeFolder(path),
    syncFolder: (path) => disk.syncFolder(path),
    ...lies,
  };
  simulated.set(liar, disk);
  return liar;
}

function linkTwin(disk: SimDisk, path: string): void {
  const [, slot] = /\/slots\/([AB])\//.exec(path) ?? [];
  if (slot === undefined) return;
  const twin = path.replace(`/slots/${slot}/`, `/slots/${slot === 'A' ? 'B' : 'A'}/`);
  const [own, other] = [path, twin].map((name) => disk.read(name, 65536));
  if (own?.ok !== true || other?.ok !== true || !equalBytes(own.value, other.value)) return;
  disk.remove(path);
  disk.link(twin, path);
}
