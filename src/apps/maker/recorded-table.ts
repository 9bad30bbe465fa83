/**
 * Recorded inputs as CSV: one frame a record, its numbers as the model takes them, in row-major
 * order. A first record without any number is the header. Every record is read when the file is
 * opened, so that a mistake in the last one is told at once; later each is read again when asked
 * for, so that only the file itself is held.
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { CALIBRATION_ROWS_MAX, CSV_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import type { Dim } from '../../core/bundle/io-schema.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { halfToNumber } from '../../core/numeric/float16.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { type DType, elementCount, type Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { csvStart, readRecord } from './csv.ts';
import { refuseMaker } from './faults.ts';
import type { Port, RecordedRows } from './recorded-rows.ts';

/** No NaN, no infinity, no hexadecimal; one way to match, so that no field makes it slow. */
const NUMBER = /^[ \t]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[ \t]*$/;
/** Missing and endless values, which are no name of a column either. */
const NO_NAME = /^[ \t]*(?:[+-]?(?:nan|inf(?:inity)?)|null|na|n\/a|)[ \t]*$/i;

type NumberType = Exclude<DType, 'string'>;

/** Faults: `maker.csv`, `maker.input`, `maker.shape`, `store.*`. */
export function openTable(path: string, port: Port): Result<RecordedRows> {
  return attempt(() => {
    const { dtype } = port;
    if (dtype === 'string') throw refuseMaker('maker.input', `"${port.name}" takes texts`);
    const dims = frameDims(port);
    const bytes = need(readFileBounded(path, CSV_FILE_BYTES_MAX));
    const table = indexed(bytes, elementCount(dims) ?? 0, dtype);
    const { starts, header, columns } = table;
    return {
      count: starts.length,
      row: (index) =>
        attempt((): Tensor => {
          const row = index + (header ? 2 : 1);
          const { fields } = readRecord(bytes, starts[index] as number, row, columns);
          return { dtype, dims, data: dataFromNumbers(dtype, numbersIn(fields, row, dtype)) };
        }),
      digest: () => sha256(bytes),
      description: `CSV, ${starts.length} rows of ${columns} numbers, ${header ? 'one' : 'no'} header`,
    };
  });
}

/** Labels as a CSV of one column of whole numbers. Faults: `maker.csv`, `store.*`. */
export function readLabelTable(path: string): Result<Int32Array> {
  return attempt(() => {
    const bytes = need(readFileBounded(path, CSV_FILE_BYTES_MAX));
    const { starts, header } = indexed(bytes, 1, 'int32');
    return Int32Array.from(starts, (start, index) => {
      const row = index + (header ? 2 : 1);
      return numbersIn(readRecord(bytes, start, row, 1).fields, row, 'int32')[0] as number;
    });
  });
}

interface Indexed {
  readonly starts: readonly number[];
  readonly header: boolean;
  readonly columns: number;
}

/** Where every record starts, each of them read and checked. */
function indexed(bytes: Uint8Array, columns: number, dtype: NumberType): Indexed {
  const starts: number[] = [];
  const start = csvStart(bytes);
  let header = false;
  for (let at = start, row = 1; at < bytes.length; row++) {
    const { fields, end } = readRecord(bytes, at, row, columns);
    if (fields.length < columns) {
      throw refuseMaker('maker.csv', `row ${row} has ${fields.length} of ${columns} fields`);
    }
    if (row === 1 && isHeader(fields)) header = true;
    else {
      if (starts.length === CALIBRATION_ROWS_MAX) {
        throw refuseMaker('maker.csv', `the file has more than ${CALIBRATION_ROWS_MAX} rows`);
      }
      if (row === 1) refuseCounted(fields);
      numbersIn(fields, row, dtype);
      starts.push(at);
    }
    at = end;
  }
  return { starts, header, columns };
}

function isHeader(fields: readonly string[]): boolean {
  return fields.every((field) => !NUMBER.test(field) && !NO_NAME.test(field));
}

/** A table without names of columns gets 0, 1, 2, ... for a header from some programs. */
function refuseCounted(fields: readonly string[]): void {
  if (fields.length < 3 || fields.some((field, index) => field.trim() !== String(index))) return;
  throw refuseMaker('maker.csv', 'row 1 counts its columns from 0: is it a header?');
}

function numbersIn(fields: readonly string[], row: number, dtype: NumberType): number[] {
  const numbers = fields.map((field, index) => {
    if (NUMBER.test(field)) return Number(field);
    const what = field.trim() === '' ? 'nothing' : JSON.stringify(field.slice(0, 40));
    throw refuseMaker('maker.csv', `row ${row}, column ${index + 1}: ${what} is no number`);
  });
  const at = numbers.findIndex((value) => !holds(dtype, value));
  if (at < 0) return numbers;
  const what = `${dtype} does not hold ${fields[at]?.trim()}`;
  throw refuseMaker('maker.csv', `row ${row}, column ${at + 1}: ${what}`);
}

/** A float type takes the nearest number; a whole-number type only its own. */
function holds(dtype: NumberType, value: number): boolean {
  if (dtype === 'bool') return value === 0 || value === 1;
  if (dtype === 'float64') return Number.isFinite(value);
  if (!dtype.startsWith('float') && !Number.isSafeInteger(value)) return false;
  const [kept] = dataFromNumbers(dtype, [value]) as ArrayLike<number | bigint> & Iterable<number>;
  if (dtype === 'float32') return Number.isFinite(kept);
  if (dtype === 'float16') return Number.isFinite(halfToNumber(kept as number));
  return Number(kept) === value;
}

/** The shape of one frame: a batch axis has one entry. Refuses with `maker.shape`. */
function frameDims({ name, dims }: Port): readonly number[] {
  return dims.map((dim: Dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (axis === 0) return 1;
    const open = `"${name}" takes any number of values along the axis ${dim.name}`;
    throw refuseMaker('maker.shape', `${open}, and a row of CSV has no shape`);
  });
}
