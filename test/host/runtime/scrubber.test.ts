/** The scrubber: what it finds, how little it takes, and that it goes on where it was. */
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../../src/core/base/fault.ts';
import { ok } from '../../../src/core/base/fault.ts';
import { SCRUB_PAUSE_MS, SCRUB_SLICE_BYTES } from '../../../src/core/base/limits.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import {
  Scrubber,
  type ScrubFile,
  type ScrubParts,
  slotFiles,
} from '../../../src/host/runtime/scrubber.ts';
import { refuseStore } from '../../../src/host/store/faults.ts';
import {
  alignedBytes,
  openUncached,
  type UncachedFile,
} from '../../../src/host/store/uncached-file.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { stillClock } from './releases.ts';

const root = mkdtempSync(join(tmpdir(), 'edgeward-scrub-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Sizes that end inside, on and before a slice. */
const SIZES = [2 * SCRUB_SLICE_BYTES + 77, SCRUB_SLICE_BYTES, 5, 0];

function bytesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 255);
}

function slot(): { readonly files: readonly ScrubFile[]; readonly folder: string } {
  const folder = mkdtempSync(join(root, 'slot-'));
  const files = SIZES.map((size, index) => {
    const bytes = bytesOf(size);
    writeFileSync(join(folder, `file-${index}`), bytes);
    const path = `file-${index}`;
    return {
      path,
      sizeBytes: size,
      sha256: sha256(bytes),
      verity: sha256(bytes),
      role: 'notice',
    } as const;
  });
  return { folder, files: slotFiles(folder, files) };
}

function scene(change: Partial<ScrubParts> = {}) {
  const { files, folder } = slot();
  const clock = stillClock();
  const told: [string, string][] = [];
  const scrubber = new Scrubber({
    files,
    clock,
    onFault: (fault: Fault, file) =>
      told.push([fault.code, `${file.path.slice(-6)}: ${fault.message}`]),
    ...change,
  });
  /** Ticks until a pass is over; gives the slices it took. */
  const pass = (): number => {
    const before = scrubber.passes;
    let slices = 0;
    while (scrubber.passes === before && slices < 100) {
      clock.advance(scrubber.tick());
      slices++;
    }
    return slices;
  };
  return { scrubber, clock, told, pass, files, folder };
}

describe('the scrubber', () => {
  it('reads every file to its end in slices, pass after pass, and finds nothing', () => {
    const { scrubber, told, pass } = scene();
    expect(pass()).toBe(3 + 1 + 1 + 1);
    expect(scrubber.passes).toBe(1);
    expect(pass()).toBe(6);
    expect(told).toEqual([]);
    expect(scrubber.damaged).toEqual([]);
  });

  it.each([0, SCRUB_SLICE_BYTES, 2 * SCRUB_SLICE_BYTES + 76])(
    'tells of a changed byte at %i, once, and when the file is whole again no more',
    (at) => {
      const { scrubber, told, pass, folder } = scene();
      const path = join(folder, 'file-0');
      const good = readFileSync(path);
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      writeFileSync(path, bad);
      pass();
      pass();
      expect(told).toHaveLength(1);
      expect(told[0]?.[0]).toBe('runtime.scrub');
      expect(told[0]?.[1]).toMatch(/^file-0: .*file-0 has SHA-256 [0-9a-f]{12}, not [0-9a-f]{12}$/);
      expect(scrubber.damaged).toEqual([path]);
      writeFileSync(path, good);
      pass();
      expect(scrubber.damaged).toEqual([]);
      writeFileSync(path, bad);
      pass();
      expect(told).toHaveLength(2);
    },
  );

  it('tells of files that are cut, gone, or cannot be read', () => {
    const { told, pass, folder, files } = scene({
      open: (path) => {
        const opened = openUncached(path);
        if (!path.endsWith('file-2') || !opened.ok) return opened;
        const broken = (): never => {
          throw refuseStore('store.read', 'EIO');
        };
        return ok({ ...opened.value, direct: true, read: broken } satisfies UncachedFile);
      },
    });
    truncateSync(join(folder, 'file-0'), 100);
    unlinkSync(join(folder, 'file-1'));
    pass();
    expect(told.map(([code]) => code)).toEqual(Array(3).fill('runtime.scrub'));
    expect(told[0]?.[1]).toContain('has SHA-256');
    expect(told[1]?.[1]).toContain('store.not-found');
    expect(told[2]?.[1]).toContain('store.read: EIO');
    expect(files).toHaveLength(4);
  });

  it('takes its share of one core and no more, and pauses between passes', () => {
    let busyMs = 0;
    let now = 0;
    const clock = { ...stillClock(), monotonicMs: () => now as never };
    const slow: ScrubParts['open'] = (path) => {
      const file = accepted(openUncached(path));
      const read: UncachedFile['read'] = (offset, into) => {
        now += 3;
        busyMs += 3;
        return file.read(offset, into);
      };
      return ok({ sizeBytes: file.sizeBytes, direct: file.direct, read, close: file.close });
    };
    const { scrubber } = scene({ clock, open: slow, percent: 2 });
    while (scrubber.passes === 0) {
      const waitMs = scrubber.tick();
      now += waitMs;
    }
    expect(busyMs).toBe(18);
    // 18 ms in 50 times as long, but for the pause after the last one.
    expect(now).toBe(15 * 50 + 3 + SCRUB_PAUSE_MS);
    expect(scrubber.tick()).toBeGreaterThan(0);
  });

  it('does nothing before it is due', () => {
    const { scrubber, clock } = scene();
    const wait = scrubber.tick();
    expect(wait).toBeGreaterThanOrEqual(1);
    const { position } = scrubber;
    clock.advance(wait / 2);
    expect(scrubber.tick()).toBeCloseTo(wait / 2);
    expect(scrubber.position).toBe(position);
  });

  it('goes on with the file at which another one stopped, and begins it again after a close', () => {
    const { scrubber, clock, files } = scene();
    for (let i = 0; i < 4; i++) clock.advance(scrubber.tick());
    expect(scrubber.position).toBe(2);
    const next = scene({ files, startAt: scrubber.position });
    expect(next.pass()).toBe(2);
    const again = scene({ files });
    again.clock.advance(again.scrubber.tick());
    again.scrubber.close();
    expect(again.pass()).toBe(6);
    expect([next, again].flatMap(({ told }) => told)).toEqual([]);
  });

  it('has nothing to do where there are no files', () => {
    const { scrubber } = scene({ files: [], startAt: 3 });
    expect(scrubber.tick()).toBe(SCRUB_PAUSE_MS);
    scrubber.close();
  });
});

describe('an uncached file', () => {
  it('gives the bytes of the file, from aligned memory or any', () => {
    const { folder } = slot();
    const path = join(folder, 'file-0');
    const expected = readFileSync(path);
    for (const into of [
      alignedBytes(SCRUB_SLICE_BYTES),
      new Uint8Array(SCRUB_SLICE_BYTES + 8).subarray(3),
    ]) {
      const file = accepted(openUncached(path));
      expect(file.sizeBytes).toBe(expected.length);
      const got: number[] = [];
      for (let count = -1; count !== 0; got.push(...into.subarray(0, count))) {
        count = file.read(got.length, into);
      }
      expect(Buffer.from(got).equals(expected)).toBe(true);
      file.close();
    }
  });

  it('is refused where there is none', () => {
    expect(codeOf(openUncached(join(root, 'nowhere')))).toBe('store.not-found');
    expect(codeOf(openUncached(root))).toBe('store.read');
    const { folder } = slot();
    const file = accepted(openUncached(join(folder, 'file-0')));
    file.close();
    expect(() => file.read(0, alignedBytes(10))).toThrow(/store\.read/);
  });
});
