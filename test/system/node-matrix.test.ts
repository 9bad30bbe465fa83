/**
 * The built `dist/`, alone in an empty folder, on every line of Node.js that is promised: the same
 * bundles give the same bytes, and a model that hangs loses its worker.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoDatasets } from '../../src/apps/demo/stream.ts';
import { stuckModel } from '../../src/apps/demo/stuck-model.ts';
import { WINDOW_SAMPLES } from '../../src/apps/demo/vibration.ts';
import type { Tensor } from '../../src/core/numeric/tensor.ts';
import { judgedLines } from '../apps/cli/program.ts';
import { openToyBench, type ToyBench } from '../apps/cli/toy-bench.ts';
import { floats, TOY_INPUTS, toyRows } from '../apps/maker/toy.ts';
import { whyStale } from '../built.ts';
import { NODE_VERSIONS, NodeUnavailable, nodeBinary } from './node-binaries.ts';

const root = resolve(import.meta.dirname, '../..');
const FETCH_AND_RUN_MS = 300_000;
const STUCK_DEADLINE_MS = 300;
const FIT_ROWS = 200;
const CALIBRATION_ROWS = 300;
const TEST_ROWS = 40;

const stale = whyStale();
if (stale !== '' && process.env['CI'] === 'true') throw new Error(stale);

/** What one Node says: the standard output of each command. */
type Said = Readonly<Record<string, string>>;

const LIBRARY = `
  import { EDGEWARD_VERSION, EdgewardError, openGuard } from './dist/index.js';
  const root = 'root.cbor';
  const guard = await openGuard({ bundle: 'toy.bundle', root });
  const data = new Float32Array(${JSON.stringify(rowOfToy())});
  const judged = await guard.infer({ x: { dtype: 'float32', dims: [1, 8], data } });
  await guard.close();
  const refused = await openGuard({ bundle: 'damaged.bundle', root }).catch((error) => error);
  const { verdict, outputs, novelty } = judged;
  console.log(JSON.stringify({
    version: EDGEWARD_VERSION,
    verdict,
    outputs: [...outputs].map(([name, tensor]) => [name, [...tensor.data]]),
    novelty,
    refused: refused instanceof EdgewardError && refused.code,
  }));
`;

let bench: ToyBench;
let place = '';
let reference: Said = {};

beforeAll(async () => {
  if (stale !== '') return;
  place = mkdtempSync(join(tmpdir(), 'edgeward-place-'));
  cpSync(join(root, 'dist'), join(place, 'dist'), { recursive: true });
  bench = await openToyBench();
  bench.npy('toy.npy', toyMixed());
  for (const name of ['toy.bundle', 'root.cbor', 'toy.npy']) {
    copyFileSync(bench.at(name), join(place, name));
  }
  copyFileSync(bench.damaged('toy.bundle', 9000), join(place, 'damaged.bundle'));
  writeFileSync(join(place, 'library.mjs'), LIBRARY);
  await packRotor();
  await packStuck();
  reference = await sayAll(process.execPath);
});

afterAll(() => {
  bench?.remove();
  if (place !== '') rmSync(place, { recursive: true, force: true });
});

describe.skipIf(stale !== '')(`dist${stale === '' ? '' : ` (skipped: ${stale})`}`, () => {
  it('verifies, judges, ends a hung model and is a library on the Node that built it', () => {
    expect(JSON.parse(reference['verify'] ?? '')).toMatchObject({ verified: true, name: 'rotor' });
    const verdicts = (what: string): string[] => {
      return judgedLines(reference[what] ?? '').map(({ verdict }) => verdict);
    };
    expect(verdicts('toy')).toHaveLength(TEST_ROWS);
    expect(new Set(verdicts('toy'))).toEqual(new Set(['release', 'flag']));
    expect(verdicts('rotor')).toHaveLength(TEST_ROWS);
    expect(judgedLines(reference['rotor'] ?? '')[0]?.novelty).toBeDefined();
    // Silence is answered; the loop is ended at its deadline; a new worker answers silence again.
    const stuck = judgedLines(reference['stuck'] ?? '');
    expect(verdicts('stuck')).toEqual(['release', 'substitute', 'release']);
    expect(stuck[1]?.reasons.map(({ code }) => code)).toEqual(['inference.failed-deadline']);
    expect(JSON.parse(reference['library'] ?? '')).toMatchObject({
      verdict: 'release',
      refused: expect.stringMatching(/^bundle\./),
    });
  });

  it.for(NODE_VERSIONS)(
    'gives the same bytes on Node %s',
    { timeout: FETCH_AND_RUN_MS },
    async (version, { skip }) => {
      const node = await nodeBinary(version).catch((thrown: unknown) => {
        const offline = thrown instanceof NodeUnavailable && process.env['CI'] !== 'true';
        if (!offline) throw thrown;
        return skip(thrown.message);
      });
      const { stdout } = await promisify(execFile)(node, ['--version']);
      expect(stdout.trim()).toBe(`v${version}`);
      const said = await sayAll(node);
      for (const [command, words] of Object.entries(reference)) {
        expect(said[command], command).toBe(words);
      }
    },
  );
});

/** Nothing of this process's surroundings reaches the program; a warning of Node is a failure. */
async function say(node: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(node, args, {
    cwd: place,
    env: {},
    maxBuffer: 2 ** 26,
  });
  expect(stderr).not.toMatch(/warning|error|\n\s+at /i);
  return stdout;
}

async function sayAll(node: string): Promise<Said> {
  const trust = ['--root', 'root.cbor', '--json'];
  const infer = (bundle: string, input: string): Promise<string> => {
    return say(node, 'dist/cli.cjs', 'infer', bundle, '--input', input, ...trust);
  };
  return {
    verify: await say(node, 'dist/cli.cjs', 'verify', 'rotor.bundle', ...trust),
    toy: await infer('toy.bundle', 'toy.npy'),
    rotor: await infer('rotor.bundle', 'windows.npy'),
    stuck: await infer('stuck.bundle', 'stuck.npy'),
    library: await say(node, 'library.mjs'),
  };
}

/** By the program itself, in its folder, on this Node. */
async function make(...args: readonly string[]): Promise<void> {
  await say(process.execPath, 'dist/cli.cjs', ...args);
}

function release(name: string): string[] {
  return [
    ...['--name', name, '--version', '1.0.0', '--security-version', '1', '--class', 'any'],
    ...['--key', bench.at('release.key'), '--out', `${name}.bundle`],
  ];
}

/** The demo's convolutional model, with a guard on fewer rows than the demo takes. */
async function packRotor(): Promise<void> {
  const { fit, fitLabels, calibration } = demoDatasets();
  bench.npy('windows-fit.npy', firstRows(fit, FIT_ROWS));
  const labels = fitLabels.slice(0, FIT_ROWS);
  bench.npy('windows-labels.npy', { dtype: 'int32', dims: [FIT_ROWS], data: labels });
  bench.npy('windows-calibration.npy', firstRows(calibration, CALIBRATION_ROWS));
  copyFileSync(bench.npy('windows.npy', firstRows(fit, TEST_ROWS)), join(place, 'windows.npy'));
  await make(
    ...['calibrate', '--model', 'dist/rotor.onnx', '--metadata', 'dist/rotor.json'],
    ...['--fit', bench.at('windows-fit.npy'), '--labels', bench.at('windows-labels.npy')],
    ...['--calibration', bench.at('windows-calibration.npy'), '--false-alarms', '0.05'],
    ...['--out', bench.at('rotor-guard.cbor')],
  );
  const guard = ['--guard', bench.at('rotor-guard.cbor'), '--metadata', 'dist/rotor.json'];
  await make('pack', '--model', 'dist/rotor.onnx', ...guard, ...release('rotor'));
}

/** Answers silence, and nothing else ever. */
async function packStuck(): Promise<void> {
  const metadata = {
    safeOutput: { outputs: { logits: [0, 0, 0, 0] } },
    budgets: { runDeadlineMs: STUCK_DEADLINE_MS },
    // Silence is what a stuck sensor gives; here the model shall see it.
    guard: { sensors: { stuckChannel: false } },
  };
  const files = ['--metadata', bench.write('stuck.json', JSON.stringify(metadata))];
  const model = bench.write('stuck.onnx', stuckModel());
  await make(
    'pack',
    '--model',
    model,
    '--contract-only',
    '--no-golden',
    ...files,
    ...release('stuck'),
  );
  const rows = [0, 1, 0].flatMap((value) => Array<number>(WINDOW_SAMPLES).fill(value));
  const stuck = bench.npy('stuck.npy', floats([3, 1, WINDOW_SAMPLES], rows));
  copyFileSync(stuck, join(place, 'stuck.npy'));
}

function firstRows({ data }: Tensor, count: number): Tensor {
  const values = (data as Float32Array).subarray(0, count * WINDOW_SAMPLES);
  return floats([count, 1, WINDOW_SAMPLES], values);
}

/** Half of the rows as in calibration, half far from it. */
function toyMixed(): Tensor {
  const [usual, strange] = [toyRows(3, TEST_ROWS / 2), toyRows(4, TEST_ROWS / 2, 6)];
  const values = [usual, strange].flatMap(({ x }) => Array.from(x.data as Float32Array));
  return floats([TEST_ROWS, TOY_INPUTS], values);
}

function rowOfToy(): number[] {
  return Array.from((toyRows(3, 1).x.data as Float32Array).subarray(0, 8));
}
