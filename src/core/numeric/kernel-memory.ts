/** The linear memory of the WASM kernels: room for one call, and the constants of policies behind it. */
import { attempt, type Result } from '../base/fault.ts';
import { KERNEL_MEMORY_BYTES_MAX } from '../base/limits.ts';
import { refuseNumeric } from './faults.ts';

/** What is used of a `WebAssembly.Memory`. */
export interface LinearMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** One array may be two constants: a triangle of one row is also a row. */
export type Layout = 'triangle' | 'rows';

/** Bytes of the arguments of one call, and of what a kernel computes on the way. */
export const CALL_BYTES = 65_536;

const PAGE_BYTES = 65_536;
/** Kernels write a little beyond the end to leave no rest, and rows start on cache lines. */
const SLACK_BYTES = 64;

/**
 * The memory of one module instance. Faults: `kernels.module` where it has not the room.
 *
 * @param heapStart where the module's own data end
 */
export function openKernelMemory(memory: LinearMemory, heapStart: unknown): Result<KernelMemory> {
  return attempt(() => {
    const bytes = memory.buffer.byteLength;
    if (typeof heapStart === 'number' && heapStart >= 0 && bytes <= KERNEL_MEMORY_BYTES_MAX) {
      const opened = new KernelMemory(memory, heapStart);
      if (opened.makeRoom(0)) return opened;
    }
    throw refuseNumeric('kernels.module', `a heap from ${heapStart} in ${bytes} bytes of memory`);
  });
}

export class KernelMemory {
  /** Where the kernels leave what they cannot return. */
  readonly resultAt: number;
  /** `CALL_BYTES` for the arguments. */
  readonly valuesAt: number;
  /** `CALL_BYTES` for the kernel. */
  readonly workAt: number;
  readonly #constantsAt: number;
  readonly #memory: LinearMemory;
  #f32: Float32Array;
  #f64: Float64Array;
  #u32: Uint32Array;
  #kept: Readonly<Record<Layout, WeakMap<object, { readonly at: number; readonly d: number }>>> = {
    triangle: new WeakMap(),
    rows: new WeakMap(),
  };
  #next: number;

  constructor(memory: LinearMemory, heapStart: number) {
    this.#memory = memory;
    this.resultAt = aligned(heapStart);
    this.valuesAt = this.resultAt + SLACK_BYTES;
    this.workAt = this.valuesAt + CALL_BYTES + SLACK_BYTES;
    this.#constantsAt = this.workAt + CALL_BYTES + SLACK_BYTES;
    this.#next = this.#constantsAt;
    this.#f32 = new Float32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
  }

  get f32(): Float32Array {
    return this.#f32;
  }

  get f64(): Float64Array {
    return this.#f64;
  }

  get u32(): Uint32Array {
    return this.#u32;
  }

  /**
   * The address of a constant that was laid out for rows of `d`. It is known by the array object:
   * nobody writes to a constant after its first use.
   */
  find(layout: Layout, constant: object, d: number): number | undefined {
    const kept = this.#kept[layout].get(constant);
    return kept?.d === d ? kept.at : undefined;
  }

  /**
   * Makes room for constants that come together, so that none of them displaces another: where the
   * rest does not suffice, all that was kept is forgotten. False when they never fit.
   */
  makeRoom(bytes: number): boolean {
    if (this.#next + bytes > KERNEL_MEMORY_BYTES_MAX) this.forget();
    if (this.#next + bytes > KERNEL_MEMORY_BYTES_MAX) return false;
    const missing = this.#next + bytes - this.#memory.buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (thrown) {
      if (thrown instanceof RangeError) return false;
      throw thrown;
    }
    // Growing detached the old views.
    this.#f32 = new Float32Array(this.#memory.buffer);
    this.#f64 = new Float64Array(this.#memory.buffer);
    this.#u32 = new Uint32Array(this.#memory.buffer);
    return true;
  }

  /** Zeroed room for a constant; `makeRoom` was asked for `roomOf(bytes)` before. */
  keep(layout: Layout, constant: object, d: number, bytes: number): number {
    const at = this.#next;
    this.#next += roomOf(bytes);
    this.#f64.fill(0, at / 8, this.#next / 8);
    this.#kept[layout].set(constant, { at, d });
    return at;
  }

  forget(): void {
    this.#kept = { triangle: new WeakMap(), rows: new WeakMap() };
    this.#next = this.#constantsAt;
  }
}

/** What a constant of `bytes` takes. */
export function roomOf(bytes: number): number {
  return aligned(bytes);
}

function aligned(at: number): number {
  return Math.ceil(at / SLACK_BYTES) * SLACK_BYTES;
}
