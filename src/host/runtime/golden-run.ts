/**
 * Golden vectors run on the real engine: the outputs must be those of the maker's machine within the
 * signed tolerance. No guard is asked, so that a run touches no novelty, drift or budget state.
 */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, attemptAsync, need, type Result } from '../../core/base/fault.ts';
import type { Clock } from '../../core/base/time.ts';
import { decodeGolden, type Golden, type GoldenVector } from '../../core/bundle/golden-codec.ts';
import { refuseGolden } from '../../core/bundle/golden-faults.ts';
import { differenceIn, type Tolerance } from '../../core/bundle/golden-tolerance.ts';
import type { IoSchema } from '../../core/bundle/io-schema.ts';
import { checkInput } from '../../core/guard/input-contract.ts';
import { checkOutput } from '../../core/guard/output-contract.ts';
import { coordinates } from '../../core/guard/shape.ts';
import type { Engine } from '../inference/engine.ts';
import { refuseRuntime } from './faults.ts';

export interface SoakPlan {
  /** Golden runs; every vector is run at least once, whatever this says. */
  readonly runs: number;
  /** Runs beyond one of each vector end when so much time has passed. */
  readonly budgetMs?: number;
  readonly clock: Clock;
  /** Of the first run, which also compiles; the engine's own for the others. */
  readonly firstDeadlineMs?: number;
}

export interface SoakReport {
  readonly runs: number;
  readonly tookMs: number;
}

/**
 * The golden vectors of a bundle's bytes, held against its model and its schema. Faults: `cbor.*`,
 * `field.*`, `golden.*`.
 */
export function readGolden(
  bytes: Uint8Array,
  modelSha256: Uint8Array,
  io: IoSchema,
): Result<Golden> {
  return attempt(() => {
    const golden = need(decodeGolden(bytes));
    if (!equalBytes(golden.modelSha256, modelSha256)) {
      throw refuseGolden('golden.model', 'the golden vectors name another model digest');
    }
    for (const [index, vector] of golden.vectors.entries()) checkContract(index, vector, io);
    return golden;
  });
}

/**
 * Runs one vector, or all in turn. Faults: `golden.differs` (which vector, output and element, and
 * by how much), `inference.*`.
 */
export function runGolden(
  engine: Pick<Engine, 'run'>,
  golden: Golden,
  only?: number,
): Promise<Result<true>> {
  return attemptAsync<true>(async () => {
    const chosen = only === undefined ? [...golden.vectors.keys()] : [only % golden.vectors.length];
    for (const index of chosen) await runVector(engine, golden, index);
    return true;
  });
}

/**
 * Golden runs in a row while the worker stays in health: not replaced, no deadline missed, no stray
 * reply. Live verdicts have no say: who feeds the sensor must not be able to veto an update.
 * Faults: `golden.differs`, `runtime.soak`, `inference.*`.
 */
export function soak(
  engine: Pick<Engine, 'run' | 'stats'>,
  golden: Golden,
  plan: SoakPlan,
): Promise<Result<SoakReport>> {
  return attemptAsync(async () => {
    const { clock, budgetMs = Number.POSITIVE_INFINITY, firstDeadlineMs } = plan;
    const count = golden.vectors.length;
    const startMs = clock.monotonicMs();
    const tookMs = (): number => clock.monotonicMs() - startMs;
    let runs = 0;
    await runVector(engine, golden, runs++, firstDeadlineMs);
    // Taken after the first run: a session that had to be opened anew for it is no sign of ill health.
    const healthy = healthOf(engine);
    while (runs < count || (runs < plan.runs && tookMs() < budgetMs)) {
      await runVector(engine, golden, runs++ % count);
    }
    const health = healthOf(engine);
    if (health !== healthy) throw refuseRuntime('runtime.soak', `${health} after ${healthy}`);
    return { runs, tookMs: tookMs() };
  });
}

async function runVector(
  engine: Pick<Engine, 'run'>,
  { vectors, tolerances }: Golden,
  index: number,
  deadlineMs?: number,
): Promise<void> {
  const { inputs, outputs } = vectors[index] as GoldenVector;
  const seen = need(await engine.run(inputs, deadlineMs));
  for (const [name, expected] of outputs) {
    const found = seen.get(name);
    const where = `golden vector ${index}, output ${name}`;
    if (found === undefined) throw refuseGolden('golden.differs', `${where} was not given`);
    const difference = differenceIn(expected, found, tolerances.get(name) as Tolerance);
    if (difference === undefined) continue;
    const { element, words } = difference;
    const place = element < 0 ? '' : `, element ${coordinates(element, expected.dims)}`;
    throw refuseGolden('golden.differs', `${where}${place}: ${words}`);
  }
}

/** Ranges are left out: the guard judges what is unusual, the vectors what is wrong. */
function checkContract(index: number, { inputs, outputs }: GoldenVector, io: IoSchema): void {
  const { findings, sizes } = checkInput(io, inputs);
  const unranged = { inputs: [], outputs: io.outputs.map(({ range: _, ...output }) => output) };
  const [found] = [...findings, ...checkOutput(unranged, outputs, sizes, Number.POSITIVE_INFINITY)];
  if (found === undefined) return;
  throw refuseGolden('golden.contract', `vector ${index}: ${found.code}: ${found.detail}`);
}

function healthOf(engine: Pick<Engine, 'stats'>): string {
  const { generation, deadlineKills, repliesDropped } = engine.stats();
  return `${generation} workers, ${deadlineKills} missed deadlines, ${repliesDropped} stray replies`;
}
