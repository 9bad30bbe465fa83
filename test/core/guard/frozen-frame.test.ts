import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FROZEN_AT_START,
  type FrameHash,
  hashFrame,
  stepFrozen,
} from '../../../src/core/guard/frozen-frame.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { float32, frame, named } from './frames.ts';

const key = ({ high, low }: FrameHash): string => `${high},${low}`;
const hash = (tensor: Tensor): string => key(hashFrame(['x'], named('x', tensor)));
const bytes = (data: Uint8Array): Tensor => ({ dtype: 'uint8', dims: [data.length], data });

describe('stepFrozen', () => {
  it('finds from the third identical frame on and forgets with the first other one', () => {
    const seen: number[] = [];
    let state = FROZEN_AT_START;
    for (const seed of [1, 1, 2, 2, 2, 2, 3]) {
      const step = stepFrozen(state, hashFrame(['x'], frame(seed)), 3);
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

describe('hashFrame', () => {
  it('is the same for equal bytes wherever they lie', () => {
    const block = Uint8Array.from({ length: 40 }, (_, i) => (i * 37) % 251);
    for (const length of [0, 1, 2, 3, 4, 5, 30]) {
      const hashes = [0, 1, 2, 3].map((offset) => {
        const other = new Uint8Array(offset + length);
        other.set(block.subarray(0, length), offset);
        return hash(bytes(other.subarray(offset)));
      });
      expect(new Set(hashes).size).toBe(1);
    }
  });

  it('is 64 bits in two unsigned words', () => {
    const { high, low } = hashFrame(['x'], frame());
    for (const word of [high, low]) expect(word === word >>> 0).toBe(true);
  });

  it('changes with every single bit of the data', () => {
    const data = new Uint8Array(67);
    const hashes = new Set([hash(bytes(data))]);
    for (let bit = 0; bit < 8 * data.length; bit++) {
      const flipped = data.slice();
      flipped[bit >> 3] = 1 << (bit & 7);
      hashes.add(hash(bytes(flipped)));
    }
    expect(hashes.size).toBe(8 * data.length + 1);
  });

  it('sees signs turned in pairs, which a hash of bare products would not', () => {
    const values = Array.from({ length: 16 }, (_, i) => i + 1);
    const hashes = new Set([hash(float32([16], values))]);
    let variants = 1;
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < i; j++) {
        const turned = values.map((value, k) => (k === i || k === j ? -value : value));
        hashes.add(hash(float32([16], turned)));
        variants++;
      }
    }
    expect(hashes.size).toBe(variants);
  });

  it('spreads many near frames over both words', () => {
    const high = new Set<number>();
    const low = new Set<number>();
    const both = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const found = hashFrame(['x'], named('x', bytes(Uint8Array.of(i & 255, 0, 0, 0, i >> 8))));
      high.add(found.high);
      low.add(found.low);
      both.add(key(found));
    }
    expect(both.size).toBe(20_000);
    // Chance repeats one pair of 32-bit words in 20,000 with probability 0.05.
    expect(high.size).toBeGreaterThan(19_990);
    expect(low.size).toBeGreaterThan(19_990);
  });

  it('tells shapes, texts and inputs apart', () => {
    const same = [1, 2, 3, 4];
    expect(hash(float32([4], same))).not.toBe(hash(float32([2, 2], same)));
    const text = (...data: string[]): string =>
      hash({ dtype: 'string', dims: [data.length], data });
    expect(text('ab', 'c')).not.toBe(text('a', 'bc'));
    expect(text('ab', 'c')).toBe(text('ab', 'c'));
    const [x, y] = [float32([1], [1]), float32([1], [2])];
    const two = (a: Tensor, b: Tensor): string =>
      key(
        hashFrame(
          ['x', 'y'],
          new Map([
            ['y', b],
            ['x', a],
          ]),
        ),
      );
    expect(two(x, y)).not.toBe(two(y, x));
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
          const step = stepFrozen(state, hashFrame(['x'], frame(seed)), frames);
          state = step.state;
          expect(state.count).toBe(inARow);
          expect(step.findings).toHaveLength(inARow >= frames ? 1 : 0);
        });
      }),
      { seed: 88 },
    );
  });
});
