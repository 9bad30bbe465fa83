// `node plain.mjs MODEL FRAMES`: frames of ResNet8 through onnxruntime-web with nothing around it;
// after more than one it tells its resident bytes once idle. JavaScript, as types take time to strip.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as ort from 'onnxruntime-web/wasm';

const [model, count] = process.argv.slice(2);
ort.env.logLevel = 'fatal';
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)));
for (let frame = 0; frame < Number(count); frame++) {
  const data = Float32Array.from({ length: 3072 }, (_, i) => (i * (frame + 7)) % 256);
  await session.run({ input: new ort.Tensor('float32', data, [1, 3, 32, 32]) });
}
if (Number(count) > 1) {
  await sleep(300);
  process.stdout.write(String(process.memoryUsage.rss()));
}
