/** Packing: what tar sees, what is promised, and what no device would read back. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { concatBytes, equalBytes } from '../../../src/core/base/bytes.ts';
import {
  BUNDLE_FILES_MAX,
  MANIFEST_BYTES_MAX,
  SIGNATURES_MAX,
} from '../../../src/core/base/limits.ts';
import { readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { packBundle, packBundleBytes, sequenceOfVersion } from '../../../src/core/bundle/pack.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { GUARD, keyOf, METADATA, MODEL, packed, packInput } from './specimen.ts';

const tar = spawnSync('tar', ['--version']).status === 0;
const reason = tar ? '' : ' (no tar command here)';

describe('the tar command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-tar-'));
  writeFileSync(join(folder, 'a.bundle'), packed());
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...args: string[]): Buffer => {
    const ran = spawnSync('tar', args, { cwd: folder });
    expect(ran.status, ran.stderr.toString()).toBe(0);
    return ran.stdout;
  };

  it.skipIf(!tar)(`lists and extracts the files of a bundle${reason}`, () => {
    const names = run('tf', 'a.bundle').toString().trim().split('\n');
    expect(names).toEqual(['manifest.suit', 'model.onnx', 'guard.cbor']);
    expect(equalBytes(run('xOf', 'a.bundle', 'model.onnx'), MODEL.bytes)).toBe(true);
    expect(equalBytes(run('xOf', 'a.bundle', 'guard.cbor'), GUARD.bytes)).toBe(true);
  });

  it.skipIf(!tar)(`writes an archive of the same files that is no bundle${reason}`, () => {
    run('xf', 'a.bundle');
    run('cf', 'b.tar', '--format=ustar', 'manifest.suit', 'model.onnx', 'guard.cbor');
    const repacked = new Uint8Array(run('-cf', '-', 'manifest.suit', 'model.onnx'));
    expect(codeOf(readManifestEntry(bytesSource(repacked)))).toBe('bundle.header');
  });
});

describe('packing', () => {
  it('gives the same bytes for the same inputs, in chunks that join to the bundle', () => {
    expect(packed()).toEqual(packed());
    expect(concatBytes(...accepted(packBundle(packInput())))).toEqual(packed());
    expect(packed().length % 512).toBe(0);
  });

  const bad: [code: string, what: string, change: Parameters<typeof packInput>[0]][] = [
    ['bundle.too-large', 'too many files', { files: Array(BUNDLE_FILES_MAX + 1).fill(MODEL) }],
    [
      'bundle.too-large',
      'a manifest over the limit',
      {
        metadata: {
          ...METADATA,
          guard: new Map([['x', new Uint8Array(MANIFEST_BYTES_MAX - 1000)]]),
        },
      },
    ],
    [
      'cbor.size',
      'metadata over the limit',
      { metadata: { ...METADATA, guard: new Map([['x', new Uint8Array(MANIFEST_BYTES_MAX)]]) } },
    ],
    ['metadata.invalid', 'no file', { files: [] }],
    ['metadata.invalid', 'no model', { files: [GUARD] }],
    ['metadata.invalid', 'two models', { files: [MODEL, { ...MODEL, path: 'b.onnx' }] }],
    ['metadata.invalid', 'two guard policies', { files: [MODEL, GUARD, { ...GUARD, path: 'g' }] }],
    [
      'metadata.invalid',
      'two files of one name',
      { files: [MODEL, { ...GUARD, path: MODEL.path }] },
    ],
    [
      'metadata.invalid',
      'a file that is called as the manifest',
      { files: [MODEL, { ...GUARD, path: 'manifest.suit' }] },
    ],
    ['metadata.invalid', 'a path with a slash', { files: [{ ...MODEL, path: 'a/b' }] }],
    ['metadata.invalid', 'the folder itself', { files: [{ ...MODEL, path: '.' }] }],
    ['metadata.invalid', 'the folder above', { files: [{ ...MODEL, path: '..' }] }],
    ['metadata.invalid', 'a path with NUL', { files: [{ ...MODEL, path: 'a\0' }] }],
    ['metadata.invalid', 'a path with a newline', { files: [{ ...MODEL, path: 'a\n' }] }],
    ['metadata.invalid', 'a long path', { files: [{ ...MODEL, path: 'a'.repeat(65) }] }],
    [
      'metadata.invalid',
      'a model called as the folder above',
      { metadata: { ...METADATA, name: '..' } },
    ],
    ['suit.malformed', 'a negative sequence number', { sequenceNumber: -1 }],
    ['suit.malformed', 'a sequence number that is none', { sequenceNumber: Number.NaN }],
    ['suit.signatures', 'no signer', { signers: [] }],
    [
      'suit.signatures',
      'too many signers',
      { signers: Array.from({ length: SIGNATURES_MAX + 1 }, (_, i) => keyOf(i)) },
    ],
  ];

  it.each(bad)('refuses %s: %s', (code, _, change) => {
    expect(faultIn(packBundleBytes(packInput(change))).code).toBe(code);
  });

  it('takes the longest names and all the files there may be', () => {
    const name = (i: number): string => `${i}`.padStart(64, 'n');
    const files = Array.from({ length: BUNDLE_FILES_MAX }, (_, i) =>
      i === 0 ? { ...MODEL, path: name(0) } : { ...GUARD, role: 'notice' as const, path: name(i) },
    );
    const signers = Array.from({ length: SIGNATURES_MAX }, (_, i) => keyOf(i + 1));
    const bytes = packed({ files, signers });
    expect(codeOf(readManifestEntry(bytesSource(bytes)))).toBe('accepted');
  });

  it('gives later versions a higher sequence number', () => {
    const part = fc.nat(65_535);
    const version = fc.tuple(part, part, part);
    fc.assert(
      fc.property(version, version, (a, b) => {
        const order = a.map((x, i) => x - (b[i] as number)).find((d) => d !== 0) ?? 0;
        const difference = sequenceOfVersion(a.join('.')) - sequenceOfVersion(b.join('.'));
        expect(Math.sign(difference)).toBe(Math.sign(order));
      }),
      { seed: 31 },
    );
    expect(sequenceOfVersion('1.2.3-rc.1')).toBe(sequenceOfVersion('1.2.3'));
    expect(Number.isSafeInteger(sequenceOfVersion('999999.999999.999999'))).toBe(true);
  });
});
