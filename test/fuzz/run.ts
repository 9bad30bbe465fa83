/** One run of the fuzzer: shares the cases out, watches the thread that plays them, adds it up. */
import { Worker } from 'node:worker_threads';
import type { Target } from './trial.ts';

export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
  readonly targets: readonly Target[];
  /** The module that exports the same list as `TARGETS`, for the thread. */
  readonly targetsModule: string;
  /** Only this one. */
  readonly only?: string;
  /** Only this case of `only`. */
  readonly index?: number;
  /** A case that takes longer is a hang. Generous: other work shares the processor. */
  readonly hangMs?: number;
  readonly onProgress?: (done: number, target: string) => void;
}

export interface Problem {
  readonly target: string;
  readonly index: number;
  readonly wrong: string;
}

export interface TargetReport {
  readonly name: string;
  readonly cases: number;
  /** How often each fault code, `accepted` or `thrown` was the answer. */
  readonly codes: Readonly<Record<string, number>>;
  readonly behindFirstGate: number;
  readonly slowestMs: number;
  readonly slowestCase: number;
  /** Most memory asked for in one case. */
  readonly largestBytes: number;
  readonly problems: readonly Problem[];
}

export interface FuzzReport {
  readonly cases: number;
  readonly targets: readonly TargetReport[];
  readonly problems: readonly Problem[];
  readonly hangs: number;
}

export interface Job {
  readonly target: number;
  readonly first: number;
  readonly count: number;
}

export interface WorkerTask {
  readonly seed: number;
  readonly jobs: readonly Job[];
  readonly targetsModule: string;
  /** Target, case and cases begun; shared, so that it can be read while the thread hangs. */
  readonly place: Int32Array;
}

const HANG_MS = 30_000;
const LOOK_MS = 250;
const HEAP_MB = 512;

/** The same options play the same cases. A hang or a lost thread ends the run with a problem. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { targets, seed, targetsModule } = options;
  const jobs = jobsOf(options);
  const place = new Int32Array(new SharedArrayBuffer(12));
  const reports: TargetReport[] = [];
  const problems: Problem[] = [];
  let hangs = 0;
  const here = (wrong: string): Problem => {
    const name = targets[Atomics.load(place, 0)]?.name ?? '';
    return { target: name, index: Atomics.load(place, 1), wrong };
  };
  const task: WorkerTask = { seed, jobs, targetsModule, place };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  let [seen, since] = [0, performance.now()];
  const watch = setInterval(() => {
    const begun = Atomics.load(place, 2);
    options.onProgress?.(begun, targets[Atomics.load(place, 0)]?.name ?? '');
    if (begun !== seen || begun === 0) [seen, since] = [begun, performance.now()];
    else if (performance.now() - since > (options.hangMs ?? HANG_MS)) {
      hangs++;
      problems.push(here('does not end'));
      clearInterval(watch);
      void worker.terminate();
    }
  }, LOOK_MS);
  worker.on('message', (report: TargetReport) => {
    reports.push(report);
    problems.push(...report.problems);
  });
  worker.on('error', (thrown) => problems.push(here(`lost the thread: ${String(thrown)}`)));
  await new Promise((resolve) => worker.on('exit', resolve));
  clearInterval(watch);
  return { cases: Atomics.load(place, 2), targets: reports, problems, hangs };
}

function jobsOf({ targets, cases, only, index }: FuzzOptions): Job[] {
  const chosen = targets.filter(({ name }) => only === undefined || name === only);
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  return chosen.map((target) => {
    const number = targets.indexOf(target);
    if (index !== undefined) return { target: number, first: index, count: 1 };
    const count = Math.ceil((cases * target.share) / shares);
    return { target: number, first: 0, count };
  });
}
