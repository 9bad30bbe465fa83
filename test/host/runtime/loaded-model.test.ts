/** From a verified bundle to a running model: everything that contradicts itself is refused. */
import { afterAll, describe, expect, it } from 'vitest';
import { GOLDEN_BOOT_RUNS } from '../../../src/core/base/limits.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { encodeGolden } from '../../../src/core/bundle/golden-codec.ts';
import { toleranceOf } from '../../../src/core/bundle/golden-tolerance.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { GUARD_AT_START } from '../../../src/core/guard/guard.ts';
import { DEFAULT_PROBE_SETTINGS } from '../../../src/core/guard/perturbation.ts';
import { encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { type VerifiedBundle, verifyBundle } from '../../../src/core/trust/verify.ts';
import {
  type BoardLimits,
  type LoadedModel,
  openModel,
  RUN_ROLES,
  readGuarding,
} from '../../../src/host/runtime/loaded-model.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { simulatedInput, simulatedModel } from '../../core/calibration/simulated.ts';
import { EVERY_DTYPE, identityModel } from '../inference/models.ts';
import { until } from '../uplink/brokers.ts';
import { workersAlive } from './alive.ts';
import {
  BOARD,
  CONTEXT,
  ECHO,
  ECHO_IO,
  frame,
  NAN_ON_ZEROS,
  policyFor,
  type ReleaseChange,
  release,
  row,
  rowOf,
  rowsModel,
  stillClock,
  stuckModel,
} from './releases.ts';

const opened: LoadedModel[] = [];
afterAll(() => Promise.all(opened.map(({ engine }) => engine.close())));

function verified(change: ReleaseChange = {}): VerifiedBundle {
  const source = bytesSource(release(change));
  return accepted(verifyBundle(source, 'boot', CONTEXT, { keep: RUN_ROLES }));
}

async function open(change: ReleaseChange = {}, board: BoardLimits = BOARD, goldenRuns?: number) {
  const result = await openModel(verified(change), board, stillClock(), goldenRuns);
  if (result.ok) opened.push(result.value);
  return result;
}

describe('readGuarding', () => {
  it('reads settings, policy and safe output that fit', () => {
    const policy = policyFor(sha256(ECHO));
    const guarding = accepted(readGuarding(verified({ policy, detection: 'reduced' })));
    expect(guarding.policy?.detection).toBe('reduced');
    expect(rowOf(guarding.safeOutput)).toEqual([1, 2]);
  });

  it('refuses a policy of another model, of another mode or of another output', () => {
    const own = policyFor(sha256(ECHO));
    const cases: [ReleaseChange, string][] = [
      [{ policy: policyFor(sha256(NAN_ON_ZEROS)), detection: 'reduced' }, 'another model'],
      [{ policy: own, detection: 'contract-only' }, 'declares contract-only'],
      [{ policy: own, detection: 'full' }, 'declares full'],
      [{ detection: 'reduced' }, 'declares reduced'],
      [{ policy: policyFor(sha256(ECHO), 'z'), detection: 'reduced' }, 'reads an output "z"'],
    ];
    for (const [change, words] of cases) {
      const fault = faultIn(readGuarding(verified(change)));
      expect(fault.code).toBe('runtime.policy-mismatch');
      expect(fault.message).toContain(words);
    }
  });

  it('passes on what settings, policy and safe output are refused for', () => {
    const code = (change: ReleaseChange): string => codeOf(readGuarding(verified(change)));
    expect(code({ guard: new Map([['frozenFrame', 3]]) })).toBe('field.unknown');
    expect(code({ policy: new Uint8Array(9), detection: 'reduced' })).toMatch(/^cbor\./);
    const safe = new Map([['outputs', new Map([['y', [100, 0]]])]]);
    expect(code({ safe })).toBe('guard.safe-output-contract');
  });
});

const WIDE_INPUT = { name: 'x', dtype: 'float32', dims: [row, 16], layout: 'NT' } as const;
const WIDE_IO = {
  inputs: [WIDE_INPUT],
  outputs: [{ name: 'y', dtype: 'float32', dims: [row, 16], role: 'other' }],
} as const;
const WIDE_PORT = { dtype: 'float32', dims: ['N', 16] } as const;
/** Sixteen samples of a signal, given back. */
const WIDE_ECHO = encodeModel({
  graph: {
    name: 'wide',
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    initializers: {},
    inputs: [{ name: 'x', ...WIDE_PORT }],
    outputs: [{ name: 'y', ...WIDE_PORT }],
  },
});

/** What the echo model gives, or what `answers` says instead, as the payload of a bundle. */
function golden(model: Uint8Array = ECHO, answers: readonly number[] = [3, 4]): Uint8Array {
  const y = (values: readonly number[]): Tensor => {
    return { dtype: 'float32', dims: [1, 2], data: Float32Array.from(values) };
  };
  return encodeGolden({
    modelSha256: sha256(model),
    tolerances: new Map([['y', toleranceOf([y(answers)])]]),
    vectors: [{ inputs: frame(3, 4), outputs: new Map([['y', y(answers)]]) }],
  });
}

describe('golden vectors of a bundle', () => {
  it('are held against the model at boot, as long as asked, and once in each later self-test', async () => {
    const once = accepted(await open({ golden: golden() }));
    expect(once.engine.stats().runs).toBe(1);
    const model = accepted(await open({ golden: golden() }, BOARD, GOLDEN_BOOT_RUNS));
    expect(model.golden?.vectors).toHaveLength(1);
    const atBoot = model.engine.stats().runs;
    // The clock of this test stands still, so that all runs of the warm-up are made.
    expect(atBoot).toBe(GOLDEN_BOOT_RUNS);
    expect(codeOf(await model.selfTest())).toBe('accepted');
    expect(model.engine.stats().runs).toBe(atBoot + 1);
    expect(accepted(await open()).golden).toBeUndefined();
  });

  it('refuse a model that gives something else, and end its worker', async () => {
    accepted(await open());
    const before = workersAlive();
    const fault = faultIn(await open({ golden: golden(ECHO, [3, 4.5]) }));
    expect(fault.code).toBe('golden.differs');
    expect(fault.message).toContain('output y, element [0, 1]: 4 where 4.5 was expected');
    await until(() => workersAlive() === before);
  });

  it('take the place of the neutral frame: a model may give NaN where nobody looks', async () => {
    expect(codeOf(await open({ model: NAN_ON_ZEROS }))).toBe('runtime.self-test');
    const change = { model: NAN_ON_ZEROS, golden: golden(NAN_ON_ZEROS, [1, 1]) };
    expect(codeOf(await open(change))).toBe('accepted');
  });

  it('are refused before any session where they belong to another model or make no sense', () => {
    const code = (bytes: Uint8Array): string => codeOf(readGuarding(verified({ golden: bytes })));
    expect(code(golden(NAN_ON_ZEROS))).toBe('golden.model');
    expect(code(new Uint8Array(0))).toBe('cbor.truncated');
    expect(code(golden())).toBe('accepted');
  });

  it('must have been kept: a device that forgot them would test less than was signed', () => {
    const source = bytesSource(release({ golden: golden() }));
    const bundle = accepted(verifyBundle(source, 'boot', CONTEXT, { keep: ['model', 'guard'] }));
    expect(() => readGuarding(bundle)).toThrow(/without keeping the golden vectors/);
  });
});

describe('openModel', () => {
  it('gives a model that runs and whose self-test can be repeated', async () => {
    const model = accepted(await open());
    expect(codeOf(await model.selfTest())).toBe('accepted');
    expect(rowOf(accepted(await model.engine.run(frame(3, 4))))).toEqual([3, 4]);
  });

  it('refuses statistics of another input, or of one of another shape', () => {
    const { fit, calibration, ...input } = simulatedInput(simulatedModel(2, 4));
    const column = (rows: number) =>
      Array.from({ length: rows }, (_, row) => Float64Array.of(row, row * 0.5));
    const policy = (name: string, columns: number) =>
      encodeGuardPolicy(
        accepted(
          fitGuardPolicy({
            ...{ ...input, modelSha256: sha256(ECHO), outputs: { scores: 'y' } },
            fit: { logits: fit.logits, sha256: fit.sha256 },
            calibration: { logits: calibration.logits, sha256: calibration.sha256 },
            input: {
              ...{ name, layout: { kind: 'table', columns } },
              fit: column(90).map((row) => row.subarray(0, columns)),
              calibration: column(118).map((row) => row.subarray(0, columns)),
            },
          }),
        ),
      );
    const code = (name: string, columns: number): string =>
      codeOf(readGuarding(verified({ policy: policy(name, columns), detection: 'reduced' })));
    expect([code('x', 2), code('x', 1), code('z', 2)]).toEqual([
      ...['accepted', 'runtime.policy-mismatch', 'runtime.policy-mismatch'],
    ]);
  });

  it('gives the guard a key to sample frames by where the policy probes them', async () => {
    const model = simulatedModel(2, 4);
    const input = simulatedInput(model);
    const plain = (rows: typeof input.fit) => ({ logits: rows.logits, sha256: rows.sha256 });
    const logits = model.outputs(3, 118).logits;
    const policy = fitGuardPolicy({
      ...{ ...input, modelSha256: sha256(WIDE_ECHO), outputs: { scores: 'y' } },
      ...{ fit: plain(input.fit), calibration: plain(input.calibration) },
      probed: { settings: DEFAULT_PROBE_SETTINGS, kind: 'median-3', logits },
    });
    const change: ReleaseChange = {
      ...{ model: WIDE_ECHO, io: WIDE_IO, safe: 'none' as const, detection: 'reduced' as const },
      policy: encodeGuardPolicy(accepted(policy)),
    };
    const { guard, policy: read } = accepted(await open(change));
    expect(read?.perturbation).toBeDefined();
    const x = { dtype: 'float32', dims: [1, 16], data: new Float32Array(16) } as const;
    const { state } = guard.plan(GUARD_AT_START, new Map([['x', x]]), 0 as MonotonicMs);
    expect(state.probes?.key).toHaveLength(32);
    // The same policy for an input that is no signal: nothing could be smoothed.
    const plain16 = { ...WIDE_IO, inputs: [{ ...WIDE_INPUT, layout: 'NF' }] };
    expect(faultIn(await open({ ...change, io: plain16 }))).toMatchObject({
      code: 'runtime.policy-mismatch',
      message: expect.stringContaining('median-3'),
    });
  });

  it('lets a bundle take less memory than the board allows and never more', async () => {
    const less = accepted(await open({ budgets: { wasmPagesMax: 2000 } }));
    const more = accepted(await open({ budgets: { wasmPagesMax: 60_000 } }));
    expect([less, more].map((model) => model.engineOptions.wasmPagesMax)).toEqual([2000, 4096]);
  });

  it.each<[string, ReleaseChange]>([
    ['other input', { io: { ...ECHO_IO, inputs: [input('z', [row, 2])] } }],
    ['other input type', { io: { ...ECHO_IO, inputs: [input('x', [row, 2], 'int32')] } }],
    ['other input rank', { io: { ...ECHO_IO, inputs: [input('x', [row, 2, 1])] } }],
    ['other input size', { io: { ...ECHO_IO, inputs: [input('x', [row, 3])] } }],
    ['further input', { io: { ...ECHO_IO, inputs: [input('x', [row, 2]), input('z', [1])] } }],
    ['other output', { io: { ...ECHO_IO, outputs: [output('z')] }, safe: 'none' }],
    ['further output', { io: { ...ECHO_IO, outputs: [output('y'), output('z')] }, safe: 'none' }],
  ])('refuses metadata with %s than the model has', async (_, change) => {
    expect(codeOf(await open(change))).toBe('runtime.ports');
  });

  it('refuses a model with more outputs than the metadata tells', async () => {
    const port = (name: string) => ({ name, dtype: 'float32', dims: ['N', 2] }) as const;
    const nodes = ['y', 'more'].map((name) => ({ op: 'Identity', inputs: ['x'], outputs: [name] }));
    const outputs = [port('y'), port('more')];
    const model = encodeModel({ graph: { name: 'm', nodes, inputs: [port('x')], outputs } });
    expect(codeOf(await open({ model }))).toBe('runtime.ports');
  });

  it('refuses a model that gives NaN on a frame of zeros', async () => {
    const fault = faultIn(await open({ model: NAN_ON_ZEROS }));
    expect(fault.code).toBe('runtime.self-test');
    expect(fault.message).toContain('output.not-finite');
  });

  it('refuses a model whose output is no row of the shape that was declared', async () => {
    const shape = { dtype: 'int64', dims: [2], data: BigInt64Array.of(2n, 1n) } as const;
    const nodes = [{ op: 'Reshape', inputs: ['x', 'shape'], outputs: ['y'] }];
    const model = rowsModel(nodes, { shape });
    expect(codeOf(await open({ model }))).toMatch(/^(runtime\.(self-test|ports)|inference\.)/);
  });

  it('tries the model on a frame within its ranges', async () => {
    const inputs = [{ ...input('x', [row, 2]), range: { min: 0.25, max: 0.5 } }];
    const change = { model: NAN_ON_ZEROS, io: { ...ECHO_IO, inputs } };
    expect(codeOf(await open(change))).toBe('accepted');
    const below = [{ ...input('x', [row, 2]), range: { min: -5, max: -2.5 } }];
    const under = { model: NAN_ON_ZEROS, io: { ...ECHO_IO, inputs: below } };
    expect(codeOf(await open(under))).toBe('accepted');
  });

  it('tries a model of every element type', async () => {
    const dtypes = EVERY_DTYPE.map(([dtype]) => dtype);
    const ports = (name: string) =>
      dtypes.map((dtype) => ({ name: `${name}.${dtype}`, dtype, dims: [row, 2] }));
    const inputs = ports('x').map((port) =>
      ['string', 'bool'].includes(port.dtype) ? port : { ...port, range: { min: 1.5, max: 3 } },
    );
    const outputs = ports('y').map((port) => ({ ...port, role: 'other' as const }));
    const model = identityModel(...dtypes).bytes;
    expect(codeOf(await open({ model, io: { inputs, outputs }, safe: 'none' }))).toBe('accepted');
  });

  it('ends the worker of a model that it refuses', async () => {
    accepted(await open());
    const before = workersAlive();
    expect(before).toBeGreaterThan(0);
    await open({ model: NAN_ON_ZEROS });
    await open({ io: { ...ECHO_IO, inputs: [input('z', [row, 2])] } });
    await until(() => workersAlive() === before);
  });

  it('ends a model that never answers its first frame', async () => {
    const change = { model: stuckModel(), budgets: { sessionDeadlineMs: 2_000 } };
    expect(codeOf(await open(change))).toMatch(/^inference\.(session-)?deadline$/);
  });

  it('ends a session that takes longer than it may', async () => {
    expect(codeOf(await open({}, { ...BOARD, sessionDeadlineMs: 1 }))).toBe(
      'inference.session-deadline',
    );
  });

  it('refuses what is no model', async () => {
    expect(codeOf(await open({ model: new Uint8Array(64) }))).toMatch(/^inference\./);
  });
});

function input(name: string, dims: (typeof ECHO_IO.inputs)[0]['dims'], dtype = 'float32') {
  return { name, dtype: dtype as 'float32', dims };
}

function output(name: string) {
  return { name, dtype: 'float32', dims: [row, 2], role: 'other' } as const;
}
