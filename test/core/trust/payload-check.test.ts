/** The modes of verification: what each reads and hashes, and that each refuses every changed byte. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/base/bytes.ts';
import { HASH_CHUNK_BYTES } from '../../../src/core/base/limits.ts';
import { type PayloadCheck, readManifestEntry } from '../../../src/core/bundle/layout.ts';
import type { FileRole } from '../../../src/core/bundle/metadata.ts';
import { type ByteSource, bytesSource } from '../../../src/core/bundle/source.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { describeFile, GUARD, MODEL, packed } from '../bundle/specimen.ts';
import { CONTEXT } from './trusting.ts';

const LARGE = {
  ...MODEL,
  bytes: Uint8Array.from({ length: 2 * HASH_CHUNK_BYTES + 77 }, (_, i) => (i * 31) & 255),
};
const NOTICE = { path: 'NOTICE', role: 'notice', bytes: new Uint8Array(3000).fill(32) } as const;
const FILES = [LARGE, GUARD, NOTICE];
const BUNDLE = packed({ files: FILES });
const startOfPayloads = accepted(readManifestEntry(bytesSource(BUNDLE))).endOffset;

/** Where the bytes of a file lie in the archive. */
function rangeOf(path: string): readonly [start: number, end: number] {
  let offset = startOfPayloads;
  for (const file of FILES) {
    const start = offset + 512;
    if (file.path === path) return [start, start + file.bytes.length];
    offset = start + Math.ceil(file.bytes.length / 512) * 512;
  }
  throw new Error(path);
}

/** A source that notes what was read of it. */
function watched(bytes: Uint8Array): ByteSource & { touched(path: string): boolean } {
  const read: [number, number][] = [];
  const source = bytesSource(bytes);
  return {
    sizeBytes: source.sizeBytes,
    read(offset, into) {
      const count = source.read(offset, into);
      read.push([offset, offset + count]);
      return count;
    },
    touched(path) {
      const [start, end] = rangeOf(path);
      return read.some(([from, to]) => from < end && to > start);
    },
  };
}

const ROLES: readonly FileRole[] = ['model', 'guard'];
const verify = (bytes: Uint8Array, check: PayloadCheck, keep: readonly FileRole[] = ROLES) =>
  verifyBundle(bytesSource(bytes), 'boot', CONTEXT, { keep, check });

/** As the kernel would: the digests of the files as they lie there. */
function measuring(bytes: Uint8Array) {
  return (path: string): Uint8Array | undefined => {
    const file = FILES.find((one) => one.path === path);
    return file && describeFile({ ...file, bytes: bytes.slice(...rangeOf(path)) }).verity;
  };
}

function changedAt(offset: number): Uint8Array {
  const bytes = Uint8Array.from(BUNDLE);
  bytes[offset] = (bytes[offset] as number) ^ 1;
  return bytes;
}

describe('lazy verification', () => {
  it('gives the kept bytes and reads no other payload', () => {
    const source = watched(BUNDLE);
    const options = { keep: ROLES, check: 'lazy' } as const;
    const bundle = accepted(verifyBundle(source, 'boot', CONTEXT, options));
    expect([...bundle.payloads.keys()]).toEqual([LARGE.path, GUARD.path]);
    expect(equalBytes(bundle.payloads.get(LARGE.path) as Uint8Array, LARGE.bytes)).toBe(true);
    expect(FILES.map(({ path }) => source.touched(path))).toEqual([true, true, false]);
  });

  it('tells of the bytes that it read, and keeps nothing where nothing is asked for', () => {
    let count = 0;
    const onBytes = (bytes: number): void => {
      count += bytes;
    };
    const options = { keep: ROLES, check: 'lazy', onBytes } as const;
    accepted(verifyBundle(bytesSource(BUNDLE), 'boot', CONTEXT, options));
    expect(count).toBe(LARGE.bytes.length + GUARD.bytes.length);
    const source = watched(BUNDLE);
    accepted(verifyBundle(source, 'boot', CONTEXT, { check: 'lazy' }));
    expect(FILES.some(({ path }) => source.touched(path))).toBe(false);
  });

  it('refuses a changed byte of what it reads, with the name of the file', () => {
    const [start, end] = rangeOf(LARGE.path);
    for (const offset of [start, start + 4096, end - 1]) {
      const fault = faultIn(verify(changedAt(offset), 'lazy'));
      expect(fault.code).toBe('bundle.file-digest');
      expect(fault.message).toMatch(/^model\.onnx has fs-verity digest [0-9a-f]{12}, signed was/);
    }
    const [guard] = rangeOf(GUARD.path);
    expect(codeOf(verify(changedAt(guard), 'lazy'))).toBe('bundle.file-digest');
  });

  it('leaves a changed byte of what it does not read to the full mode', () => {
    const damaged = changedAt(rangeOf(NOTICE.path)[0]);
    expect(codeOf(verify(damaged, 'lazy'))).toBe('accepted');
    expect(codeOf(verify(damaged, 'full'))).toBe('bundle.file-digest');
    expect(codeOf(verify(damaged, 'lazy', ['notice']))).toBe('bundle.file-digest');
  });

  it('accepts no damage that the full mode refuses, but to bytes that it does not read', () => {
    const [from, to] = rangeOf(NOTICE.path);
    fc.assert(
      fc.property(fc.nat(BUNDLE.length - 1), (offset) => {
        const damaged = changedAt(offset);
        expect(codeOf(verify(damaged, 'full'))).not.toBe('accepted');
        const unread = offset >= from && offset < to;
        expect(codeOf(verify(damaged, 'lazy')) === 'accepted').toBe(unread);
      }),
      { numRuns: 60, seed: 4 },
    );
  });

  it('refuses a source that ends early or goes on', () => {
    expect(codeOf(verify(BUNDLE.subarray(0, BUNDLE.length - 1), 'lazy'))).toBe('bundle.truncated');
    const longer = new Uint8Array(BUNDLE.length + 512);
    longer.set(BUNDLE);
    expect(codeOf(verify(longer, 'lazy'))).toBe('bundle.trailing');
  });
});

describe('verification by the kernel', () => {
  it('compares the digest that was measured, and hashes nothing itself', () => {
    expect(codeOf(verify(BUNDLE, { measured: measuring(BUNDLE) }))).toBe('accepted');
    const damaged = changedAt(rangeOf(LARGE.path)[0]);
    const fault = faultIn(verify(damaged, { measured: measuring(damaged) }));
    expect(fault.code).toBe('bundle.file-digest');
    // The kernel vouches for the bytes: what it would have refused to read is not looked at twice.
    expect(codeOf(verify(damaged, { measured: measuring(BUNDLE) }))).toBe('accepted');
  });

  it('hashes a file that was not measured itself', () => {
    const guardOnly = (path: string): Uint8Array | undefined =>
      path === GUARD.path ? measuring(BUNDLE)(path) : undefined;
    expect(codeOf(verify(BUNDLE, { measured: guardOnly }))).toBe('accepted');
    const damaged = changedAt(rangeOf(LARGE.path)[0] + 5000);
    expect(codeOf(verify(damaged, { measured: guardOnly }))).toBe('bundle.file-digest');
    expect(codeOf(verify(damaged, { measured: () => undefined }))).toBe('bundle.file-digest');
  });

  it('asks when the file has been opened, and reads none that nobody wants', () => {
    const source = watched(BUNDLE);
    const measured = (path: string): Uint8Array | undefined =>
      source.touched(path) ? measuring(BUNDLE)(path) : new Uint8Array(32);
    const options = { keep: ['guard'] as const, check: { measured } };
    accepted(verifyBundle(source, 'boot', CONTEXT, options));
    expect(FILES.map(({ path }) => source.touched(path))).toEqual([false, true, false]);
  });
});
