/**
 * The self-test of the gate: synthetic findings and modes go through the decision as frames do, with
 * an output that must not come out. It touches no model and no state.
 */
import type { MonotonicMs } from '../base/time.ts';
import type { NamedTensors } from '../numeric/tensor.ts';
import { afterHold, decide, withoutHold } from './decision.ts';
import { type Finding, finding } from './findings.ts';
import { HOLD_ENDS_SAFE } from './hold.ts';
import type { Mode } from './mode.ts';
import type { ActingCheck, Action, GuardSettings } from './settings.ts';

/** What is under test; a test of the test gives another one. */
export interface Gate {
  readonly decide: typeof decide;
  readonly afterHold: typeof afterHold;
  readonly withoutHold: typeof withoutHold;
}

const GATE: Gate = { decide, afterHold, withoutHold };

/**
 * Where the gate let the model's output out though it must not have, in words; `undefined` where it
 * held. Shadow is left out of the findings, since nothing is kept back in it, and not of the modes.
 */
export function gateLeak(
  settings: GuardSettings,
  safeOutput: NamedTensors | undefined,
  gate: Gate = GATE,
): string | undefined {
  const modelOutputs: NamedTensors = new Map();
  const input = { modelOutputs, safeOutput, nowMs: 0 as MonotonicMs };
  for (const mode of CLOSED) {
    const decision = gate.decide([], settings, { ...input, mode });
    if (decision.outputs === modelOutputs) return `a model output came out in ${mode}`;
  }
  for (const [check, found] of Object.entries(SYNTHETIC) as [ActingCheck, Finding][]) {
    for (const action of STOPPING) {
      const actions = { ...settings.actions, [check]: action };
      const acting = { ...settings, actions, shadow: false };
      const decision = gate.decide([found], acting, { ...input, mode: 'NOMINAL' });
      const ways =
        decision.verdict === 'hold'
          ? [
              gate.withoutHold(decision),
              ...HOLD_ENDS_SAFE.map((end) => gate.afterHold(decision, modelOutputs, end)),
            ]
          : [];
      if ([decision, ...ways].some(({ outputs }) => outputs === modelOutputs)) {
        return `a model output came out where ${check} says ${action}`;
      }
      // A verdict that gives nothing and holds nothing would pass as well.
      if (decision.verdict !== action && decision.outputs !== undefined) {
        return `${decision.verdict} where ${check} says ${action}`;
      }
    }
  }
  return undefined;
}

const CLOSED: readonly Mode[] = ['SAFE', 'LOCKED', 'PAUSED'];
const STOPPING: readonly Action[] = ['hold', 'substitute', 'withhold'];
const WORDS = 'synthetic, of the self-test';

/** One finding of every check that a maker chooses an action for. */
const SYNTHETIC: Readonly<Record<ActingCheck, Finding>> = {
  contract: finding('contract.range', WORDS),
  sensor: finding('sensor.frozen', WORDS),
  input: finding('input.unlike-calibration', WORDS),
  novelty: finding('novelty.out-of-distribution', WORDS),
  perturbation: finding('perturbation.unstable', WORDS),
  drift: finding('drift.novelty', WORDS),
  caller: finding('caller.rate', WORDS),
  output: finding('output.range', WORDS),
  inference: finding('inference.failed', WORDS),
};
