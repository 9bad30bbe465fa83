/** One worker thread from start to end: asks it one thing at a time, each with a deadline. */
import { assert, err, type Fault, ok, type Result } from '../../core/base/fault.ts';
import { type InferenceFaultCode, inferenceFault } from './faults.ts';
import type { EnginePort } from './ports.ts';
import { readReply, type WorkerReply, type WorkerRequest } from './protocol.ts';
import type { WorkerThread } from './worker-thread.ts';

type Kind = Exclude<WorkerReply['kind'], 'failed'>;
type Answer<K extends Kind = Kind> = Extract<WorkerReply, { readonly kind: K }>;

export interface Deadline {
  readonly deadlineMs: number;
  /** The code of the fault when it passes. */
  readonly late: InferenceFaultCode;
}

interface Pending {
  readonly id: number;
  readonly kind: Kind;
  readonly settle: (result: Result<Answer>) => void;
}

export class Generation {
  readonly #thread: WorkerThread;
  #outputs: readonly EnginePort[] = [];
  #pending: Pending | undefined;
  #lastId = 0;
  #ended: Promise<unknown> | undefined;
  #endedBy: Fault | undefined;
  #repliesDropped = 0;

  constructor(thread: WorkerThread) {
    this.#thread = thread;
    thread.on('message', (raw) => this.#take(raw));
    thread.on('messageerror', () => this.#die('inference.reply', 'its reply cannot be read'));
    thread.on('error', (cause) => this.#die('inference.crashed', wordsOf(cause)));
    thread.on('exit', (code) => this.#die('inference.crashed', `exit code ${String(code)}`));
  }

  get alive(): boolean {
    return this.#endedBy === undefined;
  }

  /** Replies to no question that is open: they change nothing, but somebody should know. */
  get repliesDropped(): number {
    return this.#repliesDropped;
  }

  /**
   * Sends a request and waits for a reply of `kind`, for `deadlineMs` from now at most; then the
   * thread is terminated, which is the only way to stop a model.
   */
  ask<K extends Kind>(
    kind: K,
    request: (id: number) => WorkerRequest,
    buffers: ArrayBuffer[],
    { deadlineMs, late }: Deadline,
  ): Promise<Result<Answer<K>>> {
    assert(this.#pending === undefined, 'a generation is asked one thing at a time');
    if (this.#endedBy !== undefined) return Promise.resolve(err(this.#endedBy));
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // This thread may have been busy while the reply came in; look once more before killing.
        setImmediate(() => {
          if (this.#pending?.id !== id) return;
          void this.end(inferenceFault(late, `no answer within ${deadlineMs} ms`));
        });
      }, deadlineMs);
      const settle = (result: Result<Answer>): void => {
        clearTimeout(timer);
        this.#pending = undefined;
        resolve(result as Result<Answer<K>>);
      };
      this.#pending = { id, kind, settle };
      this.#thread.postMessage(request(id), buffers);
    });
  }

  /** Terminates the thread; a question that is open gets `fault`. Resolves when it is gone. */
  async end(fault: Fault): Promise<void> {
    this.#endedBy ??= fault;
    // A thread that cannot be terminated is gone for us all the same.
    this.#ended ??= this.#thread.terminate().catch(() => undefined);
    this.#pending?.settle(err(fault));
    await this.#ended;
  }

  #take(raw: unknown): void {
    if (!this.alive) return;
    const reply = readReply(raw, this.#outputs);
    const pending = this.#pending;
    if (reply !== undefined && reply.id !== pending?.id) {
      this.#repliesDropped += 1;
    } else if (reply?.kind === 'failed') {
      const fault = inferenceFault(reply.code, reply.message);
      if (reply.fatal) void this.end(fault);
      else pending?.settle(err(fault));
    } else if (reply?.kind === pending?.kind && reply !== undefined) {
      if (reply.kind === 'opened') this.#outputs = reply.outputs;
      pending?.settle(ok(reply));
    } else {
      this.#die('inference.reply', 'it gave no reply of its protocol');
    }
  }

  #die(code: InferenceFaultCode, seen: string): void {
    void this.end(inferenceFault(code, `the worker failed: ${seen}`));
  }
}

/** What a thread threw crosses over as a copy of anything; even `String` of it may throw. */
function wordsOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : cause;
  return typeof message === 'string' ? message : `it threw ${typeof cause}`;
}
