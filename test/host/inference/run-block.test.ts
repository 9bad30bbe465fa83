import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODEL_PORTS_MAX, RUN_BLOCK_BYTES } from '../../../src/core/base/limits.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import type { EnginePort } from '../../../src/host/inference/ports.ts';
import { RunBlock } from '../../../src/host/inference/run-block.ts';
import { EVERY_DTYPE, named } from './models.ts';

const NUMBERS = EVERY_DTYPE.filter(([dtype]) => dtype !== 'string' && dtype !== 'bool');

function portsOf(tensors: NamedTensors): EnginePort[] {
  return [...tensors].map(([name, { dtype }]) => ({ name, dtype, dims: [] }));
}

function floats(count: number): NamedTensors {
  return named({ x: { dtype: 'float32', dims: [count], data: new Float32Array(count) } });
}

describe('a run block', () => {
  it('carries numbers of every type, size and rank to the bit', () => {
    const tensors: [string, Tensor][] = [];
    for (const [dtype, data] of NUMBERS) {
      for (const dims of [[], [0], [1], [3], [2, 2], [1, 1, 1, 1, 1, 1, 1, 4]]) {
        const count = dims.reduce((product, size) => product * size, 1);
        if (tensors.length === MODEL_PORTS_MAX) tensors.shift();
        tensors.push([`${dtype} ${dims}`, { dtype, dims, data: data.slice(0, count) }]);
      }
      const given = new Map(tensors);
      const block = new RunBlock();
      expect(block.put(7, given, portsOf(given))).toBe(true);
      const other = new RunBlock(block.buffer);
      expect(other.id).toBe(7);
      expect(other.take(portsOf(given), 'copies')).toStrictEqual(given);
    }
  });

  it('gives copies that nobody shares, and views that everybody does', () => {
    const block = new RunBlock();
    block.put(1, floats(3), portsOf(floats(3)));
    const [copy, view] = (['copies', 'views'] as const).map(
      (as) => block.take(portsOf(floats(3)), as)?.get('x')?.data as Float32Array,
    );
    view?.fill(9);
    expect(copy).toStrictEqual(new Float32Array(3));
    expect(copy?.buffer).toBeInstanceOf(ArrayBuffer);
    expect(view?.buffer).toBe(block.buffer);
  });

  it('leaves to messages what is no number, has no room or is not as the ports say', () => {
    const block = new RunBlock();
    for (const [dtype, data] of EVERY_DTYPE) {
      const tensors = named({ x: { dtype, dims: [4], data } });
      const isNumber = dtype !== 'string' && dtype !== 'bool';
      expect(block.put(1, tensors, portsOf(tensors)), dtype).toBe(isNumber);
      expect(block.take(portsOf(tensors), 'copies') !== undefined, dtype).toBe(isNumber);
    }
    const room = (RUN_BLOCK_BYTES - 2440) / 4;
    expect(block.put(1, floats(room), portsOf(floats(room)))).toBe(true);
    expect(block.fits(floats(room + 1).values())).toBe(false);
    expect(block.put(1, floats(room + 1), portsOf(floats(1)))).toBe(false);
    expect(block.put(1, floats(1), [{ name: 'x', dtype: 'int32', dims: [] }])).toBe(false);
    // One input under two ports, as only a hostile worker names them, takes its room twice.
    const twice = [...portsOf(floats(1)), ...portsOf(floats(1))];
    expect(block.put(1, floats(room), twice)).toBe(false);
    expect(block.put(1, floats(room / 4), twice)).toBe(true);
    expect(block.put(1, floats(1), [{ name: 'y', dtype: 'float32', dims: [] }])).toBe(false);
  });

  it('gives nothing beyond itself and never throws, whatever stands in it', () => {
    const number = fc.oneof(fc.double(), fc.integer({ min: -2, max: 40 }), fc.maxSafeInteger());
    const ports: EnginePort[] = (['float64', 'int8', 'int64'] as const).map((dtype) => ({
      name: dtype,
      dtype,
      dims: [],
    }));
    let taken = 0;
    fc.assert(
      fc.property(fc.array(number, { minLength: 27, maxLength: 27 }), (numbers) => {
        const block = new RunBlock(new SharedArrayBuffer(4096));
        const head = new Float64Array(block.buffer, 136, 27);
        head.set(numbers);
        // Ranks are seldom small numbers by chance.
        for (const at of [0, 9, 18]) head[at] = Math.abs(Math.trunc(numbers[at] ?? 0)) % 10;
        const tensors = block.take(ports, 'copies');
        if (tensors === undefined) return;
        taken += 1;
        let bytes = 0;
        for (const { data, dims } of tensors.values()) {
          bytes += (data as Int8Array).byteLength;
          expect(data).toHaveLength(dims.reduce((product, size) => product * size, 1));
        }
        expect(bytes).toBeLessThanOrEqual(4096);
      }),
      { seed: 89, numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(0);
  });
});
