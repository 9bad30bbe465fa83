/**
 * The guarded session: one frame in, one judgement out, whatever happens. It owns the order of the
 * frames, what the guard remembers and the counters; it never throws for what a caller, a sensor or
 * a model does.
 */
import { err, type Fault, faultOf, ok, type Result } from '../../core/base/fault.ts';
import { RUNS_WAITING_MAX } from '../../core/base/limits.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import type { IoSchema } from '../../core/bundle/io-schema.ts';
import { admitTensors } from '../../core/guard/admission.ts';
import { killsMoveMode } from '../../core/guard/caller-judge.ts';
import { decide, withoutHold } from '../../core/guard/decision.ts';
import { disclosed } from '../../core/guard/disclosure.ts';
import { acknowledgeDrift } from '../../core/guard/drift.ts';
import {
  type FrameContext,
  GUARD_AT_START,
  type Guard,
  type GuardState,
  type Judgement,
  type Plan,
} from '../../core/guard/guard.ts';
import { type Cause, type Mode, mayInfer, mayRelease } from '../../core/guard/mode.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../core/guard/settings.ts';
import { LatencySketch, type LatencySummary } from '../../core/numeric/sketch.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { VerdictName } from '../../core/telemetry/vocabulary.ts';
import { RUNTIME_FAULTS } from './faults.ts';
import { NOBODY, readContext } from './frame-context.ts';
import { FrameEvents } from './frame-events.ts';
import { type FrameRun, isLate, runFrame } from './frame-run.ts';
import { HeldFrames, type HoldRecord } from './held-frames.ts';
import type { LoadedModel } from './loaded-model.ts';
import { type Operated, type OperatorAnswer, operateLocally } from './operator.ts';
import { SessionMode } from './session-mode.ts';

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
  /** What the guard knew before, on the clock of this process; it begins anew without. */
  readonly remembered?: GuardState | undefined;
  readonly clock: Clock;
  readonly onEvent?: ((event: EdgeEvent) => void) | undefined;
}

export type VerdictCounts = Readonly<Record<VerdictName, number>>;

export class GuardedSession {
  readonly #parts: SessionParts;
  readonly #latency = new LatencySketch();
  readonly #verdicts = { release: 0, flag: 0, substitute: 0, hold: 0, withhold: 0 };
  readonly #mode: SessionMode;
  readonly #held: HeldFrames;
  readonly #frameEvents = new FrameEvents();
  #guardState: GuardState;
  #frames = 0;
  #waiting = 0;
  #line: Promise<unknown> = Promise.resolve();

  constructor(parts: SessionParts, cause: 'boot-verified' | 'bundle-refused-at-boot') {
    this.#parts = parts;
    this.#guardState = parts.remembered ?? GUARD_AT_START;
    const { model, clock } = parts;
    const onEvent = (event: EdgeEvent): void => this.#emit(event);
    this.#held = new HeldFrames({ clock, mode: () => this.mode, onEvent });
    this.#mode = new SessionMode({
      ...{ model, clock, onEvent },
      onMode: (mode) => {
        if (!mayRelease(mode)) this.#held.endAll('mode');
      },
    });
    this.#mode.begin(cause);
  }

  get mode(): Mode {
    return this.#mode.mode;
  }

  /** For who verified an operator's order. */
  get operated(): Operated {
    return {
      state: () => this.#mode.state,
      ...{ hasModel: this.#parts.model !== undefined, held: this.#held },
      move: (cause) => this.move(cause),
      selfTest: () => this.selfTest(),
      acknowledge: (about) => this.#acknowledge(about),
      onEvent: (event) => this.#emit(event),
    };
  }

  get verdicts(): VerdictCounts {
    return { ...this.#verdicts };
  }

  /** What the guard knows, as of the frame that was judged last. */
  get guardState(): GuardState {
    return this.#guardState;
  }

  /** Whether frames are given to the model now. */
  get mayInfer(): boolean {
    return mayInfer(this.mode);
  }

  /** What a golden vector found beside the frames: the model is wrong, or its worker was lost. */
  canaryFailed(fault: Fault): void {
    this.#mode.canaryFailed(fault);
  }

  latency(): LatencySummary | undefined {
    return this.#frames === 0 ? undefined : this.#latency.summary();
  }

  /** An act of a local caller, who may only restrict (`operator.unsigned`). Never rejects. */
  operate(act: unknown): Promise<OperatorAnswer> {
    return operateLocally(this.operated, act, this.#parts.clock);
  }

  /** Proves that the gate holds and that the model computes what it should; see `SessionMode`. */
  selfTest(): Promise<boolean> {
    return this.#mode.selfTest();
  }

  /**
   * Judges one frame, in the order of the calls. Hostile values are copied once and then judged. A
   * frame that is held is answered when its wait is over; later ones are judged meanwhile. Whoever
   * is named in the context is told what callers are told (`disclosed`); a context that is none
   * (`field.*`) gets its frame refused.
   */
  infer(value: unknown, context?: FrameContext): Promise<FrameJudgement> {
    const read = context === undefined ? ok<FrameContext>({}) : readContext(context);
    if (!read.ok) return this.#queue(() => read, NOBODY);
    return this.#queue(() => admitTensors(value), read.value);
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
    return judged.then(async ({ answer }) => this.#told(await answer, context));
  }

  /** The one way out of the session. */
  #told(judged: FrameJudgement, { principal }: FrameContext): FrameJudgement {
    const { model } = this.#parts;
    const schema = model?.bundle.meta.io ?? NO_SCHEMA;
    return disclosed(judged, principal, schema, model?.settings ?? DEFAULT_GUARD_SETTINGS);
  }

  /** Lets a cause act on the mode, and tells who listens when it changed. */
  move(cause: Cause): void {
    this.#mode.move(cause);
  }

  /** Between two frames: the one under way would bring back what it had seen before. */
  #acknowledge(about: string): Promise<void> {
    const drift = this.#parts.model?.policy?.drift;
    const acknowledged = this.#line.then(() => {
      if (about !== 'drift' || drift === undefined) return;
      const state = this.#guardState;
      this.#guardState = { ...state, drift: acknowledgeDrift(state.drift, drift) };
    });
    this.#line = acknowledged;
    return acknowledged;
  }

  /** Waits for the frames under way and ends the worker; held frames fall to safe. */
  async close(): Promise<void> {
    this.#held.close();
    await this.#line;
    await this.#parts.model?.engine.close();
    await this.#mode.settled();
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
    this.#mode.heal();
    const { guard } = model;
    const plan = admitted.ok
      ? guard.plan(this.#guardState, admitted.value, clock.monotonicMs(), context)
      : planUnseen(guard, this.#guardState, admitted.fault, context);
    const asked = this.mode;
    const inputs = admitted.ok ? admitted.value : NO_TENSORS;
    const runs = admitted.ok && plan.runInference && mayInfer(asked);
    const charged = context.principal !== undefined;
    const onEvent = (event: EdgeEvent): void => this.#emit(event);
    const run: FrameRun = { model, mode: this.#mode, onEvent, frame, charged };
    const running = runs ? runFrame(run, inputs) : refusal(admitted);
    // The worker has the frame already: what needs no answer of it is done meanwhile.
    plan.inspect();
    const ran = await running;
    const seen = guard.see(plan, inputs, ran, clock.monotonicMs());
    // One more inference, under the same deadline; it is the guard's own, and no caller pays for it.
    const probed = seen.probe && (await runFrame({ ...run, charged: false }, seen.probe));
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
function planUnseen(guard: Guard, state: GuardState, fault: Fault, context: FrameContext): Plan {
  const plan = guard.planRefused(state, fault, context);
  // Nothing is known against a frame that came too fast: it was the inference that was not made.
  return fault.code === 'runtime.busy' ? { ...plan, findings: [], runInference: true } : plan;
}

const NO_TENSORS: NamedTensors = new Map();
/** Without a model there are no outputs of one to minimise. */
const NO_SCHEMA: IoSchema = { inputs: [], outputs: [] };

/** Of a frame that did not run: the fault of one that could not even be read. */
function refusal(admitted: Result<NamedTensors>): Result<NamedTensors> | undefined {
  return admitted.ok ? undefined : admitted;
}
