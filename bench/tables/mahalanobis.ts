/** The guard's Mahalanobis distance to ten classes, beside the formula written down as it stands. */
import type { Kernels } from '../../src/core/numeric/kernels.ts';
import { referenceKernels } from '../../src/core/numeric/reference.ts';
import { alternate, differenceOf, ratioOf, spreadOf } from '../measure.ts';
import type { Judged, Row, Table } from '../report.ts';
import { type Bench, roundsOf } from '../workshop.ts';
import { batchOf, wasmKernels } from './kernels.ts';

const CLASSES = 10;

const WIDTHS = [64, 256, 512] as const;
type Width = (typeof WIDTHS)[number];

export async function mahalanobisTable(bench: Bench): Promise<Table> {
  const wasm = wasmKernels(bench);
  const rows: Row[] = [];
  for (const d of WIDTHS) rows.push(...(await rowsOf(bench, wasm, d)));
  return {
    name: 'mahalanobis',
    title: `Mahalanobis distance to the nearest of ${CLASSES} classes`,
    about:
      'the kernels, in WebAssembly and in plain TypeScript, beside (x - m)T P (x - m) for every class',
    rows,
  };
}

async function rowsOf(bench: Bench, { nearestSquared }: Kernels, d: Width): Promise<Row[]> {
  const { whitener, precision, means, centres, x } = specimen(d);
  const peers = {
    wasm: (): number => nearestSquared(whitener, centres, x),
    reference: (): number => referenceKernels.nearestSquared(whitener, centres, x),
    naive: (): number => naiveNearest(precision, means, x),
    nothing: (): number => x[0] as number,
  };
  for (const kernel of [peers.wasm, peers.reference]) {
    const difference = Math.abs(kernel() / peers.naive() - 1);
    if (!(difference < 1e-9)) throw new Error(`two distances differ by ${difference}`);
  }
  // As often as V8 needs to compile them.
  for (let i = 0; i < 400; i++) peers.wasm() + peers.reference() + peers.nothing();
  for (let i = 0; i < 20; i++) peers.naive();
  const samples = await alternate(roundsOf(bench, 25), {
    wasm: batchOf(peers.wasm),
    reference: batchOf(peers.reference),
    naive: batchOf(peers.naive),
    nothing: batchOf(peers.nothing),
  });
  const overNaive = (own: readonly number[]): Judged => {
    return { kind: 'ratio', peer: 'naive', figure: ratioOf(own, samples.naive) };
  };
  const time: Judged = {
    kind: 'more',
    peer: 'an empty call',
    figure: differenceOf(samples.wasm, samples.nothing),
    budget: bench.budgets.mahalanobis[`us, d = ${d}`],
  };
  const what = `d = ${d}: wasm (goal ${bench.budgets.mahalanobis[`goal us, d = ${d}`]} us)`;
  const judged = [overNaive(samples.reference)];
  return [
    { what, unit: 'us', value: spreadOf(samples.wasm), judged: [time, overNaive(samples.wasm)] },
    { what: `d = ${d}: reference`, unit: 'us', value: spreadOf(samples.reference), judged },
    { what: `d = ${d}: naive`, unit: 'us', value: spreadOf(samples.naive) },
  ];
}

/** A lower triangle L with P = LT L, and class means with their whitened forms L m. */
function specimen(d: number) {
  const whitener = Float64Array.from({ length: (d * (d + 1)) / 2 }, (_, i) => Math.sin(i + 1));
  const at = (row: number, column: number): number =>
    column > row ? 0 : (whitener[(row * (row + 1)) / 2 + column] as number);
  const precision = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let sum = 0;
      for (let row = Math.max(i, j); row < d; row++) sum += at(row, i) * at(row, j);
      precision[i * d + j] = sum;
    }
  }
  const means = Float64Array.from({ length: CLASSES * d }, (_, i) => Math.cos(3 * i));
  const centres = new Float64Array(CLASSES * d);
  for (let k = 0; k < CLASSES; k++) {
    for (let row = 0; row < d; row++) {
      let sum = 0;
      for (let j = 0; j <= row; j++) sum += at(row, j) * (means[k * d + j] as number);
      centres[k * d + row] = sum;
    }
  }
  const x = Float64Array.from({ length: d }, (_, i) => Math.sin(7 * i));
  return { whitener, precision, means, centres, x };
}

function naiveNearest(precision: Float64Array, means: Float64Array, x: Float64Array): number {
  const d = x.length;
  let nearest = Infinity;
  for (let k = 0; k < CLASSES; k++) {
    let sum = 0;
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        const left = (x[i] as number) - (means[k * d + i] as number);
        const right = (x[j] as number) - (means[k * d + j] as number);
        sum += left * (precision[i * d + j] as number) * right;
      }
    }
    nearest = Math.min(nearest, sum);
  }
  return nearest;
}
