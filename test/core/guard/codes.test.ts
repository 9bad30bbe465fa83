import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import { faultOf } from '../../../src/core/base/fault.ts';
import type { IoSchema, OutputSchema } from '../../../src/core/bundle/io-schema.ts';
import { admitTensors } from '../../../src/core/guard/admission.ts';
import { GUARD_FAULTS, type GuardFaultCode } from '../../../src/core/guard/faults.ts';
import { checkOf, FINDINGS, type FindingCode } from '../../../src/core/guard/findings.ts';
import { createGuard, GUARD_AT_START, type Judgement } from '../../../src/core/guard/guard.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import { parseSafeOutput, safeOutputTensors } from '../../../src/core/guard/safe-output.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import {
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

const PRODUCED: Partial<Record<Exclude<FindingCode, 'contract.not-tensors'>, Case>> = {
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
  'novelty.out-of-distribution': { ran: logits(1, 1, 1) },
  'novelty.not-scored': { ran: logits(1, 1) },
  'output.missing': { ran: new Map() },
  'output.unknown': { ran: new Map([...GOOD, ...frame()]) },
  'output.dtype': { output: { dtype: 'float64' } },
  'output.shape': { ran: logits(1, 2) },
  'output.labels': { output: { labels: ['a', 'b'] } },
  'output.not-finite': { ran: logits(Infinity, 0, 0) },
  'output.range': { output: { range: range(0, 1) } },
  'output.probabilities': { output: { probabilities: true } },
  'inference.failed-deadline': { ran: 'inference.deadline' },
  'inference.failed': { ran: 'inference.worker' },
  'mode.withholding': { mode: 'PAUSED' },
};

describe('finding codes', () => {
  it.each(Object.entries(PRODUCED))('%s is produced by a frame', (code, given) => {
    expect(reasons(given)).toContain(code);
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
