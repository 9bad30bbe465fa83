/** The bench judges what it measured: ratios within rounds, budgets, what is missing, the pictures. */
import { describe, expect, it } from 'vitest';
import { alternate, differenceOf, ratioOf, spreadOf } from '../../bench/measure.ts';
import { pictureOf } from '../../bench/picture.ts';
import { type Judged, reportOf, type Table, tableWords } from '../../bench/report.ts';

const judged = (median: number, budget?: number): Judged => ({
  kind: 'ratio',
  peer: 'openssl',
  figure: { median, min: median, max: median, rounds: 1 },
  ...(budget !== undefined && { budget }),
});

const tableOf = (...all: Judged[]): Table => ({
  name: 'verify',
  title: 'Verify & more',
  about: 'a < b',
  rows: [
    { what: '100 MB', unit: 'ms', value: spreadOf([3, 1, 2]), judged: all },
    { what: 'rauc', unit: 'ms', missing: 'mksquashfs not installed' },
  ],
});

describe('what was measured', () => {
  it('has the median between its ends, for odd and even counts', () => {
    expect(spreadOf([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, rounds: 3 });
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, rounds: 4 });
    expect(() => spreadOf([])).toThrow('no samples');
  });

  it('is compared within each round: a machine that slows down for all changes no ratio', () => {
    expect(ratioOf([10, 100, 1000], [5, 50, 500]).median).toBe(2);
    expect(ratioOf([10, 100, 1000], [5, 50, 500]).max).toBe(2);
    expect(differenceOf([10, 30], [5, 5])).toMatchObject({ min: 5, max: 25 });
  });

  it('comes from peers that take turns, each first in its turn', async () => {
    const order: string[] = [];
    const peer = (name: string) => () => order.push(name);
    const samples = await alternate(2, { a: peer('a'), b: peer('b') });
    expect(order).toEqual(['a', 'b', 'b', 'a']);
    expect(samples).toEqual({ a: [1, 4], b: [2, 3] });
  });
});

describe('a report', () => {
  it.each([
    ['below its budget', 1.49, 1.5, 0],
    ['at its budget', 1.5, 1.5, 0],
    ['over its budget', 1.51, 1.5, 1],
    ['that is no number', Number.NaN, 1.5, 1],
    ['without a budget', 99, undefined, 0],
  ])('judges a figure %s', (_, figure, budget, missed) => {
    const { missed: found } = reportOf([tableOf(judged(figure, budget))]);
    expect(found).toHaveLength(missed);
    for (const words of found) expect(words).toMatch(/^verify: 100 MB: .*MISSED$/);
  });

  it('names the machine, and says what is missing and what has no budget', () => {
    const table = tableOf(judged(1.2, 1.5), judged(2));
    expect(reportOf([table]).machine).toMatchObject({ node: process.version });
    const words = tableWords(table);
    expect(words).toContain('budget 1.5: met');
    expect(words).toContain('no budget');
    expect(words).toContain('not measured: mksquashfs not installed');
  });

  it('draws every row, and escapes what XML would read', () => {
    const picture = pictureOf(tableOf(judged(1.2, 1.5)));
    expect(picture).toContain('Verify &amp; more');
    expect(picture).toContain('a &lt; b');
    expect(picture).toContain('mksquashfs not installed');
    expect(picture).toMatch(/^<svg .*<\/svg>\n$/s);
  });
});
