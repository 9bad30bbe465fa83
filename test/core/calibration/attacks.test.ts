import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import {
  ATTACK_LIMITS,
  ATTACK_WORDS,
  ATTACKS,
  type AttackName,
  type AttackTask,
  type LogitsOracle,
  runAttack,
} from '../../../src/core/calibration/attacks.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';

const image: InputLayout = { kind: 'image', channels: 2, height: 6, width: 5, channelsLast: false };
const SIZE = 60;

/** Two classes, divided by the plane of mean 0.5: the margin is the sum of all changes. */
const bright: LogitsOracle = async (input) => {
  const sum = input.reduce((total, value) => total + value - 0.5, 0);
  return Float32Array.of(sum, -sum);
};

/** Every value 0.52: a change of 0.02 or more everywhere, or 0.04 on half, turns the answer. */
const task: AttackTask = {
  oracle: bright,
  input: new Float32Array(SIZE).fill(0.52),
  layout: image,
  ranges: [{ min: 0, max: 1 }],
  eps: 0.1,
  queriesMax: 500,
  seed: 7,
};

describe.each([...ATTACKS])('%s', (attack) => {
  it('finds what is there to be found, and what it gives is what the model answers to', async () => {
    const found = await runAttack(attack, { ...task, eps: epsOf(attack) });
    expect(found).toMatchObject({ attack, success: true, label: 0, answer: 1 });
    const logits = await bright(found.input);
    expect(logits[1]).toBeGreaterThan(logits[0] as number);
    expect(found.queries).toBeGreaterThan(1);
    expect(found.queries).toBeLessThanOrEqual(500);
    const changes = found.input.map((value, i) => value - (task.input[i] as number));
    expect(found.linf).toBeCloseTo(Math.max(...changes.map(Math.abs)), 6);
    expect(found.l2).toBeCloseTo(Math.hypot(...changes), 6);
    expect(found.linf).toBeGreaterThan(0);
  });

  it('gives the same for the same seed, and asks otherwise for another', async () => {
    const asked = async (seed: number): Promise<string[]> => {
      const inputs: string[] = [];
      const oracle: LogitsOracle = (input) => {
        inputs.push(String(input));
        return bright(input);
      };
      await runAttack(attack, { ...task, oracle, seed, queriesMax: 40, eps: 0.01 });
      return inputs;
    };
    const first = await asked(1);
    expect(await asked(1)).toEqual(first);
    expect(await asked(2)).not.toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(20);
  });

  it('fails where a change of that size cannot succeed, and gives what came nearest', async () => {
    // At most 0.01 everywhere; cosine waves of length 0.001, all 60 of them once, come to 0.06.
    const eps = attack === 'simba-dct' ? 0.001 : 0.01;
    const failed = await runAttack(attack, { ...task, eps });
    expect(failed).toMatchObject({ success: false, label: 0, answer: 0 });
    const [before, after] = [await bright(task.input), await bright(failed.input)];
    expect(after[0]).toBeLessThan(before[0] as number);
    expect(failed.queries).toBeLessThanOrEqual(500);
  });

  it('asks no more than it may, of which the first is the input itself', async () => {
    for (const queriesMax of [1, 2, 3, 17]) {
      const inputs: Float32Array[] = [];
      const oracle: LogitsOracle = async (input) => {
        inputs.push(input);
        return Float32Array.of(1, 0);
      };
      const { queries, success } = await runAttack(attack, { ...task, oracle, queriesMax });
      expect(success).toBe(false);
      expect(queries).toBe(queriesMax);
      expect(inputs).toHaveLength(queriesMax);
      expect(inputs[0]).toEqual(task.input);
    }
  });

  it('never asks outside the range or, but for waves, farther than eps', async () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.double({ min: 1e-6, max: 2, noNaN: true }),
        fc.array(unit, { minLength: 12, maxLength: 12 }),
        // 0.1 and 0.3 are no float32: rounding to the nearest would lead outside.
        fc.constantFrom({ min: 0, max: 1 }, { min: -0.1, max: 0.3 }, { min: -1e-3, max: 1e-3 }),
        fc.constantFrom<InputLayout>(
          { kind: 'image', channels: 1, height: 4, width: 3, channelsLast: false },
          { kind: 'signal', channels: 3, samples: 4, channelsLast: true },
          { kind: 'table', columns: 12 },
        ),
        async (seed, eps, places, { min, max }, layout) => {
          const input = Float32Array.from(places, (place) => (min + place * (max - min)) * 0.999);
          const clean = input.slice();
          const draw = seededNumbers(seed);
          const oracle: LogitsOracle = async (asked) => {
            for (let i = 0; i < asked.length; i++) {
              const value = asked[i] as number;
              expect(value >= min && value <= max).toBe(true);
              if (attack === 'simba-dct') continue;
              expect(Math.abs(value - (clean[i] as number))).toBeLessThanOrEqual(eps * (1 + 1e-12));
            }
            asked.fill(NaN); // an oracle may do as it likes with what it got
            return Float32Array.of(5 + draw(), draw());
          };
          const hunt = { oracle, input, layout, ranges: [{ min, max }], eps, seed, queriesMax: 30 };
          const { success, input: nearest } = await runAttack(attack, hunt);
          expect(success).toBe(false);
          expect(input).toEqual(clean);
          expect(nearest.every((value) => value >= min && value <= max)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes no answer that is not finite, or of another length, for a success', async () => {
    const answers = [[NaN, 1], [Infinity, 1], [-Infinity, 1], [1], [], [0, 0, 9]];
    for (const answer of answers) {
      let asked = 0;
      const oracle: LogitsOracle = async (input) => {
        asked += 1;
        expect(input.every(Number.isFinite)).toBe(true);
        return asked === 1 ? Float32Array.of(1, 0) : Float32Array.from(answer);
      };
      const result = await runAttack(attack, { ...task, oracle, queriesMax: 80 });
      expect(result).toMatchObject({ success: false, label: 0, linf: 0, l2: 0 });
      expect(result.input).toEqual(task.input);
    }
  });

  it('ends at once where the model has no answer to the input itself', async () => {
    const oracle: LogitsOracle = async () => Float32Array.of(NaN, 1);
    const result = await runAttack(attack, { ...task, oracle });
    expect(result).toMatchObject({ success: false, queries: 1, label: -1, answer: -1 });
  });

  it('ends when there is nothing to change', async () => {
    const input = new Float32Array(SIZE).fill(0.5);
    const ranges = [{ min: 0.5, max: 0.5 }];
    const result = await runAttack(attack, { ...task, input, ranges, queriesMax: 400 });
    expect(result).toMatchObject({ success: false, linf: 0 });
    expect(result.queries).toBeLessThanOrEqual(400);
  });

  it('passes on what the oracle throws', async () => {
    const oracle: LogitsOracle = () => Promise.reject(new Error('the engine is gone'));
    await expect(runAttack(attack, { ...task, oracle })).rejects.toThrow('the engine is gone');
  });

  it('keeps each channel in its own range', async () => {
    const input = new Float32Array(SIZE).fill(0.5).fill(-5, SIZE / 2);
    const ranges = [
      { min: 0, max: 1 },
      { min: -6, max: -4 },
    ];
    const oracle: LogitsOracle = async (asked) => {
      expect(asked.subarray(0, 30).every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(asked.subarray(30).every((value) => value >= -6 && value <= -4)).toBe(true);
      return Float32Array.of(1, 0);
    };
    await runAttack(attack, { ...task, oracle, input, ranges, eps: 3, queriesMax: 50 });
    const mixed = input.map((_, i) => (i % 2 === 0 ? 0.5 : -5));
    const last: LogitsOracle = async (asked) => {
      expect(asked.every((value, i) => (i % 2 === 0 ? value >= 0 : value <= -4))).toBe(true);
      return Float32Array.of(1, 0);
    };
    const layout: InputLayout = { ...image, channelsLast: true };
    const hunt = { ...task, oracle: last, input: mixed, layout, ranges, eps: 3, queriesMax: 50 };
    expect((await runAttack(attack, hunt)).success).toBe(false);
  });
});

describe('an attack', () => {
  it('of squares starts with stripes at the ends of the ball, then changes rectangles', async () => {
    const asked: Float32Array[] = [];
    const oracle: LogitsOracle = (input) => {
      asked.push(input.slice());
      return bright(input);
    };
    await runAttack('square', { ...task, oracle, eps: 0.01, queriesMax: 30 });
    const [, stripes] = asked;
    for (let i = 0; i < SIZE; i++) {
      // Ten columns of six: the same end of the ball all the way down.
      const top = stripes?.[Math.floor(i / 30) * 30 + (i % 5)] as number;
      expect(stripes?.[i]).toBe(top);
      expect(Math.abs(top - 0.52)).toBeCloseTo(0.01, 6);
    }
    expect(asked).toHaveLength(30);
  });

  it('of squares keeps what helps: 57 of 60 values must move one way here', async () => {
    expect(await runAttack('square', { ...task, eps: 0.0225 })).toMatchObject({ success: true });
  });

  it('of single values changes each at most once, by eps', async () => {
    const result = await runAttack('simba', { ...task, eps: 0.05, queriesMax: 20 });
    // Each step down helps at once: one query a value, and it takes 25 to turn the answer.
    const changed = result.input.filter((value) => value !== Math.fround(0.52));
    expect(changed).toHaveLength(19);
    for (const value of changed) expect(value).toBeCloseTo(0.47, 6);
  });

  it('of single values puts back what did not help', async () => {
    const oracle: LogitsOracle = (input) => bright(input.map((value, i) => (i % 3 ? 9 : value)));
    const result = await runAttack('simba', { ...task, oracle, eps: 0.05 });
    const touched = [...result.input.entries()].filter(([, value]) => value !== Math.fround(0.52));
    expect(touched.map(([i]) => i % 3)).toEqual(new Array<number>(20).fill(0));
  });

  it('of waves tries the mean first, which here is all it takes', async () => {
    const result = await runAttack('simba-dct', { ...task, eps: 0.2, seed: 1 });
    // A constant wave of length 0.2 over 30 values changes each by 0.2 / sqrt(30).
    expect(result.linf).toBeCloseTo(0.2 / Math.sqrt(30), 5);
    expect(result).toMatchObject({ success: true, queries: 3 });
  });

  it('along gradients takes the exact ones of a small input', async () => {
    // Only value 1 counts: 2 queries for each of 4 values, and then one step along it alone.
    const oracle: LogitsOracle = async (input) => Float32Array.of(input[1] as number, 0.55);
    const layout: InputLayout = { kind: 'table', columns: 4 };
    const input = Float32Array.of(0.2, 0.7, 0.4, 0.9);
    const hunt = { ...task, oracle, layout, input, eps: 0.2, queriesMax: 28 };
    const result = await runAttack('gradient', hunt);
    expect(result.success).toBe(true);
    expect([...result.input].filter((value, i) => value !== input[i])).toHaveLength(1);
    expect(result.input[1]).toBeLessThan(0.55);
  });

  it('refuses a task that makes no sense', async () => {
    const wrong: Partial<AttackTask>[] = [
      { input: new Float32Array(SIZE - 1) },
      { eps: 0 },
      { eps: NaN },
      { eps: Infinity },
      { queriesMax: 0 },
      { ranges: [] },
      { ranges: [0, 1, 2].map(() => ({ min: 0, max: 1 })) },
      { input: task.input.map(() => 2) },
      { input: task.input.map(() => NaN) },
    ];
    for (const part of wrong) {
      await expect(runAttack('square', { ...task, ...part })).rejects.toThrow(AssertionFailure);
    }
  });

  it('is described, and its limits are stated', () => {
    expect(Object.keys(ATTACK_WORDS)).toEqual([...ATTACKS]);
    expect(ATTACK_LIMITS).toContain('no proof of robustness');
  });
});

/** A wave must be as long as many small changes together. */
function epsOf(attack: AttackName): number {
  return attack === 'simba-dct' ? 0.3 : 0.1;
}
