/** Every file of the project keeps the house's rules, and every rule catches a planted breach. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from './rooms.ts';
import * as tidy from './tidy-rules.ts';

/** Every text file under the folders that people write in, with its content. */
function filesUnder(folders: readonly string[], ending: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(join(projectRoot, name)))) {
    const names = readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' });
    for (const path of names.map((name) => `${folder}/${name}`).sort()) {
      if (ending.test(path)) found.set(path, readFileSync(join(projectRoot, path), 'utf8'));
    }
  }
  return found;
}

const source = filesUnder(['src'], /\.ts$/);
const tests = filesUnder(['test', 'bench'], /\.(ts|mjs)$/);
const code = new Map([...source, ...tests]);
const texts = new Map([
  ...code,
  ...filesUnder(
    ['src', 'devices', 'firmware-manifests', 'examples', '.ci'],
    /\.(json|md|cddl)$|\/run$/,
  ),
]);

const rules: [string, tidy.TidyRule, ReadonlyMap<string, string>][] = [
  ['a name that says what is in it', tidy.fileName, code],
  [`at most ${tidy.FILE_LINES_MAX} lines`, tidy.fileLength, code],
  [`functions of at most ${tidy.FUNCTION_LINES_MAX} lines`, tidy.functionLength, source],
  ['its purpose in its first line', tidy.purpose, source],
  ['nothing unfinished', tidy.unfinished, texts],
  ['nothing unreal', tidy.standIns, source],
  ['no path of one machine', tidy.machinePaths, texts],
  ['no way around the compiler or a failure', tidy.evasions, code],
  ['a pure core', tidy.purity, source],
];

describe(`the ${texts.size} files of the project`, () => {
  it('were all found', () => {
    expect(source.size).toBeGreaterThan(30);
    expect(tests.size).toBeGreaterThan(20);
    expect(source.has('src/core/base/fault.ts')).toBe(true);
  });

  it.each(rules)('have %s', (_, rule, files) => {
    const found = [...files].flatMap(([path, text]) =>
      rule(path, text).map((wrong) => `${path}:${wrong}`),
    );
    expect(found).toEqual([]);
  });

  it('produce every fault code in a test', () => {
    const codes = [...source].flatMap(([path, text]) => tidy.faultCodes(path, text));
    const written = [...tests.values()].join('\n');
    expect(codes.length).toBeGreaterThan(20);
    expect(new Set(codes).size, 'a code belongs to one table').toBe(codes.length);
    // As a text or in a pattern, and not as the start of a longer code.
    const produced = (name: string): boolean => new RegExp(`${name}(?![a-z-])`).test(written);
    expect(codes.filter((name) => !produced(name))).toEqual([]);
  });
});

const core = 'src/core/base/sample.ts';
const long = (lines: number): string => 'f();\n'.repeat(lines);

const planted: [string, tidy.TidyRule, string, string][] = [
  ['an empty name', tidy.fileName, 'src/core/base/string-utils.ts', ''],
  ['a long file', tidy.fileLength, core, long(401)],
  ['a long function', tidy.functionLength, core, `function f() {\n${long(69)}}`],
  ['a long arrow function', tidy.functionLength, core, `const f = () => {\n${long(69)}};`],
  ['a file without a purpose', tidy.purpose, core, "import 'x';\n/** late */\n"],
  ['unfinished work', tidy.unfinished, core, `// ${'TO'}${'DO'}: later`],
  ['a stand-in', tidy.standIns, core, `const ${'place'}${'holder'} = 1;`],
  ['a machine path', tidy.machinePaths, core, `const path = '${'/ho'}${'me'}/someone/x';`],
  ['a non-null assertion', tidy.evasions, core, 'const a = b!.c;'],
  ['a cast to any', tidy.evasions, core, `const a = b as ${'any'};`],
  ['an empty catch', tidy.evasions, core, 'try { f(); } catch { /* quiet */ }'],
  ['a barrel', tidy.evasions, core, "export * from './x.ts';"],
  ['a named barrel', tidy.evasions, core, "export * as x from './x.ts';"],
  ['a silenced type error', tidy.evasions, core, `// @ts-${'ignore'}\nf();`],
  ['the wall clock', tidy.purity, core, 'const t = Date.now();'],
  ['the date of today', tidy.purity, core, 'const t = new Date();'],
  ['chance', tidy.purity, core, 'const x = Math.random();'],
  ['the process', tidy.purity, core, 'const x = process.env;'],
  ['the process by a detour', tidy.purity, core, 'const { env } = process;'],
  ['the stopwatch', tidy.purity, core, 'const t = performance.now();'],
  ['the console', tidy.purity, core, "console.log('x');"],
  ['a timer', tidy.purity, core, 'setTimeout(f, 1);'],
];

const innocent: [string, tidy.TidyRule, string, string][] = [
  ['a function of 70 lines', tidy.functionLength, core, `function f() {\n${long(68)}}`],
  ['a purpose after a shebang', tidy.purpose, core, '#!/usr/bin/env node\n/** Starts it. */\n'],
  ['a member called process', tidy.purity, core, 'const a = { process: 1 }; a.process;'],
  ['a date that is given', tidy.purity, core, 'const t = new Date(0);'],
  ['the clock in the host', tidy.purity, 'src/host/platform/clock.ts', 'Date.now();'],
  ['a relative path', tidy.machinePaths, core, "const path = '../root/x';"],
  ['an export by name', tidy.evasions, core, "export { x } from './x.ts';"],
];

describe('the tidy rules', () => {
  it.each(planted)('catch %s', (_, rule, path, text) => {
    expect(rule(path, text)).toHaveLength(1);
  });

  it.each(innocent)('let %s pass', (_, rule, path, text) => {
    expect(rule(path, text)).toEqual([]);
  });

  it('read the codes of a fault table', () => {
    const table = "export const X_FAULTS: FaultTable = { 'x.a': 'Do.', 'x.b': 'Do not.' };";
    expect(tidy.faultCodes(core, table)).toEqual(['x.a', 'x.b']);
  });
});
