/**
 * What a device trusts: the newest root that its recorded one leads to, the revocation list, its own
 * class and clock. What is newer than the record is adopted: from then on nothing older will do.
 */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, type Fault, need, ok, type Result } from '../../core/base/fault.ts';
import { REVOCATION_BYTES_MAX, ROOT_BYTES_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { TrustProfile } from '../../core/trust/admissible.ts';
import { adoptRevocations, adoptRoot, type FloorRecord } from '../../core/trust/floor.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import { checkRecorded, decodeRevocations } from '../../core/trust/revocation.ts';
import { inspectRoot, type RootSet } from '../../core/trust/root.ts';
import { newestRoot } from '../../core/trust/root-chain.ts';
import type { Trust } from '../../core/update/slot-set.ts';
import { readFileBounded, writeFileAtomic } from '../store/files.ts';
import { EDGEWARD_VERSION } from './version.ts';

export interface TrustFiles {
  /** Holds a copy of the root that was adopted last. */
  readonly stateFolder: string;
  /** The root files at hand, ascending; the first one is trusted where none was adopted yet. */
  readonly roots: readonly string[];
  readonly revocations?: string | undefined;
  readonly profile: TrustProfile;
  readonly hardwareClass?: string | undefined;
}

interface RootFiles {
  readonly root: RootSet;
  readonly bytes: Uint8Array;
  /** The copy in the state folder is that root already. */
  readonly kept: boolean;
}

/**
 * Changes nothing on the disk. Faults: `store.*`, `root.*`, `revocation.*`, and those of what is
 * read; `revocation.missing` and the like are left to `admissible`, which refuses every act then.
 */
export function readTrust(files: TrustFiles, record: FloorRecord, clock: Clock): Result<Trust> {
  return attempt(() => trustOf(files, record, need(readRoots(files, record)).root, clock));
}

/**
 * As `readTrust`, and holds the device to what it read: first the floor record, then the copy of the
 * root, so that a loss of power in between leaves the recorded root at hand in the image.
 */
export function adoptTrust(
  files: TrustFiles,
  floors: FloorStore,
  clock: Clock,
  onUnrecorded: (fault: Fault) => void,
): Result<Trust> {
  return attempt(() => {
    const { record } = need(floors.read());
    const { root, bytes, kept } = need(readRoots(files, record));
    const trust = trustOf(files, record, root, clock);
    const { revocations } = trust;
    let adopted = adoptRoot(record, root);
    if (revocations !== undefined) adopted = adoptRevocations(adopted, revocations);
    const recorded = adopted === record ? ok(true) : floors.write(adopted);
    // On a disk that cannot be written the newer trust counts for this boot, and is told.
    if (!recorded.ok && recorded.fault.code !== 'store.write') need(recorded);
    if (!recorded.ok) onUnrecorded(recorded.fault);
    else if (!kept) {
      const copied = writeFileAtomic(keptRootPath(files), [bytes]);
      if (!copied.ok) onUnrecorded(copied.fault);
    }
    return trust;
  });
}

function trustOf(
  { revocations: path, profile, hardwareClass }: TrustFiles,
  record: FloorRecord,
  root: RootSet,
  clock: Clock,
): Trust {
  const bytes = path === undefined ? undefined : readFileBounded(path, REVOCATION_BYTES_MAX);
  // A list that was deleted is judged where the record says whether one may be missing.
  const gone = bytes !== undefined && !bytes.ok && bytes.fault.code === 'store.not-found';
  const revocations =
    bytes === undefined || gone ? undefined : need(decodeRevocations(need(bytes), root));
  // A list that may not replace the recorded one stands nowhere: told here, with its own reason.
  if (revocations !== undefined) need(checkRecorded(revocations, record));
  return {
    root,
    ...(revocations !== undefined && { revocations }),
    profile,
    ...(hardwareClass !== undefined && { hardwareClass }),
    guardVersion: EDGEWARD_VERSION,
    nowMs: clock.unixMs(),
  };
}

function readRoots(files: TrustFiles, record: FloorRecord): Result<RootFiles> {
  return attempt(() => {
    const given = files.roots.map((path) => need(readFileBounded(path, ROOT_BYTES_MAX)));
    const kept = readFileBounded(keptRootPath(files), ROOT_BYTES_MAX);
    // A damaged copy is no root; whether it was needed shows below.
    const copy = kept.ok && inspectRoot(kept.value).ok ? [kept.value] : [];
    const all = [...copy, ...given];
    const first = given[0] ?? new Uint8Array(0);
    const pinned = record.rootSha256 ?? need(inspectRoot(first)).sha256;
    const root = need(newestRoot(pinned, record.rootSha256 === undefined ? given : all));
    const is = (bytes: Uint8Array): boolean =>
      equalBytes(need(inspectRoot(bytes)).sha256, root.sha256);
    return { root, bytes: all.find(is) ?? first, kept: copy.some(is) };
  });
}

function keptRootPath({ stateFolder }: TrustFiles): string {
  return `${stateFolder}/root.cbor`;
}
