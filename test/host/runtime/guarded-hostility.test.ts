/** Hostile frames, listeners and defects: the guarded session answers every call all the same. */
import { describe, expect, it, vi } from 'vitest';
import { GuardedSession } from '../../../src/host/runtime/guarded-session.ts';
import { stillClock } from './releases.ts';
import { fresh, type Scripted, scripted, sessionOf, shortOf } from './scripted-model.ts';

describe('what is hostile', () => {
  const angry = (): never => {
    throw new Error('do not touch');
  };
  const trap = new Proxy({}, { get: angry, ownKeys: angry, getPrototypeOf: angry, has: angry });
  const frames: [string, unknown][] = [
    ['a proxy that throws at every touch', trap],
    ['a map of such proxies', new Map([['x', trap]])],
    [
      'a getter that throws',
      {
        x: {
          dtype: 'float32',
          dims: [1, 2],
          get data() {
            return angry();
          },
        },
      },
    ],
    [
      'a getter that throws nothing',
      {
        get x() {
          throw undefined;
        },
      },
    ],
    ['a map under another iterator', Object.assign(new Map(), { [Symbol.iterator]: angry })],
    ['a function', angry],
    ['a symbol', Symbol('x')],
    ['a revoked proxy', revoked()],
    ['dimensions without end', { x: { dtype: 'float32', dims: Array(1e6).fill(1), data: [] } }],
    ['a prototype name', JSON.parse('{"__proto__":{"dtype":"float32","dims":[1,2],"data":[]}}')],
    ['a detached array', { x: { dtype: 'float32', dims: [1, 2], data: detached() } }],
    ['nothing', undefined],
    ['null', null],
  ];

  it.each(frames)('%s gets a verdict like any other frame', async (_, value) => {
    const { session } = sessionOf(scripted());
    const { verdict, reasons } = await session.infer(value);
    expect(verdict).toBe('substitute');
    expect(reasons[0]?.code).toMatch(/^contract\./);
    expect((await session.infer(fresh())).verdict).toBe('release');
  });

  it('in a listener costs no frame its answer and no cause its mode', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const model = scripted();
    model.answers.push('inference.deadline');
    const onEvent = (): never => {
      throw new Error('the listener is broken');
    };
    const session = new GuardedSession(
      { model: model.model, clock: stillClock(), onEvent },
      'boot-verified',
    );
    const { verdict, mode } = await session.infer(fresh());
    expect([verdict, mode, session.mode]).toEqual(['substitute', 'DEGRADED', 'DEGRADED']);
    expect(warn).toHaveBeenCalledWith(new Error('the listener is broken'));
    warn.mockRestore();
  });

  it.each([
    ['the guard', (m: Scripted) => ({ ...m.model, guard: { ...m.model.guard, plan: angry } })],
    ['the engine', (m: Scripted) => ({ ...m.model, engine: { ...m.model.engine, run: angry } })],
  ])('in %s itself is SAFE and a safe output', async (_, broken) => {
    const model = scripted();
    const { session, events } = sessionOf({ ...model, model: broken(model) });
    const judged = await session.infer(fresh());
    expect([judged.verdict, judged.source, judged.mode]).toEqual(['substitute', 'safe', 'SAFE']);
    expect(judged.words).toBe('internal error: do not touch: substitute');
    expect(events.map(shortOf)).toContain('nominal > safe: internal-error');
    expect(session.verdicts.substitute).toBe(1);
    expect((await session.infer(fresh())).source).toBe('safe');
  });
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function detached(): Float32Array {
  const data = new Float32Array(2);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  return data;
}
