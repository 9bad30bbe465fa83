/** Features recovered from models that lost them, refusals with their reasons, and the proof itself. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addFeatures, proveUnchanged } from '../../../src/apps/maker/features.ts';
import { framesOf } from '../../../src/apps/maker/frames.ts';
import { openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import { randomFrames } from '../../../src/apps/maker/random-frames.ts';
import { ok } from '../../../src/core/base/fault.ts';
import type { InputSchema } from '../../../src/core/bundle/io-schema.ts';
import { DTYPES, type NamedTensors, type Tensor } from '../../../src/core/numeric/tensor.ts';
import { encodeModel, type OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { withoutOutput } from '../../core/onnx/wire-builder.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { floats, toyModel, toyRows } from './toy.ts';

const CLASSIFIERS = [
  ...['bearing-cnn', 'kws-dscnn', 'mnist-cnn', 'mobilenetv2-224-w8', 'resnet8-cifar10'],
  'vww-mobilenetv1-025-96',
];

function shared(name: string): Uint8Array {
  return new Uint8Array(readFileSync(sharedPath(`models/${name}.onnx`)));
}

describe.skipIf(sharedMissing)('on the shared models (needs the shared models)', () => {
  it.each(CLASSIFIERS)('%s: recovers its features, bit by bit', async (name) => {
    const original = shared(name);
    const bare = withoutOutput(original, 'features');
    expect(bare.length).toBeLessThan(original.length);
    const { bytes, proof, ...found } = accepted(await addFeatures(bare));
    expect(found).toMatchObject({ name: 'features', scores: 'logits' });
    expect(bytes.length - bare.length).toBe(14);
    expect(bytes.subarray(0, bare.length)).toEqual(bare);
    expect(proof).toMatchObject({ frames: 4, numbers: 4 * found.head.classes, recorded: false });

    const [was, is] = [
      accepted(await openMakerModel(original)),
      accepted(await openMakerModel(bytes)),
    ];
    try {
      // The guard and the packer take it as they take the one of the exporter.
      expect(is.io).toEqual(was.io);
      const frames = randomFrames(was.io.inputs);
      for (const index of [0, 1]) {
        const frame = frames.frame(index);
        const wanted = bitsOf(accepted(await was.engine.run(frame)), 'features');
        const got = bitsOf(accepted(await is.engine.run(frame)), 'features');
        expect(wanted.length).toBe(found.head.features * 4);
        expect(Buffer.compare(got, wanted), `frame ${index}`).toBe(0);
      }
    } finally {
      await Promise.all([was.engine.close(), is.engine.close()]);
    }
  });

  it('refuses the autoencoder and the detector, and says why', async () => {
    const autoencoder = shared('toycar-ae');
    for (const scores of [undefined, 'reconstruction']) {
      const bare = withoutOutput(autoencoder, 'features');
      const { code, message } = faultIn(await addFeatures(bare, { scores }));
      expect(code).toBe('maker.no-features');
      expect(message).toMatch(/^reconstruction: .* a reconstruction, not class scores$/);
    }
    const { code, message } = faultIn(await addFeatures(shared('ultraface-rfb-320')));
    expect(code).toBe('maker.no-features');
    expect(message).toMatch(/scores: a node :Concat .*; boxes: a node :Concat/);
  });
});

function bitsOf(outputs: NamedTensors, name: string): Buffer {
  const data = outputs.get(name)?.data;
  if (!(data instanceof Float32Array)) throw new Error(`${name} is not float32`);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

describe('addFeatures', () => {
  it('proves on recorded inputs where they are given', async () => {
    const frames: number[] = [];
    const added = accepted(
      await addFeatures(toyModel({ bare: true }), {
        samples: (ports) => framesOf(new Map([['x', toyRows(1, 5).x]]), ports),
        onFrame: (index, count) => frames.push(index, count),
      }),
    );
    expect(added.proof).toEqual({ frames: 5, numbers: 15, recorded: true });
    expect(frames).toEqual([0, 5, 1, 5, 2, 5, 3, 5, 4, 5]);
  });

  it('does nothing to a model that has the output', async () => {
    const model = toyModel();
    const added = accepted(await addFeatures(model));
    expect(added.bytes).toBe(model);
    expect(added.proof).toBeUndefined();
  });

  it('finds the scores by their last layer where they are not called logits', async () => {
    const model = chain([RELU, gemm('hidden', 'scores')], ['scores', 'hidden']);
    const added = accepted(await addFeatures(withoutOutput(model, 'hidden')));
    expect(added).toMatchObject({ name: 'hidden', scores: 'scores' });
    expect(accepted(await addFeatures(model)).bytes).toBe(model);
  });

  it('says that scores behind a softmax are not raw', async () => {
    const added = accepted(await addFeatures(toyModel({ bare: true, softmax: true })));
    expect(added.head.activated).toBe(true);
  });

  it('a name is that of the tensor, or it is refused', async () => {
    const model = toyModel({ bare: true });
    expect(accepted(await addFeatures(model, { name: 'features' })).name).toBe('features');
    const { code, message } = faultIn(await addFeatures(model, { name: 'embedding' }));
    expect(code).toBe('maker.output');
    expect(message).toContain('the name of its tensor, which is "features"');
  });

  it('refuses scores that are not there, two last layers, and no layer before the last', async () => {
    const toy = toyModel({ bare: true });
    expect(faultIn(await addFeatures(toy, { scores: 'none' })).code).toBe('onnx.no-output');
    const two = chain([RELU, gemm('hidden', 'a'), gemm('hidden', 'b')], ['a', 'b']);
    expect(faultIn(await addFeatures(two))).toMatchObject({
      code: 'maker.output',
      message: 'a, b have a last linear layer each: name the scores',
    });
    const linear = faultIn(await addFeatures(chain([gemm('x', 'logits')], ['logits'])));
    expect(linear.code).toBe('maker.no-features');
    expect(linear.message).toMatch(/takes x itself/);
  });

  it('refuses samples of no rows, and texts without samples', async () => {
    const samples = () => ({ count: 0, frame: () => new Map() });
    const { code } = faultIn(await addFeatures(toyModel({ bare: true }), { samples }));
    expect(code).toBe('maker.input');
    const port: InputSchema = { name: 'words', dtype: 'string', dims: [1] };
    expect(() => randomFrames([port]).frame(0)).toThrow(/maker\.input/);
  });
});

const RELU: OnnxNodeSpec = { op: 'Relu', inputs: ['x'], outputs: ['hidden'] };

function gemm(from: string, to: string): OnnxNodeSpec {
  return { op: 'Gemm', inputs: [from, 'w'], outputs: [to] };
}

/** Four inputs through these nodes; outputs are float32 of any width. */
function chain(nodes: readonly OnnxNodeSpec[], outputs: readonly string[]): Uint8Array {
  const port = (name: string, size: number) => {
    return { name, dtype: 'float32', dims: ['batch', size] } as const;
  };
  return encodeModel({
    graph: {
      name: 'chain',
      nodes,
      initializers: {
        w: floats(
          [4, 3],
          Array.from({ length: 12 }, (_, i) => i - 5),
        ),
      },
      inputs: [port('x', 4)],
      outputs: outputs.map((name) => port(name, name === 'hidden' ? 4 : 3)),
    },
  });
}

describe('proveUnchanged', () => {
  const frames = { count: 2, frame: () => new Map() };
  const giving = (outputs: NamedTensors) => ({ run: async () => ok(outputs) });
  const old = floats([1, 2], [1, Number.NaN]);
  const wide = floats([1, 4], [1, 2, 3, 4]);
  const prove = (...changed: [string, Tensor][]) => {
    const now = new Map([['logits', old], ['f', wide], ...changed]);
    const before = giving(new Map([['logits', old]]));
    return proveUnchanged(before, giving(now), frames, { name: 'f', width: 4 });
  };

  it('counts the numbers it compared; a NaN is the same as itself', async () => {
    expect(await prove()).toBe(4);
  });

  it.each([
    ['another bit', floats([1, 2], [1 + 2 ** -23, Number.NaN])],
    ['the other zero', floats([1, 2], [-0, Number.NaN])],
    ['another shape', floats([2, 1], [1, Number.NaN])],
    ['another type', { dtype: 'float64', dims: [1, 2], data: Float64Array.of(1, 2) } as const],
  ])('refuses %s', async (_, tensor) => {
    await expect(prove(['logits', tensor])).rejects.toThrow('maker.outputs-changed: frame 0');
  });

  it('refuses an output that was lost, and features that are no rows of their width', async () => {
    const lost = proveUnchanged(giving(new Map([['logits', old]])), giving(new Map()), frames, {
      ...{ name: 'f', width: 4 },
    });
    await expect(lost).rejects.toThrow('maker.outputs-changed');
    for (const f of [floats([1, 3], [1, 2, 3]), floats([4], [1, 2, 3, 4])]) {
      await expect(prove(['f', f])).rejects.toThrow(/maker\.no-features: f is float32 of/);
    }
  });
});

describe('randomFrames', () => {
  const ports = DTYPES.filter((dtype) => dtype !== 'string').map((dtype): InputSchema => {
    return {
      name: dtype,
      dtype,
      dims: [{ name: 'batch', min: 1, max: 64 }, 3, { name: 'w', min: 1, max: 64 }],
    };
  });

  it('are the same every time, differ from each other, and begin with silence', () => {
    const [first, again] = [randomFrames(ports), randomFrames(ports)];
    const seen = new Set<string>();
    for (let index = 0; index < first.count; index++) {
      const frame = first.frame(index);
      expect(again.frame(index)).toEqual(frame);
      const { dims, data } = frame.get('float32') ?? { dims: [], data: [] };
      expect(dims).toEqual([1, 3, 32]);
      const values = Array.from(data as Float32Array);
      expect(values.every((value) => value >= -1 && value < 1)).toBe(true);
      if (index === 0) expect(new Set(values)).toEqual(new Set([0]));
      const whole = Array.from(frame.get('int64')?.data as BigInt64Array, Number);
      expect(whole.every((value) => value === 0 || value === 1)).toBe(true);
      seen.add(values.join());
    }
    expect(seen.size).toBe(first.count);
  });
});
