/**
 * The guard for one frame of one row, in three steps: `plan` before the inference, `see` after it,
 * and `judge` when a second inference that `see` may have asked for is made. All are pure; what must
 * be remembered from frame to frame is a value that they hand on.
 *
 *     plan():   contract -> frozen frame -> sensor faults -> caller; input statistics when asked for
 *     see():    output contract -> novelty -> is a probe wanted?
 *     judge():  probe -> temporal plausibility -> drift -> caller -> decision
 */
import { assert, type Fault, type Result } from '../base/fault.ts';
import type { MonotonicMs } from '../base/time.ts';
import type { IoSchema } from '../bundle/io-schema.ts';
import type { Kernels } from '../numeric/kernels.ts';
import type { NamedTensors } from '../numeric/tensor.ts';
import { indexOfLargest } from '../numeric/vectors.ts';
import { judgeCaller } from './caller-judge.ts';
import { planCaller } from './caller-plan.ts';
import { type CallersState, NO_CALLERS } from './caller-state.ts';
import { type Decision, decide, type Source, type Verdict } from './decision.ts';
import { DRIFT_AT_START, type DriftState, midP, stepDrift } from './drift.ts';
import { type Finding, finding } from './findings.ts';
import {
  type FrameStreams,
  isSensor,
  NO_STREAMS,
  nextLastGood,
  streamOf,
  withStream,
} from './frame-streams.ts';
import { stepFrozen } from './frozen-frame.ts';
import { checkInput, type InputLimits, ONE_ROW } from './input-contract.ts';
import { type Inspected, inspection, NOT_INSPECTED } from './inspected-input.ts';
import type { CheckScore } from './joint.ts';
import { type Mode, mayInfer } from './mode.ts';
import { type ProbeState, probesAtStart } from './perturbation.ts';
import type { GuardPolicy } from './policy.ts';
import { probeFindings, type Seen, seeOutputs } from './seen-frame.ts';
import { type SensorCheck, sensorCheck } from './sensor-faults.ts';
import type { GuardSettings } from './settings.ts';
import type { NamedSizes } from './shape.ts';
import { stepTemporal } from './temporal-output.ts';

export interface GuardParts {
  readonly schema: IoSchema;
  readonly settings: GuardSettings;
  readonly kernels: Kernels;
  /** Without one the guard is contract-only: no novelty is judged and none is reported. */
  readonly policy?: GuardPolicy | undefined;
  /** From `safeOutputTensors`; without one the guard withholds where it would substitute. */
  readonly safeOutput?: NamedTensors | undefined;
  readonly payloadBytesMax?: number | undefined;
  /** Random bytes of the host, 16 at least, where the policy probes frames by chance. */
  readonly probeKey?: Uint8Array | undefined;
}

/** Of a frame that cannot be told whose it is: a caller, in doubt. */
const NOBODY: FrameContext = { principal: '' };

/** What comes with a frame. */
export interface FrameContext {
  /** Who asks; without a name it is the device's own program, which no budget binds. */
  readonly principal?: string | undefined;
  /** When the sensor took it, ms of a clock that does not run backwards. */
  readonly capturedAtMs?: number | undefined;
}

/** What the guard remembers from frame to frame. */
export interface GuardState {
  /** Frames that were planned. */
  readonly frames: number;
  readonly streams: FrameStreams;
  readonly drift: DriftState;
  readonly callers: CallersState;
  readonly probes: ProbeState | undefined;
}

export const GUARD_AT_START: GuardState = {
  frames: 0,
  streams: NO_STREAMS,
  drift: DRIFT_AT_START,
  callers: NO_CALLERS,
  probes: undefined,
};

export interface Plan {
  readonly state: GuardState;
  readonly findings: readonly Finding[];
  /** False when the frame must not reach the model. The mode is the caller's to ask as well. */
  readonly runInference: boolean;
  /** Named dimensions of the inputs, which the outputs must repeat. */
  readonly sizes: NamedSizes;
  /**
   * The input statistics, taken when they are first asked for: no run waits for them, so whoever has
   * started one asks while it goes on.
   */
  readonly inspect: () => Inspected;
  readonly principal: string | undefined;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly source: Source;
  /** `undefined` when nothing may leave. */
  readonly outputs: NamedTensors | undefined;
  /** Higher score = more usual, `-Infinity` when it could not be judged; absent without a policy. */
  readonly novelty?: { readonly score: number; readonly p: number };
  /** The same of the input statistics; absent where the policy has none, or the frame was broken. */
  readonly input?: { readonly score: number; readonly p: number };
  readonly reasons: readonly Finding[];
  /** Drift alarms that this very frame raised. */
  readonly drift?: readonly Finding[];
  readonly mode: Mode;
  /** One sentence for the record: what was done and which finding decided. */
  readonly words: string;
}

export interface Guard {
  /**
   * Before the inference; `inputs` came through `admitTensors` or from Edgeward's own reader. They
   * are remembered until the next frame, so nobody may write to them any more. `nowMs` is when the
   * frame came.
   */
  plan(state: GuardState, inputs: NamedTensors, nowMs: MonotonicMs, context?: FrameContext): Plan;
  /**
   * The plan for a frame that `admitTensors` refused, so that it gets a verdict as well. Whoever sent
   * it is nobody in particular unless the context names him.
   */
  planRefused(state: GuardState, fault: Fault, context?: FrameContext): Plan;
  /**
   * After the inference. `ran` is what it gave, snapshots that no one writes to any more, or its
   * fault; `undefined` when it did not run. Outputs of a frame that was not to run are ignored.
   * Where `probe` is set, the caller infers that frame as well and gives `judge` what came of it.
   */
  see(
    plan: Plan,
    inputs: NamedTensors,
    ran: Result<NamedTensors> | undefined,
    nowMs: MonotonicMs,
  ): Seen;
  judge(
    plan: Plan,
    seen: Seen,
    mode: Mode,
    nowMs: MonotonicMs,
    probed?: Result<NamedTensors>,
  ): { readonly state: GuardState; readonly judgement: Judgement };
}

export function createGuard(parts: GuardParts): Guard {
  const { schema, settings, policy, probeKey } = parts;
  assert(
    policy?.perturbation === undefined || probeKey !== undefined,
    'a policy that probes frames needs a key',
  );
  const limits: InputLimits = {
    ...ONE_ROW,
    payloadBytesMax: parts.payloadBytesMax ?? ONE_ROW.payloadBytesMax,
  };
  const sensors = sensorCheck(schema, settings.sensors);
  return {
    plan: (state, inputs, nowMs, context = {}) =>
      planFrame(parts, limits, sensors, started(parts, state, nowMs), inputs, nowMs, context),
    planRefused: (state, fault, { principal } = NOBODY) => ({
      state: { ...state, frames: state.frames + 1 },
      findings: [finding('contract.not-tensors', `${fault.code}: ${fault.message}`)],
      runInference: false,
      sizes: new Map(),
      inspect: () => NOT_INSPECTED,
      principal,
    }),
    see(plan, inputs, ran, nowMs) {
      const result = plan.runInference ? ran : undefined;
      const { probes, frames } = plan.state;
      return seeOutputs(parts, inputs, plan.sizes, result, probes, frames, nowMs);
    },
    judge: (plan, seen, mode, nowMs, probed) => judgeFrame(parts, plan, seen, mode, nowMs, probed),
  };
}

function started(parts: GuardParts, state: GuardState, nowMs: MonotonicMs): GuardState {
  const frames = state.frames + 1;
  const { probeKey, policy } = parts;
  if (policy?.perturbation === undefined || probeKey === undefined) return { ...state, frames };
  return { ...state, frames, probes: state.probes ?? probesAtStart(probeKey, nowMs) };
}

function planFrame(
  parts: GuardParts,
  limits: InputLimits,
  sensors: SensorCheck,
  state: GuardState,
  inputs: NamedTensors,
  nowMs: MonotonicMs,
  { principal, capturedAtMs }: FrameContext,
): Plan {
  const { schema, settings, policy } = parts;
  const { findings, sizes } = checkInput(schema, inputs, limits);
  // Whoever sends a broken frame has asked all the same: a caller who is shut out gains nothing by it.
  const asked =
    principal === undefined
      ? { state: state.callers, findings: [] }
      : planCaller(state.callers, settings.callers, principal, nowMs);
  const counted = { ...state, callers: asked.state };
  const plan = { state: counted, sizes, principal, inspect: () => NOT_INSPECTED };
  // A broken frame does not touch the count: bad frames between equal ones do not thaw a sensor.
  if (findings.length > 0) {
    return { ...plan, findings: [...findings, ...asked.findings], runInference: false };
  }
  const stream = streamOf(state.streams, principal);
  const still =
    settings.frozenFrames === 0
      ? { state: stream.frozen, findings: [] }
      : stepFrozen(stream.frozen, inputs, settings.frozenFrames);
  const sensed = sensors.step(stream.sensors, inputs, capturedAtMs);
  const next = { ...stream, frozen: still.state, sensors: sensed.state };
  const sensorFindings = [...still.findings, ...sensed.findings];
  return {
    ...plan,
    state: { ...counted, streams: withStream(state.streams, settings.callers, principal, next) },
    findings: [...sensorFindings, ...asked.findings],
    inspect: inspection(policy, inputs),
    runInference:
      settings.shadow ||
      (asked.findings.length === 0 && (sensorFindings.length === 0 || mayLeave(settings))),
  };
}

/** Whether the model's output may leave in spite of a sensor fault: then it has to be computed. */
function mayLeave({ actions }: GuardSettings): boolean {
  return actions.sensor === 'flag' || actions.sensor === 'hold';
}

function judgeFrame(
  parts: GuardParts,
  plan: Plan,
  seen: Seen,
  mode: Mode,
  nowMs: MonotonicMs,
  probed: Result<NamedTensors> | undefined,
): { readonly state: GuardState; readonly judgement: Judgement } {
  const { schema, settings, safeOutput, policy } = parts;
  const { outputs: modelOutputs, fault } = seen;
  const input = plan.inspect();
  const findings = [...plan.findings, ...input.findings, ...seen.findings];
  const { principal, state } = plan;
  const stream = streamOf(state.streams, principal);
  let { temporal } = stream;
  if (modelOutputs === undefined) {
    const wanted = plan.runInference && (fault !== undefined || mayInfer(mode));
    if (wanted) findings.push(inferenceFinding(fault));
  } else {
    if (policy !== undefined && (seen.probe ?? probed) !== undefined) {
      findings.push(...probeFindings(policy, seen, probed));
    }
    if (!seen.findings.some(({ check }) => check === 'output')) {
      const step = stepTemporal(temporal, schema, settings.temporal, modelOutputs, nowMs);
      temporal = step.state;
      findings.push(...step.findings);
    }
  }
  const drift = driftOf(parts, plan, seen, findings);
  const callers = callersOf(parts, plan, seen, nowMs);
  // An alarm stands until somebody has seen it: where it only flags, the frame that raised it is
  // enough; what is stricter holds for every frame until then.
  const stands = settings.actions.drift === 'flag' ? drift.raised : drift.findings;
  findings.push(...stands, ...callers.findings);
  const { lastGood } = stream;
  const decision = decide(findings, settings, { modelOutputs, safeOutput, lastGood, nowMs, mode });
  const next = { temporal, lastGood: nextLastGood(stream, settings, decision, nowMs) };
  const judgement: Judgement = {
    ...decision,
    ...(seen.novelty && { novelty: scored(seen.novelty) }),
    ...(input.score && { input: scored(input.score) }),
    ...(drift.raised.length > 0 && { drift: drift.raised }),
    mode,
    words: wordsOf(decision),
  };
  return {
    state: {
      ...state,
      streams: withStream(state.streams, settings.callers, principal, { ...stream, ...next }),
      drift: drift.state,
      callers: callers.state,
      probes: seen.probes,
    },
    judgement,
  };
}

function scored({ score, p }: CheckScore): { readonly score: number; readonly p: number } {
  return { score, p };
}

/**
 * Bets only on frames of the device's own sensors: what a caller chose to send says nothing of them.
 * Broken frames do not count, and neither do faults of the sensor, which have findings of their own,
 * nor frames whose novelty could not be judged. An alarm that stands is found in all of them.
 */
function driftOf(
  { policy, settings }: GuardParts,
  { state, inspect, principal }: Plan,
  { novelty, logits, outputs }: Seen,
  findings: readonly Finding[],
) {
  if (policy?.drift === undefined) return { state: state.drift, findings: [], raised: [] };
  const broken = outputs === undefined || findings.some(({ check }) => check === 'sensor');
  const known = novelty !== undefined && Number.isFinite(novelty.score);
  const counts = known && !broken && isSensor(settings.callers, principal);
  if (!counts) return stepDrift(state.drift, policy.drift, {});
  const { scales } = policy.checks;
  const rank = (judged: CheckScore | undefined, bank: Float64Array | undefined) =>
    judged && bank && Number.isFinite(judged.score) ? midP(bank, judged.score) : undefined;
  return stepDrift(state.drift, policy.drift, {
    noveltyP: rank(novelty, scales.novelty?.halfB),
    inputP: rank(inspect().score, scales.input?.halfB),
    class: logits && indexOfLargest(logits),
  });
}

function callersOf(
  { policy, settings }: GuardParts,
  { state, principal, runInference }: Plan,
  { novelty, logits, features, outputs, fault }: Seen,
  nowMs: MonotonicMs,
) {
  const none = { state: state.callers, findings: [] };
  const killed = fault?.code === 'inference.deadline';
  if (principal === undefined || !runInference || !(killed || outputs !== undefined)) return none;
  return judgeCaller(
    state.callers,
    { settings: settings.callers, reference: policy?.callers },
    principal,
    { noveltyP: novelty?.p, features, label: logits && indexOfLargest(logits), killed },
    nowMs,
  );
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
