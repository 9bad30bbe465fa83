import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import { TENSOR_BYTES_MAX } from '../../../src/core/base/limits.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import {
  checkInputs,
  type EnginePort,
  type Feeds,
  ownInputs,
} from '../../../src/host/inference/ports.ts';
import { named } from './models.ts';

const PORTS: readonly EnginePort[] = [
  { name: 'image', dtype: 'float32', dims: ['batch', 2] },
  { name: 'flag', dtype: 'bool', dims: [] },
];
const image: Tensor = { dtype: 'float32', dims: [1, 2], data: Float32Array.of(1, 2) };
const flag: Tensor = { dtype: 'bool', dims: [1], data: Uint8Array.of(1) };

function takeInputs(inputs: NamedTensors, ports: readonly EnginePort[]): Result<Feeds> {
  const checked = checkInputs(inputs, ports);
  return checked.ok ? ownInputs(checked.value) : checked;
}

function fault(tensors: Record<string, Tensor>, ports: readonly EnginePort[] = PORTS): string {
  const result = takeInputs(named(tensors), ports);
  return result.ok ? 'ok' : `${result.fault.code}: ${result.fault.message}`;
}

describe('checkInputs and ownInputs', () => {
  it('copies what fits into memory that can be handed over', () => {
    const result = takeInputs(named({ image, flag }), PORTS);
    if (!result.ok) throw new Error(result.fault.message);
    expect(Object.fromEntries(result.value.tensors)).toStrictEqual({ image, flag });
    const buffers = result.value.buffers;
    expect(buffers.map((buffer) => buffer.byteLength)).toStrictEqual([8, 1]);
    expect(buffers).not.toContain((image.data as Float32Array).buffer);
  });

  it('takes data in shared memory as a copy that nobody shares', () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    const result = takeInputs(named({ image: { ...image, data: shared }, flag }), PORTS);
    expect(result.ok && result.value.buffers[0]).toBeInstanceOf(ArrayBuffer);
  });

  it('refuses a missing and an unknown name, naming the nearest', () => {
    expect(fault({ image })).toMatch(/^inference.input-missing: flag/);
    expect(fault({ imege: image, flag })).toMatch(/^inference.input-unknown: .*there is image/);
  });

  it('refuses another type, by name or by the array that holds it', () => {
    const doubles: Tensor = { dtype: 'float64', dims: [1, 2], data: Float64Array.of(1, 2) };
    expect(fault({ image: doubles, flag })).toMatch(/^inference.input-dtype: image is float32/);
    expect(fault({ image: { ...image, data: Float64Array.of(1, 2) }, flag })).toMatch(
      /^inference.input-dtype/,
    );
    expect(fault({ image: { ...image, data: ['1', '2'] }, flag })).toMatch(
      /^inference.input-dtype/,
    );
  });

  it('refuses another rank, fixed dimension, size or number of elements', () => {
    const shaped = (dims: number[], length: number) =>
      fault({ image: { ...image, dims, data: new Float32Array(length) }, flag });
    expect(shaped([3, 2], 6)).toBe('ok');
    expect(shaped([2], 2)).toMatch(/^inference.input-shape: image is \[batch, 2\], not \[2\]/);
    expect(shaped([1, 3], 3)).toMatch(/^inference.input-shape/);
    expect(shaped([2, 2], 3)).toMatch(/^inference.input-shape: image has 3 elements/);
    expect(shaped([-1, 2], 2)).toMatch(/^inference.input-shape/);
    expect(shaped([1.5, 2], 3)).toMatch(/^inference.input-shape/);
    expect(shaped([2 ** 40, 2], 2)).toMatch(/^inference.input-shape/);
  });

  it('refuses values that ONNX Runtime would read as something else', () => {
    expect(fault({ image, flag: { ...flag, data: Uint8Array.of(2) } })).toMatch(
      /^inference.input-value/,
    );
    const texts: readonly EnginePort[] = [{ name: 't', dtype: 'string', dims: ['n'] }];
    const text = (...data: string[]) =>
      fault({ t: { dtype: 'string', dims: [data.length], data } }, texts);
    expect(text('', 'a', '\u{1f980}')).toBe('ok');
    expect(text('a\0b')).toMatch(/^inference.input-value/);
    expect(text('\ud800')).toMatch(/^inference.input-value/);
    expect(text(7 as unknown as string)).toMatch(/^inference.input-value/);
  });

  it('refuses more bytes in one run than the limit, whatever the number of inputs', () => {
    // Zero pages that are never written cost nothing; the second of the two is refused uncopied.
    const data = new Float32Array(TENSOR_BYTES_MAX / 8 + 1);
    const ports: EnginePort[] = ['a', 'b'].map((name) => ({ name, dtype: 'float32', dims: ['n'] }));
    const tensor: Tensor = { dtype: 'float32', dims: [data.length], data };
    const limit = takeInputs(named({ a: tensor, b: tensor }), ports);
    expect(!limit.ok && limit.fault.code).toBe('inference.input-limit');
  });
});
