// `node guarded.mjs DIST BUNDLE ROOT FRAMES`: as many frames of ResNet8 through the guard, then its
// resident bytes once idle. JavaScript, as types take memory to strip.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [dist, bundle, root, count] = process.argv.slice(2);
const { openGuard } = await import(pathToFileURL(join(dist, 'index.js')).href);
const guard = await openGuard({ bundle, root });
for (let frame = 0; frame < Number(count); frame++) {
  const data = Float32Array.from({ length: 3072 }, (_, i) => (i * (frame + 7)) % 256);
  const { source, words } = await guard.infer({
    input: { dtype: 'float32', dims: [1, 3, 32, 32], data },
  });
  if (source !== 'model') throw new Error(`a frame was not answered by the model: ${words}`);
}
await sleep(300);
process.stdout.write(String(process.memoryUsage.rss()));
await guard.close();
