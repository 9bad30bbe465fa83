/** The mode of a session: what moves it, what heals it, and who is told when it has moved. */
import type { Fault } from '../../core/base/fault.ts';
import { SELF_TEST_PAUSE_MS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import { gateLeak } from '../../core/guard/gate-test.ts';
import {
  type Cause,
  MODE_AT_START,
  type Mode,
  type ModeState,
  modeOf,
  stepMode,
} from '../../core/guard/mode.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { modeName } from '../../core/telemetry/vocabulary.ts';
import type { LoadedModel } from './loaded-model.ts';

export interface ModeParts {
  readonly model: LoadedModel | undefined;
  readonly clock: Clock;
  readonly onEvent: (event: EdgeEvent) => void;
  /** After each cause, whether the mode is another one now or not. */
  readonly onMode: (mode: Mode) => void;
}

export class SessionMode {
  readonly #parts: ModeParts;
  #state: ModeState = MODE_AT_START;
  #selfTestAfterMs = 0;
  #slotLost = false;
  /** What has led to the mode, or to the one under a pause. */
  #cause: Cause = 'bundle-refused-at-boot';
  #testing: Promise<boolean> | undefined;

  constructor(parts: ModeParts) {
    this.#parts = parts;
  }

  get mode(): Mode {
    return modeOf(this.#state);
  }

  get state(): ModeState {
    return this.#state;
  }

  begin(cause: 'boot-verified' | 'bundle-refused-at-boot'): void {
    this.move(cause);
    const { model } = this.#parts;
    if (model !== undefined && !gateHolds(model)) this.move('self-test-failed');
  }

  /** Lets a cause act on the mode, and tells who listens when it changed. */
  move(cause: Cause): void {
    const was = this.#state;
    this.#state = stepMode(was, cause);
    if (was.before !== this.#state.before) this.#cause = cause;
    const [before, after] = [modeOf(was), this.mode];
    if (before !== after) {
      const [from, to] = [modeName(before), modeName(after)];
      this.#parts.onEvent({ type: 'mode.changed', from, to, cause });
    }
    this.#parts.onMode(after);
    if (cause === 'slot-corrupt') this.#slotLost = true;
    // A healed worker brings no slot back.
    else if (this.#slotLost && after === 'NOMINAL') this.move('slot-corrupt');
  }

  /** A new worker that answers has healed what its predecessor's end had degraded, and no more. */
  workerAnswered(): void {
    const byWorker = this.mode === 'DEGRADED' && this.#cause === 'worker-killed';
    if (byWorker && !this.#slotLost) this.move('self-test-passed');
  }

  /** What a golden vector found beside the frames: the model is wrong, or its worker was lost. */
  canaryFailed({ code }: Fault): void {
    if (KILLING.includes(code)) this.move('worker-killed');
    else if (code === 'inference.respawn-budget') this.move('respawn-exhausted');
    else this.move('self-test-failed');
  }

  /**
   * SAFE heals by a passed self-test, tried at most once in `SELF_TEST_PAUSE_MS`, unless an operator
   * forced it. No frame waits for it: a model that hangs must not make the safe output late as well.
   */
  heal(): void {
    if (this.#state.standing !== 'SAFE' || this.#testing !== undefined) return;
    if (this.#parts.clock.monotonicMs() < this.#selfTestAfterMs) return;
    void this.selfTest();
  }

  /**
   * Proves that the gate holds and then that the model computes what it should, and lets the outcome
   * act on the mode. Whoever asks while a test runs gets the outcome of that one. Never rejects.
   */
  selfTest(): Promise<boolean> {
    this.#testing ??= this.#test().finally(() => {
      this.#testing = undefined;
    });
    return this.#testing;
  }

  /** Resolves when no self-test is under way. */
  async settled(): Promise<void> {
    await this.#testing;
  }

  /** Without a model there is nothing that a test could let out. */
  async #test(): Promise<boolean> {
    const { model, clock } = this.#parts;
    let cause: Cause = 'self-test-failed';
    try {
      const holds = model !== undefined && gateHolds(model);
      if (holds && (await model.selfTest()).ok) cause = 'self-test-passed';
    } catch {
      cause = 'internal-error';
    }
    this.#selfTestAfterMs = clock.monotonicMs() + SELF_TEST_PAUSE_MS;
    this.move(cause);
    return cause === 'self-test-passed';
  }
}

function gateHolds({ settings, safeOutput }: LoadedModel): boolean {
  try {
    return gateLeak(settings, safeOutput) === undefined;
  } catch {
    return false; // A defect of Edgeward itself: what cannot be proven does not hold.
  }
}

/** Faults after which the worker is gone. */
export const KILLING: readonly string[] = [
  'inference.deadline',
  'inference.session-deadline',
  'inference.crashed',
  'inference.reply',
  'inference.memory',
];
