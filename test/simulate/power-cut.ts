/**
 * What a power cut may leave of a disk: any subset of the names that were changed and not synced, and
 * of what was appended and not synced any 512-byte sectors, cut anywhere or with holes.
 */
import type { Random } from '../fuzz/random.ts';
import {
  applied,
  type DiskState,
  type Entry,
  type Folder,
  type Inode,
  type Names,
} from './sim-disk.ts';

const SECTOR_BYTES = 512;
/** Sectors of one file whose every subset is tried; more are cut at each sector and sampled. */
const MASKED_SECTORS_MAX = 4;

/** One thing that a power cut decides: how many ways there are, and what the way does. */
interface Choice {
  readonly ways: number;
  readonly take: (way: number, outcome: Outcome) => void;
}

interface Outcome {
  readonly names: Map<string, Map<string, Entry>>;
  readonly bytes: Map<number, Uint8Array>;
}

/**
 * The disks that a power cut may leave of this state: all of them where there are at most `limit`,
 * the extremes and a sample otherwise.
 */
export function* afterPowerCut(
  state: DiskState,
  limit: number,
  random: Random,
): Generator<DiskState> {
  const choices = choicesOf(state);
  const total = choices.reduce((product, { ways }) => Math.min(product * ways, 2 ** 40), 1);
  for (let n = 0; n < Math.min(total, limit); n++) {
    let rest = n;
    const ways = choices.map(({ ways: count }) => {
      // The first two of a sample: everything is lost, everything is kept.
      if (total > limit) return n === 0 ? 0 : n === 1 ? count - 1 : random.below(count);
      const way = rest % count;
      rest = Math.floor(rest / count);
      return way;
    });
    yield outcomeOf(state, choices, ways);
  }
}

function choicesOf(state: DiskState): readonly Choice[] {
  const choices: Choice[] = [];
  for (const [path, { pending }] of state.folders) {
    for (const change of pending) {
      choices.push({
        ways: 2,
        take(way, { names }) {
          const kept = names.get(path);
          if (way === 1 && kept !== undefined) names.set(path, new Map(applied(kept, change)));
        },
      });
    }
  }
  for (const [inode, { bytes, syncedBytes }] of state.inodes) {
    if (syncedBytes === bytes.length) continue;
    const sectors = Math.ceil((bytes.length - syncedBytes) / SECTOR_BYTES);
    const masked = Math.min(sectors, MASKED_SECTORS_MAX);
    // Cut at each sector (the last way keeps all), or whole in length with holes.
    const holes = 2 ** masked - 1;
    choices.push({
      ways: holes + sectors + 1,
      take(way, outcome) {
        if (way < holes + sectors) {
          const torn =
            way < sectors
              ? bytes.slice(0, Math.min(syncedBytes + way * SECTOR_BYTES, bytes.length))
              : withHoles(bytes, syncedBytes, way - sectors);
          outcome.bytes.set(inode, torn);
        } else outcome.bytes.set(inode, bytes);
      },
    });
  }
  return choices;
}

/** The sectors of the mask are kept, the others of the unsynced part read as zero. */
function withHoles(bytes: Uint8Array, syncedBytes: number, mask: number): Uint8Array {
  const holed = bytes.slice();
  for (let sector = 0; syncedBytes + sector * SECTOR_BYTES < bytes.length; sector++) {
    if (((mask >> (sector % MASKED_SECTORS_MAX)) & 1) === 1) continue;
    const start = syncedBytes + sector * SECTOR_BYTES;
    holed.fill(0, start, Math.min(start + SECTOR_BYTES, bytes.length));
  }
  return holed;
}

function outcomeOf(
  state: DiskState,
  choices: readonly Choice[],
  ways: readonly number[],
): DiskState {
  const outcome: Outcome = {
    names: new Map([...state.folders].map(([path, { durable }]) => [path, new Map(durable)])),
    bytes: new Map(),
  };
  choices.forEach((choice, index) => {
    choice.take(ways[index] ?? 0, outcome);
  });
  const folders = new Map<string, Folder>();
  const inodes = new Map<number, Inode>();
  const [root] = state.folders.keys();
  const visit = (path: string): void => {
    const names: Names = outcome.names.get(path) ?? new Map();
    folders.set(path, { durable: names, pending: [], names });
    for (const [name, entry] of names) {
      if (entry === 'folder') visit(`${path}/${name}`);
      else {
        const bytes = outcome.bytes.get(entry) ?? state.inodes.get(entry)?.bytes;
        if (bytes !== undefined) inodes.set(entry, { bytes, syncedBytes: bytes.length });
      }
    }
  };
  if (root !== undefined) visit(root);
  return { inodes, folders, nextInode: state.nextInode };
}
