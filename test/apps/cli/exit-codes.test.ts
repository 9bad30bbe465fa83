/** One exit code per fault family, and no fault without one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  EXIT_CODES,
  EXIT_DEMO,
  EXIT_INTERNAL,
  EXIT_NOT_PASSED,
  EXIT_READER_GONE,
  EXIT_TRY_AGAIN,
  EXIT_USAGE,
  exitCodeOf,
} from '../../../src/apps/cli/exit-codes.ts';
import { CLI_FAULTS } from '../../../src/apps/cli/faults.ts';

const SRC = resolve(import.meta.dirname, '../../../src');
const tables = new Map<string, Readonly<Record<string, string>>>();

beforeAll(async () => {
  for (const path of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || !/export const \w+_FAULTS\b/.test(textOf(path))) continue;
    const module: Record<string, unknown> = await import(join(SRC, path));
    for (const [name, table] of Object.entries(module)) {
      if (name.endsWith('_FAULTS')) tables.set(name, table as Record<string, string>);
    }
  }
});

function textOf(path: string): string {
  return readFileSync(join(SRC, path), 'utf8');
}

describe('exit codes', () => {
  it('are one for each family of every fault table, and for nothing else', () => {
    expect(tables.size).toBeGreaterThanOrEqual(18);
    const families = new Set(
      [...tables.values()].flatMap((table) =>
        Object.keys(table).map((code) => code.slice(0, code.indexOf('.'))),
      ),
    );
    expect([...families].sort()).toEqual(Object.keys(EXIT_CODES).sort());
  });

  it('are distinct, and none is what a shell or Node.js itself gives', () => {
    const own = [
      EXIT_INTERNAL,
      EXIT_USAGE,
      EXIT_DEMO,
      EXIT_NOT_PASSED,
      EXIT_TRY_AGAIN,
      EXIT_READER_GONE,
    ];
    const all = [...Object.values(EXIT_CODES), ...own];
    expect(new Set(all).size).toBe(all.length);
    // 126 and above: the shell's own and signals; below 10 some are taken by Node.js.
    for (const code of Object.values(EXIT_CODES)) expect(code > 9 && code < 126).toBe(true);
  });

  it('name no fault code twice', () => {
    const codes = [...tables.values()].flatMap(Object.keys);
    expect(codes.length).toBeGreaterThan(100);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('follow the first word of the code', () => {
    const fault = { message: 'm', next: 'n' };
    expect(exitCodeOf({ code: 'trust.expired', ...fault })).toBe(EXIT_CODES['trust']);
    expect(exitCodeOf({ code: 'unheard.of', ...fault })).toBe(EXIT_INTERNAL);
    expect(exitCodeOf({ code: 'cli', ...fault })).toBe(EXIT_INTERNAL);
    for (const code of Object.keys(CLI_FAULTS)) {
      expect(exitCodeOf({ code, ...fault })).toBe(EXIT_CODES['cli']);
    }
  });
});
