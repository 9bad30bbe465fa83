import { spawnSync } from 'node:child_process';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockFolder } from '../../../src/host/platform/instance-lock.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';

const module = resolve(import.meta.dirname, '../../../src/host/platform/instance-lock.ts');

const KEY = new Uint8Array(32);

/** Tries the lock in a process of its own, which then dies without releasing it. */
function tryElsewhere(folder: string): string {
  const program = `
    const { lockFolder } = await import(${JSON.stringify(module)});
    const lock = await lockFolder(${JSON.stringify(folder)}, new Uint8Array(32));
    process.stdout.write(lock.ok ? 'locked' : lock.fault.code);
    process.kill(process.pid, 'SIGKILL');
  `;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  return String(stdout);
}

describe.runIf(process.platform === 'linux')('lockFolder', () => {
  it('keeps a second process out, by whatever path it comes, until the first releases', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lock-'));
    const link = `${folder}-link`;
    symlinkSync(folder, link);
    const lock = accepted(await lockFolder(folder, KEY));
    expect(codeOf(await lockFolder(link, KEY))).toBe('platform.in-use');
    expect(tryElsewhere(folder)).toBe('platform.in-use');
    lock.release();
    expect(tryElsewhere(folder)).toBe('locked');
  });

  it('is free again when its owner was killed, and is another for another folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lock-'));
    expect(tryElsewhere(folder)).toBe('locked');
    const lock = accepted(await lockFolder(folder, KEY));
    const other = accepted(await lockFolder(mkdtempSync(join(tmpdir(), 'lock-')), KEY));
    lock.release();
    other.release();
  });
});
