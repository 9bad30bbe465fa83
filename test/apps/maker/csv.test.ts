/** CSV: what RFC 4180 writes is read back, and every breach is named by row and column. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvStart, readRecord } from '../../../src/apps/maker/csv.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { attempt } from '../../../src/core/base/fault.ts';
import { CSV_FIELD_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { faultIn } from '../../core/base/outcome.ts';

/** All records, as long as none is refused. */
function recordsOf(bytes: Uint8Array): string[][] {
  const records: string[][] = [];
  for (let at = csvStart(bytes); at < bytes.length; ) {
    const { fields, end } = readRecord(bytes, at, records.length + 1, 10);
    expect(end).toBeGreaterThan(at);
    records.push([...fields]);
    at = end;
  }
  return records;
}

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}

const plain = fc.string({ unit: fc.constantFrom(..."abc 1.5;'é"), minLength: 1, maxLength: 8 });
const wild = fc.string({ unit: fc.constantFrom(...'ab,"\n\r 1é'), maxLength: 8 }).map(quoted);

describe('readRecord', () => {
  it('reads back what RFC 4180 writes, with either line end and with or without a last one', () => {
    const field = fc.oneof(plain, wild);
    const records = fc.array(fc.array(field, { minLength: 1, maxLength: 5 }), { minLength: 1 });
    fc.assert(
      fc.property(
        records,
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.boolean(),
        (written, newline, last, mark) => {
          const lines = written.map((fields) => fields.join(','));
          const text = `${mark ? '\ufeff' : ''}${lines.join(newline)}${last ? newline : ''}`;
          const meant = written.map((fields) =>
            fields.map((field) =>
              field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field,
            ),
          );
          expect(recordsOf(utf8(text))).toEqual(meant);
        },
      ),
    );
  });

  it('ends on any bytes: with records or a refusal', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    const likely = fc.string({ unit: fc.constantFrom(...'",\n\r1a'), maxLength: 60 }).map(utf8);
    fc.assert(
      fc.property(fc.oneof(bytes, likely), (some) => {
        const result = attempt(() => recordsOf(some));
        if (!result.ok) expect(result.fault.code).toBe('maker.csv');
      }),
    );
  });

  it.each<[what: string, text: string | Uint8Array, message: RegExp]>([
    ['a quote that stays open', '1,"2\n3,4', /^row 1, column 2: the quote is never closed/],
    ['text behind a quote', '1\n2,"3"4\n', /^row 2, column 2: text follows the quote/],
    ['a carriage return alone', '1\r2', /^row 1, column 1: a carriage return ends no line/],
    ['a quote and a carriage return', '"1"\r2', /^row 1, column 1: a carriage return/],
    ['too many fields', '1,2,3,4,5,6,7,8,9,10,11', /^row 1 has more than 10 fields/],
    ['a long field', `1,${'7'.repeat(CSV_FIELD_BYTES_MAX + 1)}`, /^row 1, column 2: longer than/],
    ['bytes that are no UTF-8', Uint8Array.of(0x31, 0x2c, 0xff), /^row 1, column 2: .*UTF-8/],
  ])('refuses %s', (_, text, message) => {
    const bytes = typeof text === 'string' ? utf8(text) : text;
    expect(faultIn(attempt(() => recordsOf(bytes)))).toMatchObject({
      code: 'maker.csv',
      message: expect.stringMatching(message),
    });
  });

  it('a field as long as the limit is read', () => {
    expect(recordsOf(utf8('7'.repeat(CSV_FIELD_BYTES_MAX)))).toHaveLength(1);
  });
});
