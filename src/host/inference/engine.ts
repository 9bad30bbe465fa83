/**
 * Runs a verified model in a worker thread that can be killed: every session and every run has a
 * deadline, a worker that misses one is replaced, and replacements have a budget.
 *
 * What is NOT promised: a worker thread is not a sandbox. WebAssembly keeps the model's operators in
 * their own memory, and the deadline and the memory clamp keep them from holding the board; a flaw
 * in Node.js or in the WebAssembly engine itself is outside of what this can stop.
 */
import { copyBytes } from '../../core/base/bytes.ts';
import { assert, err, type Fault, ok, type Result } from '../../core/base/fault.ts';
import { DEADLINE_MS_MAX, RUNS_WAITING_MAX, WASM_PAGES_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { RunnableModel } from '../../core/trust/runnable-model.ts';
import { inferenceFault } from './faults.ts';
import { Generation } from './generation.ts';
import { checkInputs, type EnginePort, type Feeds, ownInputs } from './ports.ts';
import { RespawnBudget } from './respawn-budget.ts';
import { startOrtWorker, type WorkerThread } from './worker-thread.ts';

export interface EngineOptions {
  /** For one run, from the hand-over to the worker; more than 0, at most `DEADLINE_MS_MAX`. */
  readonly runDeadlineMs: number;
  /** For the start of a worker and its session together. */
  readonly sessionDeadlineMs: number;
  /** Ceiling of ONNX Runtime's memory, in pages of 64 KiB; it starts with 256. */
  readonly wasmPagesMax: number;
  /** Dead workers replaced within a window; the first worker is not counted. */
  readonly respawnsMax: number;
  readonly respawnWindowMs: number;
  /** For the window; deadlines are real time. */
  readonly clock: Clock;
}

export interface EngineStats {
  /** Workers started so far. */
  readonly generation: number;
  readonly runs: number;
  readonly deadlineKills: number;
  readonly respawnsLeft: number;
  /** Late or unknown replies that were thrown away. */
  readonly repliesDropped: number;
  /** Runs that were accepted and are not answered yet. */
  readonly waiting: number;
}

export interface Engine {
  readonly inputs: readonly EnginePort[];
  readonly outputs: readonly EnginePort[];
  /**
   * Runs the model. The inputs are copied before this returns its promise; the outputs are memory
   * of the caller's own. Calls run in the order they came. A call waits for those before it and for
   * a worker that is being replaced; `deadlineMs` (the options' unless stated) starts after that.
   */
  run(inputs: NamedTensors, deadlineMs?: number): Promise<Result<NamedTensors>>;
  stats(): EngineStats;
  /** Ends the worker; runs that are not answered get `inference.closed`. */
  close(): Promise<void>;
}

/** Opens a session on the model's bytes; the fault of a first worker that fails is final. */
export function openEngine(model: RunnableModel, options: EngineOptions): Promise<Result<Engine>> {
  return openEngineOn(model, options, startOrtWorker);
}

/** `openEngine` on another kind of worker. */
export async function openEngineOn(
  model: RunnableModel,
  options: EngineOptions,
  startWorker: () => WorkerThread,
): Promise<Result<Engine>> {
  checkOptions(options);
  const engine = new WorkerEngine(model, options, startWorker);
  const opened = await engine.start();
  return opened.ok ? ok(engine) : opened;
}

class WorkerEngine implements Engine {
  inputs: readonly EnginePort[] = [];
  outputs: readonly EnginePort[] = [];
  readonly #model: Uint8Array;
  readonly #sha256: Uint8Array;
  readonly #options: EngineOptions;
  readonly #startWorker: () => WorkerThread;
  readonly #budget: RespawnBudget;
  readonly #counts = { generation: 0, runs: 0, deadlineKills: 0, repliesDropped: 0, waiting: 0 };
  #generation: Generation | undefined;
  /** The newest that has its session; it may be dead. */
  #opened: Generation | undefined;
  /** The newest generation with its session, or why it has none. */
  #current: Promise<Result<Generation>> | undefined;
  /** The end of the line: each run starts when the one before it is answered. */
  #line: Promise<unknown> = Promise.resolve();
  /** Why no run will ever be answered again. */
  #final: Fault | undefined;

  constructor(model: RunnableModel, options: EngineOptions, startWorker: () => WorkerThread) {
    this.#model = model.bytes;
    this.#sha256 = copyBytes(model.sha256);
    this.#options = options;
    this.#startWorker = startWorker;
    this.#budget = new RespawnBudget(options.respawnsMax, options.respawnWindowMs, options.clock);
  }

  start(): Promise<Result<Generation>> {
    this.#current = this.#open();
    return this.#current;
  }

  async run(
    inputs: NamedTensors,
    deadlineMs: number = this.#options.runDeadlineMs,
  ): Promise<Result<NamedTensors>> {
    checkDeadline(deadlineMs);
    if (this.#final !== undefined) return err(this.#final);
    if (this.#counts.waiting > RUNS_WAITING_MAX) {
      const message = `${RUNS_WAITING_MAX} runs are waiting already`;
      return err(inferenceFault('inference.busy', message));
    }
    const checked = checkInputs(inputs, this.inputs);
    if (!checked.ok) return checked;
    const free = this.#counts.waiting === 0 && this.#opened?.alive ? this.#opened : undefined;
    // What a free worker gets before this returns needs no copy in which to wait.
    const feeds = free?.takesAtOnce(checked.value)
      ? ok({ tensors: checked.value, buffers: [] })
      : ownInputs(checked.value);
    if (!feeds.ok) return feeds;
    this.#counts.waiting += 1;
    const answer =
      free === undefined
        ? this.#line.then(() => this.#performWhenReady(feeds.value, deadlineMs))
        : this.#perform(free, feeds.value, deadlineMs);
    const settle = (): void => {
      this.#counts.waiting -= 1;
    };
    this.#line = answer.then(settle, settle);
    return answer;
  }

  stats(): EngineStats {
    const dropped = this.#counts.repliesDropped + (this.#generation?.repliesDropped ?? 0);
    return { ...this.#counts, repliesDropped: dropped, respawnsLeft: this.#budget.left() };
  }

  async close(): Promise<void> {
    const closed = inferenceFault('inference.closed', 'the engine was closed');
    this.#final = closed;
    await this.#generation?.end(closed);
    await this.#line;
  }

  async #performWhenReady(feeds: Feeds, deadlineMs: number): Promise<Result<NamedTensors>> {
    const ready = await this.#ready();
    return ready.ok ? this.#perform(ready.value, feeds, deadlineMs) : ready;
  }

  /** The feeds are handed over before this returns its promise. */
  async #perform(
    generation: Generation,
    feeds: Feeds,
    deadlineMs: number,
  ): Promise<Result<NamedTensors>> {
    const answer = await generation.run(feeds, { deadlineMs, late: 'inference.deadline' });
    this.#counts.runs += 1;
    if (answer.ok) return ok(answer.value.outputs);
    if (answer.fault.code === 'inference.deadline') this.#counts.deadlineKills += 1;
    // At once, so that the next frame need not wait for it; should it fail, that frame tries again.
    if (!generation.alive && this.#final === undefined && this.#budget.take()) void this.start();
    return answer;
  }

  async #ready(): Promise<Result<Generation>> {
    const current = await this.#current;
    if (this.#final !== undefined) return err(this.#final);
    if (current?.ok && current.value.alive) return current;
    if (this.#budget.take()) return this.start();
    const { respawnsMax, respawnWindowMs } = this.#options;
    const message = `${respawnsMax} workers were replaced within ${respawnWindowMs} ms`;
    return err(inferenceFault('inference.respawn-budget', message));
  }

  /** A new worker with its session; the worker itself holds the model against its digest. */
  async #open(): Promise<Result<Generation>> {
    this.#counts.repliesDropped += this.#generation?.repliesDropped ?? 0;
    this.#counts.generation += 1;
    let generation: Generation;
    try {
      generation = new Generation(this.#startWorker());
    } catch (thrown) {
      return err(inferenceFault('inference.crashed', `no worker thread: ${String(thrown)}`));
    }
    this.#generation = generation;
    const shared = this.#model.buffer instanceof SharedArrayBuffer;
    // A view is posted with all of its buffer, which may be a whole bundle: so the copy is ours.
    const model = shared ? this.#model : copyBytes(this.#model);
    const opened = await generation.open(
      { model, sha256: this.#sha256, wasmPagesMax: this.#options.wasmPagesMax },
      shared ? [] : [model.buffer as ArrayBuffer],
      { deadlineMs: this.#options.sessionDeadlineMs, late: 'inference.session-deadline' },
    );
    if (!opened.ok) {
      if (opened.fault.code === 'inference.model-changed') this.#final = opened.fault;
      void generation.end(opened.fault);
      return opened;
    }
    this.inputs = opened.value.inputs;
    this.outputs = opened.value.outputs;
    this.#opened = generation;
    return ok(generation);
  }
}

function checkOptions(options: EngineOptions): void {
  const { wasmPagesMax, respawnsMax, respawnWindowMs } = options;
  checkDeadline(options.runDeadlineMs);
  checkDeadline(options.sessionDeadlineMs);
  const pages = Number.isInteger(wasmPagesMax) && wasmPagesMax > 0;
  assert(pages && wasmPagesMax <= WASM_PAGES_MAX, `wasmPagesMax ${wasmPagesMax} is out of range`);
  assert(Number.isInteger(respawnsMax) && respawnsMax >= 0, `respawnsMax ${respawnsMax}`);
  assert(respawnWindowMs > 0, `respawnWindowMs ${respawnWindowMs}`);
}

function checkDeadline(deadlineMs: number): void {
  assert(
    deadlineMs > 0 && deadlineMs <= DEADLINE_MS_MAX,
    `a deadline of ${deadlineMs} ms is not within (0, ${DEADLINE_MS_MAX}]`,
  );
}
