/** Models and tensors that the tests of the inference room share. */
import type { Clock, MonotonicMs, UnixMs } from '../../../src/core/base/time.ts';
import type { DType, NamedTensors, Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';
import { encodeModel, type OnnxNodeSpec } from '../../../src/core/onnx/writer.ts';
import { makersModel, type RunnableModel } from '../../../src/core/trust/runnable-model.ts';
import type { EngineOptions } from '../../../src/host/inference/engine.ts';

/** A clock that stands still until it is moved. */
export function testClock(): Clock & { advance(ms: number): void } {
  let now = 0;
  return {
    monotonicMs: () => now as MonotonicMs,
    unixMs: () => now as UnixMs,
    advance(ms: number): void {
      now += ms;
    },
  };
}

export function options(changes: Partial<EngineOptions> = {}): EngineOptions {
  return {
    runDeadlineMs: 60_000,
    sessionDeadlineMs: 60_000,
    wasmPagesMax: 4096,
    respawnsMax: 3,
    respawnWindowMs: 1000,
    clock: testClock(),
    ...changes,
  };
}

export function named(tensors: Record<string, Tensor>): NamedTensors {
  return new Map(Object.entries(tensors));
}

export const int64 = (value: bigint, dims: readonly number[] = []): Tensor => ({
  dtype: 'int64',
  dims,
  data: BigInt64Array.of(value),
});

/** Two rows of two for every dtype, with the values at its edges. */
export const EVERY_DTYPE: readonly [DType, TensorData][] = [
  ['float32', Float32Array.of(1.5, -0, Infinity, 3e-40)],
  ['float64', Float64Array.of(1 / 3, -0, -Infinity, 5e-324)],
  ['float16', Uint16Array.of(0x3c00, 0x8000, 0xfc00, 1)],
  ['int8', Int8Array.of(-128, 127, 0, -1)],
  ['int16', Int16Array.of(-32_768, 32_767, 0, -1)],
  ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, -1)],
  ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n)],
  ['uint8', Uint8Array.of(0, 255, 1, 2)],
  ['uint16', Uint16Array.of(0, 65_535, 1, 2)],
  ['uint32', Uint32Array.of(0, 2 ** 32 - 1, 1, 2)],
  ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n, 1n, 2n)],
  ['bool', Uint8Array.of(0, 1, 1, 0)],
  ['string', ['', 'a', 'gr\u00fc\u00dfe \u{1f980}', ' ']],
];

/** An input `x` and an output `y` for each dtype, rows of two: `y.int8` is `x.int8`, and so on. */
export function identityModel(...dtypes: readonly DType[]): RunnableModel {
  const ports = (name: string) =>
    dtypes.map((dtype) => ({ name: `${name}.${dtype}`, dtype, dims: ['rows', 2] }));
  return makersModel(
    encodeModel({
      graph: {
        name: 'identity',
        nodes: dtypes.map((dtype) => ({
          op: 'Identity',
          inputs: [`x.${dtype}`],
          outputs: [`y.${dtype}`],
        })),
        inputs: ports('x'),
        outputs: ports('y'),
      },
    }),
  );
}

/** Counts to `n` in a Loop: an answer for a small `n`, none within a lifetime for a large one. */
export function loopModel(): Uint8Array {
  const scalar = { dtype: 'int64', dims: [] } as const;
  const truth = { dtype: 'bool', dims: [] } as const;
  const body = {
    name: 'body',
    nodes: [
      { op: 'Identity', inputs: ['go'], outputs: ['goOn'] },
      { op: 'Add', inputs: ['sum', 'one'], outputs: ['more'] },
    ],
    initializers: { one: int64(1n) },
    inputs: [
      { name: 'i', ...scalar },
      { name: 'go', ...truth },
      { name: 'sum', ...scalar },
    ],
    outputs: [
      { name: 'goOn', ...truth },
      { name: 'more', ...scalar },
    ],
  };
  const yes: Tensor = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };
  return encodeModel({
    graph: {
      name: 'loop',
      nodes: [
        {
          op: 'Loop',
          inputs: ['n', 'yes', 'zero'],
          outputs: ['count'],
          attributes: { body: { graph: body } },
        },
      ],
      initializers: { yes, zero: int64(0n) },
      inputs: [{ name: 'n', ...scalar }],
      outputs: [{ name: 'count', ...scalar }],
    },
  });
}

export const FOREVER: bigint = 2n ** 62n;

/** `n` zeros: summed up to one number, or given as they are. */
export function zerosModel(how: 'summed' | 'given'): RunnableModel {
  const fill: Tensor = { dtype: 'float32', dims: [1], data: Float32Array.of(0) };
  const nodes: OnnxNodeSpec[] = [
    {
      op: 'ConstantOfShape',
      inputs: ['n'],
      outputs: [how === 'given' ? 'y' : 'zeros'],
      attributes: { value: { tensor: fill } },
    },
  ];
  if (how === 'summed') {
    nodes.push({
      op: 'ReduceSum',
      inputs: ['zeros'],
      outputs: ['y'],
      attributes: { keepdims: { int: 0 } },
    });
  }
  return makersModel(
    encodeModel({
      graph: {
        name: 'zeros',
        nodes,
        inputs: [{ name: 'n', dtype: 'int64', dims: [1] }],
        outputs: [{ name: 'y', dtype: 'float32', dims: how === 'given' ? ['n'] : [] }],
      },
    }),
  );
}
