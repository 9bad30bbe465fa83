/** Starts the worker thread of one model generation. */
import { Worker } from 'node:worker_threads';
import { WORKER_HEAP_MB, WORKER_STACK_MB, WORKER_YOUNG_HEAP_MB } from '../../core/base/limits.ts';

/** What a generation needs of a worker thread. */
export interface WorkerThread {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): Promise<unknown>;
  on(event: 'message' | 'messageerror' | 'error' | 'exit', act: (value: unknown) => void): unknown;
}

/** In source the worker is TypeScript that Node.js strips itself; built, it lies beside us. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './ort-worker.ts' : './ort-worker.js',
  import.meta.url,
);

export function startOrtWorker(): WorkerThread {
  return startThread(WORKER_URL);
}

/** A fresh thread with no environment, no flags and nothing of ours on its standard streams. */
export function startThread(url: URL): WorkerThread {
  const worker = new Worker(url, {
    name: 'edgeward-inference',
    argv: [],
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: {
      maxOldGenerationSizeMb: WORKER_HEAP_MB,
      maxYoungGenerationSizeMb: WORKER_YOUNG_HEAP_MB,
      stackSizeMb: WORKER_STACK_MB,
    },
  });
  // Read and dropped: what nobody reads would pile up in this process.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}
