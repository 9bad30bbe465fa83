/**
 * The main job on real models, through the program: calibrate, pack, verify, infer; the figures it
 * reaches, what it gives out held against bare ONNX Runtime, and bundles with one byte changed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web/wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { need } from '../../src/core/base/fault.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { auroc, binomialUpper } from '../../src/core/calibration/evaluate.ts';
import { convertTensor, decodeNpy, rowOf } from '../../src/core/numeric/npy.ts';
import type { Tensor } from '../../src/core/numeric/tensor.ts';
import { EMPTY_FLOOR } from '../../src/core/trust/floor.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { systemClock } from '../../src/host/platform/clock.ts';
import { readRoot, trustContext } from '../../src/host/runtime/trust-state.ts';
import { type JudgedLine, jsonOf, linesOf, outputOf } from '../apps/cli/program.ts';
import { floats, lcg, npy } from '../apps/maker/toy.ts';
import { sharedMissing, sharedPath } from '../shared.ts';

const FALSE_ALARMS = 0.01;
const CONFIDENCE = 0.95;
const OFFSETS = 200;
const HEAD_BYTES = 4096;

let folder = '';
const at = (name: string): string => join(folder, name);
const data = (name: string): string => sharedPath(`data/${name}.npy`);

beforeAll(async () => {
  if (sharedMissing) return;
  folder = mkdtempSync(join(tmpdir(), 'edgeward-real-'));
  for (const name of ['root', 'release']) await outputOf(['keygen', '--dev', '--out', at(name)]);
  await outputOf([
    ...['root', 'init', '--root-key', at('root.key'), '--release-key', at('release.pub')],
    ...['--out', at('root.cbor')],
  ]);
  const wasm = createRequire(import.meta.url).resolve(
    'onnxruntime-web/ort-wasm-simd-threaded.wasm',
  );
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = readFileSync(wasm).buffer;
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

const model = (name: string): string => sharedPath(`models/${name}.onnx`);

async function calibrate(
  name: string,
  set: string,
  ...more: string[]
): Promise<Record<string, unknown>> {
  return jsonOf([
    ...['calibrate', '--model', model(name), '--fit', data(`${set}-fit-x`)],
    ...['--labels', data(`${set}-fit-y`), '--calibration', data(`${set}-calibration-x`)],
    ...['--false-alarms', String(FALSE_ALARMS), '--out', at(`${name}.cbor`), ...more],
  ]);
}

/** Packs and verifies; gives the path of the bundle. */
async function packed(name: string, ...guard: string[]): Promise<string> {
  const bundle = at(`${name}.bundle`);
  const made = await jsonOf([
    ...['pack', '--model', model(name), ...guard, '--name', name, '--version', '1.0.0'],
    ...['--security-version', '1', '--class', 'any', '--key', at('release.key'), '--out', bundle],
  ]);
  const verified = await jsonOf(['verify', bundle, '--root', at('root.cbor'), '--floor', '1']);
  expect(verified).toMatchObject({ verified: true, manifestSha256: made['manifestSha256'] });
  return bundle;
}

function infer(bundle: string, npyPath: string): Promise<JudgedLine[]> {
  return linesOf(['infer', bundle, '--root', at('root.cbor'), '--input', npyPath]);
}

/** Every row alone through onnxruntime-web with nothing around it. */
async function bare(
  name: string,
  npyPath: string,
  each: (row: number, outputs: ort.InferenceSession.OnnxValueMapType) => void,
): Promise<number> {
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model(name))));
  const [input = ''] = session.inputNames;
  const inputs = tensorIn(npyPath);
  const rows = inputs.dims[0] as number;
  for (let row = 0; row < rows; row++) {
    const { dims, data: values } = rowOf(inputs, row);
    const feed = new ort.Tensor('float32', values as Float32Array, dims);
    each(row, await session.run({ [input]: feed }));
  }
  await session.release();
  return rows;
}

function tensorIn(path: string): Tensor {
  return need(convertTensor(need(decodeNpy(new Uint8Array(readFileSync(path)))), 'float32'));
}

/** That what was given out is what bare ONNX Runtime gives, to the last bit of every number. */
async function expectSameBits(name: string, npyPath: string, lines: JudgedLine[]): Promise<void> {
  let compared = 0;
  const rows = await bare(name, npyPath, (row, outputs) => {
    const { source, outputs: given } = lines[row] as JudgedLine;
    expect(source).toBe('model');
    expect(Object.keys(given).sort()).toEqual(Object.keys(outputs).sort());
    for (const [output, value] of Object.entries(outputs)) {
      const wanted = new Uint32Array(((value as ort.Tensor).data as Float32Array).slice().buffer);
      const got = new Uint32Array(Float32Array.from(given[output] ?? []).buffer);
      expect(
        Buffer.from(got.buffer).equals(Buffer.from(wanted.buffer)),
        `${output}, row ${row}`,
      ).toBe(true);
      compared += wanted.length;
    }
  });
  expect(lines).toHaveLength(rows);
  expect(compared).toBeGreaterThan(0);
  console.info(`${name}: ${compared} numbers of ${rows} rows bit-identical to onnxruntime-web`);
}

const pOf = (lines: JudgedLine[]): number[] => lines.map(({ novelty }) => novelty?.p ?? Number.NaN);

const alarms = (lines: JudgedLine[]): number => {
  return lines.filter(({ verdict }) => verdict === 'flag').length;
};

/** The alarm rate on rows like those of calibration, and the most that chance may make of it. */
function expectPromise(name: string, lines: JudgedLine[]): string {
  const rate = alarms(lines) / lines.length;
  const most = binomialUpper(lines.length, FALSE_ALARMS, CONFIDENCE);
  expect(rate, name).toBeLessThanOrEqual(most);
  for (const { verdict } of lines) expect(['release', 'flag']).toContain(verdict);
  return `alarm rate ${percent(rate)} of ${lines.length} test rows, at most ${percent(most)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

describe.skipIf(sharedMissing)('real models (needs the shared models and data)', () => {
  it('ResNet8: the promise holds, near and far data are told apart, outputs are untouched', async () => {
    const name = 'resnet8-cifar10';
    expect(await calibrate(name, 'cifar10')).toMatchObject({ detection: 'full', rowsHalfB: 1000 });
    const bundle = await packed(name, '--guard', at(`${name}.cbor`));
    const [test, near] = await Promise.all(
      ['cifar10-test-x', 'cifar100-test-x'].map((set) => infer(bundle, data(set))),
    );
    const [far] = await Promise.all([
      infer(bundle, data('mnist32-test-x')),
      expectSameBits(name, data('cifar10-test-x'), test ?? []),
    ]);
    const words = expectPromise(name, test ?? []);
    const aurocNear = auroc(pOf(test ?? []), pOf(near ?? []));
    const aurocFar = auroc(pOf(test ?? []), pOf(far));
    console.info(
      `${name}: ${words}; AUROC of novelty.p near ${aurocNear.toFixed(4)}, ` +
        `far ${aurocFar.toFixed(4)}; flagged near ${percent(alarms(near ?? []) / 2000)}, ` +
        `far ${percent(alarms(far) / 2000)}`,
    );
    expect(aurocNear).toBeGreaterThanOrEqual(0.82);
    expect(aurocFar).toBeGreaterThanOrEqual(0.975);
  });

  it('bearing CNN: the promise holds, outputs are untouched, another motor load is noticed', async () => {
    const name = 'bearing-cnn';
    // All of the budget for novelty: the statistics of the inputs are those of any load.
    const fitted = await calibrate(name, 'bearing', '--no-input-statistics');
    expect(fitted).toMatchObject({ detection: 'full', checks: ['novelty'] });
    const bundle = await packed(name, '--guard', at(`${name}.cbor`));
    const [test, load3] = await Promise.all(
      ['bearing-test-x', 'bearing-load3-x'].map((set) => infer(bundle, data(set))),
    );
    await expectSameBits(name, data('bearing-test-x'), test ?? []);
    const words = expectPromise(name, test ?? []);
    const flagged = alarms(load3 ?? []) / (load3?.length ?? 0);
    console.info(
      `${name}: ${words}; motor load 3: flagged ${percent(flagged)}, ` +
        `AUROC of novelty.p ${auroc(pOf(test ?? []), pOf(load3 ?? [])).toFixed(4)}`,
    );
    expect(flagged).toBeGreaterThan(0.1);
  });

  it.each<[name: string, dims: number[], scale: number, outputs: Record<string, number>]>([
    ['ultraface-rfb-320', [3, 3, 240, 320], 2, { scores: 4420 * 2, boxes: 4420 * 4 }],
    ['toycar-ae', [20, 640], 4, { reconstruction: 640, features: 8 }],
  ])(
    '%s with --contract-only: packed, verified, released as bare ONNX Runtime gives it',
    async (name, dims, scale, outputs) => {
      // A frame of zeros is what a stuck sensor gives; here the model shall see it.
      const metadata = at('unstuck.json');
      writeFileSync(metadata, '{"guard": {"sensors": {"stuckChannel": false}}}');
      const bundle = await packed(name, '--contract-only', '--metadata', metadata);
      const random = lcg(7);
      const count = dims.reduce((product, dim) => product * dim, 1);
      const rowSize = count / (dims[0] as number);
      // The first row is zeros, the others are seeded noise.
      const values = Array.from({ length: count }, (_, i) =>
        i < rowSize ? 0 : scale * (random() - 0.5),
      );
      writeFileSync(at(`${name}.npy`), npy(floats(dims, values)));
      const lines = await infer(bundle, at(`${name}.npy`));
      for (const { verdict, novelty, outputs: given } of lines) {
        expect(verdict).toBe('release');
        expect(novelty).toBeUndefined();
        const sizes = Object.entries(given).map(([output, numbers]) => [output, numbers.length]);
        expect(Object.fromEntries(sizes)).toEqual(outputs);
      }
      await expectSameBits(name, at(`${name}.npy`), lines);
    },
  );

  it('one changed byte anywhere in the ResNet8 bundle is refused; the untouched one verifies', () => {
    const bundle = new Uint8Array(readFileSync(at('resnet8-cifar10.bundle')));
    const context = trustContext(
      need(readRoot(at('root.cbor'))),
      EMPTY_FLOOR,
      'development',
      undefined,
      systemClock,
    );
    const verify = (bytes: Uint8Array) => verifyBundle(bytesSource(bytes), 'install', context);
    expect(verify(bundle).ok).toBe(true);
    const codes = new Map<string, number>();
    // Spread over the whole file, and close together at its head, where the structure is.
    const spread = Array.from({ length: OFFSETS }, (_, i) => {
      return Math.round((i * (bundle.length - 1)) / (OFFSETS - 1));
    });
    const head = Array.from({ length: OFFSETS }, (_, i) => i * Math.floor(HEAD_BYTES / OFFSETS));
    for (const [i, offset] of [...spread, ...head].entries()) {
      const byte = bundle[offset] as number;
      bundle[offset] = byte ^ (1 << (i % 8));
      const refused = verify(bundle);
      bundle[offset] = byte;
      const code = refused.ok ? 'accepted' : refused.fault.code;
      codes.set(code, (codes.get(code) ?? 0) + 1);
      expect(refused.ok, `offset ${offset}`).toBe(false);
    }
    expect(verify(bundle).ok).toBe(true);
    const told = [...codes].map(([code, count]) => `${count} ${code}`).join(', ');
    console.info(`resnet8-cifar10: one changed byte at ${2 * OFFSETS} offsets: ${told}`);
  });
});
