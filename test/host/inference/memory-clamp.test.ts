import { afterEach, describe, expect, it } from 'vitest';
import { clampMemory } from '../../../src/host/inference/memory-clamp.ts';

interface Memory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
declare const WebAssembly: { Memory: new (d: Record<string, unknown>) => Memory };

const native = WebAssembly.Memory;
afterEach(() => {
  WebAssembly.Memory = native;
});

describe('clampMemory', () => {
  it.each([true, false])('bounds memory made afterwards (shared: %s)', (shared) => {
    const clamp = clampMemory(10);
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 100, shared });
    expect(memory).toBeInstanceOf(native);
    expect(memory.grow(8)).toBe(2);
    expect(clamp.refusals()).toBe(0);
    expect(() => memory.grow(1)).toThrow(RangeError);
    expect(clamp.refusals()).toBe(1);
    expect(clamp.holds()).toBe(true);
    expect(memory.buffer.byteLength).toBe(10 * 65_536);
  });

  it('bounds memory that asks for no maximum, and keeps a lower one', () => {
    clampMemory(10);
    expect(() => new WebAssembly.Memory({ initial: 2 }).grow(9)).toThrow(RangeError);
    expect(() => new WebAssembly.Memory({ initial: 2, maximum: 3 }).grow(2)).toThrow(RangeError);
  });

  it('counts a memory that starts above it', () => {
    const clamp = clampMemory(10);
    expect(() => new WebAssembly.Memory({ initial: 11, maximum: 20 })).toThrow(RangeError);
    expect(clamp.refusals()).toBe(1);
  });

  it('does not say it holds where nothing, or only a probe, came under it', () => {
    const early = new WebAssembly.Memory({ initial: 1, maximum: 100 });
    const clamp = clampMemory(10);
    expect(clamp.holds()).toBe(false);
    new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true });
    expect(clamp.holds()).toBe(false);
    expect(early.grow(50)).toBe(1);
  });

  it('does not say it holds where a memory can grow past it', () => {
    // A host that does not heed the maximum it is given.
    WebAssembly.Memory = class extends native {
      constructor(descriptor: Record<string, unknown>) {
        super({ ...descriptor, maximum: 100 });
      }
    };
    const clamp = clampMemory(10);
    new WebAssembly.Memory({ initial: 1, maximum: 5 });
    expect(clamp.holds()).toBe(false);
  });
});
