/**
 * CSV as RFC 4180 writes it, and nothing else: commas, LF or CRLF, fields in double quotes where
 * they need it. Records are found one after the other in the bytes; only one is ever a value.
 */
import { fromUtf8 } from '../../core/base/bytes.ts';
import { CSV_FIELD_BYTES_MAX } from '../../core/base/limits.ts';
import { refuseMaker } from './faults.ts';

const COMMA = 0x2c;
const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export interface CsvRecord {
  readonly fields: readonly string[];
  /** Where the next record starts; the length of the file after the last one. */
  readonly end: number;
}

/** Where the first record starts: behind the mark that spreadsheets put before UTF-8. */
export function csvStart(bytes: Uint8Array): number {
  return BYTE_ORDER_MARK.every((byte, at) => bytes[at] === byte) ? BYTE_ORDER_MARK.length : 0;
}

/**
 * The record that starts at `at`; `row` is its number in the file, from 1, for refusals. It has at
 * most `fieldsMax` fields. Refuses with `maker.csv`.
 */
export function readRecord(
  bytes: Uint8Array,
  at: number,
  row: number,
  fieldsMax: number,
): CsvRecord {
  const fields: string[] = [];
  for (let start = at; ; ) {
    const place = `row ${row}, column ${fields.length + 1}`;
    if (fields.length === fieldsMax) {
      throw refuseMaker('maker.csv', `row ${row} has more than ${fieldsMax} fields`);
    }
    const stop =
      bytes[start] === QUOTE ? endOfQuoted(bytes, start, place) : endOfPlain(bytes, start);
    fields.push(textOf(bytes, start, stop, place));
    if (bytes[stop] !== COMMA) return { fields, end: endOfRecord(bytes, stop, place) };
    start = stop + 1;
  }
}

function endOfPlain(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== COMMA && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

/** Behind the closing quote; a quote inside is written twice. */
function endOfQuoted(bytes: Uint8Array, start: number, place: string): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] !== QUOTE) continue;
    if (bytes[at + 1] !== QUOTE) return at + 1;
    at++;
  }
  throw refuseMaker('maker.csv', `${place}: the quote is never closed`);
}

function endOfRecord(bytes: Uint8Array, at: number, place: string): number {
  if (at === bytes.length) return at;
  if (bytes[at] === LF) return at + 1;
  if (bytes[at] === CR && bytes[at + 1] === LF) return at + 2;
  const what = bytes[at] === CR ? 'a carriage return ends no line' : 'text follows the quote';
  throw refuseMaker('maker.csv', `${place}: ${what}`);
}

function textOf(bytes: Uint8Array, start: number, stop: number, place: string): string {
  if (stop - start > CSV_FIELD_BYTES_MAX) {
    throw refuseMaker('maker.csv', `${place}: longer than ${CSV_FIELD_BYTES_MAX} bytes`);
  }
  const text = fromUtf8(bytes.subarray(start, stop));
  if (text === undefined) throw refuseMaker('maker.csv', `${place}: the text is not UTF-8`);
  return bytes[start] === QUOTE ? text.slice(1, -1).replaceAll('""', '"') : text;
}
