/**
 * The scrubber: while the device runs, it reads the files of the booted slot again and again, within
 * a share of one core, and tells when one is no longer what was signed. The model in memory goes on:
 * its bytes were verified. What is at stake is the next boot.
 */
import { equalBytes, toHex } from '../../core/base/bytes.ts';
import { attempt, type Fault, faultOf, need, type Result } from '../../core/base/fault.ts';
import { SCRUB_PAUSE_MS, SCRUB_PERCENT, SCRUB_SLICE_BYTES } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { BundleFile } from '../../core/bundle/metadata.ts';
import { type Hasher, nodeDigest } from '../../core/crypto/digest.ts';
import { alignedBytes, openUncached, type UncachedFile } from '../store/uncached-file.ts';
import { RUNTIME_FAULTS, refuseRuntime } from './faults.ts';

/** A file at rest and what it was signed to be. */
export interface ScrubFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
}

export interface ScrubParts {
  readonly files: readonly ScrubFile[];
  readonly clock: Clock;
  /**
   * `runtime.scrub`, once for each file until it is whole again: an event and the cause
   * `slot-corrupt`, which is DEGRADED.
   */
  readonly onFault: (fault: Fault, file: ScrubFile) => void;
  /** Of one core, `SCRUB_PERCENT` unless stated. */
  readonly percent?: number;
  /** Between passes, `SCRUB_PAUSE_MS` unless stated. */
  readonly pauseMs?: number;
  /** The `position` at which an earlier scrubber stopped. */
  readonly startAt?: number;
  readonly open?: (path: string) => Result<UncachedFile>;
}

interface Reading {
  readonly source: UncachedFile;
  readonly hasher: Hasher;
  offset: number;
}

/** The payload files of a slot folder. */
export function slotFiles(folder: string, files: readonly BundleFile[]): readonly ScrubFile[] {
  return files.map(({ path, sizeBytes, sha256 }) => ({
    path: `${folder}/${path}`,
    sizeBytes,
    sha256,
  }));
}

export class Scrubber {
  readonly #parts: ScrubParts;
  readonly #restPerBusy: number;
  readonly #buffer = alignedBytes(SCRUB_SLICE_BYTES);
  readonly #damaged = new Set<string>();
  #position: number;
  #passes = 0;
  #reading: Reading | undefined;
  #dueMs: number;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
    this.#restPerBusy = 100 / (parts.percent ?? SCRUB_PERCENT) - 1;
    this.#position = parts.files.length === 0 ? 0 : (parts.startAt ?? 0) % parts.files.length;
    this.#dueMs = parts.clock.monotonicMs();
  }

  /** The file that is read or comes next. */
  get position(): number {
    return this.#position;
  }

  /** Passes over all files that were ended. */
  get passes(): number {
    return this.#passes;
  }

  /** Paths of files that were not what was signed when they were last read. */
  get damaged(): readonly string[] {
    return [...this.#damaged];
  }

  /**
   * To be called between frames: reads one slice if the budget allows it, and gives the milliseconds
   * until the next one is due. Time that a slice takes, waiting for the medium included, counts as
   * spent.
   */
  tick(): number {
    const { clock, files, pauseMs = SCRUB_PAUSE_MS } = this.#parts;
    const startMs = clock.monotonicMs();
    const file = files[this.#position];
    if (file === undefined) return pauseMs;
    if (startMs < this.#dueMs) return this.#dueMs - startMs;
    const ended = attempt(() => this.#slice(file));
    if (!ended.ok || ended.value) this.#end(file, ended);
    const nowMs = clock.monotonicMs();
    const passed = this.#reading === undefined && this.#position === 0;
    const restMs = Math.max(1, (nowMs - startMs) * this.#restPerBusy);
    this.#dueMs = nowMs + (passed ? Math.max(pauseMs, restMs) : restMs);
    return this.#dueMs - nowMs;
  }

  /** Gives the open file back; a later `tick` begins that file again. */
  close(): void {
    this.#reading?.source.close();
    this.#reading = undefined;
  }

  /** True when the file has been read to its end and is what was signed. */
  #slice(file: ScrubFile): boolean {
    this.#reading ??= this.#begin(file);
    const { source, hasher, offset } = this.#reading;
    const count = source.read(offset, this.#buffer);
    const used = Math.min(count, file.sizeBytes - offset);
    hasher.update(this.#buffer.subarray(0, used));
    this.#reading.offset += used;
    if (this.#reading.offset < file.sizeBytes && count > 0) return false;
    const digest = hasher.digest();
    if (equalBytes(digest, file.sha256)) return true;
    const [seen, signed] = [digest, file.sha256].map((bytes) => toHex(bytes).slice(0, 12));
    throw refuseRuntime('runtime.scrub', `${file.path} has SHA-256 ${seen}, not ${signed}`);
  }

  #begin(file: ScrubFile): Reading {
    const source = need((this.#parts.open ?? openUncached)(file.path));
    return { source, hasher: nodeDigest.create(), offset: 0 };
  }

  #end(file: ScrubFile, ended: Result<boolean>): void {
    this.close();
    this.#position = (this.#position + 1) % this.#parts.files.length;
    if (this.#position === 0) this.#passes++;
    const known = this.#damaged.has(file.path);
    if (ended.ok) this.#damaged.delete(file.path);
    else this.#damaged.add(file.path);
    if (ended.ok || known) return;
    const { code, message } = ended.fault;
    const unread = faultOf(RUNTIME_FAULTS, 'runtime.scrub', `${code}: ${message}`);
    this.#parts.onFault(code === 'runtime.scrub' ? ended.fault : unread, file);
  }
}
