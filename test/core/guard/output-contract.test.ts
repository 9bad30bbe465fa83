import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IoSchema, OutputSchema } from '../../../src/core/bundle/io-schema.ts';
import { checkOutput } from '../../../src/core/guard/output-contract.ts';
import { DTYPES, type NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { BATCH, float32, logits, named, range } from './frames.ts';

const schema = (changes: Partial<OutputSchema>): IoSchema => ({
  inputs: [],
  outputs: [{ name: 'logits', dtype: 'float32', dims: [BATCH, 3], role: 'scores', ...changes }],
});
const NONE = new Map<string, number>();
const codes = (changes: Partial<OutputSchema>, outputs: NamedTensors): readonly string[] =>
  checkOutput(schema(changes), outputs, NONE, 1e-3).map(({ code }) => code);

describe('checkOutput', () => {
  it('accepts what keeps the contract', () => {
    expect(codes({ labels: ['a', 'b', 'c'], range: range(-9, 9) }, logits(1, -9, 9))).toEqual([]);
  });

  it('wants the same size for the same name as the inputs had', () => {
    const sizes = new Map([['N', 2]]);
    expect(checkOutput(schema({}), logits(1, 2, 3), sizes, 1e-3)).toMatchObject([
      { code: 'output.shape', value: 1, threshold: 2 },
    ]);
  });

  it('finds data that are shorter than the shape', () => {
    const outputs = named('logits', float32([1, 3], [1]));
    expect(codes({}, outputs)).toEqual(['output.shape']);
  });

  it('counts outputs that nobody described', () => {
    const outputs = new Map([...logits(1, 2, 3), ['a', float32([], [1])], ['b', float32([], [1])]]);
    expect(checkOutput(schema({}), outputs as NamedTensors, NONE, 1e-3)).toMatchObject([
      { code: 'output.unknown', value: 2, threshold: 0 },
    ]);
  });

  it('takes probabilities within the tolerance of their sum', () => {
    const probabilities = { probabilities: true };
    expect(codes(probabilities, logits(0.5, 0.25, 0.2505))).toEqual([]);
    expect(codes(probabilities, logits(0, 0, 1))).toEqual([]);
    const found = checkOutput(schema(probabilities), logits(0.5, 0.25, 0), NONE, 1e-3);
    expect(found).toMatchObject([{ code: 'output.probabilities', value: 0.25, threshold: 1e-3 }]);
  });

  it('refuses an entry that is no probability though the sum is 1', () => {
    const found = checkOutput(schema({ probabilities: true }), logits(1.5, -0.5, 0), NONE, 1e-3);
    expect(found).toMatchObject([{ code: 'output.probabilities', value: 1.5, threshold: 1 }]);
  });

  it('looks at every row of probabilities', () => {
    const outputs = named('logits', float32([3, 3], [0, 0, 1, 0, 0, 0.5, 0, 0, 0.75]));
    const found = checkOutput(schema({ probabilities: true }), outputs, NONE, 1e-3);
    expect(found[0]?.value).toBe(0.5);
    expect(found[0]?.detail).toContain('at [1, 0]');
  });

  it('says not finite once, and nothing about probabilities then', () => {
    expect(codes({ probabilities: true }, logits(Number.NaN, 0, 1))).toEqual(['output.not-finite']);
  });

  it('refuses texts as probabilities', () => {
    const outputs = named('logits', { dtype: 'string', dims: [1, 3], data: ['a', 'b', 'c'] });
    expect(codes({ dtype: 'string', probabilities: true }, outputs)).toEqual([
      'output.probabilities',
    ]);
  });

  it('gives findings and never throws', () => {
    const data = fc.constantFrom(
      new Float32Array(3),
      BigInt64Array.of(1n, 2n, 3n),
      ['a'],
      new Uint16Array(3),
    );
    const tensor = fc.record({
      dtype: fc.constantFrom(...DTYPES),
      dims: fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 4 }),
      data,
    });
    const changes = fc.record(
      {
        dtype: fc.constantFrom(...DTYPES),
        dims: fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
        probabilities: fc.boolean(),
        range: fc.constant(range(0, 1)),
        labels: fc.array(fc.string(), { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(changes, tensor, (output, given) => {
        for (const code of codes(output, named('logits', given))) expect(code).toMatch(/^output\./);
      }),
      { numRuns: 500 },
    );
  });
});
