/**
 * The guarded session: one frame in, one judgement out, whatever happens. It owns the mode, the
 * order of the frames and the counters; it never throws for what a caller, a sensor or a model does.
 */
import { err, type Fault, faultOf, type Result } from '../../core/base/fault.ts';
import { RUNS_WAITING_MAX, SELF_TEST_PAUSE_MS } from '../../core/base/limits.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { admitTensors } from '../../core/guard/admission.ts';
import { decide } from '../../core/guard/decision.ts';
import type { Finding } from '../../core/guard/findings.ts';
import {
  GUARD_AT_START,
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
  maySelfTest,
  stepMode,
} from '../../core/guard/mode.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../core/guard/settings.ts';
import { LatencySketch, type LatencySummary } from '../../core/numeric/sketch.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { ModeName, VerdictName } from '../../core/telemetry/vocabulary.ts';
import { RUNTIME_FAULTS } from './faults.ts';
import type { LoadedModel } from './loaded-model.ts';

export interface FrameJudgement extends Judgement {
  /** Counts from 1 in this session. */
  readonly frame: number;
  readonly latencyUs: number;
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
  #line: Promise<unknown> = Promise.resolve();

  constructor(parts: SessionParts, cause: 'boot-verified' | 'bundle-refused-at-boot') {
    this.#parts = parts;
    this.move(cause);
  }

  get mode(): Mode {
    return this.#mode.mode;
  }

  get verdicts(): VerdictCounts {
    return { ...this.#verdicts };
  }

  latency(): LatencySummary | undefined {
    return this.#frames === 0 ? undefined : this.#latency.summary();
  }

  /** Judges one frame, in the order of the calls. Hostile values are copied once and then judged. */
  infer(value: unknown): Promise<FrameJudgement> {
    const startMs = this.#parts.clock.monotonicMs();
    const admitted =
      this.#waiting >= RUNS_WAITING_MAX
        ? err(faultOf(RUNTIME_FAULTS, 'runtime.busy', `${this.#waiting} frames are waiting`))
        : admitTensors(value);
    this.#waiting++;
    const judged = this.#line.then(() => this.#judge(admitted, startMs));
    const settle = (): void => {
      this.#waiting--;
    };
    this.#line = judged.then(settle, settle);
    return judged;
  }

  /** Lets a cause act on the mode, and tells who listens when it changed. */
  move(cause: Cause): void {
    const before = this.#mode.mode;
    this.#mode = stepMode(this.#mode, cause);
    const after = this.#mode.mode;
    if (before === after) return;
    this.#emit({ type: 'mode.changed', from: modeName(before), to: modeName(after), cause });
  }

  /** Waits for the frames under way and ends the worker. */
  async close(): Promise<void> {
    await this.#line;
    await this.#parts.model?.engine.close();
  }

  async #judge(admitted: Result<NamedTensors>, startMs: MonotonicMs): Promise<FrameJudgement> {
    const { model, clock } = this.#parts;
    const frame = ++this.#frames;
    const judgement =
      model === undefined ? this.#withoutModel() : await this.#withModel(model, admitted, frame);
    const latencyUs = (clock.monotonicMs() - startMs) * 1000;
    this.#latency.record(latencyUs);
    this.#verdicts[judgement.verdict]++;
    if (model !== undefined) this.#report(model, judgement, frame);
    return { ...judgement, frame, latencyUs };
  }

  #withoutModel(): Judgement {
    const mode = this.mode;
    const decision = decide([], DEFAULT_GUARD_SETTINGS, {
      safeOutput: this.#parts.fallback,
      nowMs: this.#parts.clock.monotonicMs(),
      mode,
    });
    return { ...decision, mode, words: `no admissible model: ${decision.verdict}` };
  }

  async #withModel(
    model: LoadedModel,
    admitted: Result<NamedTensors>,
    frame: number,
  ): Promise<Judgement> {
    const { clock } = this.#parts;
    await this.#heal(model);
    const { guard } = model;
    const plan = admitted.ok
      ? guard.plan(this.#guardState, admitted.value, clock.monotonicMs())
      : guard.planRefused(this.#guardState, admitted.fault);
    const ran = admitted.ok ? await this.#run(model, plan, admitted.value, frame) : undefined;
    const nowMs = clock.monotonicMs();
    const { state, judgement } = guard.judge(plan.state, plan, ran, this.mode, nowMs);
    this.#guardState = state;
    return judgement;
  }

  async #run(
    model: LoadedModel,
    plan: Plan,
    inputs: NamedTensors,
    frame: number,
  ): Promise<Result<NamedTensors> | undefined> {
    if (!plan.runInference || !mayInfer(this.mode)) return undefined;
    const before = model.engine.stats().generation;
    const ran = await model.engine.run(inputs);
    if (ran.ok) {
      // A new worker that answers has healed what its predecessor's end had degraded.
      if (this.mode === 'DEGRADED') this.move('self-test-passed');
      return ran;
    }
    this.#afterFault(model, ran.fault, frame, before);
    return ran;
  }

  #afterFault(model: LoadedModel, fault: Fault, frame: number, generation: number): void {
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
    } else if (KILLING.includes(fault.code)) this.move('worker-killed');
    if (stats.generation > generation) {
      this.#emit({ type: 'inference.worker-respawned', cause: fault.code, respawns });
    }
  }

  /** SAFE heals by a passed self-test, tried at most once in `SELF_TEST_PAUSE_MS`. */
  async #heal(model: LoadedModel): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.mode !== 'SAFE' || !maySelfTest(this.mode) || nowMs < this.#selfTestAfterMs) return;
    this.#selfTestAfterMs = nowMs + SELF_TEST_PAUSE_MS;
    const passed = await model.selfTest();
    this.move(passed.ok ? 'self-test-passed' : 'self-test-failed');
  }

  #report(model: LoadedModel, judgement: Judgement, frame: number): void {
    const { manifestSha256 } = model.bundle;
    const { verdict, reasons } = judgement;
    for (const [type, checks] of REPORTED) {
      const found = reasons.filter(({ check }) => checks.includes(check));
      if (found.length === 0) continue;
      const findings = found.map(({ code, value, threshold, p }) => ({
        code,
        ...(value !== undefined && { value }),
        ...(threshold !== undefined && { threshold }),
        ...(p !== undefined && { p }),
      }));
      this.#emit({ type, frame, verdict, bundleDigest: manifestSha256, findings });
    }
  }

  #emit(event: EdgeEvent): void {
    this.#parts.onEvent?.(event);
  }
}

const REPORTED: readonly (readonly [
  'input.finding' | 'anomaly.novelty' | 'output.finding',
  readonly Finding['check'][],
])[] = [
  ['input.finding', ['contract', 'sensor']],
  ['anomaly.novelty', ['novelty']],
  ['output.finding', ['output']],
];

/** Faults after which the worker is gone. */
const KILLING: readonly string[] = [
  'inference.deadline',
  'inference.session-deadline',
  'inference.crashed',
  'inference.reply',
  'inference.memory',
];

function modeName(mode: Mode): ModeName {
  return mode.toLowerCase() as ModeName;
}
