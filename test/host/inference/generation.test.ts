import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import { makersModel } from '../../../src/core/trust/runnable-model.ts';
import { type Engine, openEngineOn } from '../../../src/host/inference/engine.ts';
import { INFERENCE_FAULTS } from '../../../src/host/inference/faults.ts';
import type { EnginePort } from '../../../src/host/inference/ports.ts';
import type { WorkerRequest } from '../../../src/host/inference/protocol.ts';
import { ASKED_HERE, RunBlock } from '../../../src/host/inference/run-block.ts';
import { named, options } from './models.ts';

const model = makersModel(Uint8Array.of(1, 2, 3));
const port = (name: string): EnginePort => ({ name, dtype: 'float32', dims: ['rows'] });
const x: Tensor = { dtype: 'float32', dims: [1], data: Float32Array.of(1) };

type Behaviour = (thread: ScriptedThread, request: WorkerRequest) => void;

/** A worker thread that behaves as a script says, on its next turn, however it was asked. */
class ScriptedThread extends EventEmitter {
  readonly behave: Behaviour;
  block = new RunBlock(new SharedArrayBuffer(4096));
  terminated = 0;
  constructor(behave: Behaviour) {
    super();
    this.behave = behave;
  }
  postMessage(message: unknown): void {
    const request = message as WorkerRequest;
    if (request.kind === 'open') {
      this.block = new RunBlock(request.block);
      void this.#watch();
    }
    setImmediate(() => this.behave(this, request));
  }
  async #watch(): Promise<never> {
    const asked = new Int32Array(this.block.buffer, 0, 1);
    for (;;) {
      const waiting = Atomics.waitAsync(asked, 0, 0);
      if (waiting.async) await waiting.value;
      if (Atomics.exchange(asked, 0, 0) !== ASKED_HERE) continue;
      const inputs = this.block.take([port('x')], 'copies') as NamedTensors;
      setImmediate(() => this.behave(this, { kind: 'run', id: this.block.id, inputs }));
    }
  }
  async terminate(): Promise<number> {
    this.terminated += 1;
    return 1;
  }
  say(message: unknown): void {
    this.emit('message', message);
  }
}

/** Opens like the real worker; runs are left to `onRun`. */
function scripted(onRun: Behaviour): Behaviour {
  return (thread, request) => {
    if (request.kind === 'run') return onRun(thread, request);
    thread.say({ kind: 'opened', id: request.id, inputs: [port('x')], outputs: [port('y')] });
  };
}

function answer(thread: ScriptedThread, id: number, value: number): void {
  thread.say({
    kind: 'ran',
    id,
    outputs: new Map([['y', { ...x, data: Float32Array.of(value) }]]),
  });
}

async function openOn(...behaviours: Behaviour[]) {
  const threads: ScriptedThread[] = [];
  const result = await openEngineOn(model, options(), () => {
    const behave = behaviours[Math.min(threads.length, behaviours.length - 1)] as Behaviour;
    const thread = new ScriptedThread(behave);
    threads.push(thread);
    return thread;
  });
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
  return { engine: result.value, threads };
}

async function openingFault(behave: Behaviour): Promise<string> {
  const result = await openEngineOn(model, options(), () => new ScriptedThread(behave));
  return result.ok ? 'ok' : result.fault.code;
}

async function run(engine: Engine): Promise<string | number | undefined> {
  const result = await engine.run(named({ x }));
  return result.ok ? (result.value.get('y')?.data[0] as number) : result.fault.code;
}

const good = scripted((thread, { id }) => answer(thread, id, 7));

describe('a worker that answers out of turn', () => {
  it('changes nothing with a late, early or unknown id, and is counted', async () => {
    const { engine } = await openOn(
      scripted((thread, { id }) => {
        answer(thread, id - 1, 1);
        answer(thread, id + 1, 2);
        answer(thread, id, 3);
        answer(thread, id, 4);
        thread.say({ kind: 'failed', id: 999, code: 'inference.run', message: '', fatal: true });
      }),
    );
    expect(await run(engine)).toBe(3);
    expect(await run(engine)).toBe(3);
    await new Promise(setImmediate);
    expect(engine.stats()).toMatchObject({ generation: 1, repliesDropped: 8, runs: 2 });
  });

  it('is not heard any more once it was ended', async () => {
    const { engine, threads } = await openOn(
      scripted((thread, { id }) => {
        thread.say({ kind: 'failed', id, code: 'inference.memory', message: 'm', fatal: true });
        answer(thread, id, 1);
      }),
      good,
    );
    expect(await run(engine)).toBe('inference.memory');
    expect(await run(engine)).toBe(7);
    expect(threads.map((thread) => thread.terminated)).toStrictEqual([1, 0]);
    expect(engine.stats()).toMatchObject({ generation: 2, repliesDropped: 0, respawnsLeft: 2 });
  });
});

describe('a worker that breaks', () => {
  const ways: readonly [string, string, Behaviour][] = [
    ['throws', 'inference.crashed', (thread) => thread.emit('error', new Error('boom'))],
    [
      'throws what cannot be told',
      'inference.crashed',
      (thread) => thread.emit('error', { toString: 1, valueOf: 1 }),
    ],
    ['exits', 'inference.crashed', (thread) => thread.emit('exit', 3)],
    ['sends what cannot be read', 'inference.reply', (thread) => thread.emit('messageerror', 0)],
    ['says nothing at all', 'inference.reply', (thread) => thread.say(null)],
    ['answers without an id', 'inference.reply', (thread) => thread.say({ kind: 'ran' })],
    [
      'answers what was not asked',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'opened', id, inputs: [], outputs: [] }),
    ],
    [
      'answers of an unknown kind',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'done', id }),
    ],
    [
      'fails with an unknown code',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'failed', id, code: 'cbor.truncated', message: '' }),
    ],
    [
      'fails without words',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'failed', id, code: 'inference.run' }),
    ],
    [
      'gives no outputs',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'ran', id, outputs: new Map() }),
    ],
    [
      'gives an output of another name',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'ran', id, outputs: new Map([['z', x]]) }),
    ],
    [
      'gives an output of another type',
      'inference.reply',
      (thread, { id }) =>
        thread.say({ kind: 'ran', id, outputs: new Map([['y', { ...x, dtype: 'int8' }]]) }),
    ],
    [
      'gives other data than it says',
      'inference.reply',
      (thread, { id }) =>
        thread.say({ kind: 'ran', id, outputs: new Map([['y', { ...x, data: [1] }]]) }),
    ],
    [
      'gives fewer elements than it says',
      'inference.reply',
      (thread, { id }) =>
        thread.say({ kind: 'ran', id, outputs: new Map([['y', { ...x, dims: [2] }]]) }),
    ],
    [
      'gives outputs that are no map',
      'inference.reply',
      (thread, { id }) => thread.say({ kind: 'ran', id, outputs: { y: x } }),
    ],
  ];

  it.each(ways)('%s: the run gets %s and the next one a new worker', async (_, code, behave) => {
    const { engine, threads } = await openOn(scripted(behave), good);
    expect(await run(engine)).toBe(code);
    expect(await run(engine)).toBe(7);
    expect(threads.map((thread) => thread.terminated)).toStrictEqual([1, 0]);
  });

  it.each(ways.slice(0, 9))('%s while it opens: %s', async (way, code, behave) => {
    const opening = way === 'answers what was not asked' ? good : behave;
    expect(await openingFault(opening)).toBe(opening === good ? 'ok' : code);
  });

  it('dies between two runs: the next one is answered all the same', async () => {
    const { engine, threads } = await openOn(good);
    threads[0]?.emit('exit', 0);
    expect(await run(engine)).toBe(7);
    expect(engine.stats()).toMatchObject({ generation: 2, respawnsLeft: 2 });
  });

  it('cannot be started: a fault', async () => {
    const result = await openEngineOn(model, options(), () => {
      throw new Error('ERR_ACCESS_DENIED');
    });
    expect(!result.ok && result.fault.code).toBe('inference.crashed');
  });

  it('opens with ports beyond the limits: refused', async () => {
    const opened = (ports: unknown) =>
      openingFault((thread, { id }) =>
        thread.say({ kind: 'opened', id, inputs: ports, outputs: [] }),
      );
    expect(await opened([port('x')])).toBe('ok');
    expect(await opened(Array.from({ length: 33 }, (_, i) => port(`x${i}`)))).toBe(
      'inference.reply',
    );
    expect(await opened([{ ...port('x'), dtype: 'bfloat16' }])).toBe('inference.reply');
    expect(await opened([{ ...port('x'), dims: [-1] }])).toBe('inference.reply');
    expect(await opened([{ ...port('x'), dims: ['d'.repeat(129)] }])).toBe('inference.reply');
    expect(await opened([{ ...port('x'), dims: new Array(9).fill(1) }])).toBe('inference.reply');
    expect(await opened([null])).toBe('inference.reply');
    expect(await opened('x')).toBe('inference.reply');
  });
});

describe('a worker that answers in the block', () => {
  const y = (value: number): NamedTensors => named({ y: { ...x, data: Float32Array.of(value) } });
  const put = (thread: ScriptedThread, id: number, value: number): void => {
    expect(thread.block.put(id, y(value), [port('y')])).toBe(true);
    thread.block.answer();
  };
  const words = (thread: ScriptedThread) => new Int32Array(thread.block.buffer);
  const numbers = (thread: ScriptedThread) => new Float64Array(thread.block.buffer, 136);

  it('is heard, run after run, and gets the inputs of each', async () => {
    const { engine } = await openOn(
      scripted((thread, request) => {
        const inputs = request.kind === 'run' ? request.inputs : named({});
        put(thread, request.id, 10 * (inputs.get('x')?.data[0] as number));
      }),
    );
    for (const value of [1, 2, 3, 4]) {
      const input: Tensor = { ...x, data: Float32Array.of(value) };
      const result = await engine.run(named({ x: input }));
      expect(result.ok && result.value.get('y')?.data[0]).toBe(10 * value);
    }
    expect(engine.stats()).toMatchObject({ generation: 1, repliesDropped: 0, runs: 4 });
  });

  it('cannot change what it answered', async () => {
    const { engine, threads } = await openOn(scripted((thread, { id }) => put(thread, id, 7)));
    const result = await engine.run(named({ x }));
    const tensor = result.ok ? (result.value.get('y') as Tensor) : x;
    words(threads[0] as ScriptedThread).fill(0x41414141);
    expect(tensor).toStrictEqual({ ...x, data: Float32Array.of(7) });
    expect((tensor.data as Float32Array).buffer).toBeInstanceOf(ArrayBuffer);
  });

  const ways: readonly [string, (thread: ScriptedThread) => void][] = [
    ['wakes with an unknown flag', (thread) => words(thread).fill(2, 16, 17)],
    ['states a rank that is no number', (thread) => numbers(thread).fill(Number.NaN, 0, 1)],
    ['states a rank beyond the limit', (thread) => numbers(thread).fill(9, 0, 1)],
    ['states half a dimension', (thread) => numbers(thread).fill(0.5, 1, 2)],
    ['states less than nothing', (thread) => numbers(thread).fill(-1, 1, 2)],
    ['states more than the block holds', (thread) => numbers(thread).fill(2 ** 21, 1, 2)],
    ['states more than any tensor holds', (thread) => numbers(thread).fill(2 ** 52, 1, 2)],
  ];
  it.each(ways)('%s: the run gets a fault and the next one a new worker', async (way, act) => {
    const { engine, threads } = await openOn(
      scripted((thread, { id }) => {
        expect(thread.block.put(id, y(1), [port('y')])).toBe(true);
        act(thread);
        if (way.startsWith('states')) thread.block.answer();
        else thread.block.release();
      }),
      good,
    );
    expect(await run(engine)).toBe('inference.reply');
    expect(await run(engine)).toBe(7);
    expect(threads.map((thread) => thread.terminated)).toStrictEqual([1, 0]);
  });

  it('after its answer by message came: nobody asked, so the next run gets a new worker', async () => {
    const { engine, threads } = await openOn(
      scripted((thread, { id }) => {
        answer(thread, id, 3);
        put(thread, id, 4);
      }),
      good,
    );
    expect(await run(engine)).toBe(3);
    await vi.waitUntil(() => threads[0]?.terminated === 1);
    expect(await run(engine)).toBe(7);
    expect(engine.stats()).toMatchObject({ generation: 2, respawnsLeft: 2 });
  });

  it('wakes too late, when the next run was asked: that run waits for its own answer', async () => {
    const { engine } = await openOn(
      scripted((thread, { id }) => {
        // The wake-up of a run before, or of nothing at all, comes ahead of each answer.
        thread.block.release();
        setTimeout(() => {
          thread.block.release();
          put(thread, id, id);
        }, 2);
      }),
    );
    for (const id of [2, 3, 4, 5]) expect(await run(engine)).toBe(id);
    expect(engine.stats()).toMatchObject({ generation: 1, repliesDropped: 0, runs: 4 });
  });

  it('wakes without ever an answer: its deadline ends it', async () => {
    const { engine, threads } = await openOn(
      scripted((thread) => {
        const waking = setInterval(() => thread.block.release(), 1);
        thread.once('terminated', () => clearInterval(waking));
      }),
      good,
    );
    const late = await engine.run(named({ x }), 20);
    expect(!late.ok && late.fault.code).toBe('inference.deadline');
    threads[0]?.emit('terminated');
    expect(await run(engine)).toBe(7);
  });

  it('never: its deadline ends it, and lets go of the block', async () => {
    const { engine, threads } = await openOn(
      scripted(() => undefined),
      good,
    );
    const late = await engine.run(named({ x }), 5);
    expect(!late.ok && late.fault.code).toBe('inference.deadline');
    const [first] = threads;
    // Too late: nobody is there to hear it.
    put(first as ScriptedThread, 1, 1);
    expect(await run(engine)).toBe(7);
    expect(threads[1]?.block.buffer).not.toBe(first?.block.buffer);
    expect(threads.map((thread) => thread.terminated)).toStrictEqual([1, 0]);
  });

  it('keeps no more than one listener, and the event loop turns between runs', async () => {
    const { engine } = await openOn(scripted((thread, { id }) => put(thread, id, 7)));
    let turns = 0;
    const count = (): void => {
      turns += 1;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const waits = vi.spyOn(Atomics, 'waitAsync');
    for (let i = 0; i < 20; i++) expect(await run(engine)).toBe(7);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThanOrEqual(20);
    // One of the engine's and one of the scripted thread's for each run.
    expect(waits.mock.calls.length).toBeLessThanOrEqual(42);
    waits.mockRestore();
  });
});

describe('a fault that the worker found', () => {
  it('is passed on in one bounded line, whatever the model wrote into it', async () => {
    const message = `a\u001b[31m\nname ${'x'.repeat(5000)}`;
    const { engine } = await openOn(
      scripted((thread, { id }) =>
        thread.say({ kind: 'failed', id, code: 'inference.run', message, fatal: false }),
      ),
    );
    const result = await engine.run(named({ x }));
    if (result.ok) throw new Error('expected a fault');
    expect(result.fault.message).toMatch(/^a\\u001b\[31m\\u000aname x{900,1000}…$/);
    expect(result.fault.next).toBe(INFERENCE_FAULTS['inference.run']);
    expect(engine.stats().generation).toBe(1);
  });

  it('tells that the clamp does not hold', async () => {
    const code = await openingFault((thread, { id }) =>
      thread.say({ kind: 'failed', id, code: 'inference.clamp', message: '', fatal: true }),
    );
    expect(code).toBe('inference.clamp');
  });
});
