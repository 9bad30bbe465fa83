/**
 * What a slot folder holds, and where each of its bytes lies in the archive that it stands for. Both
 * follow from the claims of its manifest, so the archive's headers need not be stored.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { END_BYTES, MANIFEST_PATH, paddingBytes, ustarHeader } from '../bundle/ustar.ts';
import { openEnvelope } from '../suit/envelope.ts';
import { parseManifest } from '../suit/manifest.ts';
import { refuseUpdate } from './faults.ts';
import type { SlotName } from './slot-table.ts';

/** The marker of a published slot: the manifest digest in hex and a line end. */
export const READY_NAME = 'READY';

export function slotFolder(folder: string, slot: SlotName): string {
  return `${folder}/slots/${slot}`;
}

export interface ClaimedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
}

/** What a manifest says of itself; nobody has verified a signature. */
export interface Claims {
  readonly manifestSha256: Uint8Array;
  readonly files: readonly ClaimedFile[];
}

/** Faults: `cbor.*`, `suit.*`, `update.reserved-name`, `update.slot-damaged`. */
export function readClaims(manifestBytes: Uint8Array): Result<Claims> {
  return attempt(() => {
    const envelope = need(openEnvelope(manifestBytes));
    const [, ...files] = need(parseManifest(envelope.manifest)).components;
    for (const { path } of files) {
      if (path === READY_NAME) {
        throw refuseUpdate('update.reserved-name', `a payload is named ${READY_NAME}`);
      }
      // These names become paths, and nobody has signed for them yet.
      if (!/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(path) || path === MANIFEST_PATH) {
        throw refuseUpdate('update.slot-damaged', `a payload is named ${path}`);
      }
    }
    return { manifestSha256: envelope.manifestSha256, files };
  });
}

/** A run of archive bytes: given ones, or those of a payload file. */
export type Segment = { readonly offset: number; readonly sizeBytes: number } & (
  | { readonly fixed: Uint8Array }
  | { readonly file: ClaimedFile }
);

/** The archive of a manifest and its files, front to back, without a gap. */
export function segmentsOf(
  manifestBytes: Uint8Array,
  files: readonly ClaimedFile[],
): readonly Segment[] {
  const segments: Segment[] = [];
  let offset = 0;
  const fixed = (bytes: Uint8Array): void => {
    if (bytes.length > 0) segments.push({ offset, sizeBytes: bytes.length, fixed: bytes });
    offset += bytes.length;
  };
  fixed(ustarHeader(MANIFEST_PATH, manifestBytes.length));
  fixed(manifestBytes);
  fixed(new Uint8Array(paddingBytes(manifestBytes.length)));
  for (const file of files) {
    fixed(ustarHeader(file.path, file.sizeBytes));
    if (file.sizeBytes > 0) segments.push({ offset, sizeBytes: file.sizeBytes, file });
    offset += file.sizeBytes;
    fixed(new Uint8Array(paddingBytes(file.sizeBytes)));
  }
  fixed(new Uint8Array(END_BYTES));
  return segments;
}

export function archiveBytes(segments: readonly Segment[]): number {
  const last = segments.at(-1);
  return last === undefined ? 0 : last.offset + last.sizeBytes;
}
