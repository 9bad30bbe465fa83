import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as ort from 'onnxruntime-web/wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { makersModel } from '../../../src/core/trust/runnable-model.ts';
import { openEngine } from '../../../src/host/inference/engine.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { options } from './models.ts';

/** Rows to run where the batch is dynamic. */
const ROWS = 5;

beforeAll(() => {
  const wasm = createRequire(import.meta.url).resolve(
    'onnxruntime-web/ort-wasm-simd-threaded.wasm',
  );
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = readFileSync(wasm).buffer;
});

/** Numbers between 0 and 255, the same each time (a linear congruential generator). */
function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 24;
  });
}

describe.skipIf(sharedMissing)(
  'an engine beside bare onnxruntime-web (needs shared models)',
  () => {
    it.each([
      'resnet8-cifar10',
      'mnist-cnn',
      'ultraface-rfb-320',
      'bearing-cnn',
      'toycar-ae',
      'kws-dscnn',
    ])('%s: the outputs are the same to the bit', async (name) => {
      const bytes = new Uint8Array(readFileSync(sharedPath(`models/${name}.onnx`)));
      const opened = await openEngine(makersModel(bytes), options());
      if (!opened.ok) throw new Error(`${opened.fault.code}: ${opened.fault.message}`);
      const engine = opened.value;
      const bare = await ort.InferenceSession.create(bytes);
      const feeds: Record<string, ort.Tensor> = {};
      const inputs = new Map<string, Tensor>();
      for (const port of engine.inputs) {
        expect(port.dtype).toBe('float32');
        const dims = port.dims.map((size) => (typeof size === 'number' ? size : ROWS));
        const data = noise(dims.reduce((a, b) => a * b, 1));
        feeds[port.name] = new ort.Tensor('float32', data, dims);
        inputs.set(port.name, { dtype: 'float32', dims, data });
      }
      const wanted = await bare.run(feeds);
      const result = await engine.run(inputs);
      await engine.close();
      if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
      expect([...result.value.keys()]).toStrictEqual([...bare.outputNames]);
      for (const [output, tensor] of result.value) {
        const expected = wanted[output] as ort.Tensor;
        expect(tensor.dims).toStrictEqual([...expected.dims]);
        const bits = (data: Float32Array) =>
          Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        const [ours, theirs] = [tensor.data, expected.data].map((d) => bits(d as Float32Array));
        expect(ours?.equals(theirs as Buffer)).toBe(true);
      }
      await bare.release();
    });

    it('takes any number of rows where the model does', async () => {
      const bytes = new Uint8Array(readFileSync(sharedPath('models/resnet8-cifar10.onnx')));
      const opened = await openEngine(makersModel(bytes), options());
      if (!opened.ok) throw new Error(opened.fault.message);
      const [port] = opened.value.inputs;
      const data = noise(ROWS * 3 * 32 * 32);
      const tensor: Tensor = { dtype: 'float32', dims: [ROWS, 3, 32, 32], data };
      const result = await opened.value.run(new Map([[port?.name ?? '', tensor]]));
      await opened.value.close();
      if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
      const shapes = [...result.value.values()].map(({ dims }) => dims);
      expect(shapes).toStrictEqual(shapes.map((dims) => [ROWS, ...dims.slice(1)]));
      expect(shapes.length).toBeGreaterThan(0);
    });
  },
);
