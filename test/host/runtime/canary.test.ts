/** Canaries: when one runs, how little it delays, and what a failed one tells. */
import { describe, expect, it } from 'vitest';
import { err, type Fault, ok, type Result } from '../../../src/core/base/fault.ts';
import { CANARY_PERIOD_MS } from '../../../src/core/base/limits.ts';
import type { Golden } from '../../../src/core/bundle/golden-codec.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { makersModel } from '../../../src/core/trust/runnable-model.ts';
import { openEngine } from '../../../src/host/inference/engine.ts';
import { type InferenceFaultCode, inferenceFault } from '../../../src/host/inference/faults.ts';
import { Canary } from '../../../src/host/runtime/canary.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { options } from '../inference/models.ts';
import { ECHO, frame, stillClock } from './releases.ts';

const outputs = (a: number, b: number): NamedTensors =>
  new Map([['y', { dtype: 'float32', dims: [1, 2], data: Float32Array.of(a, b) }]]);
const GOLDEN: Golden = {
  modelSha256: new Uint8Array(32),
  tolerances: new Map([['y', { absolute: 1e-6, relative: 0 }]]),
  vectors: [1, 2, 3].map((value) => {
    return { inputs: frame(value, 0), outputs: outputs(value, 0) };
  }),
};

/** An engine that echoes, with a clock, a queue length and answers to set. */
function scene(periodMs?: number) {
  const clock = stillClock();
  const faults: Fault[] = [];
  const ran: number[] = [];
  const state = {
    waiting: 0,
    answer: undefined as Result<NamedTensors> | Promise<Result<NamedTensors>> | undefined,
  };
  const canary = new Canary({
    engine: {
      run: async (inputs) => {
        const [value = 0] = (inputs.get('x')?.data ?? []) as Float32Array;
        ran.push(value);
        return state.answer ?? ok(outputs(value, 0));
      },
      stats: () => {
        const counts = { generation: 1, runs: ran.length, deadlineKills: 0, repliesDropped: 0 };
        return { ...counts, respawnsLeft: 3, waiting: state.waiting };
      },
    },
    golden: GOLDEN,
    clock,
    ...(periodMs === undefined ? {} : { periodMs }),
    onFault: (fault) => faults.push(fault),
  });
  return { canary, clock, faults, ran, state };
}

describe('a canary', () => {
  it('runs one vector a period, the next one each time', async () => {
    const { canary, clock, ran, faults } = scene();
    for (let period = 0; period < 4; period++) {
      clock.advance(CANARY_PERIOD_MS - 1);
      expect(await canary.tick()).toBeUndefined();
      clock.advance(1);
      expect(await canary.tick()).toEqual(ok(true));
      expect(await canary.tick()).toBeUndefined();
    }
    expect(ran).toEqual([1, 2, 3, 1]);
    expect(canary.passed).toBe(4);
    expect(faults).toEqual([]);
  });

  it('lets frames go first, and is put off for one period at most', async () => {
    const { canary, clock, ran, state } = scene(100);
    state.waiting = 1;
    clock.advance(100);
    expect(await canary.tick()).toBeUndefined();
    clock.advance(99);
    expect(await canary.tick()).toBeUndefined();
    clock.advance(1);
    expect(await canary.tick()).toEqual(ok(true));
    state.waiting = 0;
    clock.advance(100);
    await canary.tick();
    expect(ran).toEqual([1, 2]);
  });

  it('is never there twice: a frame waits for one inference of it', async () => {
    const { canary, clock, ran, state } = scene(100);
    let answer: (result: Result<NamedTensors>) => void = () => undefined;
    state.answer = new Promise((resolve) => {
      answer = resolve;
    });
    clock.advance(100);
    const first = canary.tick();
    clock.advance(1_000);
    expect(await canary.tick()).toBeUndefined();
    answer(ok(outputs(1, 0)));
    expect(await first).toEqual(ok(true));
    await canary.settled();
    expect(ran).toEqual([1]);
  });

  it('tells an output that differs, and goes on with the next vector', async () => {
    const { canary, clock, faults, ran, state } = scene(100);
    state.answer = ok(outputs(1, 0.5));
    clock.advance(100);
    await canary.tick();
    expect(faults.map(({ code }) => code)).toEqual(['golden.differs']);
    expect(faults[0]?.message).toContain('golden vector 0, output y, element [0, 1]');
    state.answer = undefined;
    clock.advance(100);
    await canary.tick();
    expect(ran).toEqual([1, 2]);
    expect(canary.passed).toBe(1);
    expect(faults).toHaveLength(1);
  });

  it.each<[InferenceFaultCode, boolean]>([
    ['inference.deadline', true],
    ['inference.model-changed', true],
    ['inference.respawn-budget', true],
    ['inference.busy', false],
    ['inference.closed', false],
  ])('of a run that ends with %s tells: %s', async (code, told) => {
    const { canary, clock, faults, state } = scene(100);
    state.answer = err(inferenceFault(code, 'as scripted'));
    clock.advance(100);
    expect(codeOf((await canary.tick()) ?? ok('not run'))).toBe(code);
    expect(faults.map((fault) => fault.code)).toEqual(told ? [code] : []);
    expect(canary.passed).toBe(0);
  });

  it('runs between frames on the real engine', async () => {
    const engine = accepted(await openEngine(makersModel(ECHO), options()));
    const clock = stillClock();
    const faults: Fault[] = [];
    const canary = new Canary({ engine, golden: GOLDEN, clock, onFault: (f) => faults.push(f) });
    for (let i = 0; i < 3; i++) {
      clock.advance(CANARY_PERIOD_MS);
      const [judged] = await Promise.all([canary.tick(), engine.run(frame(7, 8))]);
      expect(judged).toEqual(ok(true));
    }
    expect(faults).toEqual([]);
    expect(engine.stats().runs).toBe(6);
    await engine.close();
  });
});
