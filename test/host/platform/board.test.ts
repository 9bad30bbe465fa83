/** Looking a board up by name or path. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { boardNames, loadBoardProfile } from '../../../src/host/platform/board.ts';

const scratch = mkdtempSync(join(tmpdir(), 'board-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function refusal(nameOrPath: string): Promise<{ code: string; message: string }> {
  const loaded = await loadBoardProfile(nameOrPath);
  if (loaded.ok) throw new Error('accepted');
  return loaded.fault;
}

function write(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

describe('loadBoardProfile', () => {
  it('loads every board of the package by its name', async () => {
    const names = await boardNames();
    expect(names).toHaveLength(7);
    for (const name of names) {
      const loaded = await loadBoardProfile(name);
      expect(loaded.ok && loaded.value.name).toBe(name);
    }
  });

  it('loads a file by its path', async () => {
    const path = resolve(import.meta.dirname, '../../../devices/raspberry-pi-5.json');
    const loaded = await loadBoardProfile(path);
    expect(loaded.ok && loaded.value.name).toBe('raspberry-pi-5');
  });

  it('names the boards there are when the name is not one of them', async () => {
    const { code, message } = await refusal('raspberry-pi-6');
    expect(code).toBe('platform.profile-missing');
    expect(message).toContain('raspberry-pi-5');
  });

  it('refuses a path without a file, and never reads a climbing name as a board', async () => {
    expect((await refusal('./nowhere.json')).code).toBe('platform.profile-missing');
    expect((await refusal('../devices/none')).code).toBe('platform.profile-missing');
  });

  it.each([
    ['what is not JSON', 'bad.json', '{'],
    ['more than 64 KiB', 'long.json', ' '.repeat(65_537)],
  ])('refuses %s', async (_, name, text) => {
    expect((await refusal(write(name, text))).code).toBe('platform.profile-json');
  });

  it('refuses a folder', async () => {
    expect((await refusal(`${scratch}/`)).code).toBe('platform.profile-json');
  });

  it('passes on what the reader refuses', async () => {
    expect((await refusal(write('list.json', '[]'))).code).toBe('field.type');
  });
});
