/** Seeded rows for fits: normal values, in as many directions as asked for. */
import type { Rows } from '../../../src/core/calibration/rows.ts';
import { randomNumbers } from './simulated.ts';

/** Box-Muller. */
export function normals(seed: number): () => number {
  const next = randomNumbers(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Rows of `width` values, each `value(row, column, normal)`. */
export function rowsOf(
  count: number,
  width: number,
  seed: number,
  value: (row: number, column: number, normal: () => number) => number,
): Rows {
  const normal = normals(seed);
  const data = Float32Array.from({ length: count * width }, (_, at) =>
    value(Math.floor(at / width), at % width, normal),
  );
  return { width, data };
}
