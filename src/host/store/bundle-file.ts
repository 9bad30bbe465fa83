/** A bundle on disk as a byte source, and the copy of one into a state folder. */
import { closeSync, fstatSync, fsyncSync, read, readSync } from 'node:fs';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { HASH_CHUNK_BYTES } from '../../core/base/limits.ts';
import type { AheadSource, ByteSource } from '../../core/bundle/source.ts';
import { errnoOf, refuseStore } from './faults.ts';
import { createFile, openForReading, publish, removeFile, writeAll } from './files.ts';

export interface BundleFileSource extends ByteSource {
  close(): void;
}

/** One descriptor for the whole verification: what is hashed is what is kept. Faults: `store.*`. */
export function openBundleFile(path: string): Result<BundleFileSource & AheadSource> {
  return attempt(() => {
    const fd = openForReading(path);
    const sizeBytes = fstatSync(fd).size;
    return {
      sizeBytes,
      read(offset, into) {
        try {
          return readSync(fd, into, 0, into.length, offset);
        } catch (thrown) {
          throw refuseStore('store.read', `${path}: ${errnoOf(thrown)}`);
        }
      },
      readAhead(offset, into) {
        return new Promise((resolve, reject) => {
          read(fd, into, 0, into.length, offset, (failed, count) => {
            if (failed === null) resolve(count);
            else reject(refuseStore('store.read', `${path}: ${errnoOf(failed)}`));
          });
        });
      },
      close() {
        closeSync(fd);
      },
    };
  });
}

/**
 * Copies a bundle to `path`, lets `accept` judge the COPY, and publishes it only then: what was
 * verified is what stands there, whatever happens to the original meanwhile.
 */
export function copyBundleFile(
  source: ByteSource,
  path: string,
  accept: (copy: ByteSource) => Result<unknown>,
): Result<true> {
  const staging = `${path}.staging`;
  return attempt(() => {
    try {
      copyTo(source, staging);
      const copy = need(openBundleFile(staging));
      try {
        need(accept(copy));
      } finally {
        copy.close();
      }
      publish(staging, path);
      return true;
    } finally {
      // Gone already when it was published.
      removeFile(staging);
    }
  });
}

function copyTo(source: ByteSource, path: string): void {
  try {
    const fd = createFile(path);
    try {
      const buffer = new Uint8Array(HASH_CHUNK_BYTES);
      for (let offset = 0; offset < source.sizeBytes; ) {
        const count = source.read(offset, buffer);
        if (count === 0) break;
        writeAll(fd, buffer.subarray(0, count));
        offset += count;
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown) {
      throw refuseStore('store.write', `${path}: ${errnoOf(thrown)}`);
    }
    throw thrown;
  }
}
