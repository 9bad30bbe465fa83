/** A vitest reporter that closes every run with one line: `N passed, N failed[, N skipped]`. */
import { writeSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

export interface Tally {
  readonly passed: number;
  /** Tests, and every error outside a test: a module that does not load, a hook, a stray promise. */
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The line is written when the process exits, after all that others print, and a run that failed,
 * was cut short or ran no test at all exits with a non-zero code.
 */
export class ClosingLine implements Reporter {
  /** Holds until a run ends: a run that never ends has failed. */
  #tally: Tally = { passed: 0, failed: 1, skipped: 0 };

  onInit(): void {
    process.on('exit', () => {
      const { passed, failed } = this.#tally;
      if (failed > 0 || passed === 0) process.exitCode ||= 1;
      writeSync(1, `${closingLine(this.#tally)}\n`);
    });
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: 'passed' | 'failed' | 'interrupted',
  ): void {
    const tally = tallyOf(modules, unhandledErrors.length);
    const cutShort = reason === 'interrupted' ? 1 : 0;
    this.#tally = { ...tally, failed: tally.failed + cutShort };
  }
}

export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function tallyOf(modules: readonly TestModule[], unhandled: number): Tally {
  let passed = 0;
  let failed = unhandled;
  let skipped = 0;
  for (const module of modules) {
    failed += module.errors().length;
    for (const suite of module.children.allSuites()) failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed++;
      else if (state === 'skipped') skipped++;
      else failed++;
    }
  }
  return { passed, failed, skipped };
}
