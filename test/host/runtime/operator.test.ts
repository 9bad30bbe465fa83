/** What acts do to a session: who may do them, what they move, and that a refused one moves nothing. */
import { describe, expect, it } from 'vitest';
import { SELF_TEST_PAUSE_MS } from '../../../src/core/base/limits.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import { decodeEvent, encodeEvent } from '../../../src/core/telemetry/event.ts';
import {
  OPERATOR_VERBS,
  type OperatorAct,
  type VerifiedOrder,
} from '../../../src/core/trust/operator-act.ts';
import type { GuardedSession } from '../../../src/host/runtime/guarded-session.ts';
import { actFault, onlyRestricts, perform } from '../../../src/host/runtime/operator.ts';
import { accepted } from '../../core/base/outcome.ts';
import { fresh, scripted, sessionOf, settled, shortOf } from './scripted-model.ts';

const THUMBPRINT = new Uint8Array(32).fill(5);
const actOf = (verb: OperatorAct['verb']): OperatorAct => {
  if (verb === 'acknowledge') return { verb, about: 'alarm' };
  return verb === 'decide-hold' ? { verb, hold: 1, answer: 'release' } : { verb };
};
const NOW = 0 as never;

/** As an order that was verified and counted. */
async function signed(session: GuardedSession, act: OperatorAct): Promise<string> {
  const { operated } = session;
  const fault = actFault(operated, act, true, NOW);
  if (fault !== undefined) return fault.code;
  const order = { act, id: 'o-1', operator: THUMBPRINT } as VerifiedOrder;
  return (await perform(operated, act, NOW, order)).mode;
}

const local = async (session: GuardedSession, act: unknown): Promise<string> => {
  const { done, mode, fault } = await session.operate(act);
  expect(done).toBe(fault === undefined);
  expect(mode).toBe(session.mode.toLowerCase());
  return fault?.code ?? mode;
};

describe('a local caller', () => {
  it('may restrict', async () => {
    const { session } = sessionOf(scripted());
    expect(await local(session, { verb: 'self-test' })).toBe('nominal');
    expect(await local(session, { verb: 'pause' })).toBe('paused');
    expect((await session.infer(fresh())).source).toBe('safe');
    const other = sessionOf(scripted()).session;
    expect(await local(other, { verb: 'force-safe' })).toBe('safe');
  });

  it.each(['resume', 'release', 'acknowledge', 'decide-hold'] as const)(
    'may not %s',
    async (verb) => {
      const { session, events } = sessionOf(scripted());
      session.move('operator-pause');
      const told = events.length;
      expect(await local(session, actOf(verb))).toBe('operator.unsigned');
      expect([session.mode, events.length]).toEqual(['PAUSED', told]);
    },
  );

  it('may say that a held frame is safe to refuse, and no more', () => {
    expect(OPERATOR_VERBS.filter((verb) => onlyRestricts(actOf(verb)))).toEqual([
      ...['pause', 'force-safe', 'self-test'],
    ]);
    expect(onlyRestricts({ verb: 'decide-hold', hold: 1, answer: 'safe' })).toBe(true);
  });

  it('moves nothing with what is no act', async () => {
    const { session, events } = sessionOf(scripted());
    const told = events.length;
    expect(await local(session, undefined)).toBe('field.type');
    expect(await local(session, { verb: 'shut-down' })).toBe('operator.unknown-verb');
    expect(await local(session, { verb: 'pause', forMs: 1 })).toBe('field.unknown');
    expect([session.mode, events.length]).toEqual(['NOMINAL', told]);
  });
});

describe('an operator', () => {
  it('pauses, and a resume restores the mode before it', async () => {
    const { session } = sessionOf(scripted());
    session.move('worker-killed');
    expect(await signed(session, { verb: 'pause' })).toBe('paused');
    expect((await session.infer(fresh())).source).toBe('safe');
    expect(await signed(session, { verb: 'resume' })).toBe('degraded');
    expect((await session.infer(fresh())).source).toBe('model');
  });

  it('forces SAFE, which no self-test heals, and releases it to the self-test', async () => {
    const model = scripted();
    const { session, clock } = sessionOf(model);
    expect(await signed(session, { verb: 'force-safe' })).toBe('safe');
    for (let i = 0; i < 3; i++) {
      expect((await session.infer(fresh())).source).toBe('safe');
      await settled();
    }
    expect(model.counts.selfTests).toBe(0);
    expect(await signed(session, { verb: 'self-test' })).toBe('safe');
    expect(await local(session, { verb: 'self-test' })).toBe('safe');
    expect(model.counts.selfTests).toBe(2);
    expect(await signed(session, { verb: 'release' })).toBe('safe');
    clock.advance(SELF_TEST_PAUSE_MS);
    await session.infer(fresh());
    await settled();
    expect(session.mode).toBe('NOMINAL');
  });

  it('vouches for a device in SAFE: DEGRADED until a self-test has passed', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    session.move('self-test-failed');
    expect(await signed(session, { verb: 'release' })).toBe('degraded');
    // A run that answers proves nothing about what the self-test had found.
    expect((await session.infer(fresh())).source).toBe('model');
    expect((await session.infer(fresh())).mode).toBe('DEGRADED');
    expect(await signed(session, { verb: 'self-test' })).toBe('nominal');
  });

  it('is told of, with the key and the id of the order', async () => {
    const { session, events } = sessionOf(scripted());
    await signed(session, { verb: 'acknowledge', about: 'drift.novelty' });
    await local(session, { verb: 'pause' });
    const acts = events.filter(({ type }) => type === 'operator.act');
    expect(acts).toEqual([
      {
        ...{ type: 'operator.act', verb: 'acknowledge', about: 'drift.novelty', id: 'o-1' },
        ...{ from: 'nominal', to: 'nominal', operator: THUMBPRINT },
      },
      { type: 'operator.act', verb: 'pause', from: 'nominal', to: 'paused' },
    ]);
    for (const event of events) accepted(decodeEvent(encodeEvent(event)));
  });
});

describe('an act that cannot be done', () => {
  const MOVED = {
    LOCKED: 'floor-forked',
    PAUSED: 'operator-pause',
    SAFE: 'operator-force-safe',
  } as const;

  it.each(OPERATOR_VERBS)('%s in LOCKED is taken only if it is a release', async (verb) => {
    const { session } = sessionOf(scripted());
    session.move(MOVED.LOCKED);
    const act: OperatorAct =
      verb === 'decide-hold' ? { verb, hold: 1, answer: 'safe' } : actOf(verb);
    const code = await signed(session, act);
    expect([code, session.mode]).toEqual(
      verb === 'release' ? ['safe', 'SAFE'] : ['operator.locked', 'LOCKED'],
    );
  });

  it.each(['pause', 'force-safe', 'self-test'] as const)(
    'local %s in LOCKED says so',
    async (verb) => {
      const { session } = sessionOf(scripted());
      session.move(MOVED.LOCKED);
      expect(await local(session, { verb })).toBe('operator.locked');
    },
  );

  it('is an answer to a frame that does not wait', async () => {
    const { session } = sessionOf(scripted());
    expect(await signed(session, actOf('decide-hold'))).toBe('operator.not-held');
  });

  it.each(['SAFE', 'PAUSED'] as const)(
    'is to release or test a device without a model (%s)',
    async (mode) => {
      const { session } = sessionOf(undefined);
      if (mode === 'PAUSED') session.move(MOVED.PAUSED);
      expect(await signed(session, { verb: 'release' })).toBe('operator.no-model');
      expect(await signed(session, { verb: 'self-test' })).toBe('operator.no-model');
      expect(session.mode).toBe(mode satisfies Mode);
    },
  );

  it('is not to lift what an operator forced, without a model either', async () => {
    const { session } = sessionOf(undefined);
    expect(await signed(session, { verb: 'force-safe' })).toBe('safe');
    expect(await signed(session, { verb: 'release' })).toBe('safe');
    expect(await signed(session, { verb: 'release' })).toBe('operator.no-model');
    expect((await session.infer(fresh())).verdict).toBe('withhold');
  });
});

describe('a device that heals', () => {
  it('does so for what ended its worker, through a pause as well, and for nothing else', async () => {
    const model = scripted();
    const { session, events } = sessionOf(model);
    session.move('worker-killed');
    session.move('operator-pause');
    session.move('operator-resume');
    await session.infer(fresh());
    expect([session.mode, shortOf(events.at(-1) as never)]).toEqual([
      ...['NOMINAL', 'degraded > nominal: self-test-passed'],
    ]);
    session.move('sensor-bad');
    await session.infer(fresh());
    expect(session.mode).toBe('DEGRADED');
    session.move('sensor-recovered');
    expect(session.mode).toBe('NOMINAL');
  });
});
