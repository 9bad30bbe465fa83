import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it, vi } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { attempt, need, type Result } from '../../../src/core/base/fault.ts';
import type { Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';
import { DATA_TYPE, TENSOR } from '../../../src/core/onnx/proto.ts';
import { decodeTensor, readTensorHead } from '../../../src/core/onnx/tensor-proto.ts';

function tensorOf(
  dims: readonly number[],
  dataType: number,
  data: (writer: BinaryWriter) => BinaryWriter,
): Uint8Array {
  const writer = new BinaryWriter();
  for (const size of dims) writer.tag(TENSOR.dims, WireType.Varint).int64(size);
  writer.tag(TENSOR.dataType, WireType.Varint).int32(dataType);
  writer.tag(TENSOR.name, WireType.LengthDelimited).string('t');
  return data(writer).finish();
}

function packed(no: number, write: (writer: BinaryWriter) => void) {
  return (writer: BinaryWriter): BinaryWriter => {
    writer.tag(no, WireType.LengthDelimited).fork();
    write(writer);
    return writer.join();
  };
}

function decode(body: Uint8Array): Result<Tensor> {
  return attempt(() => need(decodeTensor(readTensorHead(body))));
}

function codeOf(result: Result<Tensor>): string {
  return result.ok ? 'decoded' : result.fault.code;
}

const none = (writer: BinaryWriter): BinaryWriter => writer;

describe('typed fields', () => {
  const cases: [string, number, (writer: BinaryWriter) => void, TensorData][] = [
    ['float32', TENSOR.floatData, (w) => w.float(1.5).float(-2), Float32Array.of(1.5, -2)],
    ['float64', TENSOR.doubleData, (w) => w.double(1e99).double(0), Float64Array.of(1e99, 0)],
    ['float16', TENSOR.int32Data, (w) => w.int32(0x3c00).int32(1), Uint16Array.of(0x3c00, 1)],
    ['int8', TENSOR.int32Data, (w) => w.int32(-128).int32(5), Int8Array.of(-128, 5)],
    ['int16', TENSOR.int32Data, (w) => w.int32(-32768).int32(5), Int16Array.of(-32768, 5)],
    ['int32', TENSOR.int32Data, (w) => w.int32(-(2 ** 31)).int32(5), Int32Array.of(-(2 ** 31), 5)],
    ['int64', TENSOR.int64Data, (w) => w.int64(-5).int64(6), BigInt64Array.of(-5n, 6n)],
    ['uint8', TENSOR.int32Data, (w) => w.int32(255).int32(0), Uint8Array.of(255, 0)],
    ['uint16', TENSOR.int32Data, (w) => w.int32(65535).int32(0), Uint16Array.of(65535, 0)],
    ['uint32', TENSOR.uint64Data, (w) => w.uint64(4e9).uint64(0), Uint32Array.of(4e9, 0)],
    ['uint64', TENSOR.uint64Data, (w) => w.uint64(2n ** 64n - 1n).uint64(0), bigs()],
    ['bool', TENSOR.int32Data, (w) => w.int32(1).int32(0), Uint8Array.of(1, 0)],
  ];

  it.each(cases)('%s', (dtype, no, write, data) => {
    const dataType = DATA_TYPE[dtype as keyof typeof DATA_TYPE];
    expect(decode(tensorOf([2], dataType, packed(no, write)))).toEqual({
      ok: true,
      value: { dtype, dims: [2], data },
    });
  });

  it('may be unpacked, and in several runs', () => {
    const body = tensorOf([3], DATA_TYPE.float32, (writer) => {
      writer.tag(TENSOR.floatData, WireType.Bit32).float(1);
      return packed(TENSOR.floatData, (w) => w.float(2).float(3))(writer);
    });
    expect(decode(body)).toMatchObject({ ok: true, value: { data: Float32Array.of(1, 2, 3) } });
  });

  it('texts', () => {
    const body = tensorOf([2], DATA_TYPE.string, (writer) => {
      for (const text of ['ä', ''])
        writer.tag(TENSOR.stringData, WireType.LengthDelimited).string(text);
      return writer;
    });
    expect(decode(body)).toMatchObject({ ok: true, value: { data: ['ä', ''] } });
  });

  it('packed dimensions, and none for a scalar', () => {
    const body = tensorOf([], DATA_TYPE.uint8, (writer) => {
      packed(TENSOR.dims, (w) => w.int64(1).int64(2))(writer);
      return writer.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(Uint8Array.of(8, 9));
    });
    expect(decode(body)).toMatchObject({ ok: true, value: { dims: [1, 2] } });
    const scalar = tensorOf(
      [],
      DATA_TYPE.uint8,
      packed(TENSOR.rawData, (w) => w.raw(utf8('!'))),
    );
    expect(decode(scalar)).toMatchObject({
      ok: true,
      value: { dims: [], data: Uint8Array.of(33) },
    });
  });
});

function bigs(): BigUint64Array {
  return BigUint64Array.of(2n ** 64n - 1n, 0n);
}

describe('what decodeTensor refuses', () => {
  it('element types that are not offered', () => {
    expect(codeOf(decode(tensorOf([1], 16, none)))).toBe('onnx.unsupported');
  });

  it('data in another file', () => {
    const elsewhere = tensorOf([1], DATA_TYPE.float32, (writer) => {
      return writer.tag(TENSOR.dataLocation, WireType.Varint).int32(1);
    });
    expect(readTensorHead(elsewhere).external).toBe(true);
    expect(codeOf(decode(elsewhere))).toBe('onnx.external-data');
  });

  it('more elements than the limit, before any is allocated', () => {
    expect(codeOf(decode(tensorOf([2 ** 30, 2 ** 20], 1, none)))).toBe('onnx.limit');
  });

  it('a large shape over few bytes, before any memory is reserved for it', () => {
    const body = tensorOf(
      [2 ** 26],
      DATA_TYPE.int64,
      packed(TENSOR.int64Data, (w) => w.int64(1)),
    );
    const asked: number[] = [];
    vi.stubGlobal(
      'Uint8Array',
      new Proxy(Uint8Array, {
        construct(target, parts: unknown[]) {
          if (typeof parts[0] === 'number') asked.push(parts[0]);
          return Reflect.construct(target, parts);
        },
      }),
    );
    const code = codeOf(decode(body));
    vi.unstubAllGlobals();
    expect(code).toBe('onnx.malformed');
    expect(Math.max(0, ...asked)).toBeLessThan(1024);
  });

  it('data that do not fill the dimensions, or overfill them', () => {
    const raw = (bytes: number) => (writer: BinaryWriter) =>
      writer.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(new Uint8Array(bytes));
    expect(codeOf(decode(tensorOf([2], 1, raw(8))))).toBe('decoded');
    expect(codeOf(decode(tensorOf([2], 1, raw(7))))).toBe('onnx.malformed');
    expect(codeOf(decode(tensorOf([2], 1, none)))).toBe('onnx.malformed');
    const three = packed(TENSOR.floatData, (w) => w.float(1).float(2).float(3));
    expect(codeOf(decode(tensorOf([2], 1, three)))).toBe('onnx.malformed');
    const half = packed(TENSOR.floatData, (w) => w.raw(Uint8Array.of(1, 2)));
    expect(codeOf(decode(tensorOf([1], 1, half)))).toBe('onnx.malformed');
    expect(codeOf(decode(tensorOf([1], DATA_TYPE.string, none)))).toBe('onnx.malformed');
  });

  it('elements of the wrong wire type', () => {
    const doubles = tensorOf([1], DATA_TYPE.float32, (writer) => {
      return writer.tag(TENSOR.floatData, WireType.Bit64).double(1);
    });
    expect(codeOf(decode(doubles))).toBe('onnx.malformed');
  });

  it('a singular field again: the last one counts', () => {
    const last = tensorOf([1], DATA_TYPE.uint8, (writer) => {
      const bytes = (value: number) => Uint8Array.of(value);
      writer.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(bytes(1));
      return writer.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(bytes(2));
    });
    expect(decode(concatBytes(last))).toMatchObject({ value: { data: Uint8Array.of(2) } });
  });
});
