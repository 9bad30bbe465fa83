/** Golden vectors as bytes: what comes back, what is refused, and how far an output may be off. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOLDEN_BYTES_MAX, GOLDEN_VECTORS_MAX } from '../../../src/core/base/limits.ts';
import {
  decodeGolden,
  encodeGolden,
  type Golden,
  type GoldenVector,
} from '../../../src/core/bundle/golden-codec.ts';
import { differenceIn, isUseful, toleranceOf } from '../../../src/core/bundle/golden-tolerance.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborKey, CborMap, CborValue } from '../../../src/core/cose/value.ts';
import { numberToHalf } from '../../../src/core/numeric/float16.ts';
import type { DType, Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const tensor = (dtype: DType, data: TensorData, dims = [1, data.length]): Tensor => {
  return { dtype, dims, data };
};
const floats = (...values: number[]): Tensor => tensor('float32', Float32Array.from(values));

/** One input and one output of every element type. */
const EVERY: readonly Tensor[] = [
  tensor('float32', Float32Array.of(1.5, -0, 3e-40)),
  tensor('float64', Float64Array.of(1 / 3, -0, 5e-324)),
  tensor('float16', Uint16Array.of(0x3c00, 0x8000, 1)),
  tensor('int8', Int8Array.of(-128, 127, 0)),
  tensor('int16', Int16Array.of(-32_768, 32_767, 0)),
  tensor('int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0)),
  tensor('int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n)),
  tensor('uint8', Uint8Array.of(0, 255, 1)),
  tensor('uint16', Uint16Array.of(0, 65_535, 1)),
  tensor('uint32', Uint32Array.of(0, 2 ** 32 - 1, 1)),
  tensor('uint64', BigUint64Array.of(0n, 2n ** 64n - 1n, 1n)),
  tensor('bool', Uint8Array.of(0, 1, 1)),
  tensor('string', ['', 'a', 'gr\u00fc\u00dfe \u{1f980}']),
  tensor('float32', Float32Array.of(7), []),
  tensor('float32', new Float32Array(0), [1, 0]),
];
const named = (tensors: readonly Tensor[]) => new Map(tensors.map((one, i) => [`t${i}`, one]));

function goldenOf(vectors: readonly GoldenVector[], change: Partial<Golden> = {}): Golden {
  const names = [...(vectors[0]?.outputs.keys() ?? [])];
  const tolerances = new Map(
    names.map((name) => [name, toleranceOf(vectors.flatMap((v) => v.outputs.get(name) ?? []))]),
  );
  return { modelSha256: new Uint8Array(32).fill(7), tolerances, vectors, ...change };
}

const vector = (x: Tensor, y: Tensor): GoldenVector => {
  return { inputs: new Map([['x', x]]), outputs: new Map([['y', y]]) };
};
const PLAIN: Golden = goldenOf([
  vector(floats(1, 2), floats(0.5, 100)),
  vector(floats(3, 4), floats(-1, 0)),
]);

/** The document with other members. */
function edited(golden: Golden, edit: (map: Map<CborKey, CborValue>) => void): Uint8Array {
  const map = new Map(accepted(decodeCbor(encodeGolden(golden))) as CborMap);
  edit(map);
  return encodeCbor(map);
}

describe('golden vectors', () => {
  it('come back as they were, of every element type, and encode to the same bytes', () => {
    const golden = goldenOf([{ inputs: named(EVERY), outputs: named(EVERY) }]);
    const bytes = encodeGolden(golden);
    const read = accepted(decodeGolden(bytes));
    expect(read.modelSha256).toEqual(golden.modelSha256);
    expect(read.tolerances).toEqual(golden.tolerances);
    for (const [name, wanted] of named(EVERY)) {
      for (const found of [read.vectors[0]?.inputs, read.vectors[0]?.outputs]) {
        expect(found?.get(name), name).toEqual(wanted);
      }
    }
    expect(encodeGolden(read)).toEqual(bytes);
  });

  it('own their memory', () => {
    const bytes = encodeGolden(PLAIN);
    const read = accepted(decodeGolden(bytes));
    bytes.fill(0);
    expect(read).toEqual(accepted(decodeGolden(encodeGolden(PLAIN))));
  });

  it('are at most so many bytes, and so many vectors, and at least one', () => {
    expect(codeOf(decodeGolden(new Uint8Array(GOLDEN_BYTES_MAX + 1)))).toBe('golden.size');
    const one = vector(floats(1), floats(2));
    const of = (count: number): string =>
      codeOf(decodeGolden(encodeGolden(goldenOf(Array(count).fill(one) as GoldenVector[]))));
    expect(of(GOLDEN_VECTORS_MAX)).toBe('accepted');
    expect(of(GOLDEN_VECTORS_MAX + 1)).toBe('field.range');
    const none = edited(PLAIN, (map) => map.set('vectors', []));
    expect(codeOf(decodeGolden(none))).toBe('golden.vectors');
  });

  it('all have the same inputs and outputs, by name and type, and a tolerance for each output', () => {
    const first = vector(floats(1), floats(2));
    const others: GoldenVector[] = [
      { ...first, inputs: new Map([['z', floats(1)]]) },
      { ...first, inputs: new Map() },
      { ...first, outputs: new Map([['z', floats(1)]]) },
      { ...first, outputs: new Map([...first.outputs, ['z', floats(1)]]) },
      vector(floats(1), tensor('int32', Int32Array.of(2))),
      vector(tensor('float64', Float64Array.of(2)), floats(2)),
    ];
    for (const other of others) {
      const golden = goldenOf([first, other]);
      expect(codeOf(decodeGolden(encodeGolden(golden)))).toBe('golden.vectors');
    }
    const untold = goldenOf([first], { tolerances: new Map() });
    expect(codeOf(decodeGolden(encodeGolden(untold)))).toBe('golden.vectors');
    const empty = goldenOf([{ inputs: new Map(), outputs: new Map() }]);
    expect(codeOf(decodeGolden(encodeGolden(empty)))).toBe('golden.vectors');
    const long = goldenOf([{ ...first, inputs: new Map([['x'.repeat(129), floats(1)]]) }]);
    expect(codeOf(decodeGolden(encodeGolden(long)))).toBe('golden.vectors');
  });

  it('have tensors that fill their dimensions', () => {
    const wrong: Tensor[] = [
      { ...floats(1, 2), dims: [3] },
      { ...floats(1, 2), dims: [1, 1] },
      { ...floats(), dims: [] },
      { dtype: 'float32', dims: [1], data: Uint8Array.of(1, 2, 3) },
      { ...floats(1), dims: [2 ** 26, 2] },
      { dtype: 'string', dims: [2], data: ['a'] },
      { dtype: 'string', dims: [1], data: [7] as unknown as string[] },
    ];
    for (const x of wrong) {
      const bytes = encodeGolden(goldenOf([vector(x, floats(1))]));
      expect(codeOf(decodeGolden(bytes)), x.dims.join()).toBe('golden.tensor');
    }
  });

  it('hold finite numbers, and bools of 0 and 1', () => {
    const wild: Tensor[] = [
      floats(Number.NaN),
      floats(1, -Infinity),
      tensor('float64', Float64Array.of(Infinity)),
      tensor('float16', Uint16Array.of(0x7c00)),
      tensor('bool', Uint8Array.of(2)),
    ];
    for (const x of wild) {
      for (const bad of [vector(x, floats(1)), vector(floats(1), x)]) {
        const bytes = encodeGolden(goldenOf([bad], { tolerances: PLAIN.tolerances }));
        expect(codeOf(decodeGolden(bytes))).toBe('golden.values');
      }
    }
  });

  it('have a tolerance that tells models apart', () => {
    const with_ = (absolute: number, relative: number, y: Tensor = floats(2, -4)): string => {
      const tolerances = new Map([['y', { absolute, relative }]]);
      return codeOf(decodeGolden(encodeGolden(goldenOf([vector(floats(1), y)], { tolerances }))));
    };
    expect(with_(0.5, 0.125)).toBe('accepted');
    expect(with_(0, 0)).toBe('accepted');
    expect(with_(0.51, 0)).toBe('golden.tolerance');
    expect(with_(0, 0.126)).toBe('golden.tolerance');
    expect(with_(1e-3, 0, floats(0))).toBe('golden.tolerance');
    expect(with_(1e-7, 0, floats(0))).toBe('accepted');
    expect(with_(-1, 0)).toBe('field.range');
    expect(with_(0, 0, tensor('int32', Int32Array.of(2)))).toBe('accepted');
    expect(with_(0.1, 0, tensor('int32', Int32Array.of(2)))).toBe('golden.tolerance');
    expect(with_(0, 1e-3, tensor('string', ['a']))).toBe('golden.tolerance');
  });

  it('are refused by name where a member is unknown, missing or of another type', () => {
    const cases: [string, (map: Map<CborKey, CborValue>) => void][] = [
      ['field.range', (map) => map.set('profile', 'edgeward-golden/2')],
      ['field.unknown', (map) => map.set('more', 1)],
      ['field.missing', (map) => map.delete('model')],
      ['field.range', (map) => map.set('model', new Uint8Array(31))],
      ['field.type', (map) => map.set('vectors', 7)],
      ['field.type', (map) => map.set('tolerances', [])],
      ['golden.vectors', (map) => map.set('tolerances', new Map([[7, 1]]))],
    ];
    for (const [code, edit] of cases) expect(codeOf(decodeGolden(edited(PLAIN, edit)))).toBe(code);
    expect(codeOf(decodeGolden(Uint8Array.of(0x80)))).toBe('field.type');
    expect(codeOf(decodeGolden(new Uint8Array(0)))).toBe('cbor.truncated');
  });

  it('never throw for any bytes', () => {
    const good = encodeGolden(PLAIN);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(good);
        changed[at] = value;
        const read = decodeGolden(changed);
        if (read.ok) expect(encodeGolden(read.value)).toEqual(changed);
      }),
      { numRuns: 500, seed: 5 },
    );
    for (let length = 0; length < good.length; length++) {
      expect(decodeGolden(good.subarray(0, length)).ok).toBe(false);
    }
  });
});

describe('the tolerance', () => {
  it('is a thousandth of the value and a ten-thousandth of the largest, exact for whole numbers', () => {
    expect(toleranceOf([floats(1, -50), floats(20)])).toEqual({ absolute: 0.005, relative: 1e-3 });
    expect(toleranceOf([floats(0)])).toEqual({ absolute: 1e-7, relative: 1e-3 });
    const half = tensor('float16', Uint16Array.of(numberToHalf(-4)));
    expect(toleranceOf([half])).toEqual({ absolute: 4 / 128, relative: 1 / 128 });
    for (const one of EVERY.slice(3, 13)) {
      expect(toleranceOf([one])).toEqual({ absolute: 0, relative: 0 });
    }
    for (const one of EVERY) expect(isUseful(toleranceOf([one]), [one])).toBe(true);
  });

  it('takes what another order of summation gives, and not another model', () => {
    // Dot products of 1,024 terms forwards, backwards, and in four lanes: what SIMD widths differ by.
    const terms = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i * 7.1) * 10);
    const sum = (order: readonly number[], lanes: number): number => {
      const lane = new Float32Array(lanes);
      for (const [at, i] of order.entries()) {
        lane[at % lanes] = Math.fround((lane[at % lanes] as number) + (terms[i] as number));
      }
      return lane.reduce((a, b) => Math.fround(a + b));
    };
    const order = [...terms.keys()];
    const sums = [sum(order, 1), sum([...order].reverse(), 1), sum(order, 4), sum(order, 16)];
    const golden = floats(sums[0] as number, 10 * Math.max(...terms));
    const tolerance = toleranceOf([golden]);
    expect(new Set(sums).size).toBeGreaterThan(1);
    for (const other of sums) {
      expect(differenceIn(golden, floats(other, golden.data[1] as number), tolerance)).toBe(
        undefined,
      );
    }
    const broken = floats((sums[0] as number) + 0.5, golden.data[1] as number);
    expect(differenceIn(golden, broken, tolerance)?.element).toBe(0);
  });

  it('names the first element that is off, and by how much', () => {
    const tolerance = { absolute: 0, relative: 0.125 };
    expect(differenceIn(floats(1, 2, 4), floats(1, 2.25, 5), tolerance)).toEqual({
      element: 2,
      words: '5 where 4 was expected, 1 off, 0.5 allowed',
    });
    expect(differenceIn(floats(1), floats(Number.NaN), tolerance)?.element).toBe(0);
    expect(differenceIn(floats(1), floats(Infinity), tolerance)?.element).toBe(0);
    const words = tensor('string', ['a']);
    const exact = { absolute: 0, relative: 0 };
    expect(differenceIn(words, tensor('string', ['b']), exact)?.words).toBe(
      '"b" where "a" was expected',
    );
    expect(differenceIn(words, words, exact)).toBeUndefined();
    const big = tensor('int64', BigInt64Array.of(2n ** 60n));
    expect(differenceIn(big, tensor('int64', BigInt64Array.of(2n ** 60n + 1n)), exact)).toEqual({
      element: 0,
      words: `${2n ** 60n + 1n} where ${2n ** 60n} was expected`,
    });
    const half = (value: number): Tensor => tensor('float16', Uint16Array.of(numberToHalf(value)));
    expect(differenceIn(half(1), half(1.0625), tolerance)).toBeUndefined();
    expect(differenceIn(half(1), half(1.25), tolerance)?.words).toContain('0.25 off');
  });

  it('allows no other type and no other shape', () => {
    const tolerance = { absolute: 1, relative: 1 };
    for (const other of [
      floats(1),
      { ...floats(1, 2), dims: [2, 1] },
      tensor('float64', Float64Array.of(1, 2)),
      { ...floats(1, 2), data: Float32Array.of(1) },
    ]) {
      expect(differenceIn(floats(1, 2), other, tolerance)?.element).toBe(-1);
    }
  });
});
