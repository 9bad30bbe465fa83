import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../src/apps/demo/exact-math.ts';
import { dftBasis, SPECTRUM_SIZE, spectrumOf } from '../../../src/apps/demo/spectrum.ts';
import { differences, makeRotor } from '../../../src/apps/demo/train.ts';
import { CONDITIONS, vibrationWindow } from '../../../src/apps/demo/vibration.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { need } from '../../../src/core/base/fault.ts';
import { mergeIoSchema, readMakerMetadata } from '../../../src/core/bundle/metadata-json.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { parseSafeOutput, safeOutputTensors } from '../../../src/core/guard/safe-output.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { type OnnxPort, readGraph } from '../../../src/core/onnx/graph.ts';
import { decodeTensor } from '../../../src/core/onnx/tensor-proto.ts';

ort.env.wasm.numThreads = 1;

const folder = `${import.meta.dirname}/../../../src/apps/demo`;
const model = readFileSync(`${folder}/rotor.onnx`);

describe('the committed model', () => {
  it('is what its script makes, bit by bit, and so is its metadata', () => {
    const rotor = makeRotor();
    expect(differences(rotor)).toEqual([]);
    const changed = rotor.model.slice();
    changed[changed.length - 9] = (changed[changed.length - 9] ?? 0) ^ 1;
    expect(differences({ model: changed, metadata: {} })).toEqual(['rotor.onnx', 'rotor.json']);
  });

  it('is under 150 KB, with a dynamic batch and both outputs', () => {
    expect(model.length).toBeLessThan(150_000);
    const graph = need(readGraph(model));
    expect(graph.inputs).toEqual([
      { name: 'vibration', dtype: 'float32', dims: ['batch', 1, 1024] },
    ]);
    expect(graph.outputs).toEqual([
      { name: 'logits', dtype: 'float32', dims: ['batch', CONDITIONS.length] },
      { name: 'features', dtype: 'float32', dims: ['batch', 48] },
    ]);
  });

  it('has metadata that a bundle takes', () => {
    const maker = need(readMakerMetadata(readFileSync(`${folder}/rotor.json`)));
    const { inputs, outputs } = need(readGraph(model));
    const port = ({ name, dims }: OnnxPort) =>
      ({ name, dtype: 'float32', dims: dims ?? [] }) as const;
    const io = need(mergeIoSchema(inputs.map(port), outputs.map(port), maker));
    expect(io.inputs[0]).toMatchObject({ layout: 'NCW', range: { min: -20, max: 20 } });
    expect(io.outputs.map(({ role }) => role)).toEqual(['scores', 'features']);
    expect(io.outputs[0]?.labels).toEqual(CONDITIONS);
    need(safeOutputTensors(need(parseSafeOutput(maker.safeOutput)), io, 1e-3));
    expect(maker.provenance?.get('modelSha256')).toBe(toHex(sha256(model)));
  });

  it('computes in its graph the spectrum that it was trained on', async () => {
    const graph = need(readGraph(model));
    const stored = (name: string): Tensor['data'] => {
      const tensor = graph.initializers.get(name);
      if (tensor === undefined) throw new Error(`no ${name}`);
      return need(decodeTensor(tensor)).data;
    };
    const weights = stored('hidden.weight') as Float32Array;
    const bias = stored('hidden.bias') as Float32Array;
    const window = vibrationWindow('inner-race', new SeededRandom(11));
    const spectrum = spectrumOf(window, dftBasis());
    const expected = Array.from(bias, (start, h) => {
      const row = weights.subarray(h * SPECTRUM_SIZE, (h + 1) * SPECTRUM_SIZE);
      return Math.max(
        0,
        row.reduce((sum, weight, i) => sum + weight * (spectrum[i] ?? 0), start),
      );
    });
    const session = await ort.InferenceSession.create(model);
    const feed = new ort.Tensor('float32', window, [1, 1, 1024]);
    const { features } = await session.run({ vibration: feed });
    expect(Array.from((features?.data ?? []) as Float32Array)).toEqual(
      expected.map((value) => expect.closeTo(value, 3)),
    );
    expect(expected.some((value) => value > 1)).toBe(true);
  });
});
