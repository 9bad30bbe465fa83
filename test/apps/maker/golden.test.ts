/** Golden vectors as a maker makes them: recorded or of noise, few or many, the same every time. */
import { describe, expect, it } from 'vitest';
import { framesOf } from '../../../src/apps/maker/frames.ts';
import { makeGolden } from '../../../src/apps/maker/golden.ts';
import { type MakerModel, openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import { packModel } from '../../../src/apps/maker/packing.ts';
import { randomFrames } from '../../../src/apps/maker/random-frames.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { ok, type Result } from '../../../src/core/base/fault.ts';
import { GOLDEN_PACKED_BYTES } from '../../../src/core/base/limits.ts';
import { decodeGolden } from '../../../src/core/bundle/golden-codec.ts';
import type { InputSchema } from '../../../src/core/bundle/io-schema.ts';
import { checkInput } from '../../../src/core/guard/input-contract.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { payloadOf } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { keyOf } from '../../core/bundle/specimen.ts';
import { floats, TOY_INPUTS, toyModel, toyRows } from './toy.ts';

async function withModel<T>(
  bytes: Uint8Array,
  use: (maker: MakerModel) => Promise<T>,
  metadata = '{}',
): Promise<T> {
  const maker = accepted(await openMakerModel(bytes, utf8(metadata)));
  try {
    return await use(maker);
  } finally {
    await maker.engine.close();
  }
}

/** `y = x` of `values` floats in a row. */
function echo(values: number): Uint8Array {
  const port = (name: string) => ({ name, dtype: 'float32', dims: [1, values] }) as const;
  const nodes = [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }];
  return encodeModel({ graph: { name: 'echo', nodes, inputs: [port('x')], outputs: [port('y')] } });
}

const RANDOM = encodeModel({
  graph: {
    name: 'dice',
    nodes: [{ op: 'RandomNormalLike', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', dtype: 'float32', dims: [1, 4] }],
    outputs: [{ name: 'y', dtype: 'float32', dims: [1, 4] }],
  },
});

describe('makeGolden', () => {
  it('takes the first recorded rows, at most eight, with what the model gives for them', async () => {
    await withModel(toyModel(), async (maker) => {
      const { x } = toyRows(5, 20);
      const made = accepted(
        await makeGolden(maker, (ports) => framesOf(new Map([['x', x]]), ports)),
      );
      expect(made).toMatchObject({ vectors: 8, recorded: true });
      const golden = accepted(decodeGolden(made.bytes));
      expect(golden.modelSha256).toEqual(maker.model.sha256);
      for (const [row, { inputs, outputs }] of golden.vectors.entries()) {
        const data = (x.data as Float32Array).slice(row * TOY_INPUTS, (row + 1) * TOY_INPUTS);
        expect(inputs.get('x')?.data).toEqual(data);
        expect(outputs).toEqual(accepted(await maker.engine.run(inputs)));
      }
      const few = floats([2, TOY_INPUTS], Array(2 * TOY_INPUTS).fill(1) as number[]);
      const two = await makeGolden(maker, (ports) => framesOf(new Map([['x', few]]), ports));
      expect(accepted(two).vectors).toBe(2);
    });
  });

  it('takes seeded noise within the declared ranges, and gives the same bytes every time', async () => {
    const make = (metadata: string) =>
      withModel(toyModel(), async (maker) => accepted(await makeGolden(maker)), metadata);
    const [first, again, ranged] = await Promise.all(
      ['{}', '{}', '{"inputs": {"x": {"range": [40, 50]}}}'].map(make),
    );
    expect(again?.bytes).toEqual(first?.bytes);
    expect(first).toMatchObject({ vectors: 8, recorded: false });
    const { vectors } = accepted(decodeGolden(ranged?.bytes ?? new Uint8Array()));
    for (const { inputs } of vectors) {
      const values = Array.from(inputs.get('x')?.data ?? [], Number);
      expect(values).toHaveLength(TOY_INPUTS);
      expect(values.every((value) => value > 40 && value < 50)).toBe(true);
    }
  });

  it('takes fewer rows of a model with large inputs, and at least one', async () => {
    const made = async (values: number): Promise<number> =>
      withModel(echo(values), async (maker) => accepted(await makeGolden(maker)).vectors);
    const words = GOLDEN_PACKED_BYTES / 4;
    expect(await made(40_000)).toBe(3);
    expect(await made(words)).toBe(1);
    const over = await withModel(echo(8 * words), (maker) => makeGolden(maker));
    expect(codeOf(over)).toBe('golden.size');
    expect(faultIn(over).next).toContain('--no-golden');
  });

  it('refuses a model that gives other outputs for the same input, or none that are finite', async () => {
    expect(codeOf(await withModel(RANDOM, (maker) => makeGolden(maker)))).toBe(
      'maker.not-deterministic',
    );
    await withModel(echo(2), async (maker) => {
      const rows = (...values: number[]) => {
        const tensors = new Map([['x', floats([values.length / 2, 2], values)]]);
        return makeGolden(maker, (ports) => framesOf(tensors, ports));
      };
      expect(codeOf(await rows(1, Number.NaN))).toBe('golden.values');
      expect(codeOf(await rows())).toBe('maker.input');
      expect(codeOf(await rows(1, 2))).toBe('accepted');
    });
  });

  it('refuses rows that a device would not let near the model', async () => {
    const rows = new Map([['x', floats([1, TOY_INPUTS], Array(TOY_INPUTS).fill(9) as number[])]]);
    const made = await withModel(
      toyModel(),
      (maker) => makeGolden(maker, (ports) => framesOf(rows, ports)),
      '{"inputs": {"x": {"range": [-1, 1]}}}',
    );
    expect(codeOf(made)).toBe('golden.contract');
    expect(faultIn(made).message).toContain('contract.range');
  });

  it('compares both runs to the last bit, and stops at what the engine refuses', async () => {
    await withModel(echo(2), async (maker) => {
      let run = 0;
      const zero = (): Result<NamedTensors> => {
        const data = Float32Array.of(0, run++ % 2 === 0 ? 0 : -0);
        return ok(new Map([['y', { dtype: 'float32', dims: [1, 2], data } satisfies Tensor]]));
      };
      const engine = { ...maker.engine, run: async () => zero() };
      const made = await makeGolden({ ...maker, engine } as unknown as MakerModel);
      expect(codeOf(made)).toBe('maker.not-deterministic');
    });
    const closed = accepted(await openMakerModel(echo(2)));
    await closed.engine.close();
    expect(codeOf(await makeGolden(closed))).toBe('inference.closed');
  });
});

describe('packModel with golden vectors', () => {
  const release = { name: 'toy', version: '1.0.0', securityVersion: 1, hardwareClass: 'any' };

  it('carries them, and refuses those of another model', async () => {
    const golden = await withModel(toyModel(), async (maker) => {
      const { bytes } = accepted(await makeGolden(maker));
      const { bundle } = accepted(
        packModel(maker, { ...release, golden: bytes, signers: [keyOf(1)] }),
      );
      expect(payloadOf(bundle, 'golden')).toEqual(bytes);
      return bytes;
    });
    await withModel(toyModel({ scale: 2 }), async (maker) => {
      const packed = packModel(maker, { ...release, golden, signers: [keyOf(1)] });
      expect(codeOf(packed)).toBe('golden.model');
    });
  });
});

describe('noise within declared ranges', () => {
  const inputs: readonly InputSchema[] = [
    { name: 'f', dtype: 'float32', dims: [1, 40], range: { min: 0.1, max: 0.3 } },
    { name: 'h', dtype: 'float16', dims: [1, 40], range: { min: -3, max: -1 } },
    { name: 'i', dtype: 'int32', dims: [1, 40], range: { min: 2.5, max: 7.5 } },
    { name: 'b', dtype: 'bool', dims: [1, 40] },
    {
      name: 'c',
      dtype: 'uint8',
      dims: [1, 3, 4, 5],
      layout: 'NCHW',
      channelRanges: [0, 10, 100].map((min) => ({ min, max: min + 5 })),
    },
    { name: 'huge', dtype: 'float64', dims: [4], range: { min: -1.7e308, max: 1.7e308 } },
    { name: 'point', dtype: 'uint8', dims: [4], range: { min: 9, max: 9 } },
  ];

  it('keeps the input contract, the silent frame too, and uses the range', () => {
    const frames = randomFrames(inputs, 8);
    const seen = new Set<number>();
    for (let index = 0; index < frames.count; index++) {
      const frame = frames.frame(index);
      expect(checkInput({ inputs, outputs: [] }, frame).findings).toEqual([]);
      if (index > 0) for (const value of frame.get('i')?.data ?? []) seen.add(Number(value));
    }
    expect([...seen].sort()).toEqual([3, 4, 5, 6, 7]);
  });
});
