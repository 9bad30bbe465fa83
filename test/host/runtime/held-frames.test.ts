/** Frames that wait for a person: what ends their wait, what leaves then, and that others go on. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { err, ok } from '../../../src/core/base/fault.ts';
import type { GuardSettings } from '../../../src/core/guard/settings.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../../src/core/guard/settings.ts';
import { decodeEvent, encodeEvent } from '../../../src/core/telemetry/event.ts';
import { inferenceFault } from '../../../src/host/inference/faults.ts';
import { accepted } from '../../core/base/outcome.ts';
import { frame, rowOf } from './releases.ts';
import { fresh, scripted, sessionOf, shortOf } from './scripted-model.ts';

const HOLDING: Partial<GuardSettings> = {
  actions: { ...DEFAULT_GUARD_SETTINGS.actions, output: 'hold' },
  holdMaxMs: 1_000,
  holdsMax: 2,
};
/** Out of the range of the output, so that it is held. */
const odd = (n = 0) => frame(99, n);
const OPERATOR = new Uint8Array(32).fill(0xab);

/** Lets promises run, but no timer: those are the tests' own. */
const turned = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function holding(change: Partial<GuardSettings> = {}, safe: 'safe' | 'none' = 'safe') {
  const model = scripted({ ...HOLDING, ...change }, safe);
  const parts = sessionOf(model);
  const pass = (ms: number): void => {
    parts.clock.advance(ms);
    vi.advanceTimersByTime(ms);
  };
  const decide = (hold: number, answer: 'release' | 'safe'): boolean => {
    const nowMs = parts.clock.monotonicMs();
    return parts.session.operated.held.answer(hold, answer, nowMs, OPERATOR);
  };
  return { model, ...parts, pass, decide };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a held frame', () => {
  it('gives the model output when an operator releases it, and says who did', async () => {
    const { session, events, decide } = holding();
    const answer = session.infer(odd(3));
    await turned();
    expect(decide(1, 'release')).toBe(true);
    const judged = await answer;
    expect(judged).toMatchObject({
      ...{ verdict: 'hold', source: 'model', frame: 1, mode: 'NOMINAL' },
      hold: { id: 1, ending: 'release', operator: 'ab'.repeat(32) },
      reasons: [{ code: 'output.range' }],
    });
    expect(rowOf(judged.outputs)).toEqual([99, 3]);
    expect(events.slice(1)).toEqual([
      { type: 'operator.held', hold: 1, frame: 1, deadlineMs: 1_000 },
      expect.objectContaining({ type: 'output.finding', verdict: 'hold' }),
      {
        ...{ type: 'operator.hold-ended', hold: 1, frame: 1 },
        ...{ ending: 'release', operator: OPERATOR },
      },
    ]);
    for (const event of events) accepted(decodeEvent(encodeEvent(event)));
    expect(session.verdicts).toMatchObject({ hold: 1, release: 0, substitute: 0 });
  });

  it.each(['safe', 'none'] as const)('gives none of it when it is refused (%s)', async (safe) => {
    const { session, decide } = holding({}, safe);
    const answer = session.infer(odd());
    await turned();
    decide(1, 'safe');
    const { verdict, source, outputs, hold } = await answer;
    expect([verdict, source, hold?.ending]).toEqual(['hold', safe, 'safe']);
    expect(outputs === undefined ? undefined : rowOf(outputs)).toEqual(
      safe === 'safe' ? [1, 2] : undefined,
    );
  });

  it('falls to safe at its deadline, and no answer counts from then on', async () => {
    const { session, events, pass, decide } = holding();
    const answer = session.infer(odd());
    await turned();
    pass(999);
    expect(session.operated.held.waits(1, 999 as never)).toBe(true);
    pass(1);
    expect(decide(1, 'release')).toBe(false);
    const { source, hold, latencyUs } = await answer;
    expect([source, hold, latencyUs]).toEqual(['safe', { id: 1, ending: 'expired' }, 0]);
    expect(events.at(-1)).toEqual({
      ...{ type: 'operator.hold-ended', hold: 1, frame: 1, ending: 'expired' },
    });
  });

  it('is answered too late by a person whose timer has not fired yet', async () => {
    const { session, clock, decide } = holding();
    const answer = session.infer(odd());
    await turned();
    clock.advance(1_000);
    expect(decide(1, 'release')).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect((await answer).hold?.ending).toBe('expired');
  });

  it('waits on when its timer fires before the clock says so', async () => {
    const { session, pass } = holding();
    let ended = false;
    const answer = session.infer(odd()).then((judged) => {
      ended = true;
      return judged;
    });
    await turned();
    vi.advanceTimersByTime(1_000);
    await turned();
    expect(ended).toBe(false);
    pass(1_000);
    expect((await answer).hold?.ending).toBe('expired');
  });

  it('does not stop the frames behind it', async () => {
    const { session, decide } = holding();
    const held = session.infer(odd());
    const later = await session.infer(fresh());
    expect([later.verdict, later.frame]).toEqual(['release', 2]);
    decide(1, 'safe');
    expect((await held).frame).toBe(1);
  });

  it('beyond the places there are gets the safe output at once', async () => {
    const { session, events, decide } = holding();
    const first = [session.infer(odd(1)), session.infer(odd(2))];
    const beyond = await session.infer(odd(3));
    expect([beyond.verdict, beyond.source, beyond.hold]).toEqual(['substitute', 'safe', undefined]);
    expect(beyond.reasons[0]?.code).toBe('output.range');
    expect(session.verdicts).toMatchObject({ hold: 2, substitute: 1 });
    decide(2, 'release');
    const next = session.infer(odd(4));
    await turned();
    expect(decide(3, 'safe')).toBe(true);
    expect(decide(1, 'safe')).toBe(true);
    const judged = await Promise.all([...first, next]);
    expect(judged.map(({ hold }) => hold?.id)).toEqual([1, 2, 3]);
    expect(events.filter(({ type }) => type === 'operator.held')).toHaveLength(3);
  });

  it('is not held where there is no output to hold', async () => {
    const { model, session } = holding({
      actions: { ...DEFAULT_GUARD_SETTINGS.actions, output: 'hold', inference: 'substitute' },
    });
    model.answers.push('inference.run');
    expect((await session.infer(fresh())).verdict).toBe('substitute');
  });

  it('in shadow is flagged and leaves at once', async () => {
    const { session, events } = holding({ shadow: true });
    const { verdict, source, hold } = await session.infer(odd());
    expect([verdict, source, hold]).toEqual(['flag', 'model', undefined]);
    expect(events.map(shortOf)).not.toContain('operator.held');
  });
});

describe('all held frames fall to safe', () => {
  it.each([
    ['floor-forked', 'LOCKED'],
    ['operator-pause', 'PAUSED'],
    ['operator-force-safe', 'SAFE'],
    ['self-test-failed', 'SAFE'],
  ] as const)('when the mode becomes one that releases nothing (%s)', async (cause, mode) => {
    const { session, decide } = holding();
    const answers = [session.infer(odd(1)), session.infer(odd(2))];
    await turned();
    session.move(cause);
    for (const judged of await Promise.all(answers)) {
      expect(judged).toMatchObject({ source: 'safe', mode, hold: { ending: 'mode' } });
    }
    expect(decide(1, 'release')).toBe(false);
  });

  it('and not when it only degrades', async () => {
    const { session, decide } = holding();
    const answer = session.infer(odd());
    await turned();
    session.move('worker-killed');
    decide(1, 'release');
    expect(await answer).toMatchObject({ source: 'model', mode: 'DEGRADED' });
  });

  it('when the session closes, and none waits after that', async () => {
    const { session, pass } = holding();
    const waiting = session.infer(odd(1));
    await turned();
    const coming = session.infer(odd(2));
    await session.close();
    expect(await waiting).toMatchObject({ source: 'safe', hold: { ending: 'stopped' } });
    expect(await coming).toMatchObject({ verdict: 'substitute', source: 'safe' });
    expect(vi.getTimerCount()).toBe(0);
    pass(1_000);
  });
});

describe('the self-test of a session', () => {
  it('runs once for all who ask at a time', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    expect(await Promise.all([session.selfTest(), session.selfTest()])).toEqual([true, true]);
    expect(model.counts.selfTests).toBe(1);
  });

  it('moves the mode by its outcome', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    model.selfTest = async () => err(inferenceFault('inference.run', 'as scripted'));
    expect([await session.selfTest(), session.mode]).toEqual([false, 'SAFE']);
    model.selfTest = async () => ok(true);
    expect([await session.selfTest(), session.mode]).toEqual([true, 'NOMINAL']);
  });
});
