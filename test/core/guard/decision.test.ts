import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REASONS_MAX } from '../../../src/core/base/limits.ts';
import {
  type Decision,
  type DecisionInput,
  decide,
  type Verdict,
} from '../../../src/core/guard/decision.ts';
import {
  FINDINGS,
  type Finding,
  type FindingCode,
  finding,
} from '../../../src/core/guard/findings.ts';
import { type Mode, mayRelease } from '../../../src/core/guard/mode.ts';
import { ACTIONS } from '../../../src/core/guard/settings.ts';
import { acting, logits, ms, settings } from './frames.ts';

const MODEL = logits(1, 2, 3);
const SAFE = logits(0, 0, 1);
const LAST = { outputs: logits(3, 2, 1), atMs: ms(1_000) };
const NOW: DecisionInput = { nowMs: ms(1_500), mode: 'NOMINAL', modelOutputs: MODEL };
const found = (code: FindingCode): Finding => finding(code, 'seen');
const RESTRICTION: Record<Verdict, number> = {
  release: 0,
  flag: 1,
  hold: 2,
  substitute: 3,
  withhold: 4,
};

describe('decide', () => {
  it('releases the model output when nothing was found', () => {
    expect(decide([], settings(), NOW)).toEqual({
      verdict: 'release',
      source: 'model',
      outputs: MODEL,
      reasons: [],
    });
  });

  it('lets the most restrictive action win and names it first', () => {
    const findings = [found('novelty.out-of-distribution'), found('output.range')];
    const decision = decide(findings, acting({ output: 'withhold' }), { ...NOW, safeOutput: SAFE });
    expect(decision).toMatchObject({ verdict: 'withhold', source: 'none', outputs: undefined });
    expect(decision.reasons.map(({ code }) => code)).toEqual([
      'output.range',
      'novelty.out-of-distribution',
    ]);
  });

  it('substitutes the last good output while it is young, then the safe one, then nothing', () => {
    const broken = [found('contract.range')];
    const young = settings({ lastGoodMaxAgeMs: 500 });
    const all = { ...NOW, modelOutputs: undefined, safeOutput: SAFE, lastGood: LAST };
    const source = (decision: Decision): string => `${decision.verdict} ${decision.source}`;
    expect(source(decide(broken, young, all))).toBe('substitute last-good');
    expect(source(decide(broken, young, { ...all, nowMs: ms(1_501) }))).toBe('substitute safe');
    expect(source(decide(broken, young, { ...all, nowMs: ms(999) }))).toBe('substitute safe');
    expect(source(decide(broken, settings(), { ...all, nowMs: ms(1_000) }))).toBe(
      'substitute safe',
    );
    expect(source(decide(broken, settings(), { ...all, safeOutput: undefined }))).toBe(
      'withhold none',
    );
  });

  it('cannot release or flag what the model did not give', () => {
    const empty = { ...NOW, modelOutputs: undefined, safeOutput: SAFE };
    expect(decide([], settings(), empty).verdict).toBe('substitute');
    const flagged = decide([found('sensor.frozen')], acting({ sensor: 'flag' }), empty);
    expect(flagged.verdict).toBe('substitute');
  });

  it('only flags in shadow, and withholds where there is no model output', () => {
    const shadow = { ...acting({ output: 'withhold' }), shadow: true };
    const findings = [found('output.range')];
    expect(decide([], shadow, NOW).verdict).toBe('release');
    expect(decide(findings, shadow, NOW)).toMatchObject({ verdict: 'flag', outputs: MODEL });
    const none = { ...NOW, modelOutputs: undefined, safeOutput: SAFE, lastGood: LAST };
    expect(decide(findings, shadow, none).verdict).toBe('withhold');
  });

  it('holds with the safe output or with none, and never with the model output', () => {
    const holding = acting({ novelty: 'hold', output: 'withhold' });
    const novel = [found('novelty.out-of-distribution')];
    const input = { ...NOW, lastGood: LAST };
    const held = decide(novel, { ...holding, lastGoodMaxAgeMs: 10_000 }, input);
    expect(held).toMatchObject({ verdict: 'hold', source: 'none', outputs: undefined });
    expect(decide(novel, holding, { ...input, safeOutput: SAFE })).toMatchObject({
      ...{ verdict: 'hold', source: 'safe', outputs: SAFE },
      reasons: novel,
    });
    expect(decide([...novel, found('output.range')], holding, input).verdict).toBe('withhold');
  });

  it('asks nobody where no answer could release: no output, a stronger finding, a mode', () => {
    const holding = acting({ novelty: 'hold', sensor: 'substitute' });
    const novel = [found('novelty.out-of-distribution')];
    const input = { ...NOW, safeOutput: SAFE };
    const verdict = (findings: readonly Finding[], change: Partial<DecisionInput>) =>
      decide(findings, holding, { ...input, ...change }).verdict;
    expect(verdict(novel, { modelOutputs: undefined })).toBe('substitute');
    expect(verdict([...novel, found('sensor.frozen')], {})).toBe('substitute');
    expect(verdict(novel, { mode: 'PAUSED' })).toBe('substitute');
  });

  it('only flags in shadow what it would hold', () => {
    const shadow = { ...acting({ novelty: 'hold' }), shadow: true };
    const decision = decide([found('novelty.out-of-distribution')], shadow, NOW);
    expect(decision).toMatchObject({ verdict: 'flag', source: 'model', outputs: MODEL });
  });

  it('keeps the deciding finding when there are more than a record holds', () => {
    const many = Array.from({ length: 40 }, () => found('novelty.out-of-distribution'));
    const decision = decide([...many, found('output.range')], settings(), NOW);
    expect(decision.reasons.length).toBe(REASONS_MAX);
    expect(decision.reasons[0]?.code).toBe('output.range');
  });

  it.each(['SAFE', 'LOCKED', 'PAUSED'] as const)('gives no model output in %s', (mode) => {
    for (const shadow of [false, true]) {
      const young = settings({ shadow, lastGoodMaxAgeMs: 10_000 });
      const input = { ...NOW, mode, lastGood: LAST };
      const decision = decide([], young, { ...input, safeOutput: SAFE });
      expect(decision).toMatchObject({ verdict: 'substitute', source: 'safe', outputs: SAFE });
      expect(decision.reasons).toMatchObject([{ code: 'mode.withholding', check: 'mode' }]);
      expect(decide([], young, input)).toMatchObject({ verdict: 'withhold', outputs: undefined });
    }
  });
});

const anyAction = fc.constantFrom(...ACTIONS);
const anySettings = fc
  .record({
    actions: fc.record({
      contract: anyAction,
      sensor: anyAction,
      input: anyAction,
      novelty: anyAction,
      perturbation: anyAction,
      drift: anyAction,
      caller: anyAction,
      output: anyAction,
      inference: anyAction,
    }),
    shadow: fc.boolean(),
    lastGoodMaxAgeMs: fc.constantFrom(0, 400, 600),
  })
  .map(settings);
const anyFindings = fc.array(
  fc.constantFrom(...(Object.keys(FINDINGS) as FindingCode[])).map(found),
  { maxLength: 5 },
);
const anyInput: fc.Arbitrary<DecisionInput> = fc.record({
  mode: fc.constantFrom<Mode>('NOMINAL', 'DEGRADED', 'SAFE', 'LOCKED', 'PAUSED'),
  modelOutputs: fc.constantFrom(MODEL, undefined),
  safeOutput: fc.constantFrom(SAFE, undefined),
  lastGood: fc.constantFrom(LAST, undefined),
  nowMs: fc.constant(ms(1_500)),
});

describe('decide, for any findings, settings and mode', () => {
  it('is never loosened by one more finding', () => {
    fc.assert(
      fc.property(anyFindings, anyFindings, anySettings, anyInput, (some, more, chosen, input) => {
        const before = decide(some, chosen, input).verdict;
        const after = decide([...some, ...more], chosen, input).verdict;
        expect(RESTRICTION[after]).toBeGreaterThanOrEqual(RESTRICTION[before]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is never loosened by a mode that withholds, unless shadow withheld for want of acting', () => {
    fc.assert(
      fc.property(anyFindings, anySettings, anyInput, (findings, chosen, input) => {
        fc.pre(!chosen.shadow);
        const nominal = decide(findings, chosen, { ...input, mode: 'NOMINAL' }).verdict;
        const other = decide(findings, chosen, input).verdict;
        expect(RESTRICTION[other]).toBeGreaterThanOrEqual(RESTRICTION[nominal]);
      }),
    );
  });

  it('gives outputs exactly where the verdict says so', () => {
    fc.assert(
      fc.property(anyFindings, anySettings, anyInput, (findings, chosen, input) => {
        const { verdict, source, outputs } = decide(findings, chosen, input);
        const given = {
          model: input.modelOutputs,
          safe: input.safeOutput,
          'last-good': input.lastGood?.outputs,
          none: undefined,
        };
        expect(outputs).toBe(given[source]);
        expect(outputs === undefined).toBe(source === 'none');
        if (verdict !== 'hold') expect(source === 'none').toBe(verdict === 'withhold');
        expect(source === 'model').toBe(verdict === 'release' || verdict === 'flag');
        if (verdict === 'hold') expect(given.model).toBeDefined();
        if (!mayRelease(input.mode)) expect(['safe', 'none']).toContain(source);
        if (verdict === 'release') expect(findings).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
