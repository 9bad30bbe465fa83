/** Tables as frames: headers, shapes, types, and mistakes named by row and column. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Port, RecordedRows } from '../../../src/apps/maker/recorded-rows.ts';
import { openTable, readLabelTable } from '../../../src/apps/maker/recorded-table.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { Result } from '../../../src/core/base/fault.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { DType } from '../../../src/core/numeric/tensor.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgeward-table-'));
const file = join(folder, 'x.csv');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const batch = { name: 'batch', min: 1, max: 64 };
const three: Port = { name: 'x', dtype: 'float64', dims: [batch, 3] };

function open(text: string, port: Port = three): Result<RecordedRows> {
  writeFileSync(file, text);
  return openTable(file, port);
}

function rowsOf({ count, row }: RecordedRows): unknown[] {
  return Array.from({ length: count }, (_, index) => [...accepted(row(index)).data]);
}

describe('openTable', () => {
  it.each<[what: string, text: string, rows: unknown, header: string]>([
    [
      'numbers alone',
      '1,2,3\n4,5,6\n',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      'no header',
    ],
    ['a header', 'a,b,c\n1,2,3', [[1, 2, 3]], 'one header'],
    ['quotes and blanks', '"a","b, c","d"\r\n"1",2,3\r\n', [[1, 2, 3]], 'one'],
    ['every way to write a number', '-1.5e3, +.5 ,7.\n', [[-1500, 0.5, 7]], 'no header'],
    ['a header alone', 'a,b,c\n', [], 'one header'],
    ['nothing', '', [], 'no header'],
    ['a mark before the text', '\ufeff1,2,3', [[1, 2, 3]], 'no header'],
  ])('reads %s', (_, text, rows, header) => {
    const table = accepted(open(text));
    expect(rowsOf(table)).toEqual(rows);
    expect(table.description).toContain(header);
    expect(table.labels).toBeUndefined();
  });

  it.each<[text: string, message: RegExp]>([
    ['1,2,3\n4,x,6', /row 2, column 2: "x" is no number/],
    ['a,b,c\n1,2,', /row 2, column 3: nothing is no number/],
    ['1,2\n', /row 1 has 2 of 3 fields/],
    ['1,2,3,4\n', /row 1 has more than 3 fields/],
    ['1,2,3\n\n4,5,6', /row 2 has 1 of 3 fields/],
    ['nan,inf,1', /row 1, column 1: "nan" is no number/],
    ['nan,Infinity,', /row 1, column 1/],
    ['a,b,1\n1,2,3', /row 1, column 1: "a" is no number/],
    ['1,2,0x10', /column 3: "0x10"/],
    ['1,2,1e999', /column 3: float64 does not hold 1e999/],
    ['1;2;3\n', /row 1 has 1 of 3 fields/],
    ['0,1,2\n5,5,5', /counts its columns from 0/],
  ])('names the place of a mistake: %j', (text, message) => {
    const fault = faultIn(open(text));
    expect(fault).toMatchObject({ code: 'maker.csv', message: expect.stringMatching(message) });
  });

  it('gives every frame the shape of the input, or refuses one without a shape', () => {
    const signal: Port = { name: 'x', dtype: 'float32', dims: [1, 2, 2] };
    const table = accepted(open('1,2,3,4\n', signal));
    expect(accepted(table.row(0))).toMatchObject({ dims: [1, 2, 2], dtype: 'float32' });
    const whole = accepted(open('1,2,3\n', { ...three, dims: [3] }));
    expect(accepted(whole.row(0)).dims).toEqual([3]);
    const open2 = open('1,2\n', { ...three, dims: [batch, { name: 'time', min: 1, max: 9 }] });
    expect(codeOf(open2)).toBe('maker.shape');
    expect(codeOf(open('1\n', { ...three, dtype: 'string' }))).toBe('maker.input');
  });

  it.each<[dtype: DType, held: string, not: readonly string[]]>([
    ['float32', '0.1', ['1e39']],
    ['float16', '65504', ['70000']],
    ['int8', '-128', ['128', '1.5']],
    ['uint8', '255', ['256', '-1']],
    ['int32', '-2147483648', ['2147483648']],
    ['int64', '9007199254740991', ['9007199254740993', '0.5']],
    ['bool', '1', ['2', '-1']],
  ])('%s holds %s', (dtype, held, not) => {
    const port: Port = { name: 'x', dtype, dims: [batch, 1] };
    expect(codeOf(open(held, port))).toBe('accepted');
    for (const text of not) expect(codeOf(open(text, port)), text).toBe('maker.csv');
  });

  it('gives back every double and the digest of the file', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(double, double, double), { maxLength: 5 }), (rows) => {
        const text = rows.map((row) => row.map((value) => `${value}`).join(',')).join('\n');
        if (text.startsWith('0,1,2')) return;
        // `${-0}` is 0.
        const plain = rows.map((row) => row.map((value) => value + 0));
        expect(rowsOf(accepted(open(text)))).toEqual(plain);
      }),
    );
    expect(accepted(open('1,2,3\n')).digest()).toEqual(sha256(utf8('1,2,3\n')));
  });

  it('refuses a file that is not there', () => {
    expect(codeOf(openTable(join(folder, 'none.csv'), three))).toBe('store.not-found');
  });
});

describe('readLabelTable', () => {
  it('reads one column of whole numbers', () => {
    writeFileSync(file, 'label\n2\n0\n1\n');
    expect(accepted(readLabelTable(file))).toEqual(Int32Array.of(2, 0, 1));
    writeFileSync(file, '2\n0.5\n');
    expect(faultIn(readLabelTable(file)).message).toMatch(/row 2, column 1: int32/);
  });
});
