/**
 * Walking a bundle from front to back: the manifest entry, then exactly the payload files that the
 * verified manifest names, hashed as they pass. Every byte outside them is compared or must be zero.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import {
  AHEAD_CHUNK_BYTES,
  HASH_CHUNK_BYTES,
  MANIFEST_BYTES_MAX,
  PAYLOAD_IN_MEMORY_BYTES_MAX,
} from '../base/limits.ts';
import { nodeDigest } from '../crypto/digest.ts';
import { createVerityHasher } from '../crypto/fs-verity.ts';
import { META_URI } from '../suit/envelope.ts';
import type { SuitComponent, SuitManifest } from '../suit/manifest.ts';
import { refuseBundle } from './faults.ts';
import type { BundleFile, ModelMetadata } from './metadata.ts';
import { fill, type Piece, type Walk, walkNow } from './piecewise.ts';
import type { ByteSource } from './source.ts';
import {
  BLOCK_BYTES,
  claimedSizeBytes,
  END_BYTES,
  MANIFEST_PATH,
  paddingBytes,
  ustarHeader,
} from './ustar.ts';

export interface ManifestEntry {
  /** `manifest.suit`, not verified yet. */
  readonly bytes: Uint8Array;
  /** Where the first payload's header starts. */
  readonly endOffset: number;
}

/** Reads at most 65 KiB. Faults: `bundle.header`, `bundle.too-large`, `bundle.padding`, ... */
export function readManifestEntry(source: ByteSource): Result<ManifestEntry> {
  return attempt(() => {
    const header = readExactly(source, 0, BLOCK_BYTES);
    const sizeBytes = claimedSizeBytes(header);
    if (sizeBytes === undefined) {
      throw refuseBundle('bundle.header', 'the file does not start with a bundle header');
    }
    if (sizeBytes > MANIFEST_BYTES_MAX) {
      throw refuseBundle(
        'bundle.too-large',
        `the manifest claims ${sizeBytes} bytes, at most ${MANIFEST_BYTES_MAX}`,
      );
    }
    compareHeader(header, MANIFEST_PATH, sizeBytes);
    const bytes = readExactly(source, BLOCK_BYTES, sizeBytes);
    return { bytes, endOffset: checkPadding(source, BLOCK_BYTES, sizeBytes) };
  });
}

/** Metadata and manifest must name the same files in the same order. Fault: `bundle.mismatch`. */
export function checkSameFiles(meta: ModelMetadata, manifest: SuitManifest): Result<true> {
  return attempt(() => {
    const [first, ...components] = manifest.components;
    const same =
      first?.path === META_URI &&
      components.length === meta.files.length &&
      meta.files.every((file, index) => sameFile(file, components[index] as SuitComponent)) &&
      manifest.model === meta.name;
    if (!same) throw refuseBundle('bundle.mismatch', 'the metadata names other files');
    return true;
  });
}

/**
 * How payload bytes are held against what was signed; headers, padding and end always are.
 * - `full`: every byte of every file, against its SHA-256.
 * - `lazy`: the bytes of the kept files, against their fs-verity digest; others are not read.
 * - `measured`: as `lazy`, but a file whose pages the kernel verifies as they are read (fs-verity) is
 *   not hashed: the digest that the kernel measured on the descriptor that `source` reads from is
 *   compared. It is asked for when the first bytes of the file have been read.
 */
export type PayloadCheck =
  | 'full'
  | 'lazy'
  | { readonly measured: (path: string) => Uint8Array | undefined };

export interface WalkOptions {
  /** The files whose bytes are kept: the very bytes that were hashed. */
  readonly keep: (file: BundleFile) => boolean;
  /** `full` unless stated. */
  readonly check?: PayloadCheck;
  /** Told of every piece that was hashed, for a progress bar. */
  readonly onBytes?: (count: number) => void;
  /** Names the next piece before the last one is hashed, which needs two buffers. */
  readonly ahead?: boolean;
}

/**
 * Checks every payload and gives the kept ones by path: the very bytes that were checked. Memory: one
 * buffer of 256 KiB and what is kept. Faults: `bundle.*`.
 */
export function walkPayloads(
  source: ByteSource,
  startOffset: number,
  files: readonly BundleFile[],
  options: WalkOptions,
): Result<ReadonlyMap<string, Uint8Array>> {
  return attempt(() => walkNow(payloadWalk(source, startOffset, files, options), source));
}

/** `walkPayloads` for a driver of the caller's choice; refuses with `bundle.*`. */
export function* payloadWalk(
  source: ByteSource,
  startOffset: number,
  files: readonly BundleFile[],
  options: WalkOptions,
): Walk<ReadonlyMap<string, Uint8Array>> {
  const { check = 'full', onBytes, ahead = false } = options;
  const kept = new Map<string, Uint8Array>();
  const pieceBytes = ahead ? AHEAD_CHUNK_BYTES : HASH_CHUNK_BYTES;
  const buffer = new Uint8Array(ahead ? 2 * pieceBytes : pieceBytes);
  let offset = startOffset;
  let keptBytes = 0;
  for (const file of files) {
    compareHeader(readExactly(source, offset, BLOCK_BYTES), file.path, file.sizeBytes);
    offset += BLOCK_BYTES;
    // A cut archive of a large model must not cost the memory of the whole one.
    if (file.sizeBytes > source.sizeBytes - offset) {
      throw refuseBundle('bundle.truncated', `the file ends at ${source.sizeBytes}`);
    }
    const keep = options.keep(file);
    if (keep) keptBytes += file.sizeBytes;
    const whole = keep ? allocate(file, keptBytes) : undefined;
    if (keep || check === 'full') {
      yield* fileWalk({ offset, file, check, into: whole ?? buffer, pieceBytes, onBytes });
    }
    if (whole !== undefined) kept.set(file.path, whole);
    offset = checkPadding(source, offset, file.sizeBytes);
  }
  checkEnd(source, offset);
  return kept;
}

interface FileCheck {
  readonly offset: number;
  readonly file: BundleFile;
  readonly check: PayloadCheck;
  /** All of the file where it is kept, else a buffer that its pieces go through in turn. */
  readonly into: Uint8Array;
  readonly pieceBytes: number;
  readonly onBytes: ((count: number) => void) | undefined;
}

function* fileWalk({ offset, file, check, into, pieceBytes, onBytes }: FileCheck): Walk<void> {
  const { sizeBytes } = file;
  const hasher = check === 'full' ? nodeDigest.create() : createVerityHasher();
  const pieceAt = (start: number): Piece | undefined => {
    if (start >= sizeBytes) return undefined;
    const at = into.length === sizeBytes ? start : start % into.length;
    const count = Math.min(pieceBytes, sizeBytes - start);
    return { offset: offset + start, into: into.subarray(at, at + count) };
  };
  let measured: Uint8Array | undefined;
  for (let piece = pieceAt(0), done = 0; piece !== undefined; ) {
    done += piece.into.length;
    const next = pieceAt(done);
    yield { ...piece, next };
    if (piece.offset === offset && typeof check === 'object') measured = check.measured(file.path);
    if (measured === undefined) hasher.update(piece.into);
    onBytes?.(piece.into.length);
    piece = next;
  }
  const digest = measured ?? hasher.digest();
  const [signed, name] =
    check === 'full' ? [file.sha256, 'SHA-256'] : [file.verity, 'fs-verity digest'];
  if (equalBytes(digest, signed)) return;
  throw refuseBundle(
    'bundle.file-digest',
    `${file.path} has ${name} ${toHex(digest).slice(0, 12)}, signed was ${toHex(signed).slice(0, 12)}`,
  );
}

/** Many files of the allowed size would fill a board's memory as one large file does. */
function allocate(file: BundleFile, keptBytes: number): Uint8Array {
  if (keptBytes > PAYLOAD_IN_MEMORY_BYTES_MAX) {
    throw refuseBundle(
      'bundle.too-large',
      `${file.path} brings what is kept in memory to ${keptBytes} bytes`,
    );
  }
  return new Uint8Array(file.sizeBytes);
}

function compareHeader(header: Uint8Array, path: string, sizeBytes: number): void {
  if (!equalBytes(header, ustarHeader(path, sizeBytes))) {
    throw refuseBundle('bundle.header', `the archive header of ${path} is not the expected one`);
  }
}

/** The offset of the next block, after the zero bytes that must stand between. */
function checkPadding(source: ByteSource, offset: number, sizeBytes: number): number {
  const end = offset + sizeBytes;
  const padding = readExactly(source, end, paddingBytes(sizeBytes));
  if (padding.some((byte) => byte !== 0)) {
    throw refuseBundle('bundle.padding', `bytes hidden after offset ${end}`);
  }
  return end + padding.length;
}

function checkEnd(source: ByteSource, offset: number): void {
  if (readExactly(source, offset, END_BYTES).some((byte) => byte !== 0)) {
    throw refuseBundle('bundle.padding', 'the end blocks are not zero');
  }
  if (source.sizeBytes !== offset + END_BYTES) {
    throw refuseBundle('bundle.trailing', `${source.sizeBytes - offset - END_BYTES} bytes follow`);
  }
}

function readExactly(source: ByteSource, offset: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  fill(source, offset, bytes);
  return bytes;
}

function sameFile(file: BundleFile, component: SuitComponent): boolean {
  return (
    file.path === component.path &&
    file.sizeBytes === component.sizeBytes &&
    equalBytes(file.sha256, component.sha256)
  );
}
