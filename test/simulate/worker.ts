/** Plays scenarios in a thread of its own, one core each. */
import { parentPort } from 'node:worker_threads';
import { explore } from './explore.ts';
import { PRODUCT } from './operator.ts';
import type { Task } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

parentPort?.on('message', ({ scenario, extent }: Task) => {
  const played = SCENARIOS[scenario];
  if (played === undefined) throw new Error(`there is no scenario ${scenario}`);
  parentPort?.postMessage({ scenario, result: explore(played, PRODUCT, extent) });
});
