/** A defect in the decision itself: the self-test of the session finds it before a frame does. */
import { describe, expect, it, vi } from 'vitest';
import type * as decisions from '../../../src/core/guard/decision.ts';
import { fresh, scripted, sessionOf, shortOf } from './scripted-model.ts';

let defect: 'leaks' | 'throws' | 'none' = 'none';

vi.mock('../../../src/core/guard/decision.ts', async (importOriginal) => {
  const real = await importOriginal<typeof decisions>();
  const decide: typeof decisions.decide = (findings, settings, input) => {
    const decision = real.decide(findings, settings, input);
    if (decision.verdict !== 'hold' || defect === 'none') return decision;
    if (defect === 'throws') throw new Error('a defect');
    return { ...decision, outputs: input.modelOutputs };
  };
  return { ...real, decide };
});

describe('a gate that does not hold', () => {
  it.each(['leaks', 'throws'] as const)(
    '(%s) keeps the device in SAFE from boot on',
    async (how) => {
      defect = how;
      const model = scripted();
      const { session, events } = sessionOf(model);
      expect(events.map(shortOf)).toEqual([
        'safe > nominal: boot-verified',
        'nominal > safe: self-test-failed',
      ]);
      expect(await session.operate({ verb: 'self-test' })).toEqual({ done: true, mode: 'safe' });
      expect(model.counts.selfTests).toBe(0);
      expect((await session.infer(fresh())).source).toBe('safe');
    },
  );

  it('is found while the device runs, and healed when it holds again', async () => {
    defect = 'none';
    const { session } = sessionOf(scripted());
    defect = 'leaks';
    expect((await session.operate({ verb: 'self-test' })).mode).toBe('safe');
    defect = 'none';
    expect((await session.operate({ verb: 'self-test' })).mode).toBe('nominal');
  });
});
