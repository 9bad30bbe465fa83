import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { NPY_FILE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { convertTensor, decodeNpy, encodeNpy, rowOf } from '../../../src/core/numeric/npy.ts';
import type { DType, Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { anyNumericTensor } from './any-tensor.ts';

const EVERY: readonly [DType, TensorData][] = [
  ['float32', Float32Array.of(1.5, -0, Number.NaN, Infinity, 3e-40, -2)],
  ['float64', Float64Array.of(1 / 3, -0, Number.NaN, -Infinity, 5e-324, 2)],
  ['float16', Uint16Array.of(0x3c00, 0x8000, 0x7e01, 0xfc00, 1, 0x7bff)],
  ['int8', Int8Array.of(-128, 127, 0, 1, -1, 2)],
  ['int16', Int16Array.of(-32_768, 32_767, 0, 1, -1, 2)],
  ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1, -1, 2)],
  ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n, -1n, 2n)],
  ['uint8', Uint8Array.of(0, 255, 1, 2, 3, 4)],
  ['uint16', Uint16Array.of(0, 65_535, 1, 2, 3, 4)],
  ['uint32', Uint32Array.of(0, 2 ** 32 - 1, 1, 2, 3, 4)],
  ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n, 1n, 2n, 3n, 4n)],
  ['bool', Uint8Array.of(0, 1, 1, 0, 0, 1)],
];

/** A file with the given header text (padding and newline added) and data. */
function file(header: string, data: Uint8Array, version: number = 1): Uint8Array {
  const lengthBytes = version === 1 ? 2 : 4;
  const text = utf8(`${header}\n`);
  const out = new Uint8Array(8 + lengthBytes + text.length + data.length);
  out.set([0x93, ...utf8('NUMPY'), version, 0]);
  for (let i = 0; i < lengthBytes; i++) out[8 + i] = (text.length >> (8 * i)) & 0xff;
  out.set(text, 8 + lengthBytes);
  out.set(data, 8 + lengthBytes + text.length);
  return out;
}

function header(descr: string, shape: string, order: string = 'False'): string {
  return `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`;
}

function value(bytes: Uint8Array): Tensor {
  const result = decodeNpy(bytes);
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

function code(bytes: Uint8Array): string {
  const result = decodeNpy(bytes);
  return result.ok ? 'ok' : result.fault.code;
}

describe('decodeNpy', () => {
  it.each(EVERY)('gives back what encodeNpy wrote: %s', (dtype, data) => {
    for (const dims of [[6], [2, 3], [3, 1, 2], [1, 6, 1]]) {
      const file = encodeNpy({ dtype, dims, data });
      expect(file.length % 64).toBe((data as Uint8Array).byteLength % 64);
      expect(value(file)).toStrictEqual({ dtype, dims, data });
    }
  });

  it('reads and writes a file byte for byte as numpy 2 does', () => {
    // numpy.save of numpy.arange(3, dtype='<i2')
    const literal = "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }";
    const bytes = file(literal.padEnd(117), Uint8Array.of(0, 0, 1, 0, 2, 0));
    const tensor: Tensor = { dtype: 'int16', dims: [3], data: Int16Array.of(0, 1, 2) };
    expect(bytes.length).toBe(128 + 6);
    expect(value(bytes)).toStrictEqual(tensor);
    expect(encodeNpy(tensor)).toStrictEqual(bytes);
  });

  it('reads format versions 2.0 and 3.0, any order of members, and scalars', () => {
    const data = Uint8Array.of(7);
    expect(value(file(header('|u1', ''), data, 2)).dims).toStrictEqual([]);
    expect(value(file(header('<u1', '1,'), data, 3)).dims).toStrictEqual([1]);
    const turned = "{'shape': (1, 1), 'descr': '|u1', 'fortran_order': False}";
    expect(value(file(turned, data)).dims).toStrictEqual([1, 1]);
  });

  it('copies only where the data are not aligned', () => {
    const bytes = encodeNpy({ dtype: 'float32', dims: [2], data: Float32Array.of(1, 2) });
    expect((value(bytes).data as Float32Array).buffer).toBe(bytes.buffer);
    const moved = new Uint8Array(bytes.length + 1);
    moved.set(bytes, 1);
    const read = value(moved.subarray(1)).data as Float32Array;
    expect(read.buffer).not.toBe(moved.buffer);
    expect(read).toStrictEqual(Float32Array.of(1, 2));
  });

  it('names every reason to refuse', () => {
    const one = Uint8Array.of(1);
    expect(code(utf8('PK\u0003\u0004 an npz archive'))).toBe('npy.magic');
    expect(code(file(header('|u1', '1,'), one, 4))).toBe('npy.version');
    expect(code(file(header('>f4', '1,'), new Uint8Array(4)))).toBe('npy.dtype');
    expect(code(file(header('<U5', '1,'), new Uint8Array(20)))).toBe('npy.dtype');
    expect(code(file(header('|O', '1,'), one))).toBe('npy.dtype');
    expect(code(file(header('|u1', '1,', 'True'), one))).toBe('npy.order');
    expect(code(file(header('|u1', '2,'), one))).toBe('npy.truncated');
    expect(code(file(header('|u1', '0,'), one))).toBe('npy.trailing');
    expect(code(file(header('|b1', '1,'), Uint8Array.of(2)))).toBe('npy.bool');
    expect(code(file(header('|u1', '99999999999, 99999999999'), one))).toBe('npy.limit');
    expect(code(file(header('|u1', '1, 1, 1, 1, 1, 1, 1, 1, 1'), one))).toBe('npy.limit');
    expect(code(file(header('|u1', '1,').padEnd(5000), one))).toBe('npy.limit');
  });

  it('refuses a file beyond the limit before it looks inside', () => {
    const giant = { length: NPY_FILE_BYTES_MAX + 1 } as Uint8Array;
    expect(code(giant)).toBe('npy.limit');
  });

  it.each([
    "{'descr': '|u1', 'fortran_order': False}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1,,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (01,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1,)}",
    "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
    "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} x",
    "{'descr': '|u1' 'fortran_order': False, 'shape': (1,)}",
    "__import__('os').system('true')",
    '',
  ])('refuses the header %j', (text) => {
    expect(code(file(text, Uint8Array.of(1)))).toBe('npy.header');
  });

  it('refuses every file cut short, and never throws on a flipped byte', () => {
    const bytes = encodeNpy({ dtype: 'float32', dims: [2], data: Float32Array.of(1, 2) });
    for (let length = 0; length < bytes.length; length++) {
      const expected = length < 6 ? 'npy.magic' : 'npy.truncated';
      expect(code(bytes.subarray(0, length))).toBe(expected);
    }
    let refused = 0;
    for (let at = 0; at < 64; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] as number) ^ (1 << bit);
        if (!decodeNpy(flipped).ok) refused++;
      }
    }
    expect(refused).toBeGreaterThan(400);
  });

  it('is total on arbitrary bytes behind the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        const bytes = Uint8Array.of(0x93, ...utf8('NUMPY'), 1, 0, ...tail);
        const result = decodeNpy(bytes);
        return result.ok || result.fault.code.startsWith('npy.');
      }),
    );
  });

  it.skipIf(sharedMissing)('reads a data set that numpy wrote (needs the shared data)', () => {
    const tensor = value(readFileSync(sharedPath('data/cifar10-test-x.npy')));
    expect(tensor.dims.slice(1)).toStrictEqual([3, 32, 32]);
  });
});

describe('encodeNpy', () => {
  it('takes texts for a programmer error', () => {
    expect(() => encodeNpy({ dtype: 'string', dims: [1], data: ['a'] })).toThrow('string tensor');
  });
});

describe('rowOf', () => {
  it('gives a view of numbers and a slice of texts, with a leading 1', () => {
    const tensor: Tensor = {
      dtype: 'int16',
      dims: [3, 2],
      data: Int16Array.of(1, 2, 3, 4, 5, 6),
    };
    const row = rowOf(tensor, 1);
    expect(row).toStrictEqual({ dtype: 'int16', dims: [1, 2], data: Int16Array.of(3, 4) });
    expect((row.data as Int16Array).buffer).toBe((tensor.data as Int16Array).buffer);
    const texts: Tensor = { dtype: 'string', dims: [2], data: ['a', 'b'] };
    expect(rowOf(texts, 1)).toStrictEqual({ dtype: 'string', dims: [1], data: ['b'] });
    expect(() => rowOf(tensor, 3)).toThrow('no row 3 of 3');
    expect(() => rowOf({ ...tensor, dims: [] }, 0)).toThrow('scalar');
  });
});

describe('convertTensor', () => {
  const bytes: Tensor = { dtype: 'uint8', dims: [2, 1], data: Uint8Array.of(0, 255) };

  it('converts and scales, rounding once', () => {
    const plain = { dtype: 'float32', dims: [2, 1], data: Float32Array.of(0, 255) };
    expect(convertTensor(bytes, 'float32')).toStrictEqual({ ok: true, value: plain });
    const scaled = convertTensor(bytes, 'float32', 1 / 255, -0.5);
    expect(scaled.ok && scaled.value.data).toStrictEqual(Float32Array.of(-0.5, 255 / 255 - 0.5));
    const half = convertTensor(bytes, 'float16');
    expect(half.ok && half.value.data).toStrictEqual(Uint16Array.of(0, 0x5bf8));
    const wide = convertTensor(bytes, 'int64');
    expect(wide.ok && wide.value.data).toStrictEqual(BigInt64Array.of(0n, 255n));
    const halves: Tensor = { dtype: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0x8000) };
    const floats = convertTensor(halves, 'float32');
    expect(floats.ok && floats.value.data).toStrictEqual(Float32Array.of(1, -0));
  });

  it('gives the same tensor where nothing changes', () => {
    const same = convertTensor(bytes, 'uint8');
    expect(same.ok && same.value).toBe(bytes);
  });

  it('allows exactly the conversions that hold every value', () => {
    const allowed: string[] = [];
    for (const [from, data] of EVERY) {
      for (const [to] of EVERY) {
        const result = convertTensor({ dtype: from, dims: [6], data }, to);
        if (from !== to && result.ok) allowed.push(`${from}>${to}`);
        if (!result.ok) expect(result.fault.code).toBe('tensor.lossy');
      }
    }
    expect(allowed.join(' ')).toBe(
      [
        'float32>float64 float16>float32 float16>float64',
        'int8>float32 int8>float64 int8>float16 int8>int16 int8>int32 int8>int64',
        'int16>float32 int16>float64 int16>int32 int16>int64 int32>float64 int32>int64',
        'uint8>float32 uint8>float64 uint8>float16 uint8>int16 uint8>int32 uint8>int64',
        'uint8>uint16 uint8>uint32 uint8>uint64',
        'uint16>float32 uint16>float64 uint16>int32 uint16>int64 uint16>uint32 uint16>uint64',
        'uint32>float64 uint32>int64 uint32>uint64',
        'bool>float32 bool>float64 bool>float16 bool>int8 bool>int16 bool>int32 bool>int64',
        'bool>uint8 bool>uint16 bool>uint32 bool>uint64',
      ].join(' '),
    );
  });

  it('refuses texts, and scales that make no sense', () => {
    const codeOf = (tensor: Tensor, to: DType, scale?: number, offset?: number): string => {
      const result = convertTensor(tensor, to, scale, offset);
      return result.ok ? 'ok' : result.fault.code;
    };
    const text: Tensor = { dtype: 'string', dims: [1], data: ['1'] };
    expect(codeOf(text, 'float32')).toBe('tensor.string');
    expect(codeOf(bytes, 'string')).toBe('tensor.string');
    expect(codeOf(bytes, 'int16', 2)).toBe('tensor.scale');
    expect(codeOf(bytes, 'float32', Number.NaN)).toBe('tensor.scale');
    expect(codeOf(bytes, 'float32', 1, Infinity)).toBe('tensor.scale');
  });
});

describe('every tensor of numbers', () => {
  it('comes back bit by bit', () => {
    fc.assert(
      fc.property(anyNumericTensor, (tensor) => {
        const bytes = encodeNpy(tensor);
        const back = decodeNpy(bytes);
        expect(back).toEqual({ ok: true, value: tensor });
        if (back.ok) expect(encodeNpy(back.value)).toEqual(bytes);
      }),
      { seed: 81 },
    );
  });
});
