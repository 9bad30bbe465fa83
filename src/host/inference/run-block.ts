/**
 * One run at a time in memory that an engine and its worker share: nothing is cloned, and the
 * worker sleeps in it without an event loop.
 *
 * The worker may write anything here at any time. So the engine reads every number once, computes
 * itself where the data lie, and copies them before anyone looks at them.
 *
 *     0 asked | 64 answered | 128 id | 136 rank and dimensions of each port | data of each port
 */
/// <reference lib="es2024.sharedmemory" />
import { MODEL_PORTS_MAX, RUN_BLOCK_BYTES, TENSOR_RANK_MAX } from '../../core/base/limits.ts';
import {
  copyData,
  type DType,
  elementBytes,
  elementCount,
  type NamedTensors,
  type Tensor,
  viewOf,
} from '../../core/numeric/tensor.ts';
import { Lookout } from './lookout.ts';
import type { EnginePort } from './ports.ts';

/** What `waitUntilAsked` gives: the inputs stand in the block, or a message has them. */
export const ASKED_HERE = 1;
export const ASKED_BY_MESSAGE = 2;
const NOTHING = 0;
const ANSWERED_HERE = 1;

// The flags, in words of 32 bits: a cache line apart, as one side looks while the other writes.
const ASKED = 0;
const ANSWERED = 16;
const PORT_NUMBERS = 1 + TENSOR_RANK_MAX;
const ID_AT = 128;
const HEAD_AT = ID_AT + 8;
const DATA_AT = alignedAfter(HEAD_AT + 8 * MODEL_PORTS_MAX * PORT_NUMBERS);

export class RunBlock {
  readonly buffer: SharedArrayBuffer;
  readonly #flags: Int32Array<SharedArrayBuffer>;
  readonly #id: Float64Array<SharedArrayBuffer>;
  readonly #head: Float64Array<SharedArrayBuffer>;
  readonly #askedLookout: Lookout;
  readonly #answeredLookout: Lookout;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(RUN_BLOCK_BYTES)) {
    this.buffer = buffer;
    this.#flags = new Int32Array(buffer, 0, ANSWERED + 1);
    this.#askedLookout = new Lookout(this.#flags, ASKED);
    this.#answeredLookout = new Lookout(this.#flags, ANSWERED);
    this.#id = new Float64Array(buffer, ID_AT, 1);
    this.#head = new Float64Array(buffer, HEAD_AT, MODEL_PORTS_MAX * PORT_NUMBERS);
  }

  get id(): number {
    return this.#id[0] as number;
  }

  /** Whether the tensors are all numbers and have room here. */
  fits(tensors: Iterable<Tensor>): boolean {
    let end = DATA_AT;
    for (const { dtype, data } of tensors) {
      if (!isNumber(dtype)) return false;
      end = alignedAfter(end + data.length * elementBytes(dtype));
    }
    return end <= this.buffer.byteLength;
  }

  /** Writes the tensors of all ports; `false`, and nothing, where they must go another way. */
  put(id: number, tensors: NamedTensors, ports: readonly EnginePort[]): boolean {
    const ordered: Tensor[] = [];
    for (const { name, dtype } of ports) {
      const tensor = tensors.get(name);
      if (tensor?.dtype !== dtype) return false;
      ordered.push(tensor);
    }
    if (!this.fits(ordered)) return false;
    this.#id[0] = id;
    let at = DATA_AT;
    for (const [index, tensor] of ordered.entries()) {
      const { dtype, dims, data } = tensor as Tensor & { readonly dtype: NumberDType };
      this.#head[index * PORT_NUMBERS] = dims.length;
      this.#head.set(dims, index * PORT_NUMBERS + 1);
      const view = viewOf(dtype, this.buffer, at, data.length);
      view.set(data as never);
      at = alignedAfter(at + view.byteLength);
    }
    return true;
  }

  /**
   * The tensors of all ports, or `undefined` where none can stand here. The worker views the inputs
   * that the engine put here; the engine copies, as what it judges must not change any more.
   */
  take(ports: readonly EnginePort[], as: 'views' | 'copies'): NamedTensors | undefined {
    const tensors = new Map<string, Tensor>();
    let at = DATA_AT;
    for (const [index, { name, dtype }] of ports.entries()) {
      const dims = this.#dimsOf(index);
      const count = dims && elementCount(dims);
      if (dims === undefined || count === undefined || !isNumber(dtype)) return undefined;
      const end = at + count * elementBytes(dtype);
      if (end > this.buffer.byteLength) return undefined;
      const view = viewOf(dtype, this.buffer, at, count);
      tensors.set(name, { dtype, dims, data: as === 'views' ? view : copyData(dtype, view) });
      at = alignedAfter(end);
    }
    return tensors;
  }

  #dimsOf(index: number): readonly number[] | undefined {
    const start = index * PORT_NUMBERS;
    const rank = this.#head[start] as number;
    if (!(Number.isInteger(rank) && rank >= 0 && rank <= TENSOR_RANK_MAX)) return undefined;
    return [...this.#head.subarray(start + 1, start + 1 + rank)];
  }

  ask(asked: typeof ASKED_HERE | typeof ASKED_BY_MESSAGE): void {
    Atomics.store(this.#flags, ANSWERED, NOTHING);
    Atomics.store(this.#flags, ASKED, asked);
    Atomics.notify(this.#flags, ASKED);
  }

  /** Blocks the worker. */
  waitUntilAsked(): number {
    this.#askedLookout.look();
    Atomics.wait(this.#flags, ASKED, NOTHING);
    return Atomics.exchange(this.#flags, ASKED, NOTHING);
  }

  answer(): void {
    Atomics.store(this.#flags, ANSWERED, ANSWERED_HERE);
    Atomics.notify(this.#flags, ANSWERED);
  }

  get isAnswered(): boolean {
    return Atomics.load(this.#flags, ANSWERED) === ANSWERED_HERE;
  }

  /** Not the opposite of `isAnswered`: a hostile worker writes other flags. */
  get isUnanswered(): boolean {
    return Atomics.load(this.#flags, ANSWERED) === NOTHING;
  }

  /**
   * Resolves after `answer` or `release`, at times for an answer that was taken before, and in a
   * later turn of the event loop: frames that follow each other closely must not keep everything else
   * waiting.
   */
  async woken(): Promise<void> {
    this.#answeredLookout.look();
    const waiting = Atomics.waitAsync(this.#flags, ANSWERED, NOTHING);
    if (waiting.async) await waiting.value;
    else await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets go of an engine that still waits. */
  release(): void {
    Atomics.notify(this.#flags, ANSWERED);
  }
}

/** Texts are no bytes, and truths must be looked at in a copy that nobody writes to. */
type NumberDType = Exclude<DType, 'string' | 'bool'>;

function isNumber(dtype: DType): dtype is NumberDType {
  return dtype !== 'string' && dtype !== 'bool';
}

/** Eight bytes are the largest elements. */
function alignedAfter(at: number): number {
  return Math.ceil(at / 8) * 8;
}
