/** What a device trusts, put together from its root file, its floors and its clock. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { REVOCATION_BYTES_MAX, ROOT_BYTES_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { TrustContext, TrustProfile } from '../../core/trust/admissible.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';
import { decodeRevocations, type RevocationList } from '../../core/trust/revocation.ts';
import { decodeRoot, type RootSet } from '../../core/trust/root.ts';
import { readFileBounded } from '../store/files.ts';
import { EDGEWARD_VERSION } from './version.ts';

/** Faults: `store.*`, `root.*`, `cbor.*`, `cose.*`, `crypto.*`, `field.*`. */
export function readRoot(path: string): Result<RootSet> {
  return attempt(() => need(decodeRoot(need(readFileBounded(path, ROOT_BYTES_MAX)))));
}

/** The revocation list of a file, where one is named. Refuses with `store.*`, `revocation.*`, ... */
export function readRevocations(
  path: string | undefined,
  root: RootSet,
): RevocationList | undefined {
  if (path === undefined) return undefined;
  return need(decodeRevocations(need(readFileBounded(path, REVOCATION_BYTES_MAX)), root));
}

export function trustContext(
  root: RootSet,
  floors: FloorRecord,
  profile: TrustProfile,
  hardwareClass: string | undefined,
  clock: Clock,
): TrustContext {
  return {
    root,
    floors,
    profile,
    ...(hardwareClass === undefined ? {} : { hardwareClass }),
    guardVersion: EDGEWARD_VERSION,
    nowMs: clock.unixMs(),
  };
}
