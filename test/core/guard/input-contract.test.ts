import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InputSchema, IoSchema } from '../../../src/core/bundle/io-schema.ts';
import { checkInput } from '../../../src/core/guard/input-contract.ts';
import { numberToHalf } from '../../../src/core/numeric/float16.ts';
import { DTYPES, type NamedTensors, type Tensor } from '../../../src/core/numeric/tensor.ts';
import { BATCH, float32, frame, named, range, SCHEMA } from './frames.ts';

const one = (input: Partial<InputSchema>): IoSchema => ({
  inputs: [{ name: 'x', dtype: 'float32', dims: [2], ...input }],
  outputs: [],
});
const codes = (schema: IoSchema, inputs: NamedTensors): readonly string[] =>
  checkInput(schema, inputs).findings.map(({ code }) => code);

describe('checkInput: names and form', () => {
  it('accepts a frame that keeps the contract and tells the named sizes', () => {
    const { findings, sizes } = checkInput(SCHEMA, frame());
    expect(findings).toEqual([]);
    expect([...sizes]).toEqual([['N', 1]]);
  });

  it('counts unknown inputs and offers the nearest name', () => {
    const inputs = new Map([
      ...frame(),
      ['X', float32([1], [0])],
      ['y', float32([1], [0])],
    ] as const);
    const { findings } = checkInput(SCHEMA, inputs);
    expect(findings).toMatchObject([{ code: 'contract.unknown-input', value: 2, threshold: 0 }]);
    expect(findings[0]?.detail).toContain('did you mean "x"?');
  });

  it.each([
    ['rank', [1, 12], 'contract.shape'],
    ['a fixed dimension', [1, 4, 2, 2], 'contract.shape'],
    ['no rows', [0, 3, 2, 2], 'contract.batch'],
    ['two rows', [2, 3, 2, 2], 'contract.batch'],
    ['NaN rows', [Number.NaN, 3, 2, 2], 'contract.batch'],
    ['a negative dimension', [1, -3, 2, 2], 'contract.shape'],
  ])('refuses a wrong shape: %s', (_, dims, code) => {
    expect(codes(SCHEMA, named('x', float32(dims, Array(12).fill(0))))).toEqual([code]);
  });

  it('takes more rows where the limits let it', () => {
    const inputs = named('x', float32([2, 3, 2, 2], Array(24).fill(0)));
    const limits = { payloadBytesMax: 96, batchMax: 2 };
    expect(checkInput(SCHEMA, inputs, limits).findings).toEqual([]);
  });

  it('holds a dynamic dimension against its bounds', () => {
    const schema = one({ dims: [1, { name: 'T', min: 2, max: 3 }] });
    for (const size of [1, 2, 3, 4]) {
      const found = checkInput(
        schema,
        named('x', float32([1, size], Array(size).fill(0))),
      ).findings;
      expect(found.length).toBe(size === 1 || size === 4 ? 1 : 0);
      if (found.length > 0) expect(found[0]?.threshold).toBe(size === 1 ? 2 : 3);
    }
  });

  it('holds one name to one size across inputs', () => {
    const input = {
      name: 'x',
      dtype: 'float32',
      dims: [1, { name: 'T', min: 1, max: 9 }],
    } as const;
    const schema: IoSchema = { inputs: [input, { ...input, name: 'y' }], outputs: [] };
    const row = (size: number): Tensor => float32([1, size], Array(size).fill(0));
    expect(
      codes(
        schema,
        new Map([
          ['x', row(3)],
          ['y', row(3)],
        ]),
      ),
    ).toEqual([]);
    expect(
      codes(
        schema,
        new Map([
          ['x', row(3)],
          ['y', row(4)],
        ]),
      ),
    ).toEqual(['contract.shape']);
  });

  it('refuses data of another length, and dimensions beyond every limit', () => {
    expect(codes(one({}), named('x', float32([2], [1])))).toEqual(['contract.size']);
    const huge = { name: 'T', min: 1, max: 2 ** 50 };
    const inputs = named('x', float32([1, 2 ** 40], [1]));
    expect(codes(one({ dims: [1, huge] }), inputs)).toEqual(['contract.size']);
  });

  it('refuses an array of another class than the element type says', () => {
    const data = new Float64Array(2);
    const tensor: Tensor = { dtype: 'float32', dims: [2], data };
    expect(codes(one({}), named('x', tensor))).toEqual(['contract.dtype']);
  });

  it('does not look at the values of a frame that is too large', () => {
    const inputs = named('x', float32([2], [Number.NaN, 0]));
    const { findings } = checkInput(one({}), inputs, { payloadBytesMax: 7, batchMax: 1 });
    expect(findings).toMatchObject([{ code: 'contract.payload', value: 8, threshold: 7 }]);
  });

  it('counts the characters of texts as payload', () => {
    const inputs = named('x', { dtype: 'string', dims: [2], data: ['ab', 'c'] });
    const limits = { payloadBytesMax: 5, batchMax: 1 };
    const { findings } = checkInput(one({ dtype: 'string' }), inputs, limits);
    expect(findings).toMatchObject([{ code: 'contract.payload', value: 6 }]);
  });
});

describe('checkInput: values', () => {
  it('allows -0 and denormals, and refuses NaN and infinities', () => {
    const check = (value: number): readonly string[] =>
      codes(one({}), named('x', float32([2], [0, value])));
    for (const value of [-0, 2 ** -149, -(2 ** -149), 3.4e38]) expect(check(value)).toEqual([]);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      expect(check(value)).toEqual(['contract.not-finite']);
    }
  });

  it('sees float16 as the numbers it stands for', () => {
    const half = (...values: number[]): NamedTensors =>
      named('x', { dtype: 'float16', dims: [2], data: Uint16Array.from(values, numberToHalf) });
    const schema = one({ dtype: 'float16', range: range(-1, 1) });
    expect(codes(schema, half(-0, 2 ** -24))).toEqual([]);
    expect(codes(schema, half(1.001, 0))).toEqual(['contract.range']);
    expect(codes(schema, half(Infinity, Number.NaN))).toEqual(['contract.not-finite']);
  });

  it('compares 64-bit integers exactly', () => {
    const schema = one({ dtype: 'int64', dims: [1], range: range(0, 2 ** 53) });
    const int64 = (value: bigint): NamedTensors =>
      named('x', { dtype: 'int64', dims: [1], data: BigInt64Array.of(value) });
    expect(codes(schema, int64(2n ** 53n))).toEqual([]);
    expect(codes(schema, int64(2n ** 53n + 1n))).toEqual(['contract.range']);
  });

  it('takes only 0 and 1 as bool', () => {
    const bool: Tensor = { dtype: 'bool', dims: [2], data: Uint8Array.of(1, 2) };
    expect(codes(one({ dtype: 'bool' }), named('x', bool))).toEqual(['contract.range']);
  });

  it('reports the worst value, its place and how many there are', () => {
    const values = [0, 1.5, 0, 0, 0, -3, 0, 0, 0, 0, 2, 0];
    const { findings } = checkInput(SCHEMA, named('x', float32([1, 3, 2, 2], values)));
    expect(findings).toEqual([
      {
        code: 'contract.range',
        check: 'contract',
        value: -3,
        threshold: -1,
        detail: 'input "x" holds -3 at [0, 1, 0, 1], outside [-1, 1], the worst of 3',
      },
    ]);
  });

  it('reports the first value that is not finite and how many more', () => {
    const values = [0, 0, 0, 0, 0, 0, 0, Infinity, 0, Number.NaN, 0, 0];
    const { findings } = checkInput(SCHEMA, named('x', float32([1, 3, 2, 2], values)));
    expect(findings[0]).toMatchObject({ code: 'contract.not-finite', value: 2 });
    expect(findings[0]?.detail).toBe(
      'input "x" holds Infinity at [0, 1, 1, 1] and 1 more that are not finite',
    );
  });

  it.each([
    ['NCHW', [BATCH, 3, 2, 2], [1, 3, 2, 2], 9],
    ['NHWC', [BATCH, 2, 2, 3], [1, 2, 2, 3], 8],
  ] as const)('holds each channel of %s against its own range', (layout, dims, actual, index) => {
    const channelRanges = [range(-1, 0), range(-1, 9), range(-1, 1)];
    const schema = one({ dims, layout, channelRanges });
    const inner = layout === 'NCHW' ? 4 : 1;
    // 5 is inside for channel 1 only; the bad one stands in channel 2.
    const values = Array.from({ length: 12 }, (_, i) => (Math.floor(i / inner) % 3 === 1 ? 5 : 0));
    expect(codes(schema, named('x', float32(actual, values)))).toEqual([]);
    values[index] = 5;
    const { findings } = checkInput(schema, named('x', float32(actual, values)));
    expect(findings).toMatchObject([{ code: 'contract.range', value: 5, threshold: 1 }]);
    expect(findings[0]?.detail).toContain('(channel 2)');
  });

  it('refuses channels that the ranges do not match', () => {
    const channelRanges = [range(0, 1)];
    const inputs = named('x', float32([2], [0, 0]));
    expect(codes(one({ layout: 'C', channelRanges }), inputs)).toEqual(['contract.shape']);
    expect(codes(one({ layout: 'N', channelRanges }), inputs)).toEqual(['contract.shape']);
    expect(codes(one({ channelRanges }), inputs)).toEqual(['contract.shape']);
  });

  it('never lets an infinity into an infinite range', () => {
    const schema = one({ range: range(-Infinity, Infinity) });
    for (const value of [Infinity, -Infinity]) {
      const inputs = named('x', float32([2], [value, 0]));
      expect(codes(schema, inputs)).toEqual(['contract.not-finite']);
    }
  });

  it('finds a value out of range wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 12, maxLength: 12 }),
        fc.constantFrom(1, 4),
        (values, inner) => {
          const layout = inner === 4 ? 'NCHW' : 'NHWC';
          const dims = inner === 4 ? [1, 3, 2, 2] : [1, 2, 2, 3];
          const channelRanges = [range(-2, 0), range(-1, 1), range(0, 2)];
          const bad = values.some((value, i) => {
            const { min, max } = channelRanges[Math.floor(i / inner) % 3] as {
              min: number;
              max: number;
            };
            return value < min || value > max;
          });
          const schema = one({ dims, layout, channelRanges });
          expect(codes(schema, named('x', float32(dims, values))).length).toBe(bad ? 1 : 0);
        },
      ),
    );
  });
});

describe('checkInput is total', () => {
  it('gives findings and never throws, whatever tensors say about themselves', () => {
    const number = fc.oneof(fc.integer({ min: -1, max: 4 }), fc.double());
    const data = fc.constantFrom(
      new Float32Array(4),
      Float32Array.of(Number.NaN),
      Uint16Array.of(0x7c00, 1),
      BigInt64Array.of(1n),
      ['text'],
    );
    const tensor = fc.record({
      dtype: fc.constantFrom(...DTYPES),
      dims: fc.array(number, { maxLength: 9 }),
      data,
    });
    const input = fc.record(
      {
        name: fc.constantFrom('x', 'y'),
        dtype: fc.constantFrom(...DTYPES),
        dims: fc.array(fc.oneof(fc.nat({ max: 4 }), fc.constant(BATCH)), { maxLength: 4 }),
        layout: fc.constantFrom('NC', 'C', 'NCHW', ''),
        range: fc.constant(range(0, 1)),
        channelRanges: fc.array(fc.constant(range(0, 1)), { maxLength: 3 }),
      },
      { requiredKeys: ['name', 'dtype', 'dims'] },
    );
    fc.assert(
      fc.property(
        fc.array(input, { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('x', 'y', 'z'), tensor),
        (inputs, given) => {
          const { findings } = checkInput(
            { inputs, outputs: [] } as IoSchema,
            new Map(Object.entries(given)),
          );
          for (const found of findings) expect(found.code).toMatch(/^contract\./);
        },
      ),
      { numRuns: 500 },
    );
  });
});
