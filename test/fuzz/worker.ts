/** Plays the cases of one run, in a thread that can be ended when a case does not end. */
import { parentPort, workerData } from 'node:worker_threads';
import { installAllocationMeter } from './allocation-meter.ts';
import type { Problem, TargetReport, WorkerTask } from './run.ts';
import type { Outcome, Target } from './trial.ts';

const PROBLEMS_MAX = 20;
/** Buffers of a fixed size that every call takes, and what a few copies of the input need. */
const ALLOCATION_BASE_BYTES = 1024 * 1024;
const ALLOCATION_PER_BYTE = 64;

const meter = installAllocationMeter();
const { seed, jobs, targetsModule, place } = workerData as WorkerTask;
// Loaded after the meter, so that the readers see the metered constructors.
const { Random, seedOf } = await import('./random.ts');
const { TARGETS } = (await import(targetsModule)) as { TARGETS: readonly Target[] };

for (const job of jobs) {
  const target = TARGETS[job.target];
  if (target === undefined) continue;
  parentPort?.postMessage(play(target, job.target, job.first, job.count));
}

function play(target: Target, number: number, first: number, count: number): TargetReport {
  const codes: Record<string, number> = {};
  const problems: Problem[] = [];
  let [slowestMs, slowestCase, behindFirstGate, largestBytes] = [0, 0, 0, 0];
  for (let index = first; index < first + count; index++) {
    Atomics.store(place, 0, number);
    Atomics.store(place, 1, index);
    Atomics.add(place, 2, 1);
    const played = playCase(target, index);
    if ('wrong' in played && problems.length < PROBLEMS_MAX) {
      problems.push({ target: target.name, index, wrong: played.wrong ?? '' });
    }
    codes[played.code] = (codes[played.code] ?? 0) + 1;
    if (!target.firstGate.test(played.code)) behindFirstGate++;
    largestBytes = Math.max(largestBytes, played.bytes);
    if (played.ms > slowestMs) [slowestMs, slowestCase] = [played.ms, index];
  }
  return {
    name: target.name,
    cases: count,
    codes,
    behindFirstGate,
    slowestMs,
    slowestCase,
    largestBytes,
    problems,
  };
}

function playCase(target: Target, index: number): Outcome & { ms: number; bytes: number } {
  let ms = 0;
  try {
    const trial = target.trial(new Random(seedOf(seed, target.name, index)));
    meter.reset();
    const start = performance.now();
    const outcome = trial.run();
    ms = performance.now() - start;
    const { bytes } = meter;
    const allowed = ALLOCATION_BASE_BYTES + ALLOCATION_PER_BYTE * trial.input.length;
    if (bytes <= allowed) return { ...outcome, ms, bytes };
    const wrong = `asked for ${bytes} bytes of memory for an input of ${trial.input.length}`;
    return { code: outcome.code, wrong, ms, bytes };
  } catch (thrown) {
    const wrong = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { code: 'thrown', wrong: `threw ${wrong}`, ms, bytes: 0 };
  }
}
