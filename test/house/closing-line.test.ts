/** The closing line and the exit code, on small test files that pass, fail, break and skip. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { closingLine } from './closing-line.ts';
import { projectRoot } from './rooms.ts';

const scratch = mkdtempSync(join(tmpdir(), 'closing-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let runs = 0;

/** Runs vitest over one file with the given body. */
function run(body: string): { last: string | undefined; exitCode: number | null } {
  const root = join(scratch, String(runs++));
  mkdirSync(join(root, 'test'), { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(
    join(root, 'test/planted.test.ts'),
    `import { beforeAll, describe, expect, it } from 'vitest';\n${body}`,
  );
  const vitest = join(projectRoot, 'node_modules/vitest/vitest.mjs');
  const config = join(projectRoot, 'vitest.config.ts');
  const child = spawnSync(process.execPath, [vitest, 'run', '--config', config, '--root', root], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, CI: 'true' },
  });
  return { last: child.stdout.trimEnd().split('\n').at(-1), exitCode: child.status };
}

describe('closingLine', () => {
  it('names skipped tests only when there are some', () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });
});

const pass = "it('passes', () => { expect(1).toBe(1); });\n";

describe('a run', () => {
  it.each([
    ['passes', pass, '1 passed, 0 failed', 0],
    ['skips a test', `${pass}it.skip('later', () => {});`, '1 passed, 0 failed, 1 skipped', 0],
    [
      'has a failing test',
      `${pass}it('fails', () => { expect(1).toBe(2); });`,
      '1 passed, 1 failed',
      1,
    ],
    ['has a file that does not load', `${pass}throw new Error('broken');`, '0 passed, 1 failed', 1],
    [
      'has an unhandled rejection',
      `${pass}void Promise.reject(new Error('stray'));`,
      '1 passed, 1 failed',
      1,
    ],
    [
      'has a failing hook',
      `${pass}describe('s', () => { beforeAll(() => { throw new Error('hook'); }); ${pass} });`,
      '1 passed, 1 failed, 1 skipped',
      1,
    ],
    ['has no test at all', '', '0 passed, 1 failed', 1],
  ])('that %s ends with its line and its exit code', (_, body, line, exitCode) => {
    expect(run(body)).toEqual({ last: line, exitCode });
  });
});
