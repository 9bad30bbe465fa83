/** One worker thread from start to end: asks it one thing at a time, each with a deadline. */
import { assert, err, type Fault, ok, type Result } from '../../core/base/fault.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { type InferenceFaultCode, inferenceFault } from './faults.ts';
import type { EnginePort, Feeds } from './ports.ts';
import { type OpenRequest, readReply, type WorkerReply, type WorkerRequest } from './protocol.ts';
import { ASKED_BY_MESSAGE, ASKED_HERE, RunBlock } from './run-block.ts';
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

const NOT_OF_THE_PROTOCOL = 'it gave no reply of its protocol';

export class Generation {
  readonly #thread: WorkerThread;
  readonly #block = new RunBlock();
  #inputs: readonly EnginePort[] = [];
  #outputs: readonly EnginePort[] = [];
  #pending: Pending | undefined;
  /** Whether an answer in the block would be noticed. */
  #listening = false;
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

  /** Makes the session; `request` without what only the generation knows. */
  open(
    request: Omit<OpenRequest, 'kind' | 'id' | 'block'>,
    buffers: ArrayBuffer[],
    deadline: Deadline,
  ): Promise<Result<Answer<'opened'>>> {
    const { buffer: block } = this.#block;
    return this.#ask('opened', deadline, (id) => {
      this.#thread.postMessage(
        { kind: 'open', id, block, ...request } satisfies WorkerRequest,
        buffers,
      );
    });
  }

  /** Whether `run` would copy these tensors; others it hands over. */
  takesAtOnce(tensors: NamedTensors): boolean {
    return this.#block.fits(tensors.values());
  }

  /** Runs the model once. When this returns, the feeds were copied or handed over. */
  run(feeds: Feeds, deadline: Deadline): Promise<Result<Answer<'ran'>>> {
    return this.#ask('ran', deadline, (id) => {
      if (this.#block.put(id, feeds.tensors, this.#inputs)) {
        this.#block.ask(ASKED_HERE);
        this.#listen();
        return;
      }
      const { tensors: inputs, buffers } = feeds;
      this.#thread.postMessage({ kind: 'run', id, inputs } satisfies WorkerRequest, buffers);
      this.#block.ask(ASKED_BY_MESSAGE);
    });
  }

  /**
   * Sends a request and waits for a reply of `kind`, for `deadlineMs` from now at most; then the
   * thread is terminated, which is the only way to stop a model.
   */
  #ask<K extends Kind>(
    kind: K,
    { deadlineMs, late }: Deadline,
    send: (id: number) => void,
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
      send(id);
    });
  }

  /** Terminates the thread; a question that is open gets `fault`. Resolves when it is gone. */
  async end(fault: Fault): Promise<void> {
    this.#endedBy ??= fault;
    // A thread that cannot be terminated is gone for us all the same.
    this.#ended ??= this.#thread.terminate().catch(() => undefined);
    this.#pending?.settle(err(fault));
    this.#block.release();
    await this.#ended;
  }

  /** One listener, however often a worker answers some other way than in the block. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    void this.#block.woken().then(() => {
      this.#listening = false;
      this.#takeFromBlock();
    });
  }

  #takeFromBlock(): void {
    if (!this.alive) return;
    // A worker stores its answer and then wakes us. Who saw the answer in between has asked the next
    // thing when that wake-up comes: it announces nothing, and we listen on.
    if (this.#block.isUnanswered) {
      this.#listen();
      return;
    }
    const pending = this.#pending;
    const outputs = this.#block.isAnswered ? this.#block.take(this.#outputs, 'copies') : undefined;
    if (pending?.kind === 'ran' && outputs !== undefined) {
      pending.settle(ok({ kind: 'ran', id: pending.id, outputs }));
    } else {
      this.#die('inference.reply', NOT_OF_THE_PROTOCOL);
    }
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
      if (reply.kind === 'opened') {
        this.#inputs = reply.inputs;
        this.#outputs = reply.outputs;
      }
      pending?.settle(ok(reply));
    } else {
      this.#die('inference.reply', NOT_OF_THE_PROTOCOL);
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
