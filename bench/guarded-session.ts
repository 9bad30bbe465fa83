/** The built package, as somebody's own program uses it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GuardOptions } from '../src/index.ts';
import type { BenchModel } from './workshop.ts';

export interface GuardedRun {
  /** One frame through the guard; the model must have answered it. */
  run(frame: Float32Array): Promise<void>;
  close(): Promise<void>;
}

export async function openGuarded(
  dist: string,
  options: GuardOptions,
  { input, dims }: BenchModel,
): Promise<GuardedRun> {
  const url = pathToFileURL(join(dist, 'index.js')).href;
  const { openGuard } = (await import(url)) as typeof import('../src/index.ts');
  const guard = await openGuard(options);
  return {
    async run(frame) {
      const { source, words } = await guard.infer({
        [input]: { dtype: 'float32', dims, data: frame },
      });
      if (source !== 'model') throw new Error(`a frame was not answered by the model: ${words}`);
    },
    close: () => guard.close(),
  };
}
