/** What keeps a process alive: for tests that something ended what it started. */
import { spawnSync } from 'node:child_process';

interface Report {
  readonly workers: readonly unknown[];
}

/** Worker threads of this process that have not ended. */
export function workersAlive(): number {
  return (process.report.getReport() as unknown as Report).workers.length;
}

/**
 * Runs a module in a process of its own, which must end by itself; gives what it printed. A timer or
 * a socket left behind would keep it alive until it is killed, and that is `null` for its status.
 */
export function runToItsEnd(source: string): { readonly status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--no-warnings', '--eval', source],
    { timeout: 60_000, encoding: 'utf8' },
  );
  return { status, out: stdout + stderr };
}
