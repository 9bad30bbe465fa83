import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { stuckModel } from '../../../src/apps/demo/stuck-model.ts';
import { need } from '../../../src/core/base/fault.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';

ort.env.wasm.numThreads = 1;

const rotor = readFileSync(`${import.meta.dirname}/../../../src/apps/demo/rotor.onnx`);

/** Says `running` before it runs the model, and `answered` or the error after. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.ort).then(async (ort) => {
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(workerData.model);
    const vibration = new ort.Tensor('float32', new Float32Array(1024).fill(1), [1, 1, 1024]);
    parentPort.postMessage('running');
    await session.run({ vibration });
    parentPort.postMessage('answered');
  }).catch((error) => parentPort.postMessage(String(error)));
`;

async function runInWorker(model: Uint8Array, until: (messages: string[]) => boolean) {
  const messages: string[] = [];
  const workerData = { model, ort: import.meta.resolve('onnxruntime-web/wasm') };
  const worker = new Worker(WORKER, { eval: true, workerData });
  worker.on('message', (message: string) => messages.push(message));
  while (!until(messages)) await wait(10);
  // Long enough for the finite model to answer a thousand times.
  if (!messages.includes('answered')) await wait(500);
  await worker.terminate();
  return messages;
}

describe('stuckModel', () => {
  it('has the inputs and outputs of the demo model', () => {
    const [stuck, real] = [need(readGraph(stuckModel())), need(readGraph(rotor))];
    expect(stuck.inputs).toEqual(real.inputs);
    expect(stuck.outputs).toEqual(real.outputs);
  });

  it('answers like any model when the loop is short', async () => {
    const session = await ort.InferenceSession.create(stuckModel(3n));
    const vibration = new ort.Tensor('float32', new Float32Array(2 * 1024).fill(2), [2, 1, 1024]);
    const { logits, features } = await session.run({ vibration });
    expect(logits?.dims).toEqual([2, 4]);
    expect(features?.dims).toEqual([2, 48]);
    expect(logits?.data).toEqual(new Float32Array(8).fill(5));
  });

  it('answers silence at once, as the self-test at boot gives it', async () => {
    const session = await ort.InferenceSession.create(stuckModel());
    const vibration = new ort.Tensor('float32', new Float32Array(1024), [1, 1, 1024]);
    const { logits } = await session.run({ vibration });
    expect(logits?.data).toEqual(new Float32Array(4).fill(1));
  });

  it('loads and then never answers, until its worker is ended', async () => {
    const short = await runInWorker(stuckModel(3n), (seen) =>
      seen.some((text) => text !== 'running'),
    );
    expect(short).toEqual(['running', 'answered']);
    const endless = await runInWorker(stuckModel(), (seen) => seen.length === 1);
    expect(endless).toEqual(['running']);
  });
});
