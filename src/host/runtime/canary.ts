/**
 * Golden vectors as canaries: while the device runs, one vector every so often shows that the model
 * in memory still computes what it should. It passes the guard by: no verdict, drift or budget.
 */
import type { Fault, Result } from '../../core/base/fault.ts';
import { CANARY_PERIOD_MS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { Golden } from '../../core/bundle/golden-codec.ts';
import type { Engine } from '../inference/engine.ts';
import { runGolden } from './golden-run.ts';

export interface CanaryParts {
  readonly engine: Pick<Engine, 'run' | 'stats'>;
  readonly golden: Golden;
  readonly clock: Clock;
  /** `CANARY_PERIOD_MS` unless stated. */
  readonly periodMs?: number;
  /**
   * `golden.differs` and `inference.model-changed` are a failed self-test; other `inference.*` faults
   * tell what the worker did, as on a frame.
   */
  readonly onFault: (fault: Fault) => void;
}

/** Faults that say nothing about the model: many frames wait, or the device is going down. */
const UNTOLD: readonly string[] = ['inference.busy', 'inference.closed'];

export class Canary {
  readonly #parts: CanaryParts;
  readonly #periodMs: number;
  #dueMs: number;
  #vector = 0;
  #passed = 0;
  #running: Promise<Result<true>> | undefined;

  /** The first vector is due one period from now: the self-test has just run them all. */
  constructor(parts: CanaryParts) {
    this.#parts = parts;
    this.#periodMs = parts.periodMs ?? CANARY_PERIOD_MS;
    this.#dueMs = parts.clock.monotonicMs() + this.#periodMs;
  }

  /** Vectors that passed so far. */
  get passed(): number {
    return this.#passed;
  }

  /**
   * To be called after each frame and on a timer, never while no frame may be inferred. Runs one
   * vector when it is due and no run waits, or when it is overdue by a period: the engine runs in
   * order, so a frame never waits for more than this one inference. Gives what came of it, or
   * `undefined` where none was run.
   */
  async tick(): Promise<Result<true> | undefined> {
    const { engine, golden, clock, onFault } = this.#parts;
    const lateMs = clock.monotonicMs() - this.#dueMs;
    if (this.#running !== undefined || lateMs < 0) return undefined;
    if (engine.stats().waiting > 0 && lateMs < this.#periodMs) return undefined;
    this.#running = runGolden(engine, golden, this.#vector++).finally(() => {
      this.#running = undefined;
      this.#dueMs = clock.monotonicMs() + this.#periodMs;
    });
    const result = await this.#running;
    if (result.ok) this.#passed++;
    else if (!UNTOLD.includes(result.fault.code)) onFault(result.fault);
    return result;
  }

  /** Resolves when no vector is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }
}
