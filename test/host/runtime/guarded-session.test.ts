/** The guarded session: one frame in, one judgement out, whatever the model and its worker do. */
import { describe, expect, it } from 'vitest';
import { err, ok, type Result } from '../../../src/core/base/fault.ts';
import { RUNS_WAITING_MAX, SELF_TEST_PAUSE_MS } from '../../../src/core/base/limits.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../../src/core/guard/settings.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { decodeEvent, type EdgeEvent, encodeEvent } from '../../../src/core/telemetry/event.ts';
import { inferenceFault } from '../../../src/host/inference/faults.ts';
import { accepted } from '../../core/base/outcome.ts';
import { frame, rowOf } from './releases.ts';
import {
  DIGEST,
  fresh,
  gate,
  scripted,
  sessionOf,
  settled,
  shortOf,
  tensor,
} from './scripted-model.ts';

describe('verdicts', () => {
  it('are counted, with the frames numbered from 1', async () => {
    const model = scripted({ actions: { ...ACTIONS, output: 'flag' } });
    const { session, events } = sessionOf(model);
    const judged = [
      await session.infer(fresh()),
      await session.infer(frame(99, 0)),
      await session.infer(frame(Number.NaN, 0)),
      await session.infer('no frame at all'),
    ];
    expect(judged.map((one) => [one.frame, one.verdict, one.source])).toEqual([
      [1, 'release', 'model'],
      [2, 'flag', 'model'],
      [3, 'substitute', 'safe'],
      [4, 'substitute', 'safe'],
    ]);
    expect(session.verdicts).toEqual({ release: 1, flag: 1, substitute: 2, hold: 0, withhold: 0 });
    expect(model.counts.runs).toBe(2);
    expect(events.map(shortOf)).toEqual([
      'safe > nominal: boot-verified',
      'output.finding',
      'input.finding',
      'input.finding',
    ]);
  });

  it('withhold where no safe output is declared', async () => {
    const { session } = sessionOf(scripted({}, 'none'));
    const { verdict, outputs } = await session.infer(frame(Number.NaN, 0));
    expect([verdict, outputs]).toEqual(['withhold', undefined]);
  });

  it('are reported with the bundle, the codes and no value of the frame', async () => {
    const { session, events } = sessionOf(scripted());
    await session.infer(frame(Number.NaN, 7.25));
    const event = events.at(-1);
    expect(event).toMatchObject({
      type: 'input.finding',
      frame: 1,
      verdict: 'substitute',
      bundleDigest: DIGEST,
      findings: [{ code: 'contract.not-finite' }],
    });
    expect(JSON.stringify(event)).not.toContain('7.25');
    if (event !== undefined) accepted(decodeEvent(encodeEvent(event)));
  });

  it('come with the time from the call to the answer', async () => {
    const model = scripted();
    const { session, clock } = sessionOf(model);
    expect(session.latency()).toBeUndefined();
    model.answers.push(async (inputs) => {
      clock.advance(5);
      return ok(new Map([['y', inputs.get('x') ?? tensor(0, 0)]]));
    });
    expect((await session.infer(fresh())).latencyUs).toBe(5000);
    expect(session.latency()?.count).toBe(1);
    expect(session.latency()?.p50Us).toBeGreaterThanOrEqual(5000);
  });
});

describe('frames that come together', () => {
  it('are judged in the order of the calls, each on its own values', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    const slow = gate<true>();
    model.answers.push(async (inputs) => {
      await slow.promise;
      return ok(new Map([['y', inputs.get('x') ?? tensor(0, 0)]]));
    });
    const given = [1, 2, 3, 4, 5].map((n) => Float32Array.of(n, n / 8));
    const answers = given.map((data) =>
      session.infer({ x: { dtype: 'float32', dims: [1, 2], data } }),
    );
    // The caller writes on in his own memory: the session has its copy.
    for (const data of given) data.fill(6);
    slow.open(true);
    const judged = await Promise.all(answers);
    expect(judged.map((one) => one.frame)).toEqual([1, 2, 3, 4, 5]);
    expect(judged.map((one) => rowOf(one.outputs))).toEqual([1, 2, 3, 4, 5].map((n) => [n, n / 8]));
  });

  it('beyond the bound are answered without the model, as busy, and later ones judged', async () => {
    const model = scripted();
    const { session, events } = sessionOf(model);
    const stuck = gate<Result<NamedTensors>>();
    model.answers.push(() => stuck.promise);
    const within = Array.from({ length: RUNS_WAITING_MAX }, () => session.infer(fresh()));
    const beyond = [session.infer(fresh()), session.infer(fresh())];
    stuck.open(ok(new Map([['y', tensor(0, 0)]])));
    for (const one of await Promise.all(within)) expect(one.verdict).toBe('release');
    for (const one of await Promise.all(beyond)) {
      expect([one.verdict, one.source, one.reasons[0]?.code]).toEqual([
        'substitute',
        'safe',
        'inference.failed',
      ]);
      expect(one.words).toContain('runtime.busy');
    }
    expect(model.counts.runs).toBe(RUNS_WAITING_MAX);
    expect((await session.infer(fresh())).verdict).toBe('release');
    // Nothing was wrong with those frames, and the device is as it was.
    expect(events.map(shortOf)).toEqual(['safe > nominal: boot-verified']);
  });

  it('are answered when the session closes under them', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    const answers = [session.infer(fresh()), session.infer(fresh())];
    await session.close();
    expect((await Promise.all(answers)).map((one) => one.verdict)).toEqual(['release', 'release']);
    expect(model.counts.closed).toBe(1);
  });
});

describe('a worker that dies', () => {
  it('by its deadline degrades the device until the next good run', async () => {
    const model = scripted();
    const { session, events } = sessionOf(model);
    model.answers.push('inference.deadline');
    const late = await session.infer(fresh());
    expect([late.verdict, late.reasons[0]?.code, late.mode]).toEqual([
      'substitute',
      'inference.failed-deadline',
      'DEGRADED',
    ]);
    const good = await session.infer(fresh());
    expect([good.verdict, good.mode]).toEqual(['release', 'NOMINAL']);
    expect(events.map(shortOf)).toEqual([
      'safe > nominal: boot-verified',
      'inference.deadline',
      'nominal > degraded: worker-killed',
      'inference.worker-respawned',
      'degraded > nominal: self-test-passed',
    ]);
    expect(events.find((event) => event.type === 'inference.worker-respawned')).toEqual({
      type: 'inference.worker-respawned',
      cause: 'inference.deadline',
      respawns: 1,
    });
  });

  it.each(['inference.crashed', 'inference.memory', 'inference.reply'] as const)(
    'with %s degrades it too',
    async (code) => {
      const model = scripted();
      const { session } = sessionOf(model);
      model.answers.push(code);
      const { reasons } = await session.infer(fresh());
      expect([reasons[0]?.code, session.mode]).toEqual(['inference.failed', 'DEGRADED']);
    },
  );

  it('is not what a run is that only fails', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    model.answers.push('inference.run');
    const { verdict, reasons } = await session.infer(fresh());
    expect([verdict, reasons[0]?.code, session.mode]).toEqual([
      'substitute',
      'inference.failed',
      'NOMINAL',
    ]);
  });

  it.each([
    ['inference.respawn-budget', 'respawn-exhausted'],
    ['inference.model-changed', 'self-test-failed'],
  ] as const)('with %s leaves the device in SAFE', async (code, cause) => {
    const model = scripted();
    const { session, events } = sessionOf(model);
    model.answers.push(code);
    const { verdict, mode, source } = await session.infer(fresh());
    expect([verdict, mode, source]).toEqual(['substitute', 'SAFE', 'safe']);
    expect(events.map(shortOf)).toContain(`nominal > safe: ${cause}`);
    const exhausted = events.some((event) => event.type === 'inference.budget-exhausted');
    expect(exhausted).toBe(code === 'inference.respawn-budget');
  });
});

describe('a device in SAFE', () => {
  async function inSafe() {
    const model = scripted();
    const parts = sessionOf(model);
    model.answers.push('inference.respawn-budget');
    await parts.session.infer(fresh());
    return { model, ...parts };
  }
  const failed = err(inferenceFault('inference.respawn-budget', 'not yet'));

  it('gives the model no frame, and heals by a self-test that passed', async () => {
    const { model, session, events } = await inSafe();
    const { verdict, mode, reasons } = await session.infer(fresh());
    expect([verdict, mode, reasons[0]?.code]).toEqual(['substitute', 'SAFE', 'mode.withholding']);
    expect(model.counts).toMatchObject({ runs: 1, selfTests: 1 });
    await settled();
    expect(shortOf(events.at(-1) as EdgeEvent)).toBe('safe > nominal: self-test-passed');
    expect((await session.infer(fresh())).verdict).toBe('release');
  });

  it('tries again only after the pause', async () => {
    const { model, session, clock } = await inSafe();
    model.selfTest = async () => failed;
    for (let i = 0; i < 3; i++) await session.infer(fresh());
    await settled();
    clock.advance(SELF_TEST_PAUSE_MS - 1);
    await session.infer(fresh());
    expect([model.counts.selfTests, session.mode]).toEqual([1, 'SAFE']);
    clock.advance(1);
    model.selfTest = async () => ok(true);
    await session.infer(fresh());
    await settled();
    expect([model.counts.selfTests, session.mode]).toEqual([2, 'NOMINAL']);
  });

  it('answers at once while its self-test hangs, and starts no second one', async () => {
    const { model, session, clock } = await inSafe();
    const hanging = gate<Result<true>>();
    model.selfTest = () => hanging.promise;
    for (let i = 0; i < 4; i++) {
      expect((await session.infer(fresh())).source).toBe('safe');
      clock.advance(SELF_TEST_PAUSE_MS);
    }
    expect(model.counts.selfTests).toBe(1);
    hanging.open(failed);
    await settled();
    await session.infer(fresh());
    expect(model.counts.selfTests).toBe(1);
    clock.advance(SELF_TEST_PAUSE_MS);
    await session.infer(fresh());
    expect(model.counts.selfTests).toBe(2);
    await session.close();
  });

  it('may come while the model runs: what it gave is not released then', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    model.answers.push(async (inputs) => {
      session.move('floor-forked');
      return ok(new Map([['y', inputs.get('x') ?? tensor(0, 0)]]));
    });
    const { verdict, source, mode } = await session.infer(fresh());
    expect([verdict, source, mode]).toEqual(['substitute', 'safe', 'LOCKED']);
    await session.infer(fresh());
    await settled();
    expect([model.counts, session.mode]).toMatchObject([{ runs: 1, selfTests: 0 }, 'LOCKED']);
  });

  it('stays there when the self-test itself breaks', async () => {
    const { model, session } = await inSafe();
    model.selfTest = () => Promise.reject(new Error('a defect'));
    await session.infer(fresh());
    await settled();
    expect(session.mode).toBe('SAFE');
    await session.close();
  });

  it('tells nothing more once it is closed', async () => {
    const { model, session, events } = await inSafe();
    const hanging = gate<Result<true>>();
    model.selfTest = () => hanging.promise;
    await session.infer(fresh());
    let closed = false;
    const closing = session.close().then(() => {
      closed = true;
    });
    await settled();
    expect(closed).toBe(false);
    hanging.open(ok(true));
    await closing;
    expect(session.mode).toBe('NOMINAL');
    const told = events.length;
    await settled();
    expect(events).toHaveLength(told);
  });
});

describe('no model', () => {
  it('gives the fallback to every frame, and nothing without one', async () => {
    const fallback = new Map([['y', tensor(8, 9)]]);
    const withOne = sessionOf(undefined, fallback);
    const without = sessionOf(undefined);
    for (const value of [fresh(), 'nonsense', undefined]) {
      const judged = await withOne.session.infer(value);
      expect([judged.verdict, judged.source, rowOf(judged.outputs)]).toEqual([
        'substitute',
        'safe',
        [8, 9],
      ]);
      expect(judged.words).toContain('no admissible model');
      const none = await without.session.infer(value);
      expect([none.verdict, none.outputs, none.mode]).toEqual(['withhold', undefined, 'SAFE']);
    }
    expect(withOne.session.verdicts.substitute).toBe(3);
    expect(without.session.verdicts.withhold).toBe(3);
    expect(withOne.events).toEqual([]);
    await withOne.session.close();
  });
});

const { actions: ACTIONS } = DEFAULT_GUARD_SETTINGS;
