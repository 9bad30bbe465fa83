/** A row of a table: each column is a statistic of its own, held against its own quantiles. */
import type { TableLayout } from './input-layout.ts';

/** In the order of `tableStatistics`. */
export function tableStatisticNames({ columns }: TableLayout): readonly string[] {
  return Array.from({ length: columns }, (_, column) => `column ${column}`);
}

/** `undefined` where a value is NaN or infinite. */
export function tableStatistics(values: Float32Array): Float64Array | undefined {
  const out = Float64Array.from(values);
  return out.every(Number.isFinite) ? out : undefined;
}
