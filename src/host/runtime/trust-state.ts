/** What a device trusts, put together from its root file, its floors and its clock. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { ROOT_BYTES_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { TrustContext, TrustProfile } from '../../core/trust/admissible.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';
import { decodeRoot, type RootSet } from '../../core/trust/root.ts';
import { readFileBounded } from '../store/files.ts';
import { EDGEWARD_VERSION } from './version.ts';

/** Faults: `store.*`, `root.*`, `cbor.*`, `cose.*`, `crypto.*`, `field.*`. */
export function readRoot(path: string): Result<RootSet> {
  return attempt(() => need(decodeRoot(need(readFileBounded(path, ROOT_BYTES_MAX)))));
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
