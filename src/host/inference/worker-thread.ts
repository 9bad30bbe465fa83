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

let prepared: Worker | undefined;

/**
 * Starts a thread ahead of its use, while something else is verified: it knows nothing yet. It keeps
 * no process alive. For a program that needs one worker and then ends.
 */
export function prepareOrtWorker(): void {
  if (prepared !== undefined) return;
  const worker = startThread(WORKER_URL);
  worker.unref();
  const forget = (): void => {
    if (prepared === worker) prepared = undefined;
  };
  // One that ends by itself is not handed out; who is handed one listens for himself.
  worker.once('error', forget).once('exit', forget);
  prepared = worker;
}

/** The prepared thread, or a new one. */
export function startOrtWorker(): WorkerThread {
  const worker = prepared ?? startThread(WORKER_URL);
  prepared = undefined;
  worker.ref();
  return worker;
}

/** A fresh thread with no environment, no flags and nothing of ours on its standard streams. */
export function startThread(url: URL): Worker {
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
