/**
 * A slot folder as the archive it stands for, so that the one `verifyBundle` judges it: there is no
 * second verifier for slots.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { MANIFEST_BYTES_MAX } from '../base/limits.ts';
import type { ByteSource } from '../bundle/source.ts';
import { MANIFEST_PATH } from '../bundle/ustar.ts';
import type { Disk, DiskSource } from './disk.ts';
import { refuseUpdate } from './faults.ts';
import { archiveBytes, type Claims, readClaims, type Segment, segmentsOf } from './slot-layout.ts';

export interface SlotSource extends ByteSource {
  readonly claims: Claims;
  close(): void;
}

/**
 * Reads the manifest and opens payload files one at a time, as they are read. Faults: `disk.*`,
 * `update.slot-damaged` where a file has another size than claimed, and those of `readClaims`.
 */
export function openSlotSource(disk: Disk, folder: string): Result<SlotSource> {
  return attempt(() => {
    const manifestBytes = need(disk.read(`${folder}/${MANIFEST_PATH}`, MANIFEST_BYTES_MAX));
    const claims = need(readClaims(manifestBytes));
    const segments = segmentsOf(manifestBytes, claims.files);
    let open: { readonly path: string; readonly source: DiskSource } | undefined;
    const close = (): void => {
      open?.source.close();
      open = undefined;
    };
    const fileAt = (segment: Extract<Segment, { file: unknown }>): DiskSource => {
      const { path, sizeBytes } = segment.file;
      if (open?.path === path) return open.source;
      close();
      const source = need(disk.open(`${folder}/${path}`));
      open = { path, source };
      if (source.sizeBytes !== sizeBytes) {
        throw refuseUpdate(
          'update.slot-damaged',
          `${path} has ${source.sizeBytes} bytes, ${sizeBytes} were signed`,
        );
      }
      return source;
    };
    return {
      claims,
      sizeBytes: archiveBytes(segments),
      read(offset, into) {
        const segment = segmentAt(segments, offset);
        if (segment === undefined) return 0;
        const start = offset - segment.offset;
        const count = Math.min(into.length, segment.sizeBytes - start);
        const part = into.subarray(0, count);
        if ('file' in segment) return fileAt(segment).read(start, part);
        part.set(segment.fixed.subarray(start, start + count));
        return count;
      },
      close,
    };
  });
}

function segmentAt(segments: readonly Segment[], offset: number): Segment | undefined {
  return segments.find(
    (segment) => offset >= segment.offset && offset < segment.offset + segment.sizeBytes,
  );
}
