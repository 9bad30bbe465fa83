/** The guard's Mahalanobis distance to ten classes, beside the formula written down as it stands. */
import { referenceKernels } from '../../src/core/numeric/reference.ts';
import { alternate, ratioOf, spreadOf } from '../measure.ts';
import type { Row, Table } from '../report.ts';
import { type Bench, roundsOf } from '../workshop.ts';

const CLASSES = 10;
const BATCH_US = 20_000;

export async function mahalanobisTable(bench: Bench): Promise<Table> {
  const rows: Row[] = [];
  for (const d of [64, 256, 512]) rows.push(...(await rowsOf(bench, d)));
  return {
    name: 'mahalanobis',
    title: `Mahalanobis distance to the nearest of ${CLASSES} classes`,
    about: 'the reference kernel in plain TypeScript beside (x - m)T P (x - m) for every class',
    rows,
  };
}

async function rowsOf(bench: Bench, d: number): Promise<Row[]> {
  const { whitener, precision, means, centres, x } = specimen(d);
  const kernel = (): number => referenceKernels.nearestSquared(whitener, centres, x);
  const naive = (): number => naiveNearest(precision, means, x);
  const difference = Math.abs(kernel() / naive() - 1);
  if (!(difference < 1e-9)) throw new Error(`the two distances differ by ${difference}`);
  for (let i = 0; i < 20; i++) kernel() + naive();
  const runs = Math.max(1, Math.round(BATCH_US / batchUs(naive, 5)));
  const samples = await alternate(roundsOf(bench, 15), {
    kernel: () => batchUs(kernel, runs),
    naive: () => batchUs(naive, runs),
  });
  const figure = ratioOf(samples.kernel, samples.naive);
  const judged = [{ kind: 'ratio', peer: 'naive', figure } as const];
  return [
    { what: `d = ${d}: kernel`, unit: 'us', value: spreadOf(samples.kernel), judged },
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

function batchUs(act: () => number, runs: number): number {
  let kept = 0;
  const startMs = performance.now();
  for (let i = 0; i < runs; i++) kept += act();
  const us = ((performance.now() - startMs) * 1000) / runs;
  // The results are used, so that no compiler leaves the work out.
  if (Number.isNaN(kept)) throw new Error('the distance is not a number');
  return us;
}
