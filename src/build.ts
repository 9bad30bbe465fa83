/**
 * Writes `dist/`: `node src/build.ts`, on Node 24, which runs TypeScript as it is.
 *
 * It stands in `src/` above the rooms because the top level of the project is fixed, and because as
 * a source file it is formatted, type-checked and held to the layer rules like the rest. Nothing
 * imports it and it is not shipped. The same sources and packages give the same bytes.
 */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import asc from 'assemblyscript/asc';
import { build, type Metafile, type Plugin } from 'esbuild';
import ts from 'typescript';
import { KERNELS_SHA256 } from './core/numeric/kernels-pin.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const PROGRAM = 'src/apps/cli/main.ts';
const SHORT_WAY = ['verify', 'infer'];
/** Modules of the programs that start from one file, which they load from here when they need them. */
const LATER: Readonly<Record<string, string>> = {
  program: PROGRAM,
  'recorded-images': 'src/apps/maker/recorded-images.ts',
  'recorded-table': 'src/apps/maker/recorded-table.ts',
};
const LAUNCHER = `#!/usr/bin/env node
'use strict';
// CommonJS starts sooner, and so do the commands that have a file of their own.
if (${JSON.stringify(SHORT_WAY)}.includes(process.argv[2])) require('./' + process.argv[2] + '.cjs');
else import('./program.js');
`;
const ORT_WASM = 'node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm';

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;
const ORT_THIRD_PARTIES =
  '\n\nONNX Runtime itself contains the works listed in\n' +
  'https://github.com/microsoft/onnxruntime/blob/main/ThirdPartyNotices.txt';

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, 'devices'), { recursive: true });
const bundled = await bundlePrograms();
await bundleShortWay();
await compileKernels();
copyAssets();
writeFileSync(join(dist, 'THIRD-PARTY-NOTICES'), noticesOf(bundled));
const declarations = writeDeclarations();
process.stdout.write(`dist/: ${Object.keys(bundled.outputs).length} bundled files, `);
process.stdout.write(`${declarations} declarations\n`);

/**
 * All chunks lie flat beside the programs, so that `import.meta.url` finds the worker, the
 * WebAssembly file and the assets in the same folder from everywhere.
 */
async function bundlePrograms(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      ...LATER,
      index: 'src/index.ts',
      'ort-worker': 'src/host/inference/ort-worker.ts',
    },
    outdir: 'dist',
    chunkNames: '[name]-[hash]',
    bundle: true,
    // Commands are imported when they are called: what one of them needs, the others do not load.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    legalComments: 'eof',
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

/**
 * `verify` and `infer` once more, each as a CommonJS file with nothing else in it: their start
 * counts, and a dozen chunks of ES modules take 15 ms longer, as an import of `node:fs` loads all
 * that hangs on it.
 */
async function bundleShortWay(): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(
      SHORT_WAY.map((command) => [command, `src/apps/cli/main-${command}.ts`]),
    ),
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    minify: true,
    plugins: [later(), childProcessLater()],
    define: { 'import.meta.url': 'moduleUrl', 'import.meta.dirname': '__dirname' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    logLevel: 'warning',
  });
  const cli = join(dist, 'cli.cjs');
  writeFileSync(cli, LAUNCHER);
  chmodSync(cli, 0o755);
}

/** What is loaded when it is asked for: the program with all its commands, rare forms of inputs. */
function later(): Plugin {
  return {
    name: 'loaded-later',
    setup({ onResolve }) {
      for (const [name, path] of Object.entries(LATER)) {
        const filter = new RegExp(`^\\./${basename(path)}$`);
        onResolve({ filter }, () => ({ path: `./${name}.js`, external: true }));
      }
    },
  };
}

/** commander loads it for commands that are programs of their own, which Edgeward has none of. */
function childProcessLater(): Plugin {
  return {
    name: 'child-process-later',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:child_process$/ }, ({ importer, path }) =>
        importer.includes('/commander/') ? { path, namespace: 'later' } : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'later' }, ({ path }) => ({
        contents: `exports.spawn = (...args) => process.getBuiltinModule('${path}').spawn(...args);`,
      }));
    },
  };
}

/** `wasm/` as one file, which must be the one that the programs trust. */
async function compileKernels(): Promise<void> {
  const config = join(root, 'wasm/asconfig.json');
  const out = join(dist, 'edgeward-kernels.wasm');
  const { error, stderr } = await asc.main(['--config', config, '--outFile', out]);
  if (error !== null) throw new Error(`wasm/ does not compile: ${stderr}`);
  const sha256 = createHash('sha256').update(readFileSync(out)).digest('hex');
  if (sha256 === KERNELS_SHA256) return;
  throw new Error(
    `wasm/ compiles to ${sha256}: src/core/numeric/kernels-pin.ts has another digest`,
  );
}

function copyAssets(): void {
  copyFileSync(join(root, ORT_WASM), join(dist, basename(ORT_WASM)));
  copyMatching('src/apps/demo', /\.(onnx|json)$/, dist);
  copyMatching('devices', /\.json$/, join(dist, 'devices'));
}

function copyMatching(folder: string, ending: RegExp, target: string): void {
  for (const name of readdirSync(join(root, folder))) {
    if (ending.test(name)) copyFileSync(join(root, folder, name), join(target, name));
  }
}

/** The licences of every package of which at least one byte is in `dist/`. */
function noticesOf({ outputs }: Metafile): string {
  // The kernels contain the compiler's exponential and logarithm.
  const folders = new Set([dirname(dirname(ORT_WASM)), 'node_modules/assemblyscript']);
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
      if (bytesInOutput > 0 && folder !== undefined) folders.add(folder);
    }
  }
  const notices = [...folders].sort().map(noticeOf);
  return `Edgeward's programs contain the following packages.\n\n${notices.join('\n')}`;
}

function noticeOf(folder: string): string {
  const text = readFileSync(join(root, folder, 'package.json'), 'utf8');
  const { name, version, license, author } = JSON.parse(text) as Record<string, unknown>;
  const files = readdirSync(join(root, folder)).filter((file) =>
    /^(licen[cs]e|notice)/i.test(file),
  );
  const licences = files
    .sort()
    .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
  const head = `${'-'.repeat(80)}\n${name} ${version} (${license})\n\n`;
  if (licences.length > 0) return `${head}${licences.join('\n\n')}\n`;
  return `${head}${statedLicence(folder, String(name), String(license), author)}\n`;
}

/** For packages that name their licence and do not carry its text. */
function statedLicence(folder: string, name: string, license: string, author: unknown): string {
  if (name === '@bufbuild/protobuf') return protobufLicence(folder);
  if (license !== 'MIT') throw new Error(`${name} is ${license} and carries no licence text`);
  const holder = name.startsWith('onnxruntime-') ? 'Microsoft Corporation' : holderOf(name, author);
  const third = name === 'onnxruntime-web' ? ORT_THIRD_PARTIES : '';
  return `Copyright (c) ${holder}\n\n${MIT}${third}`;
}

/** Apache-2.0 like Edgeward itself, with one file of Google's, whose terms stand at its head. */
function protobufLicence(folder: string): string {
  const varint = readFileSync(join(root, folder, 'dist/esm/wire/varint.js'), 'utf8');
  const terms = /^(?:\/\/.*\n)+/.exec(varint)?.[0].replaceAll(/^\/\/ ?/gm, '');
  if (terms === undefined) throw new Error('varint.js does not start with its licence');
  const own = 'Copyright Buf Technologies, Inc., under the Apache License 2.0: see LICENSE.';
  return `${own}\n\nPart of it:\n\n${terms.trim()}`;
}

function holderOf(name: string, author: unknown): string {
  if (typeof author === 'string') return author;
  const { name: holder } = (author ?? {}) as { name?: unknown };
  return typeof holder === 'string' ? holder : `the authors of ${name}`;
}

/** The public types: what `index.d.ts` reaches, and no more. */
function writeDeclarations(): number {
  const emitted = emitDeclarations();
  const reached = new Set<string>();
  const waiting = [join(dist, 'index.d.ts')];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const text = emitted.get(path);
    if (text === undefined) throw new Error(`no declarations were written for ${path}`);
    if (reached.has(path)) continue;
    reached.add(path);
    const folder = dirname(path);
    const { rewritten, modules } = withJavaScriptEndings(path, text);
    waiting.push(...modules.map((module) => resolve(folder, `${module}.d.ts`)));
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, rewritten);
  }
  return reached.size;
}

/** `./x.ts` becomes `./x.js`, which is what stands in the package. */
function withJavaScriptEndings(
  path: string,
  text: string,
): { rewritten: string; modules: string[] } {
  let rewritten = text;
  const modules: string[] = [];
  // From the end, so that the positions before stay true.
  for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles.reverse()) {
    if (fileName.startsWith('node:')) continue;
    // A package here would be one that the reader of the types has to install.
    if (!fileName.startsWith('.')) throw new Error(`${path} imports ${fileName}`);
    const module = fileName.replace(/\.(ts|js)$/, '');
    modules.push(module);
    const start = rewritten.indexOf(fileName, pos);
    rewritten = `${rewritten.slice(0, start)}${module}.js${rewritten.slice(start + fileName.length)}`;
  }
  return { rewritten, modules };
}

function emitDeclarations(): Map<string, string> {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram([join(root, 'src/index.ts')], {
    ...options,
    noEmit: false,
    emitDeclarationOnly: true,
    rootDir: join(root, 'src'),
    outDir: dist,
  });
  const emitted = new Map<string, string>();
  const { diagnostics } = program.emit(undefined, (path, text) => emitted.set(resolve(path), text));
  const wrong = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (wrong.length > 0) {
    const names = { getCanonicalFileName: (name: string) => name, getNewLine: () => '\n' };
    const host = { ...names, getCurrentDirectory: () => root };
    throw new Error(ts.formatDiagnostics(wrong, host));
  }
  return emitted;
}
