import { afterEach, describe, expect, it } from 'vitest';
import {
  RUN_BLOCK_BYTES,
  RUNS_WAITING_MAX,
  TENSOR_ELEMENTS_MAX,
} from '../../../src/core/base/limits.ts';
import {
  DTYPES,
  type DType,
  type NamedTensors,
  type Tensor,
} from '../../../src/core/numeric/tensor.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { makersModel, verifiedModel } from '../../../src/core/trust/runnable-model.ts';
import { type Engine, type EngineOptions, openEngine } from '../../../src/host/inference/engine.ts';
import {
  EVERY_DTYPE,
  FOREVER,
  identityModel,
  int64,
  loopModel,
  named,
  options,
  testClock,
  zerosModel,
} from './models.ts';

const engines: Engine[] = [];

async function open(
  model: Parameters<typeof openEngine>[0],
  changes: Partial<EngineOptions> = {},
): Promise<Engine> {
  const result = await openEngine(model, options(changes));
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
  engines.push(result.value);
  return result.value;
}

async function openingFault(
  model: Parameters<typeof openEngine>[0],
  changes: Partial<EngineOptions> = {},
): Promise<string> {
  const result = await openEngine(model, options(changes));
  if (result.ok) engines.push(result.value);
  return result.ok ? 'ok' : result.fault.code;
}

async function outputsOf(run: ReturnType<Engine['run']>): Promise<NamedTensors> {
  const result = await run;
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

function bytesOf(tensor: Tensor | undefined): Uint8Array {
  const { buffer, byteOffset, byteLength } = (tensor as Tensor).data as Float32Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function codeOf(run: ReturnType<Engine['run']>): Promise<string> {
  const result = await run;
  return result.ok ? 'ok' : result.fault.code;
}

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

describe('an engine', () => {
  it('carries every dtype in and out, for any number of rows', async () => {
    const dtypes = EVERY_DTYPE.map(([dtype]) => dtype);
    expect(dtypes).toStrictEqual(DTYPES);
    const engine = await open(identityModel(...dtypes));
    const port = (name: string, dtype: DType) => ({
      name: `${name}.${dtype}`,
      dtype,
      dims: ['rows', 2],
    });
    expect(engine.inputs).toStrictEqual(dtypes.map((dtype) => port('x', dtype)));
    expect(engine.outputs).toStrictEqual(dtypes.map((dtype) => port('y', dtype)));
    for (const rows of [2, 1, 0]) {
      const tensors = (name: string): NamedTensors =>
        new Map(
          EVERY_DTYPE.map(([dtype, data]) => [
            `${name}.${dtype}`,
            { dtype, dims: [rows, 2], data: data.slice(0, 2 * rows) },
          ]),
        );
      expect(await outputsOf(engine.run(tensors('x')))).toStrictEqual(tensors('y'));
    }
  });

  it('works on copies: of what the caller changes later, and of a row of a larger array', async () => {
    const engine = await open(identityModel('float32'));
    const all = Float32Array.of(1, 2, 3, 4, 5, 6);
    const x: Tensor = { dtype: 'float32', dims: [1, 2], data: all.subarray(2, 4) };
    const runs = [1, 2].map(() => engine.run(named({ 'x.float32': x })));
    all.fill(9);
    for (const run of runs) {
      const { data } = (await outputsOf(run)).get('y.float32') as Tensor;
      expect(data).toStrictEqual(Float32Array.of(3, 4));
      expect((data as Float32Array).buffer).toBeInstanceOf(ArrayBuffer);
    }
    expect(all).toHaveLength(6);
  });

  it('leaves the pool of small buffers alone', async () => {
    const engine = await open(identityModel('uint8'));
    const pooled = Buffer.from([7, 8]);
    expect(pooled.buffer.byteLength).toBeGreaterThan(2);
    const x: Tensor = { dtype: 'uint8', dims: [1, 2], data: pooled };
    const outputs = await outputsOf(engine.run(named({ 'x.uint8': x })));
    expect(outputs.get('y.uint8')?.data).toStrictEqual(Uint8Array.of(7, 8));
    expect([...pooled]).toStrictEqual([7, 8]);
  });

  it('carries what is larger than the block it shares with its worker, in and out', async () => {
    const count = RUN_BLOCK_BYTES / 4 + 2;
    const engine = await open(identityModel('float32'));
    for (const length of [2, count, 2]) {
      const data = Float32Array.from({ length }, (_, i) => i);
      const x: Tensor = { dtype: 'float32', dims: [length / 2, 2], data };
      const outputs = await outputsOf(engine.run(named({ 'x.float32': x })));
      expect(Buffer.compare(bytesOf(outputs.get('y.float32')), bytesOf(x))).toBe(0);
      expect(data).toHaveLength(length);
    }
    const zeros = await open(zerosModel('given'));
    const n = named({ n: int64(BigInt(count), [1]) });
    expect((await outputsOf(zeros.run(n))).get('y')?.dims).toStrictEqual([count]);
    expect(zeros.stats()).toMatchObject({ generation: 1, repliesDropped: 0 });
  });

  it('accepts inputs and outputs with the names of an object’s own members', async () => {
    const names = ['toString', '7', 'constructor'];
    const port = (name: string) => ({ name, dtype: 'int64', dims: [] }) as const;
    const graph = {
      name: 'names',
      nodes: names.map((n) => ({ op: 'Identity', inputs: [n], outputs: [`${n}.out`] })),
      inputs: names.map(port),
      outputs: names.map((n) => port(`${n}.out`)),
    };
    const engine = await open(makersModel(encodeModel({ graph })));
    const inputs = new Map(names.map((n, i) => [n, int64(BigInt(i))]));
    const outputs = await outputsOf(engine.run(inputs));
    expect(outputs).toStrictEqual(new Map(names.map((n, i) => [`${n}.out`, int64(BigInt(i))])));
  });

  it('answers in order and counts', async () => {
    const engine = await open(makersModel(loopModel()));
    const runs = [3n, 1n, 2n].map((n) => outputsOf(engine.run(named({ n: int64(n) }))));
    expect(engine.stats().waiting).toBe(3);
    const counts = (await Promise.all(runs)).map((outputs) => outputs.get('count'));
    expect(counts).toStrictEqual([int64(3n), int64(1n), int64(2n)]);
    expect(engine.stats()).toStrictEqual({
      generation: 1,
      runs: 3,
      deadlineKills: 0,
      respawnsLeft: 3,
      repliesDropped: 0,
      waiting: 0,
    });
  });
});

describe('a model that is not fit', () => {
  it('is refused with a code', async () => {
    const bytes = identityModel('float32').bytes;
    expect(await openingFault(makersModel(new Uint8Array(100).fill(7)))).toBe('inference.model');
    expect(await openingFault(makersModel(new Uint8Array(0)))).toBe('inference.model');
    expect(await openingFault(makersModel(bytes.slice(0, 40)))).toBe('inference.model');
    expect(await openingFault(verifiedModel(bytes, new Uint8Array(32)))).toBe(
      'inference.model-changed',
    );
  });

  it('is refused where ONNX Runtime has no such operator, or Edgeward no such port', async () => {
    const port = (name: string, dims: number[]) => ({ name, dtype: 'int64', dims }) as const;
    const gemm = encodeModel({
      graph: {
        name: 'gemm of whole numbers',
        nodes: [{ op: 'Gemm', inputs: ['a', 'b'], outputs: ['y'] }],
        inputs: [port('a', [1, 1]), port('b', [1, 1])],
        outputs: [port('y', [1, 1])],
      },
    });
    expect(await openingFault(makersModel(gemm))).toBe('inference.unsupported');
    const long = 'x'.repeat(200);
    const named = encodeModel({
      graph: {
        name: 'long name',
        nodes: [{ op: 'Identity', inputs: [long], outputs: ['y'] }],
        inputs: [port(long, [1])],
        outputs: [port('y', [1])],
      },
    });
    expect(await openingFault(makersModel(named))).toBe('inference.unsupported');
  });
});

describe('a run that does not end', () => {
  it('is killed at its deadline, and the next one is answered by a new worker', async () => {
    const engine = await open(makersModel(loopModel()));
    const endless = engine.run(named({ n: int64(FOREVER) }), 50);
    const next = engine.run(named({ n: int64(5n) }));
    expect(await codeOf(endless)).toBe('inference.deadline');
    expect((await outputsOf(next)).get('count')).toStrictEqual(int64(5n));
    const { generation, deadlineKills, respawnsLeft } = engine.stats();
    expect({ generation, deadlineKills, respawnsLeft }).toStrictEqual({
      generation: 2,
      deadlineKills: 1,
      respawnsLeft: 2,
    });
  });

  it('uses up the budget, which comes back when the window has passed', async () => {
    const clock = testClock();
    const engine = await open(makersModel(loopModel()), { respawnsMax: 1, clock });
    const forever = named({ n: int64(FOREVER) });
    const once = named({ n: int64(1n) });
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.deadline');
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.deadline');
    expect(await codeOf(engine.run(once))).toBe('inference.respawn-budget');
    clock.advance(999);
    expect(await codeOf(engine.run(once))).toBe('inference.respawn-budget');
    expect(engine.stats()).toMatchObject({ generation: 2, respawnsLeft: 0, deadlineKills: 2 });
    clock.advance(1);
    expect(await codeOf(engine.run(once))).toBe('ok');
    expect(engine.stats()).toMatchObject({ generation: 3, respawnsLeft: 0 });
  });

  it('bounds how many wait behind it, and lets close end them all', async () => {
    const engine = await open(makersModel(loopModel()));
    const forever = named({ n: int64(FOREVER) });
    const runs = Array.from({ length: RUNS_WAITING_MAX + 2 }, () => codeOf(engine.run(forever)));
    expect(await runs.at(-1)).toBe('inference.busy');
    await engine.close();
    const codes = await Promise.all(runs.slice(0, -1));
    expect(new Set(codes)).toStrictEqual(new Set(['inference.closed']));
    expect(await codeOf(engine.run(forever))).toBe('inference.closed');
    await engine.close();
  });

  it('does not hold up the making of a session either', async () => {
    const fault = await openingFault(makersModel(loopModel()), { sessionDeadlineMs: 1 });
    expect(fault).toBe('inference.session-deadline');
  });
});

describe('the model bytes', () => {
  it.each([
    ['shared with other threads', SharedArrayBuffer],
    ['of our own', ArrayBuffer],
  ])('%s are held against the digest before every session', async (_, Buffer) => {
    const source = loopModel();
    const bytes = new Uint8Array(new Buffer(source.length));
    bytes.set(source);
    const engine = await open(makersModel(bytes));
    const forever = named({ n: int64(FOREVER) });
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.deadline');
    expect(await codeOf(engine.run(named({ n: int64(2n) })))).toBe('ok');
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.deadline');
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.model-changed');
    bytes.set(source);
    expect(await codeOf(engine.run(forever, 20))).toBe('inference.model-changed');
    expect(engine.stats().generation).toBe(3);
  });
});

describe('the memory clamp', () => {
  it('stops a model that wants more, and a new worker goes on', async () => {
    const engine = await open(zerosModel('summed'), { wasmPagesMax: 512 });
    const run = (n: number) => engine.run(named({ n: int64(BigInt(n), [1]) }));
    expect(await codeOf(run(1000))).toBe('ok');
    expect(await codeOf(run(2 ** 25))).toBe('inference.memory');
    expect(await codeOf(run(1000))).toBe('ok');
    expect(engine.stats()).toMatchObject({ generation: 2, respawnsLeft: 2, deadlineKills: 0 });
  });

  it('stops an input that does not fit, which ONNX Runtime would write over its own memory', async () => {
    const engine = await open(identityModel('float32'), { wasmPagesMax: 512 });
    const x = (rows: number): Tensor => ({
      dtype: 'float32',
      dims: [rows, 2],
      data: new Float32Array(2 * rows).fill(1),
    });
    // Less than the memory there is: this is the size that is written without an error.
    expect(await codeOf(engine.run(named({ 'x.float32': x(2_000_000) })))).toBe('inference.memory');
    expect(await codeOf(engine.run(named({ 'x.float32': x(2) })))).toBe('ok');
    expect(engine.stats().generation).toBe(2);
  });

  it('stops a session that does not fit', async () => {
    const fault = await openingFault(identityModel('float32'), { wasmPagesMax: 200 });
    expect(fault).toBe('inference.memory');
  });
});

describe('a run that is refused', () => {
  it('gives a code, and the worker stays', async () => {
    const zeros = await open(zerosModel('given'), { wasmPagesMax: 8192 });
    const n = (value: number) => named({ n: int64(BigInt(value), [1]) });
    expect(await codeOf(zeros.run(n(-1)))).toBe('inference.run');
    expect(await codeOf(zeros.run(n(TENSOR_ELEMENTS_MAX + 1)))).toBe('inference.output-limit');
    expect(await codeOf(zeros.run(named({})))).toBe('inference.input-missing');
    expect((await outputsOf(zeros.run(n(3)))).get('y')?.dims).toStrictEqual([3]);
    expect(zeros.stats().generation).toBe(1);
  });

  it('takes a deadline or option out of range for a programmer error', async () => {
    const engine = await open(identityModel('float32'));
    await expect(engine.run(named({}), Number.NaN)).rejects.toThrow('deadline');
    await expect(openEngine(identityModel('bool'), options({ wasmPagesMax: 0 }))).rejects.toThrow(
      'wasmPagesMax',
    );
  });
});
