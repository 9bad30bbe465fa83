/** Every kernel in WebAssembly beside the plain TypeScript that is its specification. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../src/core/crypto/digest.ts';
import type { Kernels } from '../../src/core/numeric/kernels.ts';
import { referenceKernels } from '../../src/core/numeric/reference.ts';
import { openWasmKernels } from '../../src/core/numeric/wasm-kernels.ts';
import { alternate, ratioOf, spreadOf } from '../measure.ts';
import type { Row, Table } from '../report.ts';
import { type Bench, roundsOf } from '../workshop.ts';

const BATCH_US = 1500;

type Act = (kernels: Kernels) => number;

export async function kernelsTable(bench: Bench): Promise<Table> {
  const wasm = wasmKernels(bench);
  const rows: Row[] = [];
  for (const [what, act] of trials()) rows.push(...(await rowsOf(bench, wasm, what, act)));
  return {
    name: 'kernels',
    title: 'The kernels of the guard',
    about: 'WebAssembly with what it takes to copy the arguments in, beside the reference',
    rows,
  };
}

/** The built ones, which must be there: a device that falls back to the reference says so. */
export function wasmKernels({ dist }: Bench): Kernels {
  const opened = openWasmKernels(readFileSync(join(dist, 'edgeward-kernels.wasm')), sha256);
  if (!opened.ok) throw new Error(`${opened.fault.code}: ${opened.fault.message}`);
  return opened.value;
}

/** Microseconds of one call, from batches that are over before another process gets the core. */
export function batchOf(act: () => number): () => number {
  const runs = Math.max(1, Math.round(BATCH_US / batchUs(act, 20)));
  return () => batchUs(act, runs);
}

function batchUs(act: () => number, runs: number): number {
  let kept = 0;
  const startMs = performance.now();
  for (let i = 0; i < runs; i++) kept += act();
  const us = ((performance.now() - startMs) * 1000) / runs;
  // The results are used, so that no compiler leaves the work out.
  if (Number.isNaN(kept)) throw new Error('a result is not a number');
  return us;
}

async function rowsOf(bench: Bench, wasm: Kernels, what: string, act: Act): Promise<Row[]> {
  const reference = (): number => act(referenceKernels);
  const fast = (): number => act(wasm);
  for (let i = 0; i < 400; i++) fast() + reference();
  const samples = await alternate(roundsOf(bench, 25), {
    fast: batchOf(fast),
    reference: batchOf(reference),
  });
  const figure = ratioOf(samples.fast, samples.reference);
  const budget = bench.budgets.kernels['/ reference'];
  const judged = [{ kind: 'ratio', peer: 'reference', figure, budget } as const];
  return [
    { what, unit: 'us', value: spreadOf(samples.fast), judged },
    { what: `${what}: reference`, unit: 'us', value: spreadOf(samples.reference) },
  ];
}

/** Sizes that devices meet: a picture of 96 x 96 in colour, a bank as large as may be, ImageNet. */
function trials(): [string, Act][] {
  const picture = Float32Array.from({ length: 96 * 96 * 3 }, (_, i) => 128 + 127 * Math.sin(i * i));
  const bank = Float32Array.from({ length: 2000 * 128 }, (_, i) => Math.sin(i * i));
  const point = Float32Array.from({ length: 128 }, (_, i) => Math.cos(i));
  const logits = Float32Array.from({ length: 1000 }, (_, i) => 8 * Math.sin(i * i));
  const ten = logits.slice(0, 10);
  const counts = new Uint32Array(256);
  const probabilities = new Float64Array(logits.length);
  return [
    ['scan, 27,648 values', ({ scan }) => scan(picture).max],
    [
      'histogram, 27,648 values in 256 bins',
      ({ histogram }) => {
        histogram(picture, 0, 255, counts);
        return counts[0] as number;
      },
    ],
    ['kNN, 2,000 rows of 128', ({ kthNearestSquared }) => kthNearestSquared(bank, point, 10)],
    [
      'softmax and energy, 1,000 classes',
      (kernels) => kernels.softmaxEnergy(logits, probabilities),
    ],
    ['GEN, 1,000 classes', ({ gen }) => gen(logits, 0.1)],
    ['GEN, 10 classes', ({ gen }) => gen(ten, 0.1)],
  ];
}
