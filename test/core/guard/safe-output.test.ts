import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import type { IoSchema, OutputSchema } from '../../../src/core/bundle/io-schema.ts';
import {
  parseSafeOutput,
  type SafeOutput,
  safeOutputTensors,
  safeOutputToMap,
} from '../../../src/core/guard/safe-output.ts';
import { DTYPES, type NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { BATCH, SCHEMA } from './frames.ts';

const tensors = (
  declared: Record<string, readonly number[] | string>,
  schema: IoSchema = SCHEMA,
): Result<NamedTensors> =>
  safeOutputTensors({ outputs: new Map(Object.entries(declared)) }, schema, 1e-3);
const one = (changes: Partial<OutputSchema>): IoSchema => ({
  inputs: [],
  outputs: [{ name: 'y', dtype: 'float32', dims: [BATCH, 2], role: 'other', ...changes }],
});
const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.fault.code);

describe('parseSafeOutput', () => {
  it('reads back what it wrote', () => {
    const safe: SafeOutput = {
      outputs: new Map<string, readonly number[] | string>([
        ['a', [1, 2]],
        ['b', 'stop'],
      ]),
    };
    expect(parseSafeOutput(safeOutputToMap(safe))).toEqual({ ok: true, value: safe });
  });

  it.each([
    [{ output: {} }, 'field.missing'],
    [{ outputs: {}, more: 1 }, 'field.unknown'],
    [{ outputs: [] }, 'field.type'],
    [{ outputs: { y: 1 } }, 'field.type'],
    [{ outputs: { y: [1, '2'] } }, 'guard.safe-output-value'],
    [{ outputs: { y: new Array(2) } }, 'guard.safe-output-value'],
    [{ outputs: { y: new Array(2 ** 20) } }, 'field.range'],
    [{ outputs: new Map([[1, [1]]]) }, 'guard.safe-output'],
    [
      { outputs: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`y${i}`, [1]])) },
      'guard.safe-output',
    ],
    ['stop', 'field.type'],
  ])('refuses %j', (value, code) => {
    expect(codeOf(parseSafeOutput(value))).toBe(code);
  });

  it('never throws', () => {
    const anything = fc.anything({ withMap: true, withSparseArray: true });
    fc.assert(
      fc.property(fc.oneof(anything, fc.record({ outputs: anything })), (value) => {
        expect(codeOf(parseSafeOutput(value))).toMatch(/^(ok|field\.|guard\.safe-output)/);
      }),
    );
  });
});

describe('safeOutputTensors', () => {
  it('turns a label into a row with 1 at its entry', () => {
    const made = tensors({ logits: 'b' });
    expect(made.ok && made.value.get('logits')).toEqual({
      dtype: 'float32',
      dims: [1, 3],
      data: Float32Array.of(0, 1, 0),
    });
  });

  it('names the nearest label and the nearest output', () => {
    const label = tensors({ y: 'stopp' }, one({ role: 'scores', labels: ['stop', 'go'] }));
    expect(!label.ok && label.fault.message).toContain('did you mean "stop"?');
    const name = tensors({ logit: [1, 2, 3] });
    expect(!name.ok && name.fault.message).toContain('did you mean "logits"?');
  });

  it('takes a label for scores only', () => {
    expect(codeOf(tensors({ y: 'a' }, one({ labels: ['a', 'b'] })))).toBe(
      'guard.safe-output-value',
    );
  });

  it('needs every output but the features', () => {
    const [scores] = SCHEMA.outputs as [OutputSchema];
    const features = { ...scores, name: 'features', role: 'features', labels: undefined };
    const other = { ...features, name: 'box', role: 'other' };
    const two = { inputs: [], outputs: [scores, features] } as unknown as IoSchema;
    const three = { inputs: [], outputs: [scores, features, other] } as unknown as IoSchema;
    expect(codeOf(tensors({ logits: 'a' }, two))).toBe('ok');
    expect(codeOf(tensors({ logits: 'a' }, three))).toBe('guard.safe-output');
  });

  it('makes data of every numeric element type', () => {
    for (const dtype of DTYPES) {
      const made = tensors({ y: [0, 1] }, one({ dtype }));
      expect(codeOf(made)).toBe(dtype === 'string' ? 'guard.safe-output-value' : 'ok');
    }
    const half = tensors({ y: [1, -2] }, one({ dtype: 'float16' }));
    expect(half.ok && half.value.get('y')?.data).toEqual(Uint16Array.of(0x3c00, 0xc000));
    const long = tensors({ y: [1, -2] }, one({ dtype: 'int64' }));
    expect(long.ok && long.value.get('y')?.data).toEqual(BigInt64Array.of(1n, -2n));
  });

  it.each([
    ['int8', [0, 128]],
    ['uint8', [-1, 0]],
    ['int32', [0.5, 0]],
    ['uint64', [2 ** 60, 0]],
    ['bool', [0, 2]],
    ['float32', [Number.NaN, 0]],
  ] as const)('refuses values that %s cannot hold', (dtype, y) => {
    expect(codeOf(tensors({ y }, one({ dtype })))).toBe('guard.safe-output-value');
  });

  it('refuses what float32 rounds to infinity, and what breaks the contract', () => {
    expect(codeOf(tensors({ y: [1e300, 0] }, one({})))).toBe('guard.safe-output-contract');
    expect(codeOf(tensors({ y: [0.5, 0.4] }, one({ probabilities: true })))).toBe(
      'guard.safe-output-contract',
    );
    expect(codeOf(tensors({ y: [2, 0] }, one({ range: { min: 0, max: 1 } })))).toBe(
      'guard.safe-output-contract',
    );
  });

  it('fits one open dimension to the values and refuses two', () => {
    const open = { name: 'K', min: 0, max: 4 };
    const dims = [BATCH, open, 2];
    const made = tensors({ y: [1, 2, 3, 4] }, one({ dims }));
    expect(made.ok && made.value.get('y')?.dims).toEqual([1, 2, 2]);
    const fixed = { name: 'F', min: 2, max: 2 };
    const three = tensors({ y: [1, 2, 3, 4] }, one({ dims: [BATCH, fixed, open] }));
    expect(three.ok && three.value.get('y')?.dims).toEqual([1, 2, 2]);
    expect(codeOf(tensors({ y: [] }, one({ dims })))).toBe('ok');
    expect(codeOf(tensors({ y: [1] }, one({ dims })))).toBe('guard.safe-output-value');
    expect(codeOf(tensors({ y: Array(10).fill(0) }, one({ dims })))).toBe(
      'guard.safe-output-contract',
    );
    expect(codeOf(tensors({ y: [1, 2] }, one({ dims: [BATCH, open, open] })))).toBe(
      'guard.safe-output',
    );
    expect(codeOf(tensors({ y: [1, 2] }, one({ dims: [1, 0, open] })))).toBe(
      'guard.safe-output-value',
    );
  });
});

describe('every declaration', () => {
  it('comes back from the map it is written as', () => {
    const values = fc.oneof(fc.string(), fc.array(fc.double(), { maxLength: 8 }));
    const outputs = fc.array(fc.tuple(fc.string({ maxLength: 128 }), values), { maxLength: 8 });
    fc.assert(
      fc.property(outputs, (pairs) => {
        const safe = { outputs: new Map(pairs) };
        expect(parseSafeOutput(safeOutputToMap(safe))).toEqual({ ok: true, value: safe });
      }),
      { seed: 89 },
    );
  });
});
