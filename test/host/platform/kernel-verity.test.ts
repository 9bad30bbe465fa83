/**
 * fs-verity through the real program where the filesystem has it, and its refusal where it has not;
 * what it says elsewhere through a program that repeats what was recorded there.
 */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import { err, ok } from '../../../src/core/base/fault.ts';
import { type PayloadCheck, readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { createVerityHasher } from '../../../src/core/crypto/fs-verity.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import type { Disk } from '../../../src/core/update/disk.ts';
import { openSlotSource } from '../../../src/core/update/slot-source.ts';
import {
  FSVERITY_PATH,
  measureDescriptor,
  measuringDisk,
  sealFile,
} from '../../../src/host/platform/kernel-verity.ts';
import { realDisk } from '../../../src/host/store/disk.ts';
import { openForReading } from '../../../src/host/store/files.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { GUARD, MODEL, packed } from '../../core/bundle/specimen.ts';
import { CONTEXT } from '../../core/trust/trusting.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgeward-verity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BYTES = Uint8Array.from({ length: 9000 }, (_, i) => i & 255);
const DIGEST = ((): Uint8Array => {
  const hasher = createVerityHasher();
  hasher.update(BYTES);
  return hasher.digest();
})();

function file(name: string, bytes: Uint8Array | string = BYTES): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

/** A program that says what the real one says elsewhere. */
function program(name: string, lines: string): string {
  const path = file(name, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** As recorded from fsverity 1.5 on ext4 with and without the feature, and on tmpfs. */
const complaint = (ioctl: string, words: string): string =>
  `echo "ERROR: FS_IOC_${ioctl}_VERITY failed on '$0': ${words}" >&2; exit 1`;
const measuring = program('measuring', `echo "sha256:${toHex(DIGEST)} $2"`);

const DISK: Disk = {
  list: () => ok(['a']),
  read: () => ok(Uint8Array.of(7)),
  open: () => err({ code: 'disk.io', message: 'not this way', next: '' }),
  create: () => err({ code: 'disk.full', message: 'full', next: '' }),
  rename: () => ok(true),
  remove: () => ok(true),
  makeFolder: () => ok(true),
  syncFolder: () => ok(true),
};

describe.skipIf(!existsSync(FSVERITY_PATH))('the real program (needs the package fsverity)', () => {
  it('seals a file and measures what we compute, or says that the filesystem cannot', () => {
    const path = file('real');
    const sealed = sealFile(path);
    const fd = openForReading(path);
    if (sealed.ok) {
      expect(accepted(measureDescriptor(fd))).toEqual(DIGEST);
      expect(codeOf(sealFile(path))).toBe('accepted');
      expect(() => writeFileSync(path, 'other')).toThrow(/EPERM/);
    } else {
      expect(sealed.fault.code).toBe('verity.unsupported');
      expect(codeOf(measureDescriptor(fd))).toBe('verity.unsupported');
    }
  });

  it('says of a file that is not there that it failed', () => {
    expect(codeOf(sealFile(join(folder, 'nowhere')))).toBe('verity.failed');
    expect(codeOf(measureDescriptor(9999))).toBe('verity.failed');
  });
});

describe('what the program says', () => {
  it.each([
    ['Operation not supported', 'verity.unsupported'],
    ['Inappropriate ioctl for device', 'verity.unsupported'],
    ['No data available', 'verity.not-sealed'],
    ['Text file busy', 'verity.busy'],
    ['Input/output error', 'verity.failed'],
  ])('is told by its code: %s', (words, code) => {
    const fd = openForReading(file('plain'));
    const tool = program('refusing', complaint('MEASURE', words));
    const fault = faultIn(measureDescriptor(fd, tool));
    expect(fault.code).toBe(code);
    expect(fault.message).toContain(words);
    expect(codeOf(sealFile(join(folder, 'plain'), tool))).toBe(code);
  });

  it('is no failure where a file is sealed already', () => {
    const tool = program('again', complaint('ENABLE', 'File exists'));
    expect(codeOf(sealFile(file('plain'), tool))).toBe('accepted');
  });

  it('is refused where it is no digest', () => {
    const fd = openForReading(file('plain'));
    const hex = toHex(DIGEST);
    for (const said of ['', `sha512:${hex}${hex} f`, `sha256:${hex.slice(2)} f`, hex]) {
      expect(codeOf(measureDescriptor(fd, program('odd', `echo "${said}"`)))).toBe('verity.failed');
    }
  });

  it('is nothing where the program is missing', () => {
    const fd = openForReading(file('plain'));
    const missing = join(folder, 'no-such-program');
    expect(codeOf(measureDescriptor(fd, missing))).toBe('platform.tool-missing');
    expect(codeOf(sealFile(join(folder, 'plain'), missing))).toBe('platform.tool-missing');
  });

  it('is asked of the open file, whatever stands at its path by then', () => {
    const path = file('moved');
    const fd = openForReading(path);
    renameSync(path, join(folder, 'elsewhere'));
    file('moved', 'another');
    // The program itself hashes what the path that it was given leads to.
    const real = program(
      'digesting',
      `cmp -s "$2" "${join(folder, 'elsewhere')}" || exit 9; echo "sha256:${toHex(DIGEST)} $2"`,
    );
    expect(accepted(measureDescriptor(fd, real))).toEqual(DIGEST);
  });
});

describe('a measuring disk', () => {
  const none = program('none', complaint('MEASURE', 'No data available'));
  const measuredBy = (check: PayloadCheck, name: string): Uint8Array | undefined =>
    typeof check === 'object' ? check.measured(name) : undefined;

  it('measures each file as it is opened and reads from the same descriptor', () => {
    const told: string[] = [];
    const { disk, check } = measuringDisk(DISK, (path) => told.push(path), measuring);
    file('model.onnx');
    expect(measuredBy(check, 'model.onnx')).toBeUndefined();
    const source = accepted(disk.open(join(folder, 'model.onnx')));
    expect(source.sizeBytes).toBe(BYTES.length);
    const into = new Uint8Array(100);
    expect(source.read(256, into)).toBe(100);
    expect(into).toEqual(BYTES.slice(256, 356));
    expect(measuredBy(check, 'model.onnx')).toEqual(DIGEST);
    expect(measuredBy(check, 'other')).toBeUndefined();
    source.close();
    expect(() => source.read(0, into)).toThrow(/store\.read/);
    expect(told).toEqual([]);
  });

  it('gives a file that cannot be measured all the same, with the reason, to be hashed', () => {
    const path = file('model.onnx');
    const either = program('either', `exec "$(cat ${file('which', measuring)})" "$@"`);
    const told: [string, string][] = [];
    const { disk, check } = measuringDisk(DISK, (at, { code }) => told.push([at, code]), either);
    accepted(disk.open(path)).close();
    expect(measuredBy(check, 'model.onnx')).toEqual(DIGEST);
    file('which', none);
    const source = accepted(disk.open(path));
    expect(source.read(0, new Uint8Array(10))).toBe(10);
    expect(measuredBy(check, 'model.onnx')).toBeUndefined();
    expect(told).toEqual([[path, 'verity.not-sealed']]);
  });

  it('leaves to the disk what it cannot open: it follows no link and opens no folder', () => {
    const { disk } = measuringDisk(DISK, () => undefined, measuring);
    symlinkSync(file('target'), join(folder, 'link'));
    for (const name of ['link', '.', 'nowhere']) {
      expect(codeOf(disk.open(join(folder, name)))).toBe('disk.io');
    }
    expect(disk.list('')).toEqual(ok(['a']));
    expect(disk.read('', 1)).toEqual(ok(Uint8Array.of(7)));
    expect(codeOf(disk.create(''))).toBe('disk.full');
    const rest = [disk.rename('', ''), disk.remove(''), disk.makeFolder(''), disk.syncFolder('')];
    expect(rest).toEqual(Array(4).fill(ok(true)));
  });

  it.each([
    ['the kernel measures', measuring, []],
    ['the filesystem cannot', none, ['model.onnx', 'guard.cbor']],
  ])('verifies a slot where %s', (_, tool, unmeasured) => {
    const slot = mkdtempSync(join(folder, 'slot-'));
    const write = (name: string, bytes: Uint8Array): void => writeFileSync(join(slot, name), bytes);
    const model = { ...MODEL, bytes: BYTES };
    const guard = { ...GUARD, bytes: BYTES };
    const bundle = packed({ files: [model, guard] });
    write('manifest.suit', accepted(readManifestEntry(bytesSource(bundle))).bytes);
    for (const { path, bytes } of [model, guard]) write(path, bytes);
    const told: string[] = [];
    const { disk, check } = measuringDisk(realDisk, (path) => told.push(basename(path)), tool);
    const judge = () => {
      const source = accepted(openSlotSource(disk, slot));
      const options = { keep: ['model', 'guard'] as const, check };
      const judged = verifyBundle(source, 'boot', CONTEXT, options);
      source.close();
      return judged;
    };
    expect(accepted(judge()).payloads.get('model.onnx')).toEqual(BYTES);
    expect(told).toEqual(unmeasured);
    write(
      'model.onnx',
      BYTES.map((byte, i) => (i === 5000 ? byte ^ 1 : byte)),
    );
    // The program says what it was told to: the real kernel would not have let the file be written.
    expect(codeOf(judge())).toBe(tool === none ? 'bundle.file-digest' : 'accepted');
  });
});
