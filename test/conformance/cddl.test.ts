/** The validator itself: every rule of the grammar in use accepts what it says and can fail. */
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { CborTag, type CborValue } from '../../src/core/cose/value.ts';
import { mismatch } from './cddl.ts';
import { parseCddl } from './cddl-grammar.ts';

const map = (...pairs: [string | number, CborValue][]): CborValue => new Map(pairs);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Checked against the rule `x`. */
function misses(cddl: string, value: CborValue): string | undefined {
  return mismatch(parseCddl(cddl), 'x', encodeCbor(value));
}

const BIG = 2n ** 60n;
const NOT_TEXT: CborValue[] = [0, 0.5, true, null, bytes(1), ['a'], map(['a', 'a'])];

const CASES: [cddl: string, good: CborValue[], bad: CborValue[]][] = [
  ['x = int', [0, -1, 24, -(2 ** 53) + 1, BIG, -BIG], [0.5, 1e300, Number.NaN, '1', null, true]],
  ['x = float', [0.5, 1e300, Number.NaN, -Infinity], [0, -1, BIG, '0.5', null]],
  ['x = tstr', ['', 'a'], NOT_TEXT],
  ['x = bstr', [bytes(), bytes(1)], ['a', 0, [], null, map()]],
  ['x = bool', [true, false], [null, 0, 'true']],
  ['x = true', [true], [false, 1, 'true']],
  ['x = null', [null], [false, 0, '', []]],
  ['x = "a"', ['a'], ['b', '', bytes(97), ['a']]],
  ['x = 5', [5], [4, 5.5, '5', -5, BIG]],
  ['x = -16', [-16], [16, -17]],
  ['x = 2..4', [2, 3, 4], [1, 5, 2.5, '3', BIG, null]],
  ['x = -3..-1', [-3, -1], [-4, 0]],
  ['x = 0..9007199254740991', [2 ** 53 - 1], [2n ** 53n, -1]],
  ['x = 0.25..0.5', [0.25, 0.375, 0.5], [0.2, 0.6, 0, 1, Number.NaN, Infinity]],
  ['x = 1 / "a" / bool', [1, 'a', true], [2, 'b', null]],
  ['x = 3 / (1 / 2)', [1, 2, 3], [4]],
  ['x = #6.18(int)', [new CborTag(18, 1)], [1, new CborTag(17, 1), new CborTag(18, 'a')]],
  ['x = bstr .size 2', [bytes(1, 2)], [bytes(1), bytes(1, 2, 3), 'ab']],
  ['x = bstr .size (1..2)', [bytes(1), bytes(1, 2)], [bytes(), bytes(1, 2, 3)]],
  ['x = tstr .size (0..3)', ['', 'abc', '\u20ac'], ['abcd', '\u20aca', bytes(1)]],
  ['x = tstr .regexp "a|b[0-9]"', ['a', 'b7'], ['b', 'aa', 'xb7', '', 'a\n', bytes(97)]],
  ['x = bstr .cbor int', [encodeCbor(7)], [encodeCbor('a'), bytes(), bytes(0x18), bytes(1, 1), 7]],
  ['x = []', [[]], [[1], map(), null]],
  ['x = [int, tstr]', [[1, 'a']], [[1], ['a', 1], [1, 'a', 2], [], map(['a', 1]), 'a']],
  ['x = [first: int]', [[1]], [['a'], map(['first', 1])]],
  ['x = [? int, tstr]', [[1, 'a'], ['a']], [[1], [1, 1, 'a'], []]],
  [
    'x = [2*3 int]',
    [
      [1, 2],
      [1, 2, 3],
    ],
    [[1], [1, 2, 3, 4], [1, 'a'], [1, 2, 'a']],
  ],
  ['x = [*2 int]', [[], [1, 2]], [[1, 2, 3], ['a']]],
  ['x = [1* int]', [[1], [1, 2, 3, 4]], [[], ['a']]],
  [
    'x = [1*2 (12, tstr)]',
    [
      [12, 'a'],
      [12, 'a', 12, 'b'],
    ],
    [[], [12], [12, 'a', 12], [13, 'a']],
  ],
  ['x = [pair] pair = (int, tstr)', [[1, 'a']], [[1], ['a', 1]]],
  ['x = {}', [map()], [map(['a', 1]), [], null]],
  [
    'x = { "a": int, ? "b": tstr }',
    [map(['a', 1]), map(['a', 1], ['b', 'c'])],
    [
      map(),
      map(['b', 'c']),
      map(['a', 'c']),
      map(['a', 1], ['b', 1]),
      map(['a', 1], ['c', 1]),
      [1],
    ],
  ],
  ['x = { a: int }', [map(['a', 1])], [map([1, 1]), map()]],
  ['x = { 1: int, -2: tstr }', [map([1, 1], [-2, 'a'])], [map(['1', 1], [-2, 'a']), map([1, 1])]],
  [
    'x = { *2 tstr => int }',
    [map(), map(['a', 1], ['b', 2])],
    [map(['a', 'b']), map([1, 1]), map(['a', 1], ['b', 2], ['c', 3])],
  ],
  [
    'x = { "a": bool, * (int / tstr) => int / null }',
    [map(['a', true]), map(['a', true], [3, 1], ['b', null])],
    [map(['b', 1]), map(['a', 1]), map(['a', true], ['b', 'c'])],
  ],
  [
    'x = { pair, "c": int } pair = ("a": int, ? "b": int)',
    [map(['a', 1], ['c', 1]), map(['a', 1], ['b', 1], ['c', 1])],
    [map(['c', 1]), map(['a', 1]), map(['a', 1], ['b', 'x'], ['c', 1])],
  ],
  ['x = { "a": y / 7 } y = [int] ; a remark', [map(['a', [1]]), map(['a', 7])], [map(['a', 1])]],
];

describe('the CDDL validator', () => {
  it.each(CASES)('%s', (cddl, good, bad) => {
    for (const value of good) expect(misses(cddl, value)).toBeUndefined();
    for (const value of bad) expect(misses(cddl, value)).toBeTypeOf('string');
  });

  it('says where and why', () => {
    const cddl = 'x = { "a": [* y] } y = { "b": 1..2 / "c", ? 3: bstr .cbor z } z = tstr';
    const at = (value: CborValue): string | undefined => misses(cddl, map(['a', [value]]));
    expect(at(map(['b', 3]))).toBe('x.a: more entries than 0');
    expect(misses('x = { "a": y } y = { "b": 1..2 / "c" }', map(['a', map(['b', 3])]))).toBe(
      'x.a.b: not in 1..2 | x.a.b: not "c"',
    );
    expect(misses('x = { "a": int }', map())).toBe('x: a is missing');
    expect(misses('x = { ? "a": int }', map(['b', 1]))).toBe('x: b not known');
    expect(misses('x = [int]', ['a'])).toBe('x[0]: no int');
  });

  it('refuses bytes that are no CBOR, cut short or with more behind them', () => {
    const grammar = parseCddl('x = { * tstr => [tstr] }');
    const whole = encodeCbor(map(['a', ['b']]));
    expect(mismatch(grammar, 'x', whole)).toBeUndefined();
    for (let length = 0; length < whole.length; length++) {
      expect(mismatch(grammar, 'x', whole.subarray(0, length))).toMatch(/no CBOR/);
    }
    expect(mismatch(grammar, 'x', bytes(...whole, 0))).toMatch(/no CBOR/);
  });

  it('refuses a key that comes twice', () => {
    const twice = bytes(0xa2, 1, 1, 0x1b, 0, 0, 0, 0, 0, 0, 0, 1, 1);
    expect(mismatch(parseCddl('x = { * int => int }'), 'x', twice)).toBe('x: one key twice');
  });

  it.each([
    ['a name that is not defined', 'x = y', /y is not defined/],
    ['a name that is defined twice', 'x = 1 x = 2', /x is defined twice/],
    ['a name of the prelude', 'int = 1', /int is a name of the prelude/],
    ['a control that is not understood', 'x = int .lt 4', /\.lt is not understood/],
    ['a range of texts', 'x = "a".."b"', /no range/],
    ['a range of mixed ends', 'x = 0..1.5', /no range/],
    ['an open range', 'x = 0...1', /no type|understood/],
    ['a choice of groups', 'x = { "a": 1 // "b": 1 }', /expected/],
    ['a socket', 'x = $y', /no CDDL here/],
    ['a list without an end', 'x = [int', /expected/],
    ['an assignment without a type', 'x =', /ends early/],
    ['entries without a comma', 'x = [int tstr]', /expected/],
    ['a number for a name', '5 = int', /no name of a rule/],
    ['a colon for a type', 'x = :', /no type/],
    ['a list for a key', 'x = { []: int }', /expected|no key/],
  ])('refuses %s in a grammar', (_, cddl, words) => {
    expect(() => parseCddl(cddl)).toThrow(words);
  });

  it('refuses to match against what is no type, and a member without a key', () => {
    const grammar = parseCddl('x = { y } y = (1, 2) z = { w } w = int');
    expect(() => mismatch(grammar, 'y', encodeCbor(1))).toThrow('y is no type');
    expect(() => mismatch(grammar, 'z', encodeCbor(map(['a', 1])))).toThrow('no key');
    const optional = parseCddl('x = { ? y } y = ("a": int)');
    expect(() => mismatch(optional, 'x', encodeCbor(map()))).toThrow('stands once');
    const control = parseCddl('x = tstr .regexp int');
    expect(() => mismatch(control, 'x', encodeCbor('a'))).toThrow('takes a text');
  });
});
