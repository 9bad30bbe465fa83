/** The written room order holds in every module, and each rule catches what it is for. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot, readRooms, rulesOf } from './rooms.ts';

const rooms = readRooms();
const scratch = mkdtempSync(join(tmpdir(), 'layers-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The modules under `src` and the violations, as `rule: from -> to`. */
async function look(baseDir: string): Promise<{ modules: string[]; violations: string[] }> {
  const { output } = await cruise(
    ['src'],
    {
      baseDir,
      validate: true,
      ruleSet: { forbidden: rulesOf(rooms) },
      // Type imports count: a type from a later room is a dependency on that room.
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
    },
    { conditionNames: ['node', 'import', 'default'], exportsFields: ['exports'] },
  );
  const { modules, summary } = output as ICruiseResult;
  return {
    modules: modules.map(({ source }) => source).filter((source) => /^src\/.*\.ts$/.test(source)),
    violations: summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
  };
}

/** A source tree of its own with the given files, and the project's packages. */
function plant(name: string, files: Record<string, string>): string {
  const root = join(scratch, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return root;
}

function sourceFiles(): string[] {
  const files = readdirSync(join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.ts')).map((file) => `src/${file}`);
}

describe('the rooms', () => {
  it('keep their written order, and every source file was seen', async () => {
    const { modules, violations } = await look(projectRoot);
    expect(violations).toEqual([]);
    expect(modules.sort()).toEqual(sourceFiles().sort());
    expect(modules.length).toBeGreaterThan(30);
  });

  it('that are listed exist, and every folder is listed', () => {
    const listed = rooms.floors.flatMap((floor) =>
      floor.rooms.map((room) => `src/${floor.name}/${room.name}`),
    );
    const above = rooms.above.map((file) => `src/${file.name}`);
    const places = new Set(sourceFiles().map((file) => file.split('/').slice(0, 3).join('/')));
    expect([...places].sort()).toEqual([...listed, ...above].sort());
  });
});

const one = 'export const one: number = 1;\n';
const clean = {
  'src/core/base/one.ts': one,
  'src/core/crypto/hash.ts': "import 'node:crypto';\nimport '@noble/hashes/sha2.js';\n",
  'src/host/store/file.ts': "import 'node:fs/promises';\nimport '../../core/base/one.ts';\n",
  'src/host/uplink/link.ts': "import 'mqtt';\nimport '../store/file.ts';\n",
  'src/apps/cli/main.ts': "import 'node:net';\nimport '../../host/uplink/link.ts';\n",
  'src/index.ts': "import './apps/cli/main.ts';\n",
};

const planted: [string, string, Record<string, string>, string][] = [
  [
    'core imports host',
    'order src/core/base/',
    { 'src/core/base/bad.ts': "import '../../host/store/file.ts';\n" },
    'src/host/store/file.ts',
  ],
  [
    'host imports apps',
    'order src/host/store/',
    { 'src/host/store/bad.ts': "import '../../apps/cli/main.ts';\n" },
    'src/apps/cli/main.ts',
  ],
  [
    'a room imports a later room, for a type only',
    'order src/core/base/',
    {
      'src/core/crypto/type.ts': 'export type Late = 1;\n',
      'src/core/base/bad.ts':
        "import type { Late } from '../crypto/type.ts';\nexport type X = Late;\n",
    },
    'src/core/crypto/type.ts',
  ],
  [
    'a room imports the public index',
    'order src/apps/cli/',
    { 'src/apps/cli/bad.ts': "import '../../index.ts';\n" },
    'src/index.ts',
  ],
  [
    'core imports the disk',
    'package src/core/crypto/',
    { 'src/core/crypto/bad.ts': "import 'node:fs';\n" },
    'fs',
  ],
  [
    'core imports it late',
    'package src/core/base/',
    { 'src/core/base/bad.ts': "export const late: unknown = await import('node:net');\n" },
    'net',
  ],
  [
    'a package that belongs to another room',
    'package src/host/store/',
    { 'src/host/store/bad.ts': "import 'mqtt';\n" },
    'node_modules/mqtt/',
  ],
  [
    'the engine is imported outside the worker',
    'sole-importer onnxruntime-web',
    { 'src/host/inference/bad.ts': "import 'onnxruntime-web/wasm';\n" },
    'node_modules/onnxruntime-web/',
  ],
  [
    'two files import each other',
    'no-cycle',
    {
      'src/core/base/bad.ts': "import './worse.ts';\n",
      'src/core/base/worse.ts': "import './bad.ts';\n",
    },
    'src/core/base/bad.ts',
  ],
  [
    'a package that is not installed',
    'unresolved',
    { 'src/apps/cli/bad.ts': "import 'no-such-package';\n" },
    'no-such-package',
  ],
];

describe('the rules', () => {
  it('accept a small house that keeps them', async () => {
    expect((await look(plant('clean', clean))).violations).toEqual([]);
  });

  it.each(planted)('catch it when %s', async (name, rule, files, target) => {
    const { violations } = await look(plant(name.replaceAll(' ', '-'), { ...clean, ...files }));
    const caught = violations.filter((found) => found.startsWith(`${rule}: `));
    expect(caught.length, violations.join('\n')).toBeGreaterThan(0);
    expect(caught.join('\n')).toContain(target);
  });
});
