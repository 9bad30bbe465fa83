/**
 * The guard for one frame of one row, in two phases: `plan` before the inference and `judge` after
 * it. Both are pure; what must be remembered from frame to frame is a value that they hand back.
 *
 *     plan():   contract -> frozen frame
 *     judge():  output contract -> novelty -> decision
 */
import type { Fault, Result } from '../base/fault.ts';
import type { MonotonicMs } from '../base/time.ts';
import type { IoSchema } from '../bundle/io-schema.ts';
import type { Kernels } from '../numeric/kernels.ts';
import type { NamedTensors } from '../numeric/tensor.ts';
import { type Decision, decide, type LastGood, type Source, type Verdict } from './decision.ts';
import { type Finding, finding, quoted } from './findings.ts';
import { FROZEN_AT_START, type FrozenState, stepFrozen } from './frozen-frame.ts';
import { checkInput, type InputLimits, ONE_ROW } from './input-contract.ts';
import { judgeScore } from './joint.ts';
import { type Mode, mayInfer } from './mode.ts';
import { noveltyScore } from './novelty.ts';
import { checkOutput } from './output-contract.ts';
import type { GuardPolicy } from './policy.ts';
import type { GuardSettings } from './settings.ts';
import type { NamedSizes } from './shape.ts';
import { asFloat32 } from './values.ts';

export interface GuardParts {
  readonly schema: IoSchema;
  readonly settings: GuardSettings;
  readonly kernels: Kernels;
  /** Without one the guard is contract-only: no novelty is judged and none is reported. */
  readonly policy?: GuardPolicy | undefined;
  /** From `safeOutputTensors`; without one the guard withholds where it would substitute. */
  readonly safeOutput?: NamedTensors | undefined;
  readonly payloadBytesMax?: number | undefined;
}

/** What the guard remembers from frame to frame. */
export interface GuardState {
  readonly frozen: FrozenState;
  readonly lastGood: LastGood | undefined;
}

export const GUARD_AT_START: GuardState = { frozen: FROZEN_AT_START, lastGood: undefined };

export interface Plan {
  readonly state: GuardState;
  readonly findings: readonly Finding[];
  /** False when the frame must not reach the model. The mode is the caller's to ask as well. */
  readonly runInference: boolean;
  /** Named dimensions of the inputs, which the outputs must repeat. */
  readonly sizes: NamedSizes;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly source: Source;
  /** `undefined` when nothing may leave. */
  readonly outputs: NamedTensors | undefined;
  /** Higher score = more usual, `-Infinity` when it could not be judged; absent without a policy. */
  readonly novelty?: { readonly score: number; readonly p: number };
  readonly reasons: readonly Finding[];
  readonly mode: Mode;
  /** One sentence for the record: what was done and which finding decided. */
  readonly words: string;
}

export interface Guard {
  /**
   * Before the inference; `inputs` came through `admitTensors` or from Edgeward's own reader. They
   * are remembered until the next frame, so nobody may write to them any more.
   * `nowMs` is when the frame came; none of today's checks before the inference asks for it.
   */
  plan(state: GuardState, inputs: NamedTensors, nowMs: MonotonicMs): Plan;
  /** The plan for a frame that `admitTensors` refused, so that it gets a verdict as well. */
  planRefused(state: GuardState, fault: Fault): Plan;
  /**
   * After the inference. `ran` is what it gave, snapshots that no one writes to any more, or its
   * fault; `undefined` when it did not run. Outputs of a frame that was not to run are ignored.
   */
  judge(
    state: GuardState,
    plan: Plan,
    ran: Result<NamedTensors> | undefined,
    mode: Mode,
    nowMs: MonotonicMs,
  ): { readonly state: GuardState; readonly judgement: Judgement };
}

export function createGuard(parts: GuardParts): Guard {
  const limits: InputLimits = {
    ...ONE_ROW,
    payloadBytesMax: parts.payloadBytesMax ?? ONE_ROW.payloadBytesMax,
  };
  return {
    plan: (state, inputs) => planFrame(parts, limits, state, inputs),
    planRefused: (state, fault) => ({
      state,
      findings: [finding('contract.not-tensors', `${fault.code}: ${fault.message}`)],
      runInference: false,
      sizes: new Map(),
    }),
    judge: (state, plan, ran, mode, nowMs) => judgeFrame(parts, state, plan, ran, mode, nowMs),
  };
}

function planFrame(
  { schema, settings }: GuardParts,
  limits: InputLimits,
  state: GuardState,
  inputs: NamedTensors,
): Plan {
  const { findings, sizes } = checkInput(schema, inputs, limits);
  // A broken frame does not touch the count: bad frames between equal ones do not thaw a sensor.
  if (findings.length > 0) return { state, findings, runInference: false, sizes };
  if (settings.frozenFrames === 0) return { state, findings, runInference: true, sizes };
  const step = stepFrozen(state.frozen, inputs, settings.frozenFrames);
  const released = settings.shadow || settings.actions.sensor === 'flag';
  return {
    state: { ...state, frozen: step.state },
    findings: step.findings,
    runInference: step.findings.length === 0 || released,
    sizes,
  };
}

function judgeFrame(
  parts: GuardParts,
  state: GuardState,
  plan: Plan,
  ran: Result<NamedTensors> | undefined,
  mode: Mode,
  nowMs: MonotonicMs,
): { readonly state: GuardState; readonly judgement: Judgement } {
  const { schema, settings, safeOutput } = parts;
  const result = plan.runInference ? ran : undefined;
  const modelOutputs = result?.ok === true ? result.value : undefined;
  const findings = [...plan.findings];
  let novelty: Judgement['novelty'];
  if (modelOutputs !== undefined) {
    const tolerance = settings.probabilitySumTolerance;
    findings.push(...checkOutput(schema, modelOutputs, plan.sizes, tolerance));
    const scored = checkNovelty(parts, modelOutputs);
    novelty = scored.novelty;
    findings.push(...scored.findings);
  } else if (plan.runInference && (ran !== undefined || mayInfer(mode))) {
    findings.push(inferenceFinding(result?.ok === false ? result.fault : undefined));
  }
  const lastGood = state.lastGood;
  const decision = decide(findings, settings, { modelOutputs, safeOutput, lastGood, nowMs, mode });
  const judgement: Judgement = {
    ...decision,
    ...(novelty !== undefined && { novelty }),
    mode,
    words: wordsOf(decision),
  };
  return { state: { ...state, lastGood: nextLastGood(parts, state, decision, nowMs) }, judgement };
}

/** Nothing is kept when the settings never use it. */
function nextLastGood(
  { settings }: GuardParts,
  { lastGood }: GuardState,
  { verdict, outputs }: Decision,
  nowMs: MonotonicMs,
): LastGood | undefined {
  if (settings.lastGoodMaxAgeMs === 0) return undefined;
  return verdict === 'release' && outputs !== undefined ? { outputs, atMs: nowMs } : lastGood;
}

function checkNovelty(
  { policy, kernels }: GuardParts,
  outputs: NamedTensors,
): { readonly novelty?: Judgement['novelty']; readonly findings: readonly Finding[] } {
  if (policy === undefined) return { findings: [] };
  const { scores, features } = policy.outputs;
  const logits = rowOf(outputs, scores);
  if (logits === undefined) {
    const words = `${quoted(scores)} is not there as floating-point numbers`;
    return { findings: [finding('novelty.not-scored', words)] };
  }
  const row = features === undefined ? undefined : rowOf(outputs, features);
  const raw = noveltyScore(policy.novelty, kernels, logits, row);
  const judged = judgeScore(policy.checks, 'novelty', raw);
  if (judged === undefined) return { findings: [] };
  const { score, p, usualness, threshold, alarm } = judged;
  if (!alarm) return { novelty: { score, p }, findings: [] };
  const found = Number.isFinite(score)
    ? finding('novelty.out-of-distribution', unlike(usualness, threshold), {
        value: usualness,
        threshold,
        p,
      })
    : finding('novelty.not-scored', 'the outputs give no finite score', { threshold, p });
  return { novelty: { score, p }, findings: [found] };
}

function unlike(usualness: number, threshold: number): string {
  return `the usualness ${usualness.toPrecision(4)} is below ${threshold.toPrecision(4)}`;
}

function rowOf(outputs: NamedTensors, name: string): Float32Array | undefined {
  const tensor = outputs.get(name);
  return tensor === undefined ? undefined : asFloat32(tensor);
}

/** The engine's fault; a caller that gives neither outputs nor a fault did not run it. */
function inferenceFinding(fault: Fault | undefined): Finding {
  if (fault === undefined) return finding('inference.failed', 'the inference was not run');
  const late = fault.code.includes('deadline');
  return finding(
    late ? 'inference.failed-deadline' : 'inference.failed',
    `${fault.code}: ${fault.message}`,
  );
}

const DONE: Readonly<Record<Source, string>> = {
  model: 'gives the model output',
  'last-good': 'gives the last good output',
  safe: 'gives the declared safe output',
  none: 'gives nothing',
};

function wordsOf({ verdict, source, reasons }: Decision): string {
  const [first] = reasons;
  const why = first === undefined ? 'nothing was found' : `${first.code}: ${first.detail}`;
  const more = reasons.length > 1 ? `; and ${reasons.length - 1} more` : '';
  return `${verdict}, ${DONE[source]}: ${why}${more}`;
}
