/**
 * The guarded session: one frame in, one judgement out, whatever happens. It owns the mode, the
 * order of the frames and the counters; it never throws for what a caller, a sensor or a model does.
 */
import { err, type Fault, faultOf, type Result } from '../../core/base/fault.ts';
import { RUNS_WAITING_MAX, SELF_TEST_PAUSE_MS } from '../../core/base/limits.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { admitTensors } from '../../core/guard/admission.ts';
import { killsMoveMode } from '../../core/guard/caller-judge.ts';
import { decide, withoutHold } from '../../core/guard/decision.ts';
import { gateLeak } from '../../core/guard/gate-test.ts';
import {
  type FrameContext,
  GUARD_AT_START,
  type Guard,
  type GuardState,
  type Judgement,
  type Plan,
} from '../../core/guard/guard.ts';
import {
  type Cause,
  MODE_AT_START,
  type Mode,
  type ModeState,
  mayInfer,
  mayRelease,
  modeOf,
  stepMode,
} from '../../core/guard/mode.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../core/guard/settings.ts';
import { LatencySketch, type LatencySummary } from '../../core/numeric/sketch.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { modeName, type VerdictName } from '../../core/telemetry/vocabulary.ts';
import { RUNTIME_FAULTS } from './faults.ts';
import { FrameEvents } from './frame-events.ts';
import { HeldFrames, type HoldRecord } from './held-frames.ts';
import type { LoadedModel } from './loaded-model.ts';
import { type Operated, type OperatorAnswer, operateLocally } from './operator.ts';

export interface FrameJudgement extends Judgement {
  /** Counts from 1 in this session. */
  readonly frame: number;
  /** From the call to the verdict; how long a held frame waited for a person is not in it. */
  readonly latencyUs: number;
  /** Of a frame that was held; `source` tells whose outputs came of it. */
  readonly hold?: HoldRecord;
}

/** A frame's answer, or where it is held the promise of one. */
interface Judged {
  readonly answer: FrameJudgement | Promise<FrameJudgement>;
}

export interface SessionParts {
  /** Absent when no bundle may run: every frame then gets the fallback or nothing. */
  readonly model: LoadedModel | undefined;
  /** The safe output of the model confirmed last, for when none may run. */
  readonly fallback?: NamedTensors | undefined;
  readonly clock: Clock;
  readonly onEvent?: ((event: EdgeEvent) => void) | undefined;
}

export type VerdictCounts = Readonly<Record<VerdictName, number>>;

export class GuardedSession {
  readonly #parts: SessionParts;
  readonly #latency = new LatencySketch();
  readonly #verdicts = { release: 0, flag: 0, substitute: 0, hold: 0, withhold: 0 };
  #mode: ModeState = MODE_AT_START;
  #guardState: GuardState = GUARD_AT_START;
  #frames = 0;
  #waiting = 0;
  #selfTestAfterMs = 0;
  #slotLost = false;
  /** What has led to the mode, or to the one under a pause. */
  #cause: Cause = 'bundle-refused-at-boot';
  #line: Promise<unknown> = Promise.resolve();
  #testing: Promise<boolean> | undefined;
  readonly #held: HeldFrames;
  readonly #frameEvents = new FrameEvents();

  constructor(parts: SessionParts, cause: 'boot-verified' | 'bundle-refused-at-boot') {
    this.#parts = parts;
    this.#held = new HeldFrames({
      ...{ clock: parts.clock, mode: () => this.mode, onEvent: (event) => this.#emit(event) },
    });
    this.move(cause);
    if (parts.model !== undefined && !this.#gateHolds(parts.model)) this.move('self-test-failed');
  }

  get mode(): Mode {
    return modeOf(this.#mode);
  }

  /** For who verified an operator's order. */
  get operated(): Operated {
    return {
      ...{ state: () => this.#mode, hasModel: this.#parts.model !== undefined, held: this.#held },
      move: (cause) => this.move(cause),
      selfTest: () => this.selfTest(),
      onEvent: (event) => this.#emit(event),
    };
  }

  get verdicts(): VerdictCounts {
    return { ...this.#verdicts };
  }

  /** Whether frames are given to the model now. */
  get mayInfer(): boolean {
    return mayInfer(this.mode);
  }

  /** What a golden vector found beside the frames: the model is wrong, or its worker was lost. */
  canaryFailed({ code }: Fault): void {
    if (KILLING.includes(code)) this.move('worker-killed');
    else if (code === 'inference.respawn-budget') this.move('respawn-exhausted');
    else this.move('self-test-failed');
  }

  latency(): LatencySummary | undefined {
    return this.#frames === 0 ? undefined : this.#latency.summary();
  }

  /** An act of a local caller, who may only restrict (`operator.unsigned`). Never rejects. */
  operate(act: unknown): Promise<OperatorAnswer> {
    return operateLocally(this.operated, act, this.#parts.clock);
  }

  /**
   * Proves that the gate holds and then that the model computes what it should, and lets the outcome
   * act on the mode. Whoever asks while a test runs gets the outcome of that one.
   */
  selfTest(): Promise<boolean> {
    this.#testing ??= this.#test().finally(() => {
      this.#testing = undefined;
    });
    return this.#testing;
  }

  /**
   * Judges one frame, in the order of the calls. Hostile values are copied once and then judged. A
   * frame that is held is answered when its wait is over; later ones are judged meanwhile.
   */
  infer(value: unknown, context: FrameContext = {}): Promise<FrameJudgement> {
    return this.#queue(() => admitTensors(value), context);
  }

  /** Judges a frame that could not even be read: it has a verdict as well. */
  refuse(fault: Fault): Promise<FrameJudgement> {
    return this.#queue(() => err(fault), {});
  }

  #queue(admit: () => Result<NamedTensors>, context: FrameContext): Promise<FrameJudgement> {
    const startMs = this.#parts.clock.monotonicMs();
    const admitted =
      this.#waiting >= RUNS_WAITING_MAX
        ? err(faultOf(RUNTIME_FAULTS, 'runtime.busy', `${this.#waiting} frames are waiting`))
        : admit();
    this.#waiting++;
    const judged = this.#line.then(() => this.#judge(admitted, startMs, context));
    const settle = (): void => {
      this.#waiting--;
    };
    this.#line = judged.then(settle, settle);
    return judged.then(({ answer }) => answer);
  }

  /** Lets a cause act on the mode, and tells who listens when it changed. */
  move(cause: Cause): void {
    const was = this.#mode;
    this.#mode = stepMode(was, cause);
    if (was.before !== this.#mode.before) this.#cause = cause;
    const [before, after] = [modeOf(was), this.mode];
    if (before !== after) {
      this.#emit({ type: 'mode.changed', from: modeName(before), to: modeName(after), cause });
    }
    if (!mayRelease(after)) this.#held.endAll('mode');
    if (cause === 'slot-corrupt') this.#slotLost = true;
    // A healed worker brings no slot back.
    else if (this.#slotLost && after === 'NOMINAL') this.move('slot-corrupt');
  }

  /** Waits for the frames under way and ends the worker; held frames fall to safe. */
  async close(): Promise<void> {
    this.#held.close();
    await this.#line;
    await this.#parts.model?.engine.close();
    await this.#testing;
  }

  async #judge(
    admitted: Result<NamedTensors>,
    startMs: MonotonicMs,
    context: FrameContext,
  ): Promise<Judged> {
    const { model, clock } = this.#parts;
    const frame = ++this.#frames;
    const { judgement, modelOutputs } = await this.#judgement(model, admitted, frame, context);
    const latencyUs = (clock.monotonicMs() - startMs) * 1000;
    this.#latency.record(latencyUs);
    const judged: FrameJudgement = { ...judgement, frame, latencyUs };
    if (judged.verdict !== 'hold') return { answer: this.#counted(judged, context) };
    const answer = this.#held.hold(judged, modelOutputs, model?.settings ?? DEFAULT_GUARD_SETTINGS);
    if (answer === undefined) return { answer: this.#counted(withoutHold(judged), context) };
    this.#counted(judged, context);
    return { answer };
  }

  #counted(judged: FrameJudgement, { principal }: FrameContext): FrameJudgement {
    const { model, clock } = this.#parts;
    this.#verdicts[judged.verdict]++;
    if (model === undefined) return judged;
    const { manifestSha256 } = model.bundle;
    const nowMs = clock.monotonicMs();
    for (const event of this.#frameEvents.of(judged, manifestSha256, principal, nowMs)) {
      this.#emit(event);
    }
    return judged;
  }

  async #judgement(
    model: LoadedModel | undefined,
    admitted: Result<NamedTensors>,
    frame: number,
    context: FrameContext,
  ): Promise<JudgedFrame> {
    if (model === undefined) return this.#standIn('no admissible model');
    try {
      return await this.#withModel(model, admitted, frame, context);
    } catch (thrown) {
      // A defect of Edgeward itself: this frame still gets an answer, and none of the model's.
      this.move('internal-error');
      return this.#standIn(
        `internal error: ${thrown instanceof Error ? thrown.message : 'unknown'}`,
      );
    }
  }

  #standIn(why: string): JudgedFrame {
    const { model, fallback, clock } = this.#parts;
    const mode = this.mode;
    const decision = decide([], model?.settings ?? DEFAULT_GUARD_SETTINGS, {
      safeOutput: model === undefined ? fallback : model.safeOutput,
      nowMs: clock.monotonicMs(),
      mode,
    });
    return { judgement: { ...decision, mode, words: `${why}: ${decision.verdict}` } };
  }

  async #withModel(
    model: LoadedModel,
    admitted: Result<NamedTensors>,
    frame: number,
    context: FrameContext,
  ): Promise<JudgedFrame> {
    const { clock } = this.#parts;
    this.#heal();
    const { guard } = model;
    const plan = admitted.ok
      ? guard.plan(this.#guardState, admitted.value, clock.monotonicMs(), context)
      : planUnseen(guard, this.#guardState, admitted.fault);
    const asked = this.mode;
    const inputs = admitted.ok ? admitted.value : NO_TENSORS;
    const runs = admitted.ok && plan.runInference && mayInfer(asked);
    const charged = context.principal !== undefined;
    const ran = runs ? await this.#run(model, inputs, frame, charged) : refusal(admitted);
    const seen = guard.see(plan, inputs, ran, clock.monotonicMs());
    // One more inference, under the same deadline.
    const probed = seen.probe && (await this.#run(model, seen.probe, frame, charged));
    const nowMs = clock.monotonicMs();
    // A frame that its mode kept from the model is judged under it, whatever has healed since.
    const mode = mayInfer(asked) ? this.mode : asked;
    const { state, judgement } = guard.judge(plan, seen, mode, nowMs, probed);
    this.#guardState = state;
    if (charged && isLate(ran) && killsMoveMode(state.callers, model.settings.callers, nowMs)) {
      this.move('worker-killed');
    }
    return { judgement, modelOutputs: seen.outputs };
  }

  /** `charged`: somebody pays for a run that does not end, before the device's mode does. */
  async #run(
    model: LoadedModel,
    inputs: NamedTensors,
    frame: number,
    charged: boolean,
  ): Promise<Result<NamedTensors>> {
    const before = model.engine.stats().generation;
    const ran = await model.engine.run(inputs);
    if (ran.ok) {
      // A new worker that answers has healed what its predecessor's end had degraded, and no more.
      const byWorker = this.mode === 'DEGRADED' && this.#cause === 'worker-killed';
      if (byWorker && !this.#slotLost) this.move('self-test-passed');
      return ran;
    }
    this.#afterFault(model, ran.fault, frame, before, charged && isLate(ran));
    return ran;
  }

  #afterFault(
    model: LoadedModel,
    fault: Fault,
    frame: number,
    generation: number,
    charged: boolean,
  ): void {
    const stats = model.engine.stats();
    const respawns = Math.max(0, stats.generation - 1);
    if (fault.code === 'inference.deadline') {
      const { runDeadlineMs } = model.engineOptions;
      this.#emit({ type: 'inference.deadline', frame, deadlineMs: Math.ceil(runDeadlineMs) });
    }
    if (fault.code === 'inference.model-changed') this.move('self-test-failed');
    else if (fault.code === 'inference.respawn-budget') {
      this.#emit({ type: 'inference.budget-exhausted', respawns });
      this.move('respawn-exhausted');
    } else if (KILLING.includes(fault.code) && !charged) this.move('worker-killed');
    if (stats.generation > generation) {
      this.#emit({ type: 'inference.worker-respawned', cause: fault.code, respawns });
    }
  }

  /**
   * SAFE heals by a passed self-test, tried at most once in `SELF_TEST_PAUSE_MS`, unless an operator
   * forced it. No frame waits for it: a model that hangs must not make the safe output late as well.
   */
  #heal(): void {
    if (this.#mode.standing !== 'SAFE' || this.#testing !== undefined) return;
    if (this.#parts.clock.monotonicMs() < this.#selfTestAfterMs) return;
    void this.selfTest();
  }

  /** Never rejects. Without a model there is nothing that a test could let out. */
  async #test(): Promise<boolean> {
    const { model, clock } = this.#parts;
    let cause: Cause = 'self-test-failed';
    try {
      const holds = model !== undefined && this.#gateHolds(model);
      if (holds && (await model.selfTest()).ok) cause = 'self-test-passed';
    } catch {
      cause = 'internal-error';
    }
    this.#selfTestAfterMs = clock.monotonicMs() + SELF_TEST_PAUSE_MS;
    this.move(cause);
    return cause === 'self-test-passed';
  }

  #gateHolds({ settings, safeOutput }: LoadedModel): boolean {
    try {
      return gateLeak(settings, safeOutput) === undefined;
    } catch {
      return false; // A defect of Edgeward itself: what cannot be proven does not hold.
    }
  }

  /** Who listens does not judge: a listener that throws costs no frame its answer. */
  #emit(event: EdgeEvent): void {
    try {
      this.#parts.onEvent?.(event);
    } catch (thrown) {
      process.emitWarning(thrown instanceof Error ? thrown : `a listener of ${event.type} threw`);
    }
  }
}

interface JudgedFrame {
  readonly judgement: Judgement;
  /** Kept back where the verdict is `hold`. */
  readonly modelOutputs?: NamedTensors | undefined;
}

/** For a frame that came in no form or at no time to be looked at. */
function planUnseen(guard: Guard, state: GuardState, fault: Fault): Plan {
  // Nothing is known against a frame that came too fast: it was the inference that was not made.
  return fault.code === 'runtime.busy'
    ? { ...guard.planRefused(state, fault), findings: [], runInference: true }
    : guard.planRefused(state, fault);
}

const NO_TENSORS: NamedTensors = new Map();

/** Of a frame that did not run: the fault of one that could not even be read. */
function refusal(admitted: Result<NamedTensors>): Result<NamedTensors> | undefined {
  return admitted.ok ? undefined : admitted;
}

function isLate(ran: Result<NamedTensors> | undefined): boolean {
  return ran?.ok === false && ran.fault.code === 'inference.deadline';
}

/** Faults after which the worker is gone. */
const KILLING: readonly string[] = [
  'inference.deadline',
  'inference.session-deadline',
  'inference.crashed',
  'inference.reply',
  'inference.memory',
];
