/**
 * What the guard has seen so far, in named parts, kept over a restart: two copies with an HMAC under
 * the device's key. It is written at the start, at shutdown, and in between only where it has changed
 * and at most once in `SEALED_STATE_PERIOD_MS`; a loss of power forgets what came since.
 *
 * The record names the boot that wrote it. Every boot writes it once, so that the one before this is
 * the only boot it may be of:
 *
 * | what is found | origin |
 * |---|---|
 * | the record of the boot before this one | `kept` |
 * | no copy | `missing`: the first boot, or both were removed |
 * | no copy that can be read and is this device's | `corrupt` |
 * | the record of another boot | `rolled-back`: put back, or that boot could not write its own |
 * | a boot counter that cannot be read or raised | `not-counted`: nothing is written either |
 *
 * All but the first begin with no parts and a note. Not seen: a copy from the boot before this one, or
 * from earlier in it, and an old image of the folder with its boot counter, which only the fleet sees.
 * Whoever can remove the record can make the guard forget; it is evidence, not a floor.
 */
import { compareBytes } from '../../core/base/bytes.ts';
import { assert, attempt, type Fault, need, ok, type Result } from '../../core/base/fault.ts';
import {
  SEALED_PARTS_MAX,
  SEALED_STATE_BYTES_MAX,
  SEALED_STATE_PERIOD_MS,
} from '../../core/base/limits.ts';
import type { MonotonicMs } from '../../core/base/time.ts';
import { decodeCbor } from '../../core/cose/decode.ts';
import { encodeCbor } from '../../core/cose/encode.ts';
import { openRecord, sealRecord } from '../../core/crypto/mac.ts';
import { refuseStore } from './faults.ts';
import { openRecordPair, type RecordPair } from './record-pair.ts';

/** By name; what a part holds is its owner's to judge, who may refuse it after an update. */
export type Parts = ReadonlyMap<string, Uint8Array>;

export type Origin = 'kept' | 'missing' | 'corrupt' | 'rolled-back' | 'not-counted';

export interface SealedState {
  readonly origin: Origin;
  /** For the log: why there is no state of before, or that it could not be sealed for this boot. */
  readonly note: string | undefined;
  /** As the boot before left them; empty unless `kept`. */
  readonly parts: Parts;
  /**
   * Writes the parts, all that there are, if it is time and they have changed; asked for only when
   * it is time. True when it wrote. A write that fails is tried again a period later. Faults:
   * `store.write`, `store.too-large`.
   */
  keep(parts: () => Parts, nowMs: MonotonicMs): Result<boolean>;
  /** The same at shutdown, whatever the time. */
  keepNow(parts: Parts): Result<boolean>;
}

interface StateRecord {
  readonly epoch: number;
  /** Counts the writes, over all boots. */
  readonly generation: number;
  readonly parts: Parts;
}

const PROFILE = 'edgeward-state/1';
const PART_NAME = /^[a-z]{1,32}$/;

/**
 * `FOLDER/state.0` and `.1`, to be opened right after the boot counter was raised and by whoever
 * holds the folder's lock.
 *
 * @param epoch of this boot
 */
export function openSealedState(
  folder: string,
  macKey: Uint8Array,
  epoch: Result<number>,
  nowMs: MonotonicMs,
): SealedState {
  if (!epoch.ok) return uncounted(epoch.fault);
  const pair = statePair(folder, macKey);
  const found = findState(pair, epoch.value);
  const writer = new StateWriter(pair, epoch.value, found.generation, nowMs);
  const sealed = writer.write(found.parts);
  const notes = [found.note, sealed.ok ? undefined : `not sealed: ${sealed.fault.message}`];
  return {
    origin: found.origin,
    note: notes.filter((note) => note !== undefined).join('; ') || undefined,
    parts: found.parts,
    keep: (parts, now) => writer.keep(parts, now),
    keepNow: (parts) => writer.keepNow(parts),
  };
}

class StateWriter {
  readonly #pair: RecordPair<StateRecord>;
  readonly #epoch: number;
  #generation: number;
  #triedMs: MonotonicMs;
  /** What the disk holds; `undefined` while that is not known. */
  #written: Uint8Array | undefined;

  constructor(
    pair: RecordPair<StateRecord>,
    epoch: number,
    generation: number,
    nowMs: MonotonicMs,
  ) {
    this.#pair = pair;
    this.#epoch = epoch;
    this.#generation = generation;
    this.#triedMs = nowMs;
  }

  keep(parts: () => Parts, nowMs: MonotonicMs): Result<boolean> {
    if (nowMs - this.#triedMs < SEALED_STATE_PERIOD_MS) return ok(false);
    this.#triedMs = nowMs;
    return this.keepNow(parts());
  }

  keepNow(parts: Parts): Result<boolean> {
    const same = this.#written && compareBytes(this.#written, encodeCbor(parts)) === 0;
    return same === true ? ok(false) : this.write(parts);
  }

  write(parts: Parts): Result<true> {
    return attempt(() => {
      needFitting(parts);
      this.#written = undefined;
      this.#generation += 1;
      need(this.#pair.write({ epoch: this.#epoch, generation: this.#generation, parts }));
      this.#written = encodeCbor(parts);
      return true;
    });
  }
}

interface Found {
  readonly origin: Origin;
  readonly note: string | undefined;
  readonly parts: Parts;
  readonly generation: number;
}

const NO_PARTS: Parts = new Map();

function findState(pair: RecordPair<StateRecord>, epoch: number): Found {
  const none = { parts: NO_PARTS, generation: 0 };
  const read = pair.read();
  if (!read.ok) {
    return { ...none, origin: 'corrupt', note: `the guard begins anew: ${read.fault.message}` };
  }
  if (read.value === undefined) {
    const note = `the guard begins anew: boot ${epoch} finds no state`;
    return { ...none, origin: 'missing', note };
  }
  const { record, damagedCopies } = read.value;
  const { generation } = record;
  if (record.epoch !== epoch - 1) {
    const note = `the guard begins anew: boot ${epoch} finds the state of boot ${record.epoch}`;
    return { ...none, generation, origin: 'rolled-back', note };
  }
  const note = damagedCopies > 0 ? 'one copy of the state was damaged' : undefined;
  return { origin: 'kept', note, parts: record.parts, generation };
}

function uncounted({ code, message }: Fault): SealedState {
  return {
    origin: 'not-counted',
    note: `the guard begins anew and nothing is kept: ${code}: ${message}`,
    parts: NO_PARTS,
    keep: () => ok(false),
    keepNow: () => ok(false),
  };
}

function statePair(folder: string, macKey: Uint8Array): RecordPair<StateRecord> {
  return openRecordPair<StateRecord>(`${folder}/state`, {
    bytesMax: SEALED_STATE_BYTES_MAX,
    encode: ({ epoch, generation, parts }) =>
      sealRecord(macKey, encodeCbor([PROFILE, epoch, generation, parts])),
    decode: (bytes) => decodeState(bytes, macKey),
    generation: ({ generation }) => generation,
  });
}

function decodeState(bytes: Uint8Array, macKey: Uint8Array): Result<StateRecord> {
  return attempt(() => {
    const body = openRecord(macKey, bytes);
    const members = body && need(decodeCbor(body));
    const [profile, epoch, generation, parts] = Array.isArray(members) ? members : [];
    if (profile !== PROFILE || !isCount(epoch) || !isCount(generation) || !isParts(parts)) {
      throw refuseStore('store.corrupt', 'the kept state is not valid');
    }
    return { epoch, generation, parts };
  });
}

/** Refuses with `store.too-large`; names are Edgeward's own. */
function needFitting(parts: Parts): void {
  assert(isParts(parts), `at most ${SEALED_PARTS_MAX} parts, each with a short name`);
  let bytes = OVERHEAD_BYTES;
  for (const part of parts.values()) bytes += part.length;
  if (bytes > SEALED_STATE_BYTES_MAX) {
    throw refuseStore(
      'store.too-large',
      `a state of ${bytes} bytes, at most ${SEALED_STATE_BYTES_MAX}`,
    );
  }
}

/** Of the record around the parts: more than it ever has. */
const OVERHEAD_BYTES = 1024;

function isParts(value: unknown): value is Parts {
  if (!(value instanceof Map) || value.size > SEALED_PARTS_MAX) return false;
  return [...value].every(
    ([name, part]) =>
      typeof name === 'string' && PART_NAME.test(name) && part instanceof Uint8Array,
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
