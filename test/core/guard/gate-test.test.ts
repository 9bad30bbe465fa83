/** The self-test of the gate finds no leak in the gate there is, and every leak that is planted. */
import { describe, expect, it } from 'vitest';
import {
  afterHold,
  type decide,
  decide as realDecide,
  withoutHold,
} from '../../../src/core/guard/decision.ts';
import { type Gate, gateLeak } from '../../../src/core/guard/gate-test.ts';
import { ACTIONS } from '../../../src/core/guard/settings.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { acting, logits, settings } from './frames.ts';

const SAFE = logits(0, 0, 1);
const GATE: Gate = { decide: realDecide, afterHold, withoutHold };

/** A decision that is right but for what `change` makes of it. */
const deciding = (
  wrong: (...args: Parameters<typeof decide>) => boolean,
  change: Partial<ReturnType<typeof decide>> | 'leak' = 'leak',
): Gate => ({
  ...GATE,
  decide: (findings, chosen, input) => {
    const decision = realDecide(findings, chosen, input);
    if (!wrong(findings, chosen, input)) return decision;
    return { ...decision, ...(change === 'leak' ? { outputs: input.modelOutputs } : change) };
  },
});

describe('the self-test of the gate', () => {
  it('finds no leak, whatever is signed, with and without a safe output', () => {
    for (const action of ACTIONS) {
      for (const shadow of [false, true]) {
        const chosen = { ...acting({ novelty: action, output: action }), shadow };
        expect(gateLeak(chosen, SAFE)).toBeUndefined();
        expect(gateLeak(chosen, undefined)).toBeUndefined();
      }
    }
  });

  it.each(['SAFE', 'LOCKED', 'PAUSED'] as const)('sees an output that leaves in %s', (mode) => {
    const leaking = deciding((_, __, input) => input.mode === mode);
    expect(gateLeak(settings({ shadow: true }), SAFE, leaking)).toContain(mode);
  });

  it.each(['hold', 'substitute', 'withhold'] as const)('sees one that passes %s', (action) => {
    const check = 'novelty' as const;
    const leaking = deciding(([found], { actions }) => {
      return found?.check === check && actions[check] === action;
    });
    expect(gateLeak(settings(), SAFE, leaking)).toBe(
      `a model output came out where ${check} says ${action}`,
    );
  });

  it('sees a verdict that is softer than what is signed', () => {
    const soft = deciding(([found]) => found?.check === 'output', { verdict: 'flag' });
    expect(gateLeak(settings(), SAFE, soft)).toBe('flag where output says hold');
  });

  it.each(['safe', 'expired', 'mode', 'stopped'] as const)(
    'sees an output that leaves when a hold ends as %s',
    (wrong) => {
      const leaking: Gate = {
        ...GATE,
        afterHold: (held, outputs, ending) =>
          afterHold(held, outputs, ending === wrong ? 'release' : ending),
      };
      expect(gateLeak(settings(), SAFE, leaking)).toContain('says hold');
    },
  );

  it('sees one that leaves because too many wait', () => {
    let kept: NamedTensors = new Map();
    const leaking: Gate = {
      decide: (findings, chosen, input) => {
        kept = input.modelOutputs ?? kept;
        return realDecide(findings, chosen, input);
      },
      afterHold,
      withoutHold: (held) => ({ ...withoutHold(held), outputs: kept }),
    };
    expect(gateLeak(settings(), SAFE, leaking)).toContain('says hold');
  });
});
