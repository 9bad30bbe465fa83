/** The processes of this machine, by their command lines (Linux; elsewhere there are none to see). */
import { readdirSync, readFileSync } from 'node:fs';

const LOOK_AGAIN_MS = 20;

/**
 * Blocks until no process has such a command line. False when one is still there after `limitMs`.
 * Those of another container are not seen.
 */
export function waitForProcesses(
  isOne: (commandLine: readonly string[]) => boolean,
  limitMs: number,
): boolean {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; commandLines().some(isOne); waitedMs += LOOK_AGAIN_MS) {
    if (waitedMs >= limitMs) return false;
    Atomics.wait(sleeper, 0, 0, LOOK_AGAIN_MS);
  }
  return true;
}

function commandLines(): string[][] {
  const names = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  return names.map((pid) => commandLine(`/proc/${pid}/cmdline`).split('\0'));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for a process that ended meanwhile. */
function commandLine(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
