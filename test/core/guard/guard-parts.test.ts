/** The guard with every part of a policy: what each part does to a frame, and what it remembers. */
import { describe, expect, it } from 'vitest';
import { faultOf, type Result } from '../../../src/core/base/fault.ts';
import {
  type CallerSettings,
  DEFAULT_CALLER_SETTINGS,
} from '../../../src/core/guard/caller-settings.ts';
import { acknowledgeDrift } from '../../../src/core/guard/drift.ts';
import type { DriftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { GUARD_AT_START, type GuardParts, type GuardState } from '../../../src/core/guard/guard.ts';
import type { PerturbationPolicy } from '../../../src/core/guard/perturbation.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { acting, settings } from './frames.ts';
import {
  calmSignals,
  codes,
  infer,
  loudSignals,
  outputsOf,
  type Pass,
  type Passed,
  pass,
  passAll,
  SAMPLES,
  signal,
  UNPROBED,
  WHOLE,
  wholeGuard,
  wholePolicy,
} from './whole-model.ts';

const next = calmSignals(41);

const loud = loudSignals(43);
const ok = (value: NamedTensors): Result<NamedTensors> => ({ ok: true, value });
const fault = (code: string): Result<NamedTensors> => ({
  ok: false,
  fault: faultOf({ [code]: 'wait' }, code, 'it did not end'),
});
const NAN = signal(new Float32Array(SAMPLES).fill(Number.NaN));
const ODD = ok(outputsOf([1, 1, 1]));
const times = (count: number, of: (i: number) => Pass): readonly Pass[] =>
  Array.from({ length: count }, (_, i) => of(i));
const last = (passed: readonly Passed[]): Passed => passed.at(-1) as Passed;
const someone = { principal: 'someone' };
const camera = { principal: 'camera' };
const callerSettings = (changes: Partial<CallerSettings> = {}): CallerSettings => ({
  ...DEFAULT_CALLER_SETTINGS,
  principals: new Map([
    ['camera', { kind: 'sensor', perSecond: 1000, burst: 1000, budget: 0 }],
    ['other camera', { kind: 'sensor', perSecond: 1000, burst: 1000, budget: 0 }],
  ]),
  ...changes,
});

describe('input statistics and novelty in one frame', () => {
  it('are told with score and p beside each other', () => {
    const { judgement } = pass(wholeGuard(), GUARD_AT_START, { inputs: next() });
    expect(judgement).toMatchObject({ verdict: 'release', reasons: [] });
    expect(judgement.input?.p).toBeGreaterThan(0.05);
    expect(judgement.novelty?.p).toBeGreaterThan(0.05);
  });

  it('act each for itself, and name the strangest statistic', () => {
    const guard = wholeGuard({ settings: acting({ input: 'withhold' }), policy: UNPROBED });
    const { judgement } = pass(guard, GUARD_AT_START, { inputs: loud() });
    expect(judgement.verdict).toBe('withhold');
    expect(judgement.reasons[0]?.code).toBe('input.unlike-calibration');
    expect(judgement.reasons[0]?.detail).toMatch(/strangest is (mean|sd|kurtosis|crest|zero)/);
    const odd = pass(guard, GUARD_AT_START, { inputs: next(), ran: ODD }).judgement;
    expect(odd).toMatchObject({ verdict: 'flag' });
    expect(odd.reasons).toMatchObject([{ code: 'novelty.out-of-distribution' }]);
  });

  it('do not judge a broken frame, and its model does not run', () => {
    const { plan, judgement } = pass(wholeGuard(), GUARD_AT_START, { inputs: NAN });
    expect(plan.runInference).toBe(false);
    expect(plan.inspect().score).toBeUndefined();
    expect(judgement).not.toHaveProperty('input');
    expect(judgement).not.toHaveProperty('novelty');
    expect(judgement.verdict).toBe('substitute');
  });

  it('whose statistics are beyond any number are not scored, and say so', () => {
    const input = WHOLE.input;
    if (input === undefined) throw new Error('no input policy');
    const tiny = input.ranks.sorted.map((column) => column.map((_, i) => i * 5e-324));
    const ranks = { ...input.ranks, sorted: tiny };
    const guard = wholeGuard({ policy: { ...WHOLE, input: { ...input, ranks } } });
    const { judgement } = pass(guard, GUARD_AT_START, { inputs: loud() });
    const found = judgement.reasons.find(({ check }) => check === 'input');
    expect(found?.code).toBe('input.not-scored');
    expect(found).not.toHaveProperty('value');
  });
});

describe('the probe', () => {
  const inputs = next();
  const probed = (result: Result<NamedTensors> | null): readonly string[] =>
    codes(pass(wholeGuard(), GUARD_AT_START, { inputs, probed: result }));

  it('is asked for by see, smoothed, and judged', () => {
    const { seen, judgement } = pass(wholeGuard(), GUARD_AT_START, { inputs });
    expect([...(seen.probe?.keys() ?? [])]).toEqual(['x']);
    expect(seen.probe?.get('x')).not.toEqual(inputs.get('x'));
    expect(judgement.verdict).toBe('release');
  });

  it.each([
    ['the same answer', ok(infer(inputs)), []],
    ['a fault', fault('inference.worker'), ['perturbation.not-scored']],
    ['its deadline', fault('inference.deadline'), ['perturbation.not-scored']],
    ['too few scores', ok(outputsOf([1, 2])), ['perturbation.not-scored']],
    ['no scores', ok(new Map()), ['perturbation.not-scored']],
    ['NaN', ok(outputsOf([Number.NaN, 0, 0])), ['perturbation.not-scored']],
    ['no run at all', null, ['perturbation.not-scored']],
  ] as const)('that gives %s gives what the table says', (_, result, wanted) => {
    expect(probed(result)).toEqual(wanted);
  });

  it('acts as the settings say', () => {
    const guard = wholeGuard({ settings: acting({ perturbation: 'withhold' }) });
    const given = { inputs, probed: fault('inference.deadline') };
    expect(pass(guard, GUARD_AT_START, given).judgement.verdict).toBe('withhold');
  });

  it('is granted from the signed budget, whatever comes of it', () => {
    const guard = wholeGuard({ policy: wholePolicy({ probesPerMinute: 2 }) });
    const passed = passAll(
      guard,
      [0, 0, 0, 29_999, 30_000, 30_000].map((atMs) => ({ inputs: next(), atMs, probed: null })),
    );
    expect(passed.map(({ seen }) => seen.probe !== undefined)).toEqual([
      ...[true, true, false],
      ...[false, true, false],
    ]);
  });

  it('is asked for on risk only where the policy says so', () => {
    const guard = wholeGuard({ policy: wholePolicy({ when: 'risk', riskP: 0.02 }) });
    expect(pass(guard, GUARD_AT_START, { inputs }).seen.probe).toBeUndefined();
    expect(pass(guard, GUARD_AT_START, { inputs, ran: ODD }).seen.probe).toBeDefined();
  });

  it('is not wasted on what has no scores to compare with', () => {
    for (const ran of [ok(new Map()), fault('inference.worker')]) {
      const { seen, state } = pass(wholeGuard(), GUARD_AT_START, { inputs, ran });
      expect(seen.probe).toBeUndefined();
      expect(state.probes?.spent).toBe(0);
    }
  });

  it('that cannot be made by the filter of the calibration is a finding', () => {
    const perturbation = { ...(WHOLE.perturbation as PerturbationPolicy), kind: 'median-2x2' };
    const policy = { ...WHOLE, perturbation } as typeof WHOLE;
    expect(codes(pass(wholeGuard({ policy }), GUARD_AT_START, { inputs }))).toEqual([
      'perturbation.not-scored',
    ]);
  });

  it('needs a key', () => {
    expect(() => wholeGuard({ probeKey: undefined })).toThrow('needs a key');
  });
});

describe('drift', () => {
  const drifting = (context?: Pass['context']): readonly Pass[] =>
    times(40, () => ({ inputs: next(), ran: ODD, context }));
  const guardOf = (parts: Partial<GuardParts> = {}) => wholeGuard({ policy: UNPROBED, ...parts });
  const withDrift = acting({ drift: 'withhold' });

  it('is raised once where it only flags, and stands all the same', () => {
    const passed = passAll(guardOf(), [...drifting(), ...times(5, () => ({ inputs: next() }))]);
    const raised = passed.filter(({ judgement: { drift = [] } }) =>
      drift.some(({ code }) => code === 'drift.novelty'),
    );
    const told = passed.filter((one) => codes(one).includes('drift.novelty'));
    expect(raised).toHaveLength(1);
    expect(told).toEqual(raised);
    expect(raised[0]?.judgement.drift).toMatchObject([{ code: 'drift.novelty', threshold: 100 }]);
    expect(last(passed).judgement.verdict).toBe('release');
  });

  it('is acted on in every frame where it does more, until somebody has seen it', () => {
    const guard = guardOf({ settings: { ...withDrift, callers: callerSettings() } });
    const { state } = last(passAll(guard, drifting()));
    const after: readonly Pass[] = [
      { inputs: next() },
      { inputs: next(), context: camera },
      { inputs: next(), context: someone },
      { inputs: next(), ran: fault('inference.worker') },
      { inputs: next(), ran: ok(outputsOf([Number.NaN, 0, 0])) },
      // One more finding does not loosen the verdict.
      { inputs: NAN },
      { inputs: signal(new Float32Array(SAMPLES)) },
    ];
    for (const given of after) {
      const passed = pass(guard, state, given);
      expect(passed.judgement.verdict).toBe('withhold');
      expect(codes(passed)).toContain('drift.novelty');
      expect(passed.judgement).not.toHaveProperty('drift');
    }
    const refused = guard.planRefused(state, faultOf({ 'guard.tensors': '' }, 'guard.tensors', ''));
    const seen = guard.see(refused, new Map(), undefined, 0 as never);
    expect(guard.judge(refused, seen, 'NOMINAL', 0 as never).judgement.verdict).toBe('withhold');
    const drift = acknowledgeDrift(state.drift, UNPROBED.drift as DriftPolicy);
    const calm = pass(guard, { ...state, drift }, { inputs: next() });
    expect(calm.judgement.verdict).toBe('release');
  });

  it.each([
    ['the device itself', {}, 3],
    ['a declared sensor', { context: camera }, 3],
    ['a caller', { context: someone }, 0],
    ['a broken frame', { inputs: NAN }, 0],
    [
      'a stuck sensor that is flagged',
      { inputs: signal(new Float32Array(SAMPLES).fill(0.5)), ran: ok(infer(next())) },
      0,
    ],
    ['a frame that did not run', { ran: fault('inference.worker') }, 0],
    ['scores that are no numbers', { ran: ok(outputsOf([Number.NaN, 0, 0])) }, 0],
    ['features of zeros', { ran: ok(outputsOf([9, 0, 0], [0, 0, 0, 0])) }, 0],
    ['scores of another model', { ran: ok(outputsOf([9, 0, 0, 0])) }, 0],
  ] as const)('bets on %s as the table says', (_, given: Partial<Pass>, wanted) => {
    const guard = guardOf({
      settings: { ...acting({ sensor: 'flag' }), callers: callerSettings() },
    });
    const { drift } = pass(guard, GUARD_AT_START, { inputs: next(), ...given }).state;
    const bets = [drift.novelty, drift.input, drift.classes.capital];
    expect(bets.reduce((sum, { frames }) => sum + frames, 0)).toBe(wanted);
  });

  it('does not move by what callers send, however strange', () => {
    const { state } = last(passAll(guardOf(), drifting(someone)));
    expect(state.drift).toEqual(GUARD_AT_START.drift);
  });
});

describe('callers', () => {
  const one = callerSettings({ undeclared: { perSecond: 1, burst: 1, budget: 0 } });
  const guardOf = (changes: Partial<GuardParts['settings']> = {}) =>
    wholeGuard({ policy: UNPROBED, settings: settings({ callers: one, ...changes }) });
  const asks = (given: Partial<Pass> = {}): Pass => ({
    inputs: next(),
    context: someone,
    atMs: 0,
    ...given,
  });

  it('above their rate are refused before the inference; the device is not', () => {
    const passed = passAll(guardOf(), [asks(), asks(), asks({ context: undefined })]);
    expect(passed.map(({ plan }) => plan.runInference)).toEqual([true, false, true]);
    expect(passed.map(({ judgement }) => judgement.verdict)).toEqual([
      'release',
      'withhold',
      'release',
    ]);
    expect(codes(passed[1] as Passed)).toEqual(['caller.rate']);
  });

  it('pay for broken frames as well, and gain nothing by them', () => {
    const passed = passAll(guardOf(), [asks({ inputs: NAN }), asks(), asks({ inputs: NAN })]);
    expect(passed.map(({ judgement }) => judgement.verdict)).toEqual([
      'substitute',
      'withhold',
      'withhold',
    ]);
  });

  it('pay for runs that were killed at the deadline, and are shut out', () => {
    const ran = fault('inference.deadline');
    const guard = wholeGuard({ settings: settings({ callers: callerSettings() }) });
    const passed = passAll(guard, [
      ...[asks({ ran }), asks({ ran: fault('inference.worker') }), asks({ ran }), asks()],
      asks({ context: { principal: 'another' } }),
    ]);
    expect(passed.map((given) => codes(given).filter((code) => /^caller/.test(code)))).toEqual([
      [],
      [],
      ['caller.quarantined'],
      ['caller.quarantined'],
      [],
    ]);
    expect(passed.map(({ plan }) => plan.runInference)).toEqual([true, true, true, false, true]);
  });

  it('in shadow are found, and run all the same', () => {
    const passed = passAll(guardOf({ shadow: true }), [asks(), asks()]);
    expect(passed[1]?.plan.runInference).toBe(true);
    expect(passed[1]?.judgement).toMatchObject({ verdict: 'flag', source: 'model' });
    expect(codes(passed[1] as Passed)).toEqual(['caller.rate']);
  });

  it('are not judged by frames that did not run for them', () => {
    const { state } = last(passAll(guardOf(), [asks({ inputs: NAN })]));
    expect(state.callers.records.get('someone')).toMatchObject({
      novelty: { tries: 0 },
      kept: [],
      killsAtMs: [],
    });
  });
});

describe('what the guard remembers', () => {
  it('survives the way to bytes of nobody: a state is plain data', () => {
    const { state } = last(
      passAll(
        wholeGuard(),
        times(3, () => ({ inputs: next() })),
      ),
    );
    expect(structuredClone(state)).toEqual(state satisfies GuardState);
  });
});
