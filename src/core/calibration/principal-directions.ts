/** The directions in which rows extend furthest from an origin: eigenvectors of second moments. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { dotRow } from '../guard/pca.ts';
import { seededNumbers } from './seeded-numbers.ts';

/** Directions settle long before; more rows would only take the square of the width longer. */
export const MOMENT_ROWS_MAX = 8_192;
/** As many rows as directions would fit every row exactly, and say nothing of the next one. */
export const ROWS_A_DIRECTION = 2;

/** A full decomposition grows with the cube: 0.3 s here, 20 s at 1,280. */
const EXACT_MAX = 256;
/** Directions iterated beyond those asked for, so that the last of those converge too. */
const OVERSAMPLED = 16;
/** On 1,280 features of MobileNetV2 the subspace then holds 99.97% of what the best one does. */
const ITERATIONS = 4;
/** A row of which less than this is left lies in those before it. */
const DEPENDENT = 1e-10;
/** Rows summed up at a time: a column of them stays in the nearest cache. */
const CHUNK_ROWS = 512;

/**
 * `sum of x x' / count`, full and row-major, `d x d`.
 *
 * @param row writes the `d` values of row `index` to its target
 */
export function secondMoments(
  count: number,
  d: number,
  row: (index: number, target: Float64Array) => void,
): Float64Array {
  const moments = new Float64Array(d * d);
  const one = new Float64Array(d);
  for (let first = 0; first < count; first += CHUNK_ROWS) {
    const rows = Math.min(CHUNK_ROWS, count - first);
    const columns = new Float64Array(d * rows);
    for (let r = 0; r < rows; r++) {
      row(first + r, one);
      for (let i = 0; i < d; i++) columns[i * rows + r] = one[i] as number;
    }
    for (let i = 0; i < d; i++) {
      const column = columns.subarray(i * rows, (i + 1) * rows);
      for (let j = 0; j <= i; j++) {
        moments[i * d + j] = (moments[i * d + j] as number) + dotRow(columns, j * rows, column);
      }
    }
  }
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      const value = (moments[i * d + j] as number) / count;
      moments[i * d + j] = value;
      moments[j * d + i] = value;
    }
  }
  return moments;
}

/**
 * The `count` leading eigenvectors, largest eigenvalue first, as orthonormal rows: exact up to
 * 256 columns, beyond by subspace iteration from a fixed start (Halko, Martinsson & Tropp 2011).
 * That gives a subspace which holds as much as the best one does, to a small part of what lies
 * between the last direction inside and the first outside; the same bytes on every machine.
 */
export function leadingDirections(moments: Float64Array, d: number, count: number): Float64Array {
  if (d <= EXACT_MAX) return eigenvectors(moments, d).slice(0, count * d);
  const width = Math.min(d, count + OVERSAMPLED);
  const next = seededNumbers(0);
  let block = Float64Array.from({ length: width * d }, () => next() - 0.5);
  orthonormalise(block, d, next);
  for (let i = 0; i < ITERATIONS; i++) {
    block = images(moments, block, d);
    orthonormalise(block, d, next);
  }
  // Rayleigh-Ritz: the eigenvectors within the block.
  const image = images(moments, block, d);
  const inner = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    const row = image.subarray(i * d, (i + 1) * d);
    for (let j = 0; j < width; j++) inner[i * width + j] = dotRow(block, j * d, row);
  }
  const turns = eigenvectors(inner, width);
  const leading = new Float64Array(count * d);
  for (let i = 0; i < count; i++) {
    const row = leading.subarray(i * d, (i + 1) * d);
    for (let j = 0; j < width; j++) addScaled(row, turns[i * width + j] as number, block, j * d);
  }
  orthonormalise(leading, d, next);
  return leading;
}

/** All of a symmetric matrix, largest eigenvalue first, one a row. */
function eigenvectors(matrix: Float64Array, d: number): Float64Array {
  const full = Matrix.from1DArray(d, d, matrix);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(full, {
    assumeSymmetric: true,
  });
  const order = Array.from({ length: d }, (_, i) => i).sort(
    (a, b) => (realEigenvalues[b] as number) - (realEigenvalues[a] as number),
  );
  return Float64Array.from({ length: d * d }, (_, at) =>
    eigenvectorMatrix.get(at % d, order[Math.floor(at / d)] as number),
  );
}

/** A symmetric matrix times every row of the block. */
function images(matrix: Float64Array, block: Float64Array, d: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(block.length);
  const rows = block.length / d;
  for (let i = 0; i < d; i++) {
    const line = matrix.subarray(i * d, (i + 1) * d);
    for (let r = 0; r < rows; r++) out[r * d + i] = dotRow(block, r * d, line);
  }
  return out;
}

/** Gram-Schmidt, twice; a row that lies in those before it is replaced by one drawn anew. */
function orthonormalise(block: Float64Array, d: number, next: () => number): void {
  for (let start = 0; start < block.length; start += d) {
    const row = block.subarray(start, start + d);
    while (!shortened(block, row, start, d)) {
      for (let i = 0; i < d; i++) row[i] = next() - 0.5;
    }
  }
}

/** False when nothing of the row is left; else it has length 1. */
function shortened(block: Float64Array, row: Float64Array, end: number, d: number): boolean {
  const before = Math.sqrt(dotRow(row, 0, row));
  for (let pass = 0; pass < 2; pass++) {
    for (let other = 0; other < end; other += d) {
      addScaled(row, -dotRow(block, other, row), block, other);
    }
  }
  const left = Math.sqrt(dotRow(row, 0, row));
  if (!(left > DEPENDENT * before)) return false;
  for (let i = 0; i < d; i++) row[i] = (row[i] as number) / left;
  return true;
}

function addScaled(row: Float64Array, scale: number, rows: Float64Array, start: number): void {
  for (let i = 0; i < row.length; i++) {
    row[i] = (row[i] as number) + scale * (rows[start + i] as number);
  }
}
