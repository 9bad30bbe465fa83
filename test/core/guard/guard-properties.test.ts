/** What holds for any frames in any order: no state is written to, shadow never acts, and so on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultOf, type Result } from '../../../src/core/base/fault.ts';
import type { Verdict } from '../../../src/core/guard/decision.ts';
import { FINDINGS, type FindingCode, finding } from '../../../src/core/guard/findings.ts';
import { GUARD_AT_START, type GuardParts, type GuardState } from '../../../src/core/guard/guard.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import { ACTIONS, type GuardSettings } from '../../../src/core/guard/settings.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { ms, settings } from './frames.ts';
import {
  infer,
  outputsOf,
  type Pass,
  type Passed,
  pass,
  SAMPLES,
  signal,
  usualSignals,
  wholeGuard,
} from './whole-model.ts';

const next = usualSignals(61);
const USUAL = Array.from({ length: 6 }, () => next());
const flat = (value: number): NamedTensors => signal(new Float32Array(SAMPLES).fill(value));
const MODES: readonly Mode[] = ['NOMINAL', 'DEGRADED', 'SAFE', 'PAUSED', 'LOCKED'];
const ok = (value: NamedTensors): Result<NamedTensors> => ({ ok: true, value });
const killed: Result<NamedTensors> = {
  ok: false,
  fault: faultOf({ 'inference.deadline': '' }, 'inference.deadline', 'killed'),
};
const RAN = [
  ...[undefined, killed, ok(new Map()), ok(outputsOf([1, 1, 1])), ok(outputsOf([NaN, 0, 0]))],
  ...[ok(outputsOf([9, 0, 0], [0, 0, 0, 0])), ok(outputsOf([1, 2])), ok(outputsOf([0, 1e30, 0]))],
];

/** Times run backwards as well: nothing here may break by it. */
const aPass: fc.Arbitrary<Pass> = fc.record(
  {
    inputs: fc.constantFrom(...USUAL, flat(0), flat(NaN), flat(1e30), new Map()),
    context: fc.record(
      {
        principal: fc.constantFrom('', 'camera', 'someone', 'another'),
        capturedAtMs: fc.constantFrom(0, 5, -5, 1e300),
      },
      { requiredKeys: [] },
    ),
    atMs: fc.constantFrom(0, 1, 50, 1e6, 40),
    ran: fc.constantFrom(...RAN),
    probed: fc.constantFrom(...RAN, null),
  },
  { requiredKeys: ['inputs'] },
) as fc.Arbitrary<Pass>;
const passes = fc.array(aPass, { minLength: 1, maxLength: 12 });

const strict = (changes: Partial<GuardSettings> = {}): Partial<GuardParts> => ({
  settings: settings({
    lastGoodMaxAgeMs: 100,
    sensors: { ...settings().sensors, replayFrames: 4 },
    temporal: { flipWindowFrames: 4, flipsMax: 1, changePerSMax: 3, confidenceMin: 0.4 },
    callers: {
      ...settings().callers,
      principals: new Map([['camera', { kind: 'sensor', perSecond: 9, burst: 9, budget: 0 }]]),
      undeclared: { perSecond: 1, burst: 2, budget: 5 },
      kills: 1,
    },
    ...changes,
  }),
});

/** Writing to it throws, all the way down; numbers in arrays are compared afterwards instead. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    const writes = (): never => {
      throw new Error('a map of the state was written to');
    };
    for (const [key, entry] of value) [key, entry].forEach(frozen);
    for (const name of ['set', 'delete', 'clear']) {
      Object.defineProperty(value, name, { value: writes });
    }
  }
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

function told({ plan, seen, state, judgement }: Passed): unknown {
  return { plan: { ...plan, inspect: plan.inspect() }, seen, state, judgement };
}

describe('the guard, whatever comes in whatever order', () => {
  it('writes to no state and no frame, and answers the same to the same', () => {
    const guard = wholeGuard(strict());
    fc.assert(
      fc.property(passes, (given) => {
        let state: GuardState = frozen(GUARD_AT_START);
        for (const one of given) {
          const frame = frozen(structuredClone(one));
          const before = structuredClone({ ...state, streams: [...state.streams] });
          const first = pass(guard, state, frame);
          const again = pass(guard, state, frame);
          expect(told(again)).toEqual(told(first));
          expect(frame).toEqual(one);
          expect({ ...state, streams: [...state.streams] }).toEqual(before);
          state = frozen(first.state);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('answers every frame, in every mode, with what its verdict says', () => {
    const guard = wholeGuard(strict());
    fc.assert(
      fc.property(passes, fc.constantFrom(...MODES), (given, mode) => {
        let state = GUARD_AT_START;
        for (const one of given) {
          const passed = pass(guard, state, { ...one, mode });
          state = passed.state;
          const { verdict, outputs, source, reasons, novelty, input } = passed.judgement;
          expect(outputs === undefined).toBe(verdict === 'withhold');
          expect(source === 'model').toBe(verdict === 'release' || verdict === 'flag');
          if (verdict === 'release') expect(reasons).toEqual([]);
          else expect(reasons.length).toBeGreaterThan(0);
          for (const judged of [novelty, input]) {
            if (judged === undefined) continue;
            expect(judged.p > 0 && judged.p <= 1).toBe(true);
            expect(judged.score).not.toBeNaN();
          }
          for (const { value, threshold, p } of reasons) {
            for (const number of [value, threshold, p]) expect(number).not.toBeNaN();
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('in shadow gives what the bare model gave, and nothing where it gave nothing', () => {
    const actions = Object.fromEntries(
      Object.keys(settings().actions).map((check) => [check, 'withhold']),
    ) as unknown as GuardSettings['actions'];
    const guard = wholeGuard(strict({ shadow: true, actions }));
    fc.assert(
      fc.property(passes, (given) => {
        let state = GUARD_AT_START;
        for (const one of given) {
          const passed = pass(guard, state, one);
          state = passed.state;
          const { plan, seen, judgement } = passed;
          // Only what breaks the contract of the inputs cannot be given to a model.
          const broken = plan.findings.some(({ check }) => check === 'contract');
          expect(plan.runInference).toBe(!broken);
          expect(judgement.outputs).toBe(seen.outputs);
          const found = judgement.reasons.length > 0 ? 'flag' : 'release';
          expect(judgement.verdict).toBe(seen.outputs === undefined ? 'withhold' : found);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives no looser verdict by one more finding', () => {
    const severity: readonly Verdict[] = ['release', 'flag', 'hold', 'substitute', 'withhold'];
    const anyFinding = fc
      .constantFrom(...(Object.keys(FINDINGS) as FindingCode[]))
      .map((code) => finding(code, 'so it is'));
    const anyActions = fc.record(
      Object.fromEntries(
        Object.keys(settings().actions).map((check) => [check, fc.constantFrom(...ACTIONS)]),
      ) as unknown as { [K in keyof GuardSettings['actions']]: fc.Arbitrary<string> },
    ) as unknown as fc.Arbitrary<GuardSettings['actions']>;
    const less = fc.array(anyFinding, { maxLength: 3 });
    fc.assert(
      fc.property(anyActions, less, anyFinding, fc.nat(3), fc.boolean(), (...drawn) => {
        const [actions, findings, more, at, ran] = drawn;
        const guard = wholeGuard({ settings: settings({ actions }), policy: undefined });
        const inputs = USUAL[0] as NamedTensors;
        const plan = guard.plan(GUARD_AT_START, inputs, ms(0));
        const seen = guard.see(plan, inputs, ran ? ok(infer(inputs)) : undefined, ms(0));
        const verdict = (found: typeof findings): number =>
          severity.indexOf(
            guard.judge({ ...plan, findings: found }, seen, 'NOMINAL', ms(0)).judgement.verdict,
          );
        expect(verdict(findings.toSpliced(at, 0, more))).toBeGreaterThanOrEqual(verdict(findings));
      }),
      { numRuns: 1000 },
    );
  });
});
