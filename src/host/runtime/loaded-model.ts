/** From a verified bundle to a model that is ready to judge frames: policy, session, self-test. */
import { isDeepStrictEqual } from 'node:util';
import { equalBytes } from '../../core/base/bytes.ts';
import {
  assert,
  attempt,
  attemptAsync,
  type Fault,
  need,
  type Result,
} from '../../core/base/fault.ts';
import { GOLDEN_WARM_MS_MAX, RESPAWN_WINDOW_MS, RESPAWNS_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { Golden } from '../../core/bundle/golden-codec.ts';
import type { Dim, InputSchema, IoSchema } from '../../core/bundle/io-schema.ts';
import type { FileRole } from '../../core/bundle/metadata.ts';
import { createGuard, type Guard } from '../../core/guard/guard.ts';
import { inputLayout } from '../../core/guard/input-layout.ts';
import { checkOutput } from '../../core/guard/output-contract.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import { decodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { parseSafeOutput, safeOutputTensors } from '../../core/guard/safe-output.ts';
import { type GuardSettings, parseGuardSettings } from '../../core/guard/settings.ts';
import { squeezeKind } from '../../core/guard/squeeze.ts';
import { dataFromNumbers } from '../../core/numeric/from-numbers.ts';
import { elementCount, type NamedTensors, type Tensor } from '../../core/numeric/tensor.ts';
import { modelOf, payloadOf, type VerifiedBundle } from '../../core/trust/verify.ts';
import { type Engine, type EngineOptions, openEngine } from '../inference/engine.ts';
import { type LoadedKernels, loadKernels } from '../inference/kernels-file.ts';
import { newKeySeed } from '../platform/identity.ts';
import { refuseRuntime } from './faults.ts';
import { readGolden, soak } from './golden-run.ts';

/** What a bundle must have been verified with to be opened here. */
export const RUN_ROLES: readonly FileRole[] = ['model', 'guard', 'golden'];

/** What the board allows; a bundle's own budgets are inside it, deadlines instead of it. */
export interface BoardLimits {
  readonly runDeadlineMs: number;
  readonly sessionDeadlineMs: number;
  readonly wasmPagesMax: number;
}

/** What the signed bytes of a bundle say about guarding, parsed and cross-checked. */
export interface Guarding {
  readonly settings: GuardSettings;
  readonly policy: GuardPolicy | undefined;
  readonly safeOutput: NamedTensors | undefined;
  /** Inputs with the outputs that the model must give for them, where the bundle has them. */
  readonly golden: Golden | undefined;
}

export interface LoadedModel extends Guarding {
  readonly bundle: VerifiedBundle;
  readonly engine: Engine;
  readonly guard: Guard;
  readonly engineOptions: EngineOptions;
  /** Why the guard runs on the reference kernels, which judge alike and take longer. */
  readonly kernelsFault?: Fault | undefined;
  /**
   * Every golden vector once, or one run on a neutral frame where there is none. Faults:
   * `golden.differs`, `runtime.soak`, `runtime.self-test`, `inference.*`.
   */
  selfTest(): Promise<Result<true>>;
}

/**
 * Parses what a bundle says about guarding; the packer asks this too, so that no bundle ships that a
 * device would refuse. Faults: `policy.*`, `field.*`, `guard.*`, `golden.*`,
 * `runtime.policy-mismatch`.
 */
export function readGuarding(bundle: VerifiedBundle): Result<Guarding> {
  return attempt(() => {
    const { meta } = bundle;
    const settings = need(parseGuardSettings(meta.guard));
    const bytes = payloadOf(bundle, 'guard');
    const policy = bytes && need(decodeGuardPolicy(bytes));
    // Statistics of another model would judge nothing and say nothing about it.
    if (policy !== undefined && !equalBytes(policy.modelSha256, modelOf(bundle).sha256)) {
      throw refuseRuntime('runtime.policy-mismatch', 'the policy names another model digest');
    }
    if ((policy?.detection ?? 'contract-only') !== meta.detection) {
      throw refuseRuntime('runtime.policy-mismatch', `the metadata declares ${meta.detection}`);
    }
    checkPolicyOutputs(policy, meta.io);
    checkPolicyInputs(policy, meta.io);
    const tolerance = settings.probabilitySumTolerance;
    const safeOutput =
      meta.safeOutput &&
      need(safeOutputTensors(need(parseSafeOutput(meta.safeOutput)), meta.io, tolerance));
    const vectors = payloadOf(bundle, 'golden');
    const kept = vectors !== undefined || meta.files.every(({ role }) => role !== 'golden');
    assert(kept, 'the bundle was verified without keeping the golden vectors');
    const golden = vectors && need(readGolden(vectors, modelOf(bundle).sha256, meta.io));
    return { settings, policy, safeOutput, golden };
  });
}

/**
 * Every golden vector runs once, and on to `goldenRuns`. Faults: those of `readGuarding`,
 * `inference.*`, `runtime.ports`, `runtime.self-test`.
 */
export function openModel(
  bundle: VerifiedBundle,
  board: BoardLimits,
  clock: Clock,
  goldenRuns: number = 1,
): Promise<Result<LoadedModel>> {
  return attemptAsync(async () => {
    const guarding = need(readGuarding(bundle));
    const { io, budgets } = bundle.meta;
    const engineOptions: EngineOptions = {
      runDeadlineMs: budgets.runDeadlineMs ?? board.runDeadlineMs,
      sessionDeadlineMs: budgets.sessionDeadlineMs ?? board.sessionDeadlineMs,
      wasmPagesMax: Math.min(budgets.wasmPagesMax ?? board.wasmPagesMax, board.wasmPagesMax),
      respawnsMax: RESPAWNS_MAX,
      respawnWindowMs: RESPAWN_WINDOW_MS,
      clock,
    };
    const opening = openEngine(modelOf(bundle), engineOptions);
    // While the worker starts.
    const { kernels, fault: kernelsFault } = kernelsOnce();
    const engine = need(await opening);
    const { golden, policy } = guarding;
    const probeKey = policy?.perturbation && newKeySeed();
    const guard = createGuard({ schema: io, kernels, probeKey, ...guarding });
    const selfTest = (runs: number = 1): Promise<Result<true>> =>
      golden === undefined
        ? runSelfTest(engine, io, engineOptions)
        : runGoldenTest(engine, golden, engineOptions, runs);
    const ready = await attemptAsync(async () => {
      checkPorts('input', io.inputs, engine.inputs);
      checkPorts('output', io.outputs, engine.outputs);
      need(await selfTest(goldenRuns));
    });
    if (!ready.ok) await engine.close();
    need(ready);
    return { bundle, engine, guard, engineOptions, kernelsFault, selfTest, ...guarding };
  });
}

let loaded: LoadedKernels | undefined;

/** Once in a process: they keep memory of their own. */
function kernelsOnce(): LoadedKernels {
  loaded ??= loadKernels();
  return loaded;
}

function checkPolicyOutputs(policy: GuardPolicy | undefined, io: IoSchema): void {
  if (policy === undefined) return;
  const { scores, features } = policy.outputs;
  for (const name of [scores, ...(features === undefined ? [] : [features])]) {
    if (io.outputs.every((output) => output.name !== name)) {
      throw refuseRuntime('runtime.policy-mismatch', `the policy reads an output "${name}"`);
    }
  }
}

/** Statistics of another input, or of another shape, would judge every frame wrongly or none. */
function checkPolicyInputs(policy: GuardPolicy | undefined, io: IoSchema): void {
  const { input, perturbation } = policy ?? {};
  const schema = io.inputs.find(({ name }) => name === (input?.input ?? io.inputs[0]?.name));
  const layout = schema && inputLayout(schema);
  if (input !== undefined && !isDeepStrictEqual(layout, input.layout)) {
    const words = `the policy judges "${input.input}" as a ${input.layout.kind} that it is not`;
    throw refuseRuntime('runtime.policy-mismatch', words);
  }
  if (perturbation !== undefined && perturbation.kind !== (layout && squeezeKind(layout))) {
    const words = `the policy smooths with ${perturbation.kind}, which does not suit the input`;
    throw refuseRuntime('runtime.policy-mismatch', words);
  }
}

function checkPorts(
  kind: string,
  stated: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly dims: readonly Dim[];
  }[],
  found: Engine['inputs'],
): void {
  for (const port of stated) {
    const real = found.find(({ name }) => name === port.name);
    // An output may have dimensions that only a run shows; the output contract judges those.
    const sameDims =
      real?.dims.length === port.dims.length &&
      port.dims.every((dim, i) => typeof dim !== 'number' || sameSize(real.dims[i], dim));
    if (real?.dtype !== port.dtype || !sameDims) {
      throw refuseRuntime('runtime.ports', `the ${kind} "${port.name}" is not as declared`);
    }
  }
  if (found.length !== stated.length) {
    throw refuseRuntime('runtime.ports', `the model has ${found.length} ${kind}s`);
  }
}

function sameSize(real: number | string | undefined, stated: number): boolean {
  return typeof real !== 'number' || real === stated;
}

/** What the model must give, given; further runs at boot let the JIT compiler finish its work. */
async function runGoldenTest(
  engine: Engine,
  golden: Golden,
  { clock, sessionDeadlineMs }: EngineOptions,
  runs: number,
): Promise<Result<true>> {
  const soaked = await soak(engine, golden, {
    ...{ runs, clock, budgetMs: GOLDEN_WARM_MS_MAX, firstDeadlineMs: sessionDeadlineMs },
  });
  return soaked.ok ? { ok: true, value: true } : soaked;
}

/** A frame of nothing in particular: it shows that the session runs, not that the model is right. */
async function runSelfTest(
  engine: Engine,
  io: IoSchema,
  options: EngineOptions,
): Promise<Result<true>> {
  return attemptAsync<true>(async () => {
    const frame = new Map(io.inputs.map((input) => [input.name, neutralTensor(input)] as const));
    // The first run also compiles; it gets the time that a session gets.
    const outputs = need(await engine.run(frame, options.sessionDeadlineMs));
    const contract = { inputs: [], outputs: io.outputs.map(({ range: _, ...output }) => output) };
    const broken = checkOutput(contract, outputs, new Map(), Number.POSITIVE_INFINITY)[0];
    if (broken !== undefined) {
      throw refuseRuntime('runtime.self-test', `${broken.code}: ${broken.detail}`);
    }
    return true;
  });
}

function neutralTensor(input: InputSchema): Tensor {
  const dims = input.dims.map((dim) => (typeof dim === 'number' ? dim : Math.max(1, dim.min)));
  const count = elementCount(dims) ?? 0;
  if (input.dtype === 'string') return { dtype: 'string', dims, data: new Array(count).fill('') };
  const { min, max } = input.range ?? { min: 0, max: 0 };
  // Nearest to nothing within the range, and whole, so that every element type can hold it.
  const value =
    min > 0 ? Math.min(Math.ceil(min), max) : Math.max(Math.min(0, Math.floor(max)), min);
  // A list of numbers as long as the input would cost a large one eight times its size.
  const one = dataFromNumbers(input.dtype, [value]) as Float32Array;
  const data = new (one.constructor as Float32ArrayConstructor)(count).fill(one[0] as number);
  return { dtype: input.dtype, dims, data };
}
