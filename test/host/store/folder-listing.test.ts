/** Folders are listed in one order, within a limit. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isFolder, listFolder } from '../../../src/host/store/folder-listing.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgeward-listing-'));
for (const name of ['b', 'a10', 'a9', 'B']) writeFileSync(join(folder, name), '');
mkdirSync(join(folder, 'c'));
symlinkSync('c', join(folder, 'd'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('listFolder', () => {
  it('sorts by code unit and tells folders from files and links', () => {
    const entries = accepted(listFolder(folder, 6));
    expect(entries.map(({ name }) => name)).toEqual(['B', 'a10', 'a9', 'b', 'c', 'd']);
    expect(entries.filter((entry) => entry.folder).map(({ name }) => name)).toEqual(['c']);
  });

  it('holds no more than the limit, and says what cannot be read', () => {
    expect(codeOf(listFolder(folder, 5))).toBe('store.too-large');
    expect(codeOf(listFolder(join(folder, 'none'), 5))).toBe('store.not-found');
    expect(codeOf(listFolder(join(folder, 'a9'), 5))).toBe('store.read');
  });
});

describe('isFolder', () => {
  it('follows a link, and is false for what is not there', () => {
    expect(['c', 'd', 'a9', 'none'].map((name) => isFolder(join(folder, name)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
