/** Everything that the tables need on disk: development keys, a root, bundles, frames. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import type budgets from './budgets.json';

export interface Bench {
  /** For everything that is made for the run; removed at its end. */
  readonly folder: string;
  /** `cli.cjs`, `index.js` and what belongs to them. */
  readonly dist: string;
  readonly budgets: typeof budgets;
  /** Multiplies the rounds of every table. */
  readonly effort: number;
}

export function roundsOf({ effort }: Bench, usual: number): number {
  return Math.max(1, Math.round(usual * effort));
}

export function inFolder({ folder }: Bench, name: string): string {
  return join(folder, name);
}

/** `node dist/cli.cjs ...` */
export function edgeward({ dist }: Bench, ...args: string[]): [string, ...string[]] {
  return [process.execPath, join(dist, 'cli.cjs'), ...args];
}

/** Runs a program that must succeed. */
export function run(
  [program, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): void {
  const { status, stderr, error } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/** The root that trusts `release.key`; both are made once a run. */
export function rootFile(bench: Bench): string {
  const root = inFolder(bench, 'root.cbor');
  if (existsSync(root)) return root;
  const at = (name: string): string => inFolder(bench, name);
  for (const name of ['root', 'release']) {
    run(edgeward(bench, 'keygen', '--dev', '--out', at(name)));
  }
  const keys = ['--root-key', at('root.key'), '--release-key', at('release.pub')];
  run(edgeward(bench, 'root', 'init', ...keys, '--out', root));
  return root;
}

/** A signed bundle around a model of `mb` times 10^6 bytes; made in a process of its own. */
export function bigBundle(bench: Bench, mb: number): string {
  const path = inFolder(bench, `${mb}.bundle`);
  if (existsSync(path)) return path;
  rootFile(bench);
  const program = join(import.meta.dirname, 'programs/big-bundle.ts');
  run([process.execPath, program, path, String(mb), inFolder(bench, 'release.key')]);
  return path;
}

/** What `programs/verify-as.ts` does, as a file that starts as the CLI does. */
export function verifyAs(
  bench: Bench,
  ...args: readonly [check: string, roles: string, bundle: string, root: string]
): [string, ...string[]] {
  const outfile = inFolder(bench, 'verify-as.cjs');
  if (!existsSync(outfile)) {
    buildSync({
      entryPoints: [join(import.meta.dirname, 'programs/verify-as.ts')],
      outfile,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      minify: true,
    });
  }
  return [process.execPath, outfile, ...args];
}

export interface BenchModel {
  /** In the shared folder. */
  readonly name: string;
  readonly input: string;
  readonly dims: readonly number[];
  /** Recorded sets; contract-only without them. */
  readonly guard?: { readonly fit: string; readonly calibration: string };
}

export const RESNET8: BenchModel = {
  name: 'resnet8-cifar10',
  input: 'input',
  dims: [1, 3, 32, 32],
  guard: { fit: 'cifar10-fit', calibration: 'cifar10-calibration-x' },
};

const SHARED = resolve(
  process.env['EDGEWARD_SHARED'] ?? resolve(import.meta.dirname, '../../shared'),
);

/** Why the real models cannot be measured here, where they cannot. */
export function modelsMissing(): string | undefined {
  if (existsSync(join(SHARED, 'models'))) return undefined;
  return 'the shared models are not there (EDGEWARD_SHARED)';
}

export function modelFile({ name }: BenchModel): string {
  return join(SHARED, 'models', `${name}.onnx`);
}

/** Calibrated where the model has recorded sets, packed and signed by the program itself. */
export function modelBundle(bench: Bench, model: BenchModel): string {
  const path = inFolder(bench, `${model.name}.bundle`);
  if (existsSync(path)) return path;
  rootFile(bench);
  const data = (name: string): string => join(SHARED, 'data', `${name}.npy`);
  const policy = inFolder(bench, `${model.name}.cbor`);
  const onnx = ['--model', modelFile(model)];
  if (model.guard !== undefined) {
    const { fit, calibration } = model.guard;
    const sets = ['--fit', data(`${fit}-x`), '--labels', data(`${fit}-y`)];
    const more = ['--calibration', data(calibration), '--false-alarms', '0.01', '--out', policy];
    run(edgeward(bench, 'calibrate', ...onnx, ...sets, ...more));
  }
  const guard = model.guard === undefined ? ['--contract-only'] : ['--guard', policy];
  const name = ['--name', model.name, '--version', '1.0.0', '--security-version', '1'];
  const signed = ['--class', 'any', '--key', inFolder(bench, 'release.key'), '--out', path];
  run(edgeward(bench, 'pack', ...onnx, ...guard, ...name, ...signed));
  return path;
}

/** Seeded noise between 0 and 255; no two alike, or the guard would find a frozen sensor. */
export function noiseFrames(count: number, dims: readonly number[]): Float32Array[] {
  let state = 7;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) as number;
  };
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length: count }, () => Float32Array.from({ length: size }, next));
}

/** One frame as a `.npy` file (version 1.0, float32, row-major). */
export function writeFrame(path: string, dims: readonly number[], frame: Float32Array): void {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`;
  const padded = `${head.padEnd(128 - 10 - 1)}\n`;
  const prefix = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length, 0);
  const data = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
  writeFileSync(path, Buffer.concat([prefix, Buffer.from(padded, 'latin1'), data]));
}
