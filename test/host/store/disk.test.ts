/** The real disk and the simulated one answer alike, and neither follows a link. */
import { linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt, type Result } from '../../../src/core/base/fault.ts';
import type { Disk, DiskFile, DiskSource } from '../../../src/core/update/disk.ts';
import { realDisk } from '../../../src/host/store/disk.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { emptyDisk, SimDisk } from '../../simulate/sim-disk.ts';
import { makePipe, scratch } from './folder.ts';

const newFolder = scratch();

const NAMES = ['a', 'b', 'folder', 'folder/a', 'folder/b', 'folder/deeper', 'missing/a'];
const nameArb = fc.constantFrom(...NAMES);
const operationArb = fc.oneof(
  fc.record({ do: fc.constantFrom('list', 'read', 'open', 'create', 'remove'), name: nameArb }),
  fc.record({ do: fc.constantFrom('makeFolder', 'syncFolder', 'close', 'sync'), name: nameArb }),
  fc.record({ do: fc.constant('rename'), name: nameArb, to: nameArb }),
  fc.record({ do: fc.constant('append'), name: nameArb, bytes: fc.uint8Array({ maxLength: 40 }) }),
);
type Operation = { do: string; name: string; to?: string; bytes?: Uint8Array };

/** Plays operations on one disk and writes down every answer. */
function play(disk: Disk, top: string, operations: readonly Operation[]): readonly string[] {
  const writing = new Map<string, DiskFile>();
  const answers = operations.map((operation) => {
    const path = `${top}/${operation.name}`;
    const told = (result: Result<unknown>): string =>
      result.ok ? `${operation.do} ${textOf(result.value)}` : result.fault.code;
    const file = writing.get(operation.name);
    switch (operation.do) {
      case 'list':
        return told(disk.list(path));
      case 'read':
        return told(disk.read(path, 30));
      case 'open':
        return told(attempt(() => contentOf(accepted(disk.open(path)))));
      case 'create': {
        const created = disk.create(path);
        if (created.ok) writing.set(operation.name, created.value);
        return created.ok ? 'created' : created.fault.code;
      }
      case 'rename':
        writing.delete(operation.name);
        writing.delete(operation.to ?? '');
        return told(disk.rename(path, `${top}/${operation.to}`));
      case 'remove':
        writing.delete(operation.name);
        return told(disk.remove(path));
      case 'makeFolder':
        return told(disk.makeFolder(path));
      case 'syncFolder':
        return told(disk.syncFolder(path));
      case 'append':
        return file === undefined ? 'none' : told(file.append(operation.bytes ?? new Uint8Array()));
      case 'sync':
        return file === undefined ? 'none' : told(file.sync());
      default:
        file?.close();
        writing.delete(operation.name);
        return 'closed';
    }
  });
  for (const file of writing.values()) file.close();
  return answers;
}

function contentOf(source: DiskSource): Uint8Array {
  const bytes = new Uint8Array(source.sizeBytes + 8);
  const count = source.read(0, bytes);
  source.close();
  return bytes.subarray(0, count);
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? [...value].join() : JSON.stringify(value);
}

/** `open` of what is not there throws in `accepted`: both disks must be asked the same way. */
const openable = (operations: readonly Operation[]): readonly Operation[] =>
  operations.map((operation) =>
    operation.do === 'open' ? { ...operation, do: 'read' } : operation,
  );

describe('the real and the simulated disk', () => {
  it('give the same answers to the same operations', () => {
    fc.assert(
      fc.property(fc.array(operationArb, { maxLength: 60 }), (operations) => {
        const sim = new SimDisk(emptyDisk('top'));
        const simulated = play(sim, 'top', openable(operations));
        const real = play(realDisk, newFolder(), openable(operations));
        expect(real).toEqual(simulated);
      }),
      { numRuns: 300 },
    );
  });

  it('read a file at any place, and beyond its end nothing', () => {
    const top = newFolder();
    for (const [disk, folder] of [
      [realDisk, top],
      [new SimDisk(emptyDisk('top')), 'top'],
    ] as const) {
      const file = accepted(disk.create(`${folder}/f`));
      accepted(file.append(Uint8Array.of(1, 2, 3, 4)));
      file.close();
      file.close();
      const source = accepted(disk.open(`${folder}/f`));
      const into = new Uint8Array(8);
      expect([source.read(1, into), ...into.subarray(0, 3)]).toEqual([3, 2, 3, 4]);
      expect(source.read(9, into)).toBe(0);
      source.close();
    }
  });
});

describe('the real disk', () => {
  it('gives files and folders to nobody else', () => {
    const top = newFolder();
    accepted(realDisk.makeFolder(`${top}/slots`));
    accepted(realDisk.create(`${top}/slots/f`)).close();
    expect(statSync(`${top}/slots`).mode & 0o777).toBe(0o700);
    expect(statSync(`${top}/slots/f`).mode & 0o777).toBe(0o600);
  });

  it('follows no link, opens no pipe and overwrites nothing', () => {
    const top = newFolder();
    writeFileSync(`${top}/target`, 'secret');
    mkdirSync(`${top}/elsewhere`);
    symlinkSync(`${top}/target`, `${top}/link`);
    symlinkSync(`${top}/elsewhere`, `${top}/slots`);
    makePipe(`${top}/pipe`);
    expect(codeOf(realDisk.open(`${top}/link`))).toBe('disk.denied');
    expect(codeOf(realDisk.read(`${top}/link`, 100))).toBe('disk.denied');
    expect(codeOf(realDisk.create(`${top}/link`))).toBe('disk.exists');
    expect(codeOf(realDisk.create(`${top}/slots/new`))).toBe('disk.denied');
    expect(codeOf(realDisk.list(`${top}/slots`))).toBe('disk.denied');
    expect(codeOf(realDisk.syncFolder(`${top}/slots`))).toBe('disk.denied');
    expect(codeOf(realDisk.open(`${top}/pipe`))).toBe('disk.denied');
    expect(codeOf(realDisk.open(`${top}/elsewhere`))).toBe('disk.denied');
    expect(codeOf(realDisk.rename(`${top}/elsewhere`, `${top}/x`))).toBe('disk.denied');
    // A link itself may be taken away; what it names stays.
    expect(codeOf(realDisk.remove(`${top}/link`))).toBe('accepted');
    expect(codeOf(realDisk.read(`${top}/target`, 100))).toBe('accepted');
  });

  it('gives a new file its own bytes, also where the old one had two names', () => {
    const top = newFolder();
    writeFileSync(`${top}/one`, 'old');
    linkSync(`${top}/one`, `${top}/two`);
    accepted(realDisk.remove(`${top}/one`));
    const file = accepted(realDisk.create(`${top}/one`));
    accepted(file.append(Uint8Array.of(110, 101, 119)));
    file.close();
    expect(textOf(accepted(realDisk.read(`${top}/two`, 9)))).toBe('111,108,100');
  });

  it('names what is missing, too large, full and failing', () => {
    const top = newFolder();
    writeFileSync(`${top}/f`, 'four');
    expect(faultIn(realDisk.read(`${top}/missing`, 9)).code).toBe('disk.not-found');
    expect(faultIn(realDisk.read(`${top}/f`, 3)).code).toBe('disk.too-large');
    expect(faultIn(realDisk.makeFolder(`${top}/f`)).code).toBe('disk.exists');
    const closed = accepted(realDisk.create(`${top}/closed`));
    closed.close();
    expect(faultIn(closed.append(Uint8Array.of(1))).code).toBe('disk.io');
    const source = accepted(realDisk.open(`${top}/f`));
    source.close();
    expect(faultIn(attempt(() => source.read(0, new Uint8Array(4)))).code).toBe('disk.io');
  });
});
