/**
 * A lower ceiling for the WebAssembly memory of this thread, to be set before onnxruntime-web is
 * imported: it asks for up to 4 GiB, and a board must not be taken down by one greedy operator.
 */

import { TENSOR_BYTES_MAX } from '../../core/base/limits.ts';

interface MemoryDescriptor {
  readonly initial: number;
  readonly maximum?: number;
  readonly shared?: boolean;
}

interface Memory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

declare const WebAssembly: { Memory: new (descriptor: MemoryDescriptor) => Memory };

const PAGE_BYTES = 65_536;

/**
 * Near 4 GiB Emscripten refuses more memory without asking `grow`, and then nobody would see it.
 * Below this no single tensor can carry it there.
 */
const PAGES_SEEN_MAX = 65_536 - TENSOR_BYTES_MAX / PAGE_BYTES - 256;

export interface MemoryClamp {
  /** How often more memory was asked for than the ceiling allows. */
  refusals(): number;
  /** Whether the code that came after really lives in clamped memory; tried, not assumed. */
  holds(): boolean;
}

/** Replaces `WebAssembly.Memory` by one of at most `pages` (64 KiB each). */
export function clampMemory(pages: number): MemoryClamp {
  const pagesMax = Math.min(pages, PAGES_SEEN_MAX);
  const Native = WebAssembly.Memory;
  const memories: Memory[] = [];
  let refusals = 0;
  WebAssembly.Memory = class extends Native {
    constructor(descriptor: MemoryDescriptor) {
      if (descriptor.initial > pagesMax) refusals += 1;
      const maximum = Math.min(descriptor.maximum ?? pagesMax, pagesMax);
      super({ ...descriptor, maximum });
      memories.push(this);
    }
    override grow(pages: number): number {
      try {
        return super.grow(pages);
      } catch (thrown) {
        refusals += 1;
        throw thrown;
      }
    }
  };
  const cannotGrow = (memory: Memory): boolean => {
    const now = memory.buffer.byteLength / PAGE_BYTES;
    try {
      Native.prototype.grow.call(memory, pagesMax - now + 1);
      return false;
    } catch (thrown) {
      return thrown instanceof RangeError;
    }
  };
  return {
    refusals: () => refusals,
    // A feature probe makes a memory of no pages; only a real one shows that the clamp was in time.
    holds: () => memories.some((m) => m.buffer.byteLength > 0) && memories.every(cannotGrow),
  };
}
