/**
 * Reading what lies on the medium: the page cache would give back what was read at boot, however the
 * medium has rotted since. Where the filesystem has no direct reads (tmpfs), ordinary ones.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { attempt, type Result } from '../../core/base/fault.ts';
import type { BundleFileSource } from './bundle-file.ts';
import { errnoOf, refuseStore } from './faults.ts';
import { openForReading } from './files.ts';

const WASM_PAGE_BYTES = 64 * 1024;

/** Node.js has it; its type declarations leave it to the DOM's. */
declare const WebAssembly: {
  Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

export interface UncachedFile extends BundleFileSource {
  /** False where the page cache stands between. */
  readonly direct: boolean;
}

/** Memory that direct reads can go to: WebAssembly's is aligned to pages, a buffer's is not. */
export function alignedBytes(count: number): Uint8Array {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(count / WASM_PAGE_BYTES) });
  return new Uint8Array(memory.buffer, 0, count);
}

/**
 * `read` takes memory of `alignedBytes` and offsets that are multiples of 4,096; of others, and where
 * direct reads are not to be had, it reads through the cache. Faults: `store.not-found`, `store.read`.
 */
export function openUncached(path: string): Result<UncachedFile> {
  return attempt(() => {
    let fd = openForReading(path);
    const { size: sizeBytes } = fstatSync(fd);
    let direct = false;
    try {
      // The same open file, whatever stands at its path by now.
      const directly = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_DIRECT);
      closeSync(fd);
      fd = directly;
      direct = true;
    } catch {
      // It cannot be had here. What is wrong with the file itself shows in the first read.
      direct = false;
    }
    const readAt = (offset: number, into: Uint8Array): number => {
      try {
        return readSync(fd, into, 0, into.length, offset);
      } catch (thrown) {
        if (!direct || errnoOf(thrown) !== 'EINVAL') {
          throw refuseStore('store.read', `${path}: ${errnoOf(thrown)}`);
        }
      }
      const cached = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
      closeSync(fd);
      fd = cached;
      direct = false;
      return readAt(offset, into);
    };
    return {
      sizeBytes,
      get direct() {
        return direct;
      },
      read: readAt,
      close: () => closeSync(fd),
    };
  });
}
