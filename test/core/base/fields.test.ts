/** Fields are taken by name and type, and a field that nobody asked for is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { Fields, nearestName } from '../../../src/core/base/fields.ts';
import { codeOf, faultIn } from './outcome.ts';

const of = (value: unknown, path = 'doc'): Fields => Fields.of(path, value);
const read = (value: unknown, reader: (fields: Fields) => unknown): string =>
  codeOf(attempt(() => reader(of(value))));

describe('Fields.of', () => {
  it('takes a Map or a plain object', () => {
    expect(of(new Map([['a', 1]])).integer('a')).toBe(1);
    expect(of({ a: 1 }).integer('a')).toBe(1);
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['a number', 1],
    ['a text', 'map'],
    ['a byte string', new Uint8Array(1)],
    ['nothing', undefined],
  ])('refuses %s', (_, value) => {
    expect(codeOf(attempt(() => of(value)))).toBe('field.type');
  });

  it('sees the own members of an object only', () => {
    const fields = of(JSON.parse('{"__proto__": {"admin": true}}'));
    expect(fields.has('admin')).toBe(false);
    expect(fields.has('toString')).toBe(false);
    expect(codeOf(attempt(() => fields.done()))).toBe('field.unknown');
  });
});

describe('the readers', () => {
  const wrong: [string, unknown, (f: Fields) => unknown, string][] = [
    ['text', 1, (f) => f.text('a'), 'field.type'],
    ['a longer text', 'abcd', (f) => f.text('a', 3), 'field.range'],
    ['a choice', 'c', (f) => f.oneOf('a', ['x', 'y']), 'field.range'],
    ['a choice of another type', 1, (f) => f.oneOf('a', ['x', 'y']), 'field.type'],
    ['true or false', 0, (f) => f.boolean('a'), 'field.type'],
    ['a number', '1', (f) => f.number('a'), 'field.type'],
    ['a number: NaN', Number.NaN, (f) => f.number('a'), 'field.type'],
    ['a number: Infinity', Infinity, (f) => f.number('a'), 'field.type'],
    ['a bigint', 2n ** 60n, (f) => f.number('a'), 'field.type'],
    ['a number below', -1, (f) => f.number('a', 0, 9), 'field.range'],
    ['a number above', 10, (f) => f.number('a', 0, 9), 'field.range'],
    ['a fraction', 1.5, (f) => f.integer('a'), 'field.type'],
    ['a negative whole number', -1, (f) => f.integer('a'), 'field.range'],
    ['2^53', 2 ** 53, (f) => f.integer('a'), 'field.range'],
    ['bytes', [1], (f) => f.bytes('a'), 'field.type'],
    ['bytes of another length', new Uint8Array(3), (f) => f.bytes('a', 4), 'field.range'],
    ['a list', {}, (f) => f.list('a', 3), 'field.type'],
    ['a longer list', [1, 2], (f) => f.list('a', 1), 'field.range'],
    ['a map', [], (f) => f.map('a'), 'field.type'],
    ['null as an optional text', null, (f) => f.optional('a', (n) => f.text(n)), 'field.type'],
  ];

  it.each(wrong)('refuse what is no %s', (_, value, reader, code) => {
    expect(read({ a: value }, reader)).toBe(code);
  });

  it('refuse a missing member by its full path', () => {
    const readers: ((f: Fields) => unknown)[] = [
      (f) => f.text('a'),
      (f) => f.oneOf('a', ['x']),
      (f) => f.boolean('a'),
      (f) => f.number('a'),
      (f) => f.integer('a'),
      (f) => f.bytes('a'),
      (f) => f.list('a', 1),
      (f) => f.map('a'),
    ];
    for (const reader of readers) {
      const fault = faultIn(attempt(() => reader(of({}, 'files[2]'))));
      expect(fault.code).toBe('field.missing');
      expect(fault.message).toContain('files[2].a');
    }
  });

  it('give the values at the edges of their ranges', () => {
    const fields = of({ a: 'abc', n: 9, max: Number.MAX_SAFE_INTEGER, b: new Uint8Array(4) });
    expect(fields.text('a', 3)).toBe('abc');
    expect(fields.integer('n', 9, 9)).toBe(9);
    expect(fields.integer('max')).toBe(Number.MAX_SAFE_INTEGER);
    expect(fields.bytes('b', 4)).toHaveLength(4);
    expect(() => fields.done()).not.toThrow();
  });

  it('tell a whole-number key from the same text', () => {
    const fields = new Fields('', new Map<unknown, unknown>([[1, 'number']]));
    expect(fields.optional('1', () => 'found')).toBeUndefined();
    expect(fields.text(1)).toBe('number');
    fields.done();
  });
});

describe('done', () => {
  it('accepts when every member was asked for, present or not', () => {
    const fields = of({ a: 1 });
    fields.optional('a', (n) => fields.number(n));
    expect(fields.optional('b', (n) => fields.number(n))).toBeUndefined();
    expect(() => fields.done()).not.toThrow();
  });

  it('refuses a stranger with the nearest known name', () => {
    const fields = of({ rnage: [0, 1] }, 'inputs[0]');
    fields.optional('range', (n) => fields.list(n, 2));
    fields.optional('name', (n) => fields.text(n));
    const fault = faultIn(attempt(() => fields.done()));
    expect(fault.code).toBe('field.unknown');
    expect(fault.message).toBe('inputs[0].rnage is not known here; did you mean range?');
  });

  it('gives no hint where nothing is near', () => {
    const fields = of({ zzzzzzzz: 1 });
    fields.optional('range', (n) => fields.list(n, 2));
    expect(faultIn(attempt(() => fields.done())).message).not.toContain('did you mean');
  });
});

describe('nearestName', () => {
  it.each([
    ['Range', 'range'],
    ['desciption', 'description'],
    ['runDeadline', 'runDeadlineMs'],
    ['runDeadlineS', 'runDeadlineMs'],
  ])('finds %s -> %s', (wrong, right) => {
    expect(nearestName(wrong, ['name', 'range', 'description', 'runDeadlineMs'])).toBe(right);
  });

  it('takes at most half of a name as different, and a very long name in no time', () => {
    expect(nearestName('abcd', ['abxx'])).toBe('abxx');
    expect(nearestName('abcd', ['axxx'])).toBeUndefined();
    expect(nearestName('x'.repeat(1_000_000), ['range'])).toBeUndefined();
    expect(nearestName('range', [])).toBeUndefined();
  });
});

describe('every name', () => {
  it('is nearest to itself, is total, and never finds what half differs', () => {
    const names = fc.array(fc.string({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.string(), names, (name, known) => {
        const near = nearestName(name, known);
        expect(near === undefined || known.includes(near)).toBe(true);
        for (const own of known) {
          expect(nearestName(own, known)?.toLowerCase()).toBe(own.toLowerCase());
        }
      }),
      { seed: 92 },
    );
  });
});
