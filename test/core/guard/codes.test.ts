import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import { faultOf } from '../../../src/core/base/fault.ts';
import type { InputSchema, IoSchema, OutputSchema } from '../../../src/core/bundle/io-schema.ts';
import { admitTensors } from '../../../src/core/guard/admission.ts';
import {
  type CallerSettings,
  DEFAULT_CALLER_SETTINGS,
} from '../../../src/core/guard/caller-settings.ts';
import { GUARD_FAULTS, type GuardFaultCode } from '../../../src/core/guard/faults.ts';
import { checkOf, FINDINGS, type FindingCode } from '../../../src/core/guard/findings.ts';
import {
  createGuard,
  GUARD_AT_START,
  type GuardParts,
  type Judgement,
} from '../../../src/core/guard/guard.ts';
import type { InputPolicy } from '../../../src/core/guard/input-policy.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import { parseSafeOutput, safeOutputTensors } from '../../../src/core/guard/safe-output.ts';
import {
  DEFAULT_SENSOR_SETTINGS,
  type SensorSettings,
} from '../../../src/core/guard/sensor-settings.ts';
import {
  DEFAULT_TEMPORAL_SETTINGS,
  type TemporalSettings,
} from '../../../src/core/guard/temporal-output.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import {
  BATCH,
  float32,
  frame,
  judged,
  logits,
  ms,
  named,
  POLICY,
  range,
  SCHEMA,
  settings,
} from './frames.ts';
import {
  calmSignals,
  codes,
  loudSignals,
  outputsOf,
  type Pass,
  passAll,
  SAMPLES,
  samplesOf,
  signal,
  UNPROBED,
  WHOLE,
  WHOLE_SCHEMA,
  wholeGuard,
} from './whole-model.ts';

const OUTPUT = SCHEMA.outputs[0] as OutputSchema;
const GOOD = logits(20, 0, 0);
const WARMED = [GOOD, GOOD, GOOD];

interface Case {
  readonly output?: Partial<OutputSchema>;
  readonly inputs?: NamedTensors;
  readonly frames?: number;
  readonly ran?: NamedTensors | string;
  readonly mode?: Mode;
  readonly payloadBytesMax?: number;
}

function reasons(given: Case): readonly string[] {
  const schema: IoSchema = { ...SCHEMA, outputs: [{ ...OUTPUT, ...given.output }] };
  const guard = createGuard({
    schema,
    settings: settings(),
    policy: POLICY,
    kernels: referenceKernels,
    payloadBytesMax: given.payloadBytesMax,
  });
  let state = GUARD_AT_START;
  let judgement: Judgement | undefined;
  for (let i = 0; i < (given.frames ?? 1); i++) {
    const inputs = given.inputs ?? frame();
    const plan = guard.plan(state, inputs, ms(i));
    const ran = given.ran ?? GOOD;
    const result: Result<NamedTensors> =
      typeof ran === 'string'
        ? { ok: false, fault: faultOf({ [ran]: 'try again' }, ran, 'it failed') }
        : { ok: true, value: ran };
    const done = judged(guard, plan, inputs, result, given.mode ?? 'NOMINAL', ms(i));
    state = done.state;
    judgement = done.judgement;
  }
  return (judgement as Judgement).reasons.map(({ code }) => code);
}

const x = (dims: readonly number[], values: readonly number[]): NamedTensors =>
  named('x', float32(dims, values));
const twelve = (changed: number): number[] => [changed, ...Array<number>(11).fill(0)];

/** The codes of several frames in turn, all of a guard with every part. */
const over = (parts: Partial<GuardParts>, passes: readonly Pass[]) => (): readonly string[] =>
  passAll(wholeGuard(parts), passes).flatMap(codes);
const times = (count: number, of: (i: number) => Pass): readonly Pass[] =>
  Array.from({ length: count }, (_, i) => of(i));

const next = calmSignals(31);
const some = next();

const loud = loudSignals(43);
const ok = (value: NamedTensors): Result<NamedTensors> => ({ ok: true, value });
const killed: Result<NamedTensors> = {
  ok: false,
  fault: faultOf({ 'inference.deadline': 'wait' }, 'inference.deadline', 'not within 5 ms'),
};
const someone = { principal: 'someone' };
const callers = (changes: Partial<CallerSettings>): Partial<GuardParts> => ({
  settings: settings({ callers: { ...DEFAULT_CALLER_SETTINGS, ...changes } }),
  policy: UNPROBED,
});
const allowed = (perSecond: number, burst: number, budget: number) =>
  callers({ undeclared: { perSecond, burst, budget } });
const sensors = (changes: Partial<SensorSettings>): Partial<GuardParts> => ({
  settings: settings({ sensors: { ...DEFAULT_SENSOR_SETTINGS, ...changes } }),
});
const temporal = (changes: Partial<TemporalSettings>): Partial<GuardParts> => ({
  settings: settings({ temporal: { ...DEFAULT_TEMPORAL_SETTINGS, ...changes } }),
  policy: undefined,
});
const [X, LOGITS] = [
  WHOLE_SCHEMA.inputs[0] as InputSchema,
  WHOLE_SCHEMA.outputs[0] as OutputSchema,
];
const ranged: IoSchema = { ...WHOLE_SCHEMA, inputs: [{ ...X, range: range(-1, 1) }] };
const picture: IoSchema = {
  ...WHOLE_SCHEMA,
  inputs: [{ ...X, dims: [BATCH, 1, 4, 4], layout: 'NCHW' }],
};
const quantity: IoSchema = { ...WHOLE_SCHEMA, outputs: [{ ...LOGITS, role: 'other' }] };
const lone = (...scores: number[]): Result<NamedTensors> => ok(logits(...scores));
/** Each a small step from the first one, within its class or over the border to another. */
const step =
  (crossing: boolean) =>
  (i: number): Pass => ({
    inputs: next(),
    ran: ok(outputsOf(i === 0 || !crossing ? [4, 3, 0] : [3, 4, 0], [1, 2, 3 + i * 1e-4, 4])),
    context: someone,
    atMs: i * 1000,
  });

type Produced = Case | (() => readonly string[]);

const PRODUCED: Record<Exclude<FindingCode, 'contract.not-tensors'>, Produced> = {
  'contract.missing-input': { inputs: new Map() },
  'contract.unknown-input': { inputs: new Map([...frame(), ...logits(1)]) },
  'contract.dtype': {
    inputs: named('x', { dtype: 'float64', dims: [1, 3, 2, 2], data: new Float64Array(12) }),
  },
  'contract.shape': { inputs: x([1, 3, 4], twelve(0)) },
  'contract.batch': { inputs: x([2, 3, 2, 2], [...twelve(0), ...twelve(0)]) },
  'contract.size': { inputs: x([1, 3, 2, 2], [0]) },
  'contract.payload': { payloadBytesMax: 47 },
  'contract.not-finite': { inputs: x([1, 3, 2, 2], twelve(Number.NaN)) },
  'contract.range': { inputs: x([1, 3, 2, 2], twelve(2)) },
  'sensor.frozen': { frames: WARMED.length },
  'sensor.stuck-channel': over({}, [{ inputs: signal(new Float32Array(SAMPLES).fill(0.5)) }]),
  'sensor.dropout': over(sensors({ dropoutShare: 0.5 }), [
    { inputs: signal(samplesOf(some).map((value, t) => (t < 9 ? 0.25 : value))) },
  ]),
  'sensor.saturated': over({ ...sensors({ saturatedShare: 0.5 }), schema: ranged }, [
    { inputs: signal(samplesOf(some).map((value, t) => (t < 9 ? 1 : 0.1 * value))) },
  ]),
  'sensor.dead-lines': over({ ...sensors({ deadLines: 1 }), schema: picture, policy: undefined }, [
    {
      inputs: x(
        [1, 1, 4, 4],
        Array.from({ length: 16 }, (_, i) => Math.max(0, i - 7)),
      ),
    },
  ]),
  'sensor.replayed': over(sensors({ replayFrames: 4 }), [
    { inputs: some },
    { inputs: next() },
    { inputs: some },
  ]),
  'sensor.time-backwards': over({}, [
    { inputs: next(), context: { capturedAtMs: 50 } },
    { inputs: next(), context: { capturedAtMs: 49 } },
  ]),
  'input.unlike-calibration': over({}, [{ inputs: loud() }]),
  'input.not-scored': over(
    { policy: { ...WHOLE, input: { ...(WHOLE.input as InputPolicy), input: 'elsewhere' } } },
    [{ inputs: some }],
  ),
  'novelty.out-of-distribution': { ran: logits(1, 1, 1) },
  'novelty.not-scored': { ran: logits(1, 1) },
  'perturbation.unstable': over({}, [
    { inputs: some, ran: ok(outputsOf([40, 0, 0])), probed: ok(outputsOf([0, 0, 40])) },
  ]),
  'perturbation.not-scored': over({}, [{ inputs: some, probed: killed }]),
  'drift.novelty': over(
    { policy: UNPROBED },
    times(60, () => ({ inputs: next(), ran: ok(outputsOf([1, 1, 1])) })),
  ),
  'drift.input': over(
    { policy: UNPROBED },
    times(60, () => ({ inputs: loud() })),
  ),
  'drift.classes': over(
    { policy: UNPROBED },
    times(200, () => ({ inputs: next(), ran: ok(outputsOf([4, 0, 0])) })),
  ),
  'caller.rate': over(
    allowed(1, 1, 0),
    times(2, () => ({ inputs: next(), context: someone })),
  ),
  'caller.budget': over(
    allowed(9, 9, 1),
    times(2, () => ({ inputs: next(), context: someone })),
  ),
  'caller.novelty-rate': over(
    callers({}),
    times(200, (i) => ({
      inputs: next(),
      ran: ok(outputsOf([1, 1, 1], [i, 1, 1, i % 7])),
      context: someone,
      atMs: i * 1000,
    })),
  ),
  'caller.probing': over(callers({}), times(300, step(false))),
  'caller.near-duplicates': over(callers({}), times(300, step(true))),
  'caller.quarantined': over(
    callers({}),
    times(3, (i) => ({ inputs: next(), ran: killed, context: someone, atMs: i * 1000 })),
  ),
  'output.missing': { ran: new Map() },
  'output.unknown': { ran: new Map([...GOOD, ...frame()]) },
  'output.dtype': { output: { dtype: 'float64' } },
  'output.shape': { ran: logits(1, 2) },
  'output.labels': { output: { labels: ['a', 'b'] } },
  'output.not-finite': { ran: logits(Infinity, 0, 0) },
  'output.range': { output: { range: range(0, 1) } },
  'output.probabilities': { output: { probabilities: true } },
  'output.flip-rate': over(
    temporal({ flipWindowFrames: 4, flipsMax: 1 }),
    times(4, (i) => ({ inputs: next(), ran: ok(outputsOf(i % 2 === 0 ? [1, 0, 0] : [0, 1, 0])) })),
  ),
  'output.jump': over(
    { ...temporal({ changePerSMax: 5 }), schema: quantity },
    times(2, (i) => ({ inputs: next(), ran: lone(0, 0, 6 * i), atMs: i * 1000 })),
  ),
  'output.confidence': over(temporal({ confidenceMin: 0.5 }), [
    { inputs: some, ran: ok(outputsOf([0, 0, 0])) },
  ]),
  'inference.failed-deadline': { ran: 'inference.deadline' },
  'inference.failed': { ran: 'inference.worker' },
  'mode.withholding': { mode: 'PAUSED' },
};

describe('finding codes', () => {
  it.each(Object.entries(PRODUCED))('%s is produced by a frame', (code, given) => {
    expect(typeof given === 'function' ? given() : reasons(given)).toContain(code);
  });

  it('contract.not-tensors is produced by what the door refused', () => {
    const guard = createGuard({
      schema: SCHEMA,
      settings: settings(),
      kernels: referenceKernels,
    });
    const admitted = admitTensors('frame');
    if (admitted.ok) throw new Error('a text was admitted');
    const plan = guard.planRefused(GUARD_AT_START, admitted.fault);
    expect(plan.runInference).toBe(false);
    expect(plan.findings).toMatchObject([{ code: 'contract.not-tensors', check: 'contract' }]);
  });

  it('a frame that is as it should be has none', () => {
    expect(reasons({})).toEqual([]);
  });

  it('each code begins with its check and has a meaning', () => {
    for (const code of Object.keys(FINDINGS) as FindingCode[]) {
      expect(code.startsWith(`${checkOf(code)}.`)).toBe(true);
      expect(FINDINGS[code].endsWith('.')).toBe(true);
    }
  });
});

const safe = (outputs: unknown): Result<unknown> => {
  const parsed = parseSafeOutput({ outputs });
  if (!parsed.ok) return parsed;
  const schema = { inputs: [], outputs: [{ ...OUTPUT, range: range(0, 5) }] };
  return safeOutputTensors(parsed.value, schema, 1e-3);
};

const data = new Float32Array(1);
const tensor = { dtype: 'float32', dims: [1], data };

const REFUSED: Record<GuardFaultCode, () => Result<unknown>> = {
  'guard.tensors': () => admitTensors([tensor]),
  'guard.tensor-name': () => admitTensors({ '': tensor }),
  'guard.tensor-dtype': () => admitTensors({ x: { ...tensor, dtype: 'float' } }),
  'guard.tensor-dims': () => admitTensors({ x: { ...tensor, dims: [-1] } }),
  'guard.tensor-data': () => admitTensors({ x: { ...tensor, data: [1] } }),
  'guard.tensor-bytes': () => admitTensors({ x: tensor }, 3),
  'guard.unreadable': () =>
    admitTensors({
      get x() {
        throw new RangeError('no');
      },
    }),
  'guard.safe-output': () => safe({ logit: [1, 2, 3] }),
  'guard.safe-output-value': () => safe({ logits: [1, 2] }),
  'guard.safe-output-contract': () => safe({ logits: [1, 2, 6] }),
};

describe('guard fault codes', () => {
  it.each(Object.entries(REFUSED))('%s is produced and says what to do', (code, act) => {
    expect(act()).toMatchObject({ ok: false, fault: { code } });
    expect(GUARD_FAULTS[code as GuardFaultCode].endsWith('.')).toBe(true);
  });
});
