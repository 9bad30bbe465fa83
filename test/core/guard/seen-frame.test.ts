/** What is seen of a run before anything is decided. */
import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../src/core/base/fault.ts';
import type { InputSchema, IoSchema } from '../../../src/core/bundle/io-schema.ts';
import { probesAtStart } from '../../../src/core/guard/perturbation.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { seeOutputs, smoothedFrame } from '../../../src/core/guard/seen-frame.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { float32, ms, named, settings } from './frames.ts';
import {
  calmSignals,
  infer,
  outputsOf,
  SAMPLES,
  samplesOf,
  WHOLE,
  WHOLE_SCHEMA,
} from './whole-model.ts';

const inputs = calmSignals(91)();
const PROBES = probesAtStart(new Uint8Array(32), ms(0));
const X = WHOLE_SCHEMA.inputs[0] as InputSchema;

const see = (outputs: NamedTensors, policy?: GuardPolicy, schema: IoSchema = WHOLE_SCHEMA) =>
  seeOutputs(
    { schema, settings: settings(), kernels: referenceKernels, policy },
    inputs,
    new Map([['N', 1]]),
    { ok: true, value: outputs },
    policy?.perturbation && PROBES,
    1,
    ms(0),
  );

describe('seeOutputs', () => {
  it('sees nothing of a run that gave nothing, and hands its fault on', () => {
    const fault = faultOf({ 'inference.worker': '' }, 'inference.worker', 'it ended');
    for (const ran of [undefined, { ok: false, fault } as const]) {
      const parts = { schema: WHOLE_SCHEMA, settings: settings(), kernels: referenceKernels };
      const seen = seeOutputs(
        { ...parts, policy: WHOLE },
        ...([inputs, new Map(), ran, PROBES, 1, ms(0)] as const),
      );
      expect(seen).toMatchObject({ outputs: undefined, findings: [], probe: undefined });
      expect(seen.fault).toBe(ran?.fault);
      expect(seen.probes).toBe(PROBES);
    }
  });

  it('looks at the contract only, where there is no policy', () => {
    const seen = see(outputsOf([NaN, 0, 0]));
    expect(seen.findings.map(({ code }) => code)).toEqual(['output.not-finite']);
    expect(seen.novelty).toBeUndefined();
  });

  it('finds what breaks the contract before what is new', () => {
    const seen = see(outputsOf([NaN, 0, 0]), WHOLE);
    const found = seen.findings.map(({ code }) => code);
    expect(found).toEqual(['output.not-finite', 'novelty.not-scored']);
    expect(seen.novelty).toMatchObject({ score: -Infinity, alarm: true, p: 1 / 60 });
  });

  it('counts a probe that it asks for, and no other', () => {
    expect(see(infer(inputs), WHOLE).probes).toMatchObject({ spent: 1 });
    const { perturbation, ...unprobed } = WHOLE;
    const seen = see(infer(inputs), unprobed);
    expect(seen).toMatchObject({ probe: undefined, probes: undefined });
    expect(see(new Map(), WHOLE)).toMatchObject({ probe: undefined, probes: PROBES });
    expect(perturbation?.kind).toBe('median-3');
  });

  it('says where the frame cannot be smoothed as the policy has it', () => {
    for (const [dims, layout] of [
      [[1, SAMPLES], 'NC'],
      [[1, 1, 4, 4], 'NCHW'],
    ] as const) {
      const schema = { ...WHOLE_SCHEMA, inputs: [{ ...X, dims, layout }] };
      const seen = see(infer(inputs), WHOLE, schema);
      expect(seen).toMatchObject({ probe: undefined, probes: { spent: 0 } });
      expect(seen.findings.map(({ code }) => code)).toEqual(['perturbation.not-scored']);
    }
  });
});

describe('smoothedFrame', () => {
  it('smooths the first input, shares no memory with it, and leaves the others', () => {
    const more = new Map([...inputs, ...named('y', float32([1], [2]))]);
    const before = samplesOf(more).slice();
    const smoothed = smoothedFrame(WHOLE_SCHEMA, more) as NamedTensors;
    expect(smoothed.get('y')).toBe(more.get('y'));
    expect(samplesOf(smoothed)).not.toEqual(before);
    samplesOf(smoothed).fill(0);
    expect(samplesOf(more)).toEqual(before);
  });

  it('gives nothing for what is no row of the layout', () => {
    expect(smoothedFrame(WHOLE_SCHEMA, new Map())).toBeUndefined();
    expect(smoothedFrame({ ...WHOLE_SCHEMA, inputs: [] }, inputs)).toBeUndefined();
    expect(smoothedFrame(WHOLE_SCHEMA, named('x', float32([1, 1, 3], [1, 2, 3])))).toBeUndefined();
    const table = { ...WHOLE_SCHEMA, inputs: [{ ...X, dims: [1, SAMPLES], layout: 'NC' }] };
    expect(smoothedFrame(table, inputs)).toBeUndefined();
  });
});
