import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FROZEN_AT_START, isSameFrame, stepFrozen } from '../../../src/core/guard/frozen-frame.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { float32, frame, named } from './frames.ts';

const same = (a: Tensor, b: Tensor): boolean => isSameFrame(named('x', a), named('x', b));
const bytes = (data: Uint8Array): Tensor => ({ dtype: 'uint8', dims: [data.length], data });

describe('stepFrozen', () => {
  it('finds from the third identical frame on and forgets with the first other one', () => {
    const seen: number[] = [];
    let state = FROZEN_AT_START;
    for (const seed of [1, 1, 2, 2, 2, 2, 3]) {
      const step = stepFrozen(state, frame(seed), 3);
      state = step.state;
      seen.push(step.findings.length);
      if (step.findings.length > 0) {
        expect(step.findings).toMatchObject([
          { code: 'sensor.frozen', check: 'sensor', value: state.count, threshold: 3 },
        ]);
      }
    }
    expect(seen).toEqual([0, 0, 0, 0, 1, 1, 0]);
  });
});

describe('isSameFrame', () => {
  it('is true for equal bytes wherever they lie', () => {
    const block = Uint8Array.from({ length: 40 }, (_, i) => (i * 37) % 251);
    for (const length of [0, 1, 2, 3, 4, 5, 8, 30, 32]) {
      const placed = [0, 1, 2, 3, 4].map((offset) => {
        const other = new Uint8Array(offset + length);
        other.set(block.subarray(0, length), offset);
        return bytes(other.subarray(offset));
      });
      for (const a of placed) for (const b of placed) expect(same(a, b)).toBe(true);
    }
  });

  it.each([67, 68])('is false for every single bit of %i bytes', (length) => {
    const data = new Uint8Array(length);
    for (let bit = 0; bit < 8 * length; bit++) {
      const flipped = data.slice();
      flipped[bit >> 3] = 1 << (bit & 7);
      expect(same(bytes(data), bytes(flipped))).toBe(false);
    }
  });

  it('looks at bits and not at values', () => {
    expect(same(float32([1], [0]), float32([1], [-0]))).toBe(false);
    expect(same(float32([1], [Number.NaN]), float32([1], [Number.NaN]))).toBe(true);
    const double = (value: number): Tensor => ({
      dtype: 'float64',
      dims: [1],
      data: Float64Array.of(value),
    });
    expect(same(double(1), double(1 + 2 ** -52))).toBe(false);
  });

  it('tells element types, shapes, texts, names and inputs apart', () => {
    const values = [1, 2, 3, 4];
    expect(same(float32([4], values), float32([2, 2], values))).toBe(false);
    const eight = Uint8Array.of(1, 2);
    expect(same(bytes(eight), { ...bytes(eight), dtype: 'bool' })).toBe(false);
    const text = (...data: string[]): Tensor => ({ dtype: 'string', dims: [data.length], data });
    expect(same(text('ab', 'c'), text('a', 'bc'))).toBe(false);
    expect(same(text('ab', 'c'), text('ab', 'c'))).toBe(true);
    const [x, y] = [float32([1], [1]), float32([1], [2])];
    const two = (a: Tensor, b: Tensor) => new Map([...named('x', a), ...named('y', b)]);
    expect(isSameFrame(two(x, y), new Map([...named('y', y), ...named('x', x)]))).toBe(true);
    expect(isSameFrame(two(x, y), two(y, x))).toBe(false);
    expect(isSameFrame(two(x, y), named('x', x))).toBe(false);
    expect(isSameFrame(named('x', x), two(x, y))).toBe(false);
    expect(isSameFrame(named('x', x), named('y', x))).toBe(false);
  });

  it('is equality of contents', () => {
    const data = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(data, data, fc.boolean(), (a, b, copied) => {
        const other = copied ? a.slice() : b;
        expect(same(bytes(a), bytes(other))).toBe(Buffer.compare(a, other) === 0);
      }),
      { seed: 87 },
    );
  });
});

describe('every series of frames', () => {
  it('is found frozen exactly from the n-th equal frame in a row on', () => {
    const series = fc.array(fc.nat(2), { maxLength: 30 });
    fc.assert(
      fc.property(series, fc.integer({ min: 2, max: 6 }), (seeds, frames) => {
        let state = FROZEN_AT_START;
        let inARow = 0;
        seeds.forEach((seed, i) => {
          inARow = seed === seeds[i - 1] ? inARow + 1 : 1;
          const step = stepFrozen(state, frame(seed), frames);
          state = step.state;
          expect(state.count).toBe(inARow);
          expect(step.findings).toHaveLength(inARow >= frames ? 1 : 0);
        });
      }),
      { seed: 88 },
    );
  });
});
