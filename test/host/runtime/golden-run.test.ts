/** Golden vectors on a real worker and on scripted ones: what passes, what is told, what is soaked. */
import { afterAll, describe, expect, it } from 'vitest';
import { err, ok, type Result } from '../../../src/core/base/fault.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { encodeGolden, type Golden } from '../../../src/core/bundle/golden-codec.ts';
import { toleranceOf } from '../../../src/core/bundle/golden-tolerance.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import { makersModel } from '../../../src/core/trust/runnable-model.ts';
import { type Engine, openEngine } from '../../../src/host/inference/engine.ts';
import { inferenceFault } from '../../../src/host/inference/faults.ts';
import { readGolden, runGolden, soak } from '../../../src/host/runtime/golden-run.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { options } from '../inference/models.ts';
import { ECHO, ECHO_IO, frame, stillClock } from './releases.ts';

const y = (a: number, b: number): NamedTensors => new Map([['y', rowTensor(a, b)]]);
function rowTensor(a: number, b: number): Tensor {
  return { dtype: 'float32', dims: [1, 2], data: Float32Array.of(a, b) };
}

/** What the echo model gives for two rows. */
const VECTORS = [
  { inputs: frame(1, 2), outputs: y(1, 2) },
  { inputs: frame(-3, 0), outputs: y(-3, 0) },
];
const GOLDEN: Golden = {
  modelSha256: sha256(ECHO),
  tolerances: new Map([['y', toleranceOf([rowTensor(1, -3)])]]),
  vectors: VECTORS,
};

/** Answers with `answer` of the run's number, and counts as an engine does. */
function scripted(answer: (run: number) => Result<NamedTensors>) {
  const counts = { generation: 1, runs: 0, deadlineKills: 0, repliesDropped: 0 };
  const deadlines: (number | undefined)[] = [];
  const engine: Pick<Engine, 'run' | 'stats'> = {
    run: async (_, deadlineMs) => {
      deadlines.push(deadlineMs);
      return answer(counts.runs++);
    },
    stats: () => ({ ...counts, respawnsLeft: 3, waiting: 0 }),
  };
  return { engine, counts, deadlines };
}
const echoed = (run: number): Result<NamedTensors> => {
  return ok((VECTORS[run % 2] as (typeof VECTORS)[0]).outputs);
};

const engines: Engine[] = [];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

describe('runGolden', () => {
  it('passes on the real worker, and fails for another model', async () => {
    const engine = accepted(await openEngine(makersModel(ECHO), options()));
    engines.push(engine);
    expect(codeOf(await runGolden(engine, GOLDEN))).toBe('accepted');
    expect(engine.stats().runs).toBe(2);
    expect(codeOf(await runGolden(engine, GOLDEN, 3))).toBe('accepted');
    expect(engine.stats().runs).toBe(3);
    const other = { ...GOLDEN, vectors: [{ inputs: frame(1, 2), outputs: y(1, 2.5) }] };
    const fault = faultIn(await runGolden(engine, other));
    expect(fault.code).toBe('golden.differs');
    expect(fault.message).toMatch(
      /^golden vector 0, output y, element \[0, 1\]: 2 where 2\.5 was expected, 0\.5 off, 0\.0028/,
    );
  });

  it('says which vector, and what is not there or of another form', async () => {
    const told = async (outputs: NamedTensors): Promise<string> => {
      const { engine } = scripted((run) => (run === 0 ? echoed(0) : ok(outputs)));
      return faultIn(await runGolden(engine, GOLDEN)).message;
    };
    expect(await told(new Map())).toBe('golden vector 1, output y was not given');
    const wide = new Map([['y', { ...rowTensor(1, 2), dims: [2, 1] }]]);
    expect(await told(wide)).toBe(
      'golden vector 1, output y: float32 [2, 1] where float32 [1, 2] was expected',
    );
  });

  it('passes on what the engine is refused for', async () => {
    const { engine } = scripted(() => err(inferenceFault('inference.closed', 'gone')));
    expect(codeOf(await runGolden(engine, GOLDEN))).toBe('inference.closed');
  });
});

describe('soak', () => {
  it('runs the vectors in turn, the first with a deadline of its own', async () => {
    const { engine, deadlines } = scripted(echoed);
    const plan = { runs: 5, clock: stillClock(), firstDeadlineMs: 9_000 };
    expect(accepted(await soak(engine, GOLDEN, plan))).toEqual({ runs: 5, tookMs: 0 });
    expect(deadlines).toEqual([9_000, undefined, undefined, undefined, undefined]);
  });

  it('runs every vector at least once, and no more than its time allows', async () => {
    let now = 0;
    const clock = { ...stillClock(), monotonicMs: () => now as MonotonicMs };
    const slow = (run: number): Result<NamedTensors> => {
      now += 60;
      return echoed(run);
    };
    const runs = async (wanted: number, budgetMs: number): Promise<number> =>
      accepted(await soak(scripted(slow).engine, GOLDEN, { runs: wanted, budgetMs, clock })).runs;
    expect(await runs(0, 1_000)).toBe(2);
    expect(await runs(20, 1)).toBe(2);
    expect(await runs(20, 300)).toBe(5);
  });

  it.each(['generation', 'deadlineKills', 'repliesDropped'] as const)(
    'fails where the worker did not stay in health: %s',
    async (count) => {
      const { engine, counts } = scripted((run) => {
        if (run === 3) counts[count]++;
        return echoed(run);
      });
      const fault = faultIn(await soak(engine, GOLDEN, { runs: 6, clock: stillClock() }));
      expect(fault.code).toBe('runtime.soak');
      expect(fault.message).toMatch(/after 1 workers, 0 missed deadlines, 0 stray replies$/);
    },
  );

  it('fails at once where an output differs or a run is refused', async () => {
    const bad = scripted((run) => (run === 4 ? ok(y(9, 9)) : echoed(run)));
    const plan = { runs: 9, clock: stillClock() };
    expect(codeOf(await soak(bad.engine, GOLDEN, plan))).toBe('golden.differs');
    expect(bad.counts.runs).toBe(5);
    const dead = scripted(() => err(inferenceFault('inference.deadline', 'late')));
    expect(codeOf(await soak(dead.engine, GOLDEN, plan))).toBe('inference.deadline');
  });
});

describe('readGolden', () => {
  const read = (golden: Golden, model = ECHO): string =>
    codeOf(readGolden(encodeGolden(golden), sha256(model), ECHO_IO));

  it('takes vectors of this model that keep its contract', () => {
    expect(read(GOLDEN)).toBe('accepted');
    // Beyond the declared range of the output: unusual, and for the guard to judge.
    const wide = [{ inputs: frame(50, 0), outputs: y(50, 0) }];
    expect(read({ ...GOLDEN, vectors: wide })).toBe('accepted');
  });

  it('refuses those of another model, of other ports, and bytes that are none', () => {
    expect(read(GOLDEN, new Uint8Array(3))).toBe('golden.model');
    const cases = [
      { inputs: new Map([['z', rowTensor(1, 2)]]), outputs: y(1, 2) },
      { inputs: new Map([['x', { ...rowTensor(1, 2), dims: [2] }]]), outputs: y(1, 2) },
      { inputs: frame(1, 2), outputs: new Map([['y', { ...rowTensor(1, 2), dims: [2] }]]) },
    ];
    for (const vector of cases) {
      expect(read({ ...GOLDEN, vectors: [vector] })).toBe('golden.contract');
    }
    const named = { ...GOLDEN, tolerances: new Map([['z', { absolute: 0, relative: 0 }]]) };
    const other = [{ inputs: frame(1, 2), outputs: new Map([['z', rowTensor(1, 2)]]) }];
    expect(read({ ...named, vectors: other })).toBe('golden.contract');
    expect(codeOf(readGolden(new Uint8Array(0), sha256(ECHO), ECHO_IO))).toBe('cbor.truncated');
  });
});
