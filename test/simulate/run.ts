/** A whole simulation: every scenario, round after round on every core, until enough was cut. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Exploration, Extent } from './explore.ts';
import { SCENARIOS } from './scenarios.ts';

export interface RunInput {
  /** Of the first round; each further round counts one on. A violation names its round's seed. */
  readonly seed: number;
  /** At least so many crash points. */
  readonly points: number;
}

export interface RunReport {
  readonly seed: number;
  readonly rounds: number;
  readonly scenarios: readonly Exploration[];
  readonly crashPoints: number;
  readonly violations: readonly string[];
}

/** What a worker is asked for. */
export interface Task {
  readonly scenario: number;
  readonly extent: Extent;
}

const OUTCOMES_MAX = 12;
const DEEP_ONE_IN = 8;
const VIOLATIONS_MAX = 5;

/** Deterministic by seed: a round is played whole before it is asked whether it was enough. */
export async function runSimulation(
  input: RunInput,
  onRound: (crashPoints: number, violations: number) => void,
): Promise<RunReport> {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL('./worker.ts', import.meta.url)),
  );
  const sums = SCENARIOS.map(({ name }) => ({
    scenario: name,
    crashPoints: 0,
    violations: [] as string[],
  }));
  let rounds = 0;
  let crashPoints = 0;
  const violations: string[] = [];
  while (crashPoints < input.points && violations.length === 0) {
    const seed = input.seed + rounds++;
    const extent: Extent = {
      seed,
      outcomesMax: OUTCOMES_MAX,
      deepOneIn: DEEP_ONE_IN,
      violationsMax: VIOLATIONS_MAX,
    };
    for (const [index, found] of await playRound(workers, extent)) {
      const sum = sums[index];
      if (sum === undefined) continue;
      sum.crashPoints += found.crashPoints;
      sum.violations.push(...found.violations);
      crashPoints += found.crashPoints;
      violations.push(...found.violations);
    }
    onRound(crashPoints, violations.length);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return { seed: input.seed, rounds, scenarios: sums, crashPoints, violations };
}

function playRound(
  workers: readonly Worker[],
  extent: Extent,
): Promise<ReadonlyMap<number, Exploration>> {
  return new Promise((resolve, reject) => {
    const found = new Map<number, Exploration>();
    let next = 0;
    const ask = (worker: Worker): void => {
      if (next < SCENARIOS.length) worker.postMessage({ scenario: next++, extent } satisfies Task);
    };
    for (const worker of workers) {
      worker.removeAllListeners();
      worker.on('error', reject);
      worker.on('message', ({ scenario, result }: { scenario: number; result: Exploration }) => {
        found.set(scenario, result);
        if (found.size === SCENARIOS.length) resolve(found);
        else ask(worker);
      });
      ask(worker);
    }
  });
}
