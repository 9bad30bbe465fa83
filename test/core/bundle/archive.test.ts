/** The archive: its header, its walk, and every byte that is not a file's. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { concatBytes, equalBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import {
  HASH_CHUNK_BYTES,
  MANIFEST_BYTES_MAX,
  PAYLOAD_IN_MEMORY_BYTES_MAX,
} from '../../../src/core/base/limits.ts';
import {
  checkSameFiles,
  readManifestEntry,
  walkPayloads,
} from '../../../src/core/bundle/layout.ts';
import type { BundleFile } from '../../../src/core/bundle/metadata.ts';
import { encodeMetadata } from '../../../src/core/bundle/metadata.ts';
import { type ByteSource, bytesSource } from '../../../src/core/bundle/source.ts';
import {
  claimedSizeBytes,
  END_BYTES,
  paddingBytes,
  ustarHeader,
} from '../../../src/core/bundle/ustar.ts';
import { openEnvelope } from '../../../src/core/suit/envelope.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { archive, describeFile, GUARD, MODEL, manifestOf, metadataOf, packed } from './specimen.ts';

describe('the header', () => {
  it('claims its size in eleven octal digits', () => {
    for (const size of [0, 1, 511, 512, 8 ** 11 - 1]) {
      expect(claimedSizeBytes(ustarHeader('a', size))).toBe(size);
    }
    for (const field of ['0000000000 ', ' 0000000001', '0000000000-', '0x000000001', '']) {
      const header = ustarHeader('a', 1);
      header.set(utf8(field.padEnd(12, '\0')), 124);
      expect(claimedSizeBytes(header), field).toBeUndefined();
    }
  });

  it('is the ustar header of POSIX 1003.1, field by field', () => {
    const field = (at: number, length: number): string =>
      Buffer.from(ustarHeader('model.onnx', 1024)).toString('latin1', at, at + length);
    expect(field(0, 100)).toBe('model.onnx'.padEnd(100, '\0'));
    expect(field(100, 24)).toBe('0000644\u00000000000\u00000000000\0');
    expect(field(124, 24)).toBe('00000002000\u000000000000000\0');
    // The sum of all bytes, the eight of its own field taken as spaces.
    expect(field(148, 8)).toBe('007741\0 ');
    expect(field(156, 101)).toBe('0'.padEnd(101, '\0'));
    expect(field(257, 8)).toBe('ustar\u000000');
    expect(field(265, 247)).toBe('\0'.repeat(247));
  });

  it('is not made for names and sizes that have no place there', () => {
    for (const path of ['', 'a/b', 'ä', 'a b', 'a'.repeat(65)]) {
      expect(() => ustarHeader(path, 0)).toThrow(AssertionFailure);
    }
    expect(() => ustarHeader('a', 8 ** 11)).toThrow(AssertionFailure);
    expect(() => ustarHeader('a', -1)).toThrow(AssertionFailure);
  });

  it('pads to whole blocks', () => {
    expect([0, 1, 511, 512, 513].map(paddingBytes)).toEqual([0, 511, 1, 0, 511]);
  });
});

const BUNDLE = packed();
const FILES: readonly BundleFile[] = [MODEL, GUARD].map(describeFile);
const START = accepted(readManifestEntry(bytesSource(BUNDLE))).endOffset;
const walk = (source: ByteSource, files = FILES, keep: (f: BundleFile) => boolean = () => true) =>
  walkPayloads(source, START, files, { keep });
const withByte = (at: number, byte: number): Uint8Array =>
  BUNDLE.map((b, i) => (i === at ? byte : b));

describe('reading the manifest entry', () => {
  it('finds the envelope and where the payloads start', () => {
    const { bytes, endOffset } = accepted(readManifestEntry(bytesSource(BUNDLE)));
    expect(codeOf(openEnvelope(bytes))).toBe('accepted');
    expect(endOffset).toBe(512 + Math.ceil(bytes.length / 512) * 512);
  });

  it('reads no more than the manifest, however much it claims', () => {
    let read = 0;
    const counting: ByteSource = {
      sizeBytes: 2 ** 40,
      read(_, into) {
        read += into.length;
        into.set(ustarHeader('manifest.suit', 8 ** 11 - 1).subarray(0, into.length));
        return into.length;
      },
    };
    expect(codeOf(readManifestEntry(counting))).toBe('bundle.too-large');
    expect(read).toBe(512);
  });

  const samples: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'bundle.truncated'],
    ['less than a block', new Uint8Array(511), 'bundle.truncated'],
    ['zeros', new Uint8Array(2048), 'bundle.header'],
    ['another first file', BUNDLE.subarray(START), 'bundle.header'],
    ['another mode', withByte(106, 0x35), 'bundle.header'],
    ['a checksum that is off', withByte(150, 0x37), 'bundle.header'],
    ['a bundle that ends in its manifest', BUNDLE.subarray(0, 700), 'bundle.truncated'],
    ['bytes hidden in the padding', withByte(START - 1, 1), 'bundle.padding'],
    [
      'a manifest over the limit',
      concatBytes(ustarHeader('manifest.suit', MANIFEST_BYTES_MAX + 1), new Uint8Array(70_000)),
      'bundle.too-large',
    ],
    ['a ZIP file', concatBytes(utf8('PK\u0003\u0004'), new Uint8Array(600)), 'bundle.header'],
  ];

  it.each(samples)('refuses %s', (_, bytes, code) => {
    expect(faultIn(readManifestEntry(bytesSource(bytes))).code).toBe(code);
  });
});

describe('walking the payloads', () => {
  const modelAt = START + 512;

  it('keeps the bytes that were asked for, and no others', () => {
    const all = accepted(walk(bytesSource(BUNDLE)));
    expect(all.get(MODEL.path)).toEqual(MODEL.bytes);
    expect(all.get(GUARD.path)).toEqual(GUARD.bytes);
    const one = accepted(walk(bytesSource(BUNDLE), FILES, (file) => file.role === 'guard'));
    expect([...one.keys()]).toEqual([GUARD.path]);
  });

  it('tells of every byte it hashed', () => {
    let told = 0;
    const onBytes = (count: number): void => {
      told += count;
    };
    const options = { keep: () => false, onBytes };
    accepted(walkPayloads(bytesSource(BUNDLE), START, FILES, options));
    expect(told).toBe(MODEL.bytes.length + GUARD.bytes.length);
  });

  const grown = concatBytes(BUNDLE, new Uint8Array(1));
  const other = (members: (typeof MODEL)[]): Uint8Array => {
    const { bytes } = accepted(readManifestEntry(bytesSource(BUNDLE)));
    return archive(bytes, members);
  };
  const samples: [string, Uint8Array, string][] = [
    ['a changed payload', withByte(modelAt, 255), 'bundle.file-digest'],
    ['a changed payload header', withByte(START, 0x4d), 'bundle.header'],
    [
      'bytes hidden behind the guard policy',
      withByte(modelAt + 1024 + 512 + 8, 1),
      'bundle.padding',
    ],
    ['bytes hidden in the end blocks', withByte(BUNDLE.length - 1, 1), 'bundle.padding'],
    ['a byte behind the end', grown, 'bundle.trailing'],
    ['another bundle behind the end', concatBytes(BUNDLE, BUNDLE), 'bundle.trailing'],
    ['one end block', BUNDLE.subarray(0, -512), 'bundle.truncated'],
    ['no end', BUNDLE.subarray(0, -END_BYTES), 'bundle.truncated'],
    ['members in another order', other([GUARD, MODEL]), 'bundle.header'],
    ['a member twice', other([MODEL, MODEL, GUARD]), 'bundle.header'],
    ['a member more', other([MODEL, GUARD, { ...GUARD, path: 'x' }]), 'bundle.padding'],
    ['a member less', other([MODEL]), 'bundle.header'],
    ['a member renamed', other([{ ...MODEL, path: 'model.onny' }, GUARD]), 'bundle.header'],
    ['a member grown', other([{ ...MODEL, bytes: new Uint8Array(1025) }, GUARD]), 'bundle.header'],
  ];

  it.each(samples)('refuses %s', (_, bytes, code) => {
    expect(faultIn(walk(bytesSource(bytes))).code).toBe(code);
  });

  it('does not reserve memory for more than the limit, in one file or in many', () => {
    const small = archive(accepted(readManifestEntry(bytesSource(BUNDLE))).bytes, [GUARD]);
    const large = (sizeBytes: number): BundleFile => ({
      ...describeFile(GUARD),
      path: 'large',
      sizeBytes,
    });
    // The guard policy of eight bytes, then the header of a large file.
    const source = (sizeBytes: number): ByteSource => ({
      sizeBytes: 2 ** 40,
      read(offset, into) {
        const header = ustarHeader('large', sizeBytes);
        return bytesSource(offset < START + 1024 ? small : header).read(
          offset < START + 1024 ? offset : offset - START - 1024,
          into,
        );
      },
    });
    const left = PAYLOAD_IN_MEMORY_BYTES_MAX - GUARD.bytes.length;
    const read = (sizeBytes: number, keep: boolean): string => {
      const files = [describeFile(GUARD), large(sizeBytes)];
      return codeOf(walk(source(sizeBytes), files, () => keep));
    };
    expect(read(left + 1, true)).toBe('bundle.too-large');
    expect(read(PAYLOAD_IN_MEMORY_BYTES_MAX + 1, true)).toBe('bundle.too-large');
    // What is not kept may be larger: it is only hashed.
    expect(read(left + 1, false)).toBe('bundle.truncated');
  });

  it('does not reserve memory for what a cut archive no longer holds', () => {
    const sizeBytes = PAYLOAD_IN_MEMORY_BYTES_MAX;
    const file: BundleFile = { ...describeFile(MODEL), sizeBytes };
    const cut = concatBytes(ustarHeader(MODEL.path, sizeBytes), new Uint8Array(512));
    const asked: number[] = [];
    vi.stubGlobal(
      'Uint8Array',
      new Proxy(Uint8Array, {
        construct(target, parts: unknown[]) {
          if (typeof parts[0] === 'number') asked.push(parts[0]);
          return Reflect.construct(target, parts);
        },
      }),
    );
    const code = codeOf(walkPayloads(bytesSource(cut), 0, [file], { keep: () => true }));
    vi.unstubAllGlobals();
    expect(code).toBe('bundle.truncated');
    expect(Math.max(...asked)).toBeLessThanOrEqual(HASH_CHUNK_BYTES);
  });
});

describe('a source that does not keep its word', () => {
  const honest = bytesSource(BUNDLE);
  const lying = (read: ByteSource['read']): ByteSource => ({ sizeBytes: BUNDLE.length, read });

  it('may give fewer bytes at a time', () => {
    for (const most of [1, 7, 511, 513]) {
      const slow = lying((at, into) => honest.read(at, into.subarray(0, most)));
      expect(accepted(walk(slow)).get(MODEL.path)).toEqual(MODEL.bytes);
    }
  });

  it.each([
    ['nothing', 0],
    ['a negative number', -1],
    ['no number', Number.NaN],
    ['more than was asked for', Infinity],
  ])('may not claim %s', (_, claim) => {
    const result = walk(lying(() => claim));
    expect(codeOf(result)).toBe('bundle.truncated');
  });

  it('may not claim one byte more', () => {
    const result = walk(lying((at, into) => honest.read(at, into) + 1));
    expect(codeOf(result)).toBe('bundle.truncated');
  });

  it('may change its bytes between two reads: what was hashed is what is kept', () => {
    const reads = new Map<number, number>();
    const changing = lying((at, into) => {
      const count = honest.read(at, into);
      const before = reads.get(at) ?? 0;
      reads.set(at, before + 1);
      if (before > 0) into.fill(0xee);
      return count;
    });
    const kept = accepted(walk(changing));
    expect(kept.get(MODEL.path)).toEqual(MODEL.bytes);
    expect(Math.max(...reads.values())).toBe(1);
  });
});

describe('metadata and manifest', () => {
  const meta = metadataOf();
  const manifest = manifestOf(encodeMetadata(meta), meta.files);
  const [first, second, third] = manifest.components;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three');

  it('name the same files', () => {
    expect(codeOf(checkSameFiles(meta, manifest))).toBe('accepted');
  });

  it.each([
    ['another model', { model: 'other' }],
    [
      'no metadata, but a file in its place',
      { components: [{ ...first, path: 'x' }, second, third] },
    ],
    ['the metadata not first', { components: [second, first, third] }],
    ['another order', { components: [first, third, second] }],
    ['a file less', { components: [first, second] }],
    ['a file more', { components: [first, second, third, third] }],
    ['no component', { components: [] }],
    ['another size', { components: [first, { ...second, sizeBytes: 1 }, third] }],
    ['another digest', { components: [first, { ...second, sha256: first.sha256 }, third] }],
    ['another path', { components: [first, { ...second, path: 'x' }, third] }],
  ])('are refused with %s', (_, change) => {
    const result = checkSameFiles(meta, { ...manifest, ...change });
    expect(codeOf(result)).toBe('bundle.mismatch');
  });
});

describe('every header', () => {
  const path = fc.string({
    unit: fc.constantFrom(...'AZaz09._-'),
    minLength: 1,
    maxLength: 64,
  });
  const size = fc.nat(8 ** 11 - 1);

  it('claims the size it was made for, and no two files have the same', () => {
    fc.assert(
      fc.property(path, size, path, size, (name, bytes, otherName, otherBytes) => {
        const header = ustarHeader(name, bytes);
        expect(claimedSizeBytes(header)).toBe(bytes);
        expect((bytes + paddingBytes(bytes)) % 512).toBe(0);
        const same = name === otherName && bytes === otherBytes;
        expect(equalBytes(header, ustarHeader(otherName, otherBytes))).toBe(same);
      }),
      { seed: 90 },
    );
  });

  it('leads the walk through any files, whose bytes come back', () => {
    const files = fc.uniqueArray(
      fc.record({
        path: path.filter((name) => !/^\.{1,2}$/.test(name)),
        role: fc.constant('notice' as const),
        bytes: fc.uint8Array({ maxLength: 1200 }),
      }),
      { selector: (file) => file.path, maxLength: 5 },
    );
    fc.assert(
      fc.property(files, (members) => {
        const source = bytesSource(archive(new Uint8Array(7), members));
        const described = members.map(describeFile);
        const { endOffset } = accepted(readManifestEntry(source));
        const kept = walkPayloads(source, endOffset, described, { keep: () => true });
        expect(accepted(kept)).toEqual(new Map(members.map((one) => [one.path, one.bytes])));
      }),
      { seed: 91, numRuns: 60 },
    );
  });
});
