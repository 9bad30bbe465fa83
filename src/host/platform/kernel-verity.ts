/**
 * fs-verity of the kernel, through the `fsverity` program: Node.js has no ioctl. A file that is sealed
 * can never be written again, and the kernel holds each page against the digest as it is read.
 *
 * The digest is measured on the very descriptor that is read from: a file that somebody puts at the
 * same path meanwhile is another file. Where the filesystem or the program is missing the fault says
 * so, and the bytes are hashed as they are read.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { fromHex, fromUtf8 } from '../../core/base/bytes.ts';
import {
  attempt,
  type Fault,
  type FaultTable,
  need,
  ok,
  type Refusal,
  type Result,
  refusing,
} from '../../core/base/fault.ts';
import { VERITY_ENABLE_DEADLINE_MS, VERITY_MEASURE_DEADLINE_MS } from '../../core/base/limits.ts';
import type { PayloadCheck } from '../../core/bundle/layout.ts';
import type { Disk, DiskSource } from '../../core/update/disk.ts';
import { errnoOf, refuseStore } from '../store/faults.ts';
import { runTool } from './child-tool.ts';

export type VerityFaultCode =
  | 'verity.unsupported'
  | 'verity.not-sealed'
  | 'verity.busy'
  | 'verity.failed';

export const VERITY_FAULTS: FaultTable<VerityFaultCode> = {
  'verity.unsupported':
    'Use a kernel with CONFIG_FS_VERITY and a filesystem with it (`tune2fs -O verity`), or verify lazily.',
  'verity.not-sealed': 'The file was not sealed when it was installed: install the release again.',
  'verity.busy': 'The file is open for writing: close it first.',
  'verity.failed': 'Read what the program said; run `fsverity measure` by hand to see more.',
};

export const refuseVerity: (code: VerityFaultCode, message: string) => Refusal =
  refusing(VERITY_FAULTS);

/** Of Debian's package `fsverity`. */
export const FSVERITY_PATH = '/usr/bin/fsverity';
const PARAMETERS = ['--hash-alg=sha256', '--block-size=4096'];

/** What the program says for an errno, in the C locale (`strerror`). */
const COMPLAINTS: readonly (readonly [RegExp, VerityFaultCode])[] = [
  // EOPNOTSUPP: kernel or filesystem without the feature; ENOTTY: tmpfs and others that have no such call.
  [/Operation not supported|Inappropriate ioctl/, 'verity.unsupported'],
  [/No data available/, 'verity.not-sealed'],
  [/Text file busy/, 'verity.busy'],
];

/**
 * Makes a closed file unchangeable and its pages verified, for good. Sealing one again changes
 * nothing. Faults: `verity.unsupported`, `verity.busy`, `verity.failed`, `platform.tool-*`.
 */
export function sealFile(path: string, tool: string = FSVERITY_PATH): Result<true> {
  return attempt(() => {
    const args = ['enable', ...PARAMETERS, path];
    const ended = need(runTool({ path: tool, args, deadlineMs: VERITY_ENABLE_DEADLINE_MS }));
    if (ended.succeeded || /File exists/.test(ended.complaint)) return true;
    throw refused(ended.complaint);
  });
}

/**
 * The digest that the kernel holds the pages of an open file against, 32 bytes. Faults:
 * `verity.unsupported`, `verity.not-sealed`, `verity.failed`, `platform.tool-*`.
 */
export function measureDescriptor(fd: number, tool: string = FSVERITY_PATH): Result<Uint8Array> {
  return attempt(() => {
    // Leads to the open file itself and not to what stands at its path by now.
    const args = ['measure', `/proc/${process.pid}/fd/${fd}`];
    const ended = need(runTool({ path: tool, args, deadlineMs: VERITY_MEASURE_DEADLINE_MS }));
    if (!ended.succeeded) throw refused(ended.complaint);
    const said = fromUtf8(ended.output) ?? '';
    const digest = fromHex(/^sha256:([0-9a-f]{64}) /.exec(said)?.[1] ?? '');
    if (digest?.length === 32) return digest;
    throw refuseVerity('verity.failed', `it said "${said.slice(0, 80)}"`);
  });
}

export interface MeasuringDisk {
  readonly disk: Disk;
  /** For `verifyBundle` over what was opened through `disk`. */
  readonly check: PayloadCheck;
}

/**
 * A disk that measures each file as it is opened, and the check that goes with it. A file that cannot
 * be measured is hashed instead: `onUnmeasured` is told the reason.
 */
export function measuringDisk(
  disk: Disk,
  onUnmeasured: (path: string, reason: Fault) => void,
  tool: string = FSVERITY_PATH,
): MeasuringDisk {
  // By the name in the bundle. One slot is read at a time, and a file is opened before it is asked for.
  const digests = new Map<string, Uint8Array>();
  return {
    disk: {
      list: (folder) => disk.list(folder),
      read: (path, bytesMax) => disk.read(path, bytesMax),
      create: (path) => disk.create(path),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      makeFolder: (path) => disk.makeFolder(path),
      syncFolder: (path) => disk.syncFolder(path),
      open(path) {
        const name = basename(path);
        digests.delete(name);
        const opened = openFile(path);
        // The disk has the words for what is wrong with it.
        if (opened === undefined) return disk.open(path);
        const digest = measureDescriptor(opened.fd, tool);
        if (digest.ok) digests.set(name, digest.value);
        else onUnmeasured(path, digest.fault);
        return ok(opened.source);
      },
    },
    check: { measured: (name) => digests.get(name) },
  };
}

interface OpenFile {
  readonly fd: number;
  readonly source: DiskSource;
}

function openFile(path: string): OpenFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    closeSync(fd);
    return undefined;
  }
  const source: DiskSource = {
    sizeBytes: stat.size,
    read(offset, into) {
      try {
        return readSync(fd, into, 0, into.length, offset);
      } catch (thrown) {
        // EIO is also how the kernel refuses a page that is not what was sealed.
        throw refuseStore('store.read', `${path}: ${errnoOf(thrown)}`);
      }
    },
    close: () => closeSync(fd),
  };
  return { fd, source };
}

function refused(complaint: string): Refusal {
  const code = COMPLAINTS.find(([words]) => words.test(complaint))?.[1] ?? 'verity.failed';
  return refuseVerity(code, complaint);
}
