/** A scratch folder per test file, and the hostile things that can stand where a file should. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { isVolatileFolder } from '../../../src/host/store/floor-tier.ts';
import { accepted } from '../../core/base/outcome.ts';

/** On a disk: a production device refuses a state folder that forgets, as tmpfs does. */
export const SCRATCH_TOP: string = accepted(isVolatileFolder(tmpdir())) ? '/var/tmp' : tmpdir();

/** Gives paths in a folder that is removed after the file's last test; every call a new subfolder. */
export function scratch(): () => string {
  const top = mkdtempSync(join(SCRATCH_TOP, 'edgeward-test-'));
  afterAll(() => rmSync(top, { recursive: true, force: true }));
  return () => mkdtempSync(join(top, 'f-'));
}

/** A named pipe: to open it without care blocks until somebody writes to it. */
export function makePipe(path: string): string {
  execFileSync('mkfifo', [path]);
  return path;
}
