/** onnxruntime-web with nothing around it, on the thread that asks: the peer of the guard. */
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-web/wasm';

/** One run: the input's values in, the number of output values that were read out. */
export type PlainRun = (frame: Float32Array) => Promise<number>;

export async function openPlain(model: string): Promise<PlainRun> {
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)));
  const [input] = session.inputMetadata;
  if (input?.isTensor !== true) throw new Error(`${model} takes no tensor`);
  const dims = input.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1));
  return async (frame) => {
    const results = await session.run({ [input.name]: new ort.Tensor('float32', frame, dims) });
    let count = 0;
    for (const name of session.outputNames) count += results[name]?.data.length ?? 0;
    return count;
  };
}
