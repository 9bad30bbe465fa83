/**
 * Streaming install: the manifest is verified before one payload byte is accepted, payloads are hashed
 * while they are written to the slot that nothing depends on, and what was written is verified once
 * more from the disk before READY. Whatever fails, what runs is untouched and what was staged is gone.
 *
 * Memory: the head of the archive (66 KiB at most) and one buffer of 256 KiB.
 */
import { equalBytes } from '../base/bytes.ts';
import { assert, attempt, type Fault, need, type Result } from '../base/fault.ts';
import { HASH_CHUNK_BYTES, MANIFEST_BYTES_MAX } from '../base/limits.ts';
import { refuseBundle } from '../bundle/faults.ts';
import { readManifestEntry } from '../bundle/layout.ts';
import type { ModelMetadata } from '../bundle/metadata.ts';
import { type ByteSource, bytesSource } from '../bundle/source.ts';
import { BLOCK_BYTES, claimedSizeBytes, MANIFEST_PATH, paddingBytes } from '../bundle/ustar.ts';
import type { Hasher } from '../crypto/digest.ts';
import { nodeDigest } from '../crypto/digest.ts';
import type { SignatureCheck } from '../crypto/ed25519.ts';
import { openEnvelope } from '../suit/envelope.ts';
import { parseManifest } from '../suit/manifest.ts';
import { admissible } from '../trust/admissible.ts';
import { type FloorRecord, recordGolden } from '../trust/floor.ts';
import { type VerifiedBundle, verifyMetadata, verifySigners } from '../trust/verify.ts';
import { type BootRecord, withSlot } from './boot-record.ts';
import type { DiskFile } from './disk.ts';
import { writeNew } from './record-pair.ts';
import { emptySlot, makeSlotFolders, publishSlot, reusePayload } from './slot-files.ts';
import { archiveBytes, readClaims, type Segment, segmentsOf, slotFolder } from './slot-layout.ts';
import {
  checkPin,
  judgeSlot,
  loadSet,
  pinOf,
  type SlotSet,
  saveRecord,
  type Trust,
  withPin,
} from './slot-set.ts';
import { openSlotSource } from './slot-source.ts';
import { SLOT_NAMES, type SlotName } from './slot-table.ts';
import { goldenTarget, installTarget } from './target.ts';

export interface InstallOptions {
  readonly trust: Trust;
  /** False leaves the release STAGED until `activate`: for a notice window or an operator. */
  readonly activate?: boolean;
  /** `verifyStrict` unless another is named. */
  readonly signatureCheck?: SignatureCheck;
  /** Bytes of the archive that are done, of how many. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Published and whole, and not installed: that is said after confirm only (hawkBit #3185). */
export interface Staged {
  readonly slot: SlotName;
  readonly bundle: VerifiedBundle;
  /** Bytes that were copied from another slot instead of being taken from the source. */
  readonly reusedBytes: number;
}

/** An install that is fed from outside, in order; a fault ends it and cleans up. */
export interface InstallStream {
  push(chunk: Uint8Array): Result<true>;
  /** To be called when every byte was pushed. */
  finish(): Result<Staged>;
  /** Gives up what was staged. */
  abort(): void;
}

/** Faults: those of `verifyBundle`, `update.*`, `disk.*`. */
export function installFrom(
  set: SlotSet,
  source: ByteSource,
  target: 'model' | 'golden',
  options: InstallOptions,
): Result<Staged> {
  const install = new Install(set, target, options, true);
  return attempt(() => {
    const buffer = new Uint8Array(HASH_CHUNK_BYTES);
    while (install.position < source.sizeBytes) {
      const wanted = Math.min(buffer.length, install.headBytesLeft() ?? buffer.length);
      const count = install.guard(() => source.read(install.position, buffer.subarray(0, wanted)));
      // A source that claims more than was asked for, or no number, has not filled the buffer.
      if (!(count > 0 && count <= wanted)) break;
      need(install.push(buffer.subarray(0, count)));
    }
    return need(install.finish());
  });
}

export function openInstall(set: SlotSet, options: InstallOptions): InstallStream {
  return new Install(set, 'model', options, false);
}

/** A target that was taken: from here on there is something to clean up. */
interface Staging {
  readonly slot: SlotName;
  readonly path: string;
  readonly manifestSha256: Uint8Array;
  readonly segments: readonly Segment[];
  index: number;
  file: { readonly to: DiskFile; readonly hasher: Hasher } | undefined;
}

class Install implements InstallStream {
  readonly #set: SlotSet;
  readonly #target: 'model' | 'golden';
  readonly #options: InstallOptions;
  /** The source can skip what another slot holds. */
  readonly #seekable: boolean;
  readonly #head = new Uint8Array(BLOCK_BYTES + MANIFEST_BYTES_MAX + BLOCK_BYTES);
  #staging: Staging | undefined;
  #fault: Fault | undefined;
  #reusedBytes = 0;
  /** The next byte of the archive that is wanted. */
  position = 0;

  constructor(
    set: SlotSet,
    target: 'model' | 'golden',
    options: InstallOptions,
    seekable: boolean,
  ) {
    this.#set = set;
    this.#target = target;
    this.#options = options;
    this.#seekable = seekable;
  }

  push(chunk: Uint8Array): Result<true> {
    return attempt(() =>
      this.guard(() => {
        // By position: a file that another slot holds may take the position past this chunk.
        const start = this.position;
        while (this.position - start < chunk.length) {
          const rest = chunk.subarray(this.position - start);
          if (this.#staging === undefined) this.#takeHead(rest);
          else this.#take(rest);
        }
        return true as const;
      }),
    );
  }

  finish(): Result<Staged> {
    return attempt(() => this.guard(() => this.#publish()));
  }

  abort(): void {
    const aborted = attempt(() =>
      this.guard(() => {
        throw refuseBundle('bundle.truncated', 'the install was given up');
      }),
    );
    assert(!aborted.ok, 'giving up is a refusal');
  }

  /** Runs one step; a refusal ends the install for good and removes what was staged. */
  guard<T>(step: () => T): T {
    if (this.#fault !== undefined) need({ ok: false, fault: this.#fault });
    const done = attempt(step);
    if (!done.ok) {
      this.#fault = done.fault;
      this.#abandon(done.fault);
    }
    return need(done);
  }

  /** Of the manifest entry, so that a pull takes no payload byte before it is verified. */
  headBytesLeft(): number | undefined {
    if (this.#staging !== undefined) return undefined;
    return this.#headBytes() - this.position;
  }

  #headBytes(): number {
    if (this.position < BLOCK_BYTES) return BLOCK_BYTES;
    const claimed = claimedSizeBytes(this.#head.subarray(0, BLOCK_BYTES));
    // What claims nonsense is refused by the reader below.
    if (claimed === undefined || claimed > MANIFEST_BYTES_MAX) return BLOCK_BYTES;
    return BLOCK_BYTES + claimed + paddingBytes(claimed);
  }

  #takeHead(chunk: Uint8Array): void {
    const count = Math.min(chunk.length, this.#headBytes() - this.position);
    this.#head.set(chunk.subarray(0, count), this.position);
    this.position += count;
    const complete = this.position > BLOCK_BYTES || this.#headBytes() === BLOCK_BYTES;
    if (complete && this.position === this.#headBytes()) this.#admit();
  }

  /** The gate: signatures, metadata and `admissible`, before a slot is touched. */
  #admit(): void {
    const { trust, signatureCheck } = this.#options;
    const entry = need(readManifestEntry(bytesSource(this.#head.subarray(0, this.position))));
    const manifestBytes = entry.bytes.slice();
    const envelope = need(openEnvelope(manifestBytes));
    const signers = verifySigners(envelope, trust.root, signatureCheck);
    const manifest = need(parseManifest(envelope.manifest));
    const meta = verifyMetadata(envelope, manifest);
    const floors = need(this.#set.floors.read()).record;
    const context = { ...trust, floors };
    const { manifestSha256 } = envelope;
    const { sequenceNumber } = manifest;
    need(admissible('install', { meta, sequenceNumber, manifestSha256, signers }, context));
    const claims = need(readClaims(manifestBytes));
    const { record, marks } = loadSet(this.#set);
    checkPin(meta, pinOf(this.#set, record), floors);
    const slot =
      this.#target === 'golden'
        ? goldenTarget(record, marks)
        : installTarget(record, marks, floors);
    this.#begin(record, slot, meta, manifestSha256);
    const segments = segmentsOf(manifestBytes, claims.files);
    const path = slotFolder(this.#set.folder, slot);
    const index = segments.findIndex((segment) => segment.offset === this.position);
    this.#staging = { slot, path, manifestSha256, segments, index, file: undefined };
    emptySlot(this.#set.disk, path);
    writeNew(this.#set.disk, `${path}/${MANIFEST_PATH}`, manifestBytes);
    this.#enter();
  }

  /** STAGING stands in the record before a file of the slot is touched. */
  #begin(
    record: BootRecord,
    slot: SlotName,
    meta: ModelMetadata,
    manifestSha256: Uint8Array,
  ): void {
    makeSlotFolders(this.#set.disk, this.#set.folder);
    const begun = withSlot(record, slot, { cause: 'begin', manifestSha256 });
    saveRecord(this.#set, withPin(begun, this.#set, meta));
  }

  /** At the start of a segment: opens its file, or takes the whole file from another slot. */
  #enter(): void {
    const staging = this.#current();
    const segment = staging.segments[staging.index];
    this.#options.onProgress?.(this.position, archiveBytes(staging.segments));
    if (segment === undefined || !('file' in segment)) return;
    if (this.#seekable && this.#reuse(segment.file, staging)) {
      this.#reusedBytes += segment.sizeBytes;
      this.position += segment.sizeBytes;
      staging.index++;
      this.#enter();
      return;
    }
    const to = need(this.#set.disk.create(`${staging.path}/${segment.file.path}`));
    staging.file = { to, hasher: nodeDigest.create() };
  }

  #reuse(file: Extract<Segment, { file: unknown }>['file'], staging: Staging): boolean {
    const { disk, folder } = this.#set;
    return SLOT_NAMES.filter((slot) => slot !== staging.slot).some((slot) => {
      const path = slotFolder(folder, slot);
      const source = openSlotSource(disk, path);
      if (!source.ok) return false;
      source.value.close();
      const held = source.value.claims.files.find(
        ({ sizeBytes, sha256 }) => sizeBytes === file.sizeBytes && equalBytes(sha256, file.sha256),
      );
      return held !== undefined && reusePayload(disk, path, staging.path, file, held.path);
    });
  }

  #take(chunk: Uint8Array): void {
    const staging = this.#current();
    const segment = staging.segments[staging.index];
    if (segment === undefined) {
      throw refuseBundle('bundle.trailing', `bytes follow at ${this.position}`);
    }
    const start = this.position - segment.offset;
    const piece = chunk.subarray(0, segment.sizeBytes - start);
    if ('fixed' in segment) checkFixed(segment.fixed, start, piece, this.position);
    else {
      const file = staging.file;
      assert(file !== undefined, 'a file segment was entered');
      file.hasher.update(piece);
      need(file.to.append(piece));
    }
    this.position += piece.length;
    if (start + piece.length === segment.sizeBytes) {
      this.#leave(staging, segment);
      staging.index++;
      this.#enter();
    } else this.#options.onProgress?.(this.position, archiveBytes(staging.segments));
  }

  #leave(staging: Staging, segment: Segment): void {
    const file = staging.file;
    if (!('file' in segment) || file === undefined) return;
    if (!equalBytes(file.hasher.digest(), segment.file.sha256)) {
      throw refuseBundle('bundle.file-digest', `${segment.file.path} is not what was signed`);
    }
    need(file.to.sync());
    file.to.close();
    staging.file = undefined;
  }

  #publish(): Staged {
    const staging = this.#staging;
    if (staging === undefined || staging.index < staging.segments.length) {
      throw refuseBundle('bundle.truncated', `the bytes end at ${this.position}`);
    }
    const { trust, signatureCheck } = this.#options;
    const { slot, path, manifestSha256 } = staging;
    this.#writeEmptyFiles(staging);
    const loaded = loadSet(this.#set).record;
    const context = { ...trust, floors: need(this.#set.floors.read()).record };
    const pin = pinOf(this.#set, loaded);
    const options = signatureCheck === undefined ? {} : { signatureCheck };
    // What lies on the disk is judged, not what passed by.
    const bundle = need(
      judgeSlot(this.#set, { slot, act: 'install', manifestSha256, context, pin, options }),
    );
    if (this.#target === 'golden') this.#recordGolden(context.floors, manifestSha256);
    publishSlot(this.#set.disk, path, manifestSha256);
    let record = withSlot(loaded, slot, { cause: 'publish' });
    const { activate = true } = this.#options;
    if (activate && this.#target === 'model') record = withSlot(record, slot, { cause: 'arm' });
    saveRecord(this.#set, record);
    this.#set.tell({ step: 'staged', slot, manifestSha256 });
    this.#staging = undefined;
    return { slot, bundle, reusedBytes: this.#reusedBytes };
  }

  /** Before READY: what stands there whole without being known is judged as an install. */
  #recordGolden(before: FloorRecord, manifestSha256: Uint8Array): void {
    const after = recordGolden(before, manifestSha256);
    if (after !== before) need(this.#set.floors.write(after));
  }

  /** An empty file has no segment that would be entered. */
  #writeEmptyFiles(staging: Staging): void {
    const { disk } = this.#set;
    const source = need(openSlotSource(disk, staging.path));
    source.close();
    for (const { path, sizeBytes } of source.claims.files) {
      if (sizeBytes === 0) writeNew(disk, `${staging.path}/${path}`, new Uint8Array(0));
    }
  }

  #current(): Staging {
    assert(this.#staging !== undefined, 'the manifest was admitted');
    return this.#staging;
  }

  #abandon(fault: Fault): void {
    this.#set.tell({ step: 'install-refused', fault: fault.code });
    const staging = this.#staging;
    if (staging === undefined) return;
    staging.file?.to.close();
    this.#staging = undefined;
    // Where the disk refuses this as well, STAGING stands in the record and the next boot gives the
    // slot up. First the files: a full disk has no room for a record.
    attempt(() => emptySlot(this.#set.disk, staging.path));
    attempt(() => {
      const { record } = loadSet(this.#set);
      saveRecord(
        this.#set,
        withSlot(record, staging.slot, { cause: 'refuse', reason: fault.code }),
      );
    });
  }
}

function checkFixed(fixed: Uint8Array, start: number, piece: Uint8Array, position: number): void {
  if (equalBytes(piece, fixed.subarray(start, start + piece.length))) return;
  const header = fixed.some((byte) => byte !== 0);
  throw header
    ? refuseBundle('bundle.header', `the archive header at ${position - start} is not the expected`)
    : refuseBundle('bundle.padding', `bytes hidden after offset ${position}`);
}
