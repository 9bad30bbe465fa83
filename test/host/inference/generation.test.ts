import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { makersModel } from '../../../src/core/trust/runnable-model.ts';
import { type Engine, openEngineOn } from '../../../src/host/inference/engine.ts';
import { INFERENCE_FAULTS } from '../../../src/host/inference/faults.ts';
import type { WorkerRequest } from '../../../src/host/inference/protocol.ts';
import { named, options } from './models.ts';

const model = makersModel(Uint8Array.of(1, 2, 3));
const port = (name: string) => ({ name, dtype: 'float32', dims: ['rows'] });
const x: Tensor = { dtype: 'float32', dims: [1], data: Float32Array.of(1) };

type Behaviour = (thread: ScriptedThread, request: WorkerRequest) => void;

/** A worker thread that behaves as a script says, on its next turn. */
class ScriptedThread extends EventEmitter {
  readonly behave: Behaviour;
  terminated = 0;
  constructor(behave: Behaviour) {
    super();
    this.behave = behave;
  }
  postMessage(message: unknown): void {
    setImmediate(() => this.behave(this, message as WorkerRequest));
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
