/** Each sensor's frames are a stream of their own, and those of callers belong to none. */
import { describe, expect, it } from 'vitest';
import { faultOf, type Result } from '../../../src/core/base/fault.ts';
import {
  type CallerSettings,
  DEFAULT_CALLER_SETTINGS,
} from '../../../src/core/guard/caller-settings.ts';
import { GUARD_AT_START, type GuardParts } from '../../../src/core/guard/guard.ts';
import { DEFAULT_TEMPORAL_SETTINGS } from '../../../src/core/guard/temporal-output.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { float32, named, settings } from './frames.ts';
import {
  calmSignals,
  codes,
  outputsOf,
  type Pass,
  type Passed,
  pass,
  passAll,
  SAFE,
  SAMPLES,
  signal,
  wholeGuard,
} from './whole-model.ts';

const next = calmSignals(41);
const ok = (value: NamedTensors): Result<NamedTensors> => ({ ok: true, value });
const NAN = signal(new Float32Array(SAMPLES).fill(Number.NaN));
const times = (count: number, of: (i: number) => Pass): readonly Pass[] =>
  Array.from({ length: count }, (_, i) => of(i));
const last = (passed: readonly Passed[]): Passed => passed.at(-1) as Passed;
const someone = { principal: 'someone' };
const camera = { principal: 'camera' };
const CALLERS: CallerSettings = {
  ...DEFAULT_CALLER_SETTINGS,
  principals: new Map([
    ['camera', { kind: 'sensor', perSecond: 1000, burst: 1000, budget: 0 }],
    ['other camera', { kind: 'sensor', perSecond: 1000, burst: 1000, budget: 0 }],
  ]),
};

describe('frames that follow each other', () => {
  const guardOf = (changes: Partial<GuardParts['settings']> = {}) =>
    wholeGuard({
      policy: undefined,
      settings: settings({ callers: CALLERS, ...changes }),
    });

  it('of a frozen sensor stay frozen, whatever callers send between them', () => {
    const inputs = next();
    const passed = passAll(
      guardOf(),
      [inputs, next(), inputs, next(), inputs].map((given, i) => ({
        inputs: given,
        context: i % 2 === 0 ? camera : someone,
      })),
    );
    expect(codes(last(passed))).toEqual(['sensor.frozen']);
  });

  it('of a caller are not frozen, replayed or late', () => {
    const inputs = next();
    const guard = guardOf({
      sensors: { ...settings().sensors, replayFrames: 10 },
    });
    const passed = passAll(
      guard,
      times(4, (i) => ({ inputs, context: { ...someone, capturedAtMs: 100 - i } })),
    );
    expect(passed.flatMap(codes)).toEqual([]);
    const own = passAll(
      guard,
      times(2, (i) => ({ inputs: next(), context: { capturedAtMs: 100 - i } })),
    );
    expect(own.flatMap(codes)).toEqual(['sensor.time-backwards']);
  });

  it('of two sensors are two streams', () => {
    const inputs = next();
    const passed = passAll(
      guardOf(),
      times(4, (i) => ({
        inputs,
        context: { principal: i % 2 === 0 ? 'camera' : 'other camera', capturedAtMs: -i % 2 },
      })),
    );
    expect(passed.flatMap(codes)).toEqual([]);
    expect([...last(passed).state.streams.keys()]).toEqual(['camera', 'other camera']);
  });

  it('get no time and no memory from callers without end', () => {
    const passed = passAll(guardOf({ sensors: { ...settings().sensors, replayFrames: 10 } }), [
      { inputs: next(), context: { ...someone, capturedAtMs: 1e15 } },
      { inputs: next(), context: { capturedAtMs: 5 } },
      ...times(50, (i) => ({ inputs: next(), context: { principal: `caller ${i}` } })),
    ]);
    expect(passed.flatMap(codes)).toEqual([]);
    expect([...last(passed).state.streams.keys()]).toEqual([undefined]);
  });

  it('stand in for each other within a stream only', () => {
    const guard = guardOf({ lastGoodMaxAgeMs: 1000 });
    const secret = ok(outputsOf([7, 1, 1]));
    const passed = passAll(guard, [
      { inputs: next(), ran: secret },
      { inputs: NAN, context: someone },
      { inputs: next(), context: someone },
      { inputs: NAN, context: someone },
      { inputs: NAN, context: camera },
      { inputs: NAN },
    ]);
    expect(passed.map(({ judgement }) => judgement.source)).toEqual([
      ...['model', 'safe', 'model'],
      ...['safe', 'safe', 'last-good'],
    ]);
    expect(last(passed).judgement.outputs).toBe(secret.ok && secret.value);
    const refused = guard.planRefused(
      last(passed).state,
      faultOf({ 'guard.tensors': '' }, 'guard.tensors', ''),
    );
    const seen = guard.see(refused, new Map(), undefined, 0 as never);
    // Whose it is cannot be told: it gets what anybody may have.
    expect(guard.judge(refused, seen, 'NOMINAL', 0 as never).judgement.outputs).toBe(SAFE);
  });

  it('change their label as their own stream does', () => {
    const temporal = { ...DEFAULT_TEMPORAL_SETTINGS, flipWindowFrames: 8, flipsMax: 2 };
    const label = (i: number) => ok(outputsOf(i % 2 === 0 ? [1, 0, 0] : [0, 1, 0]));
    const mixed = times(12, (i) => ({
      inputs: next(),
      ran: label(i),
      context: i % 2 === 0 ? camera : someone,
    }));
    expect(passAll(guardOf({ temporal }), mixed).flatMap(codes)).toEqual([]);
    const alone = mixed.map((given) => ({ ...given, context: camera }));
    expect(passAll(guardOf({ temporal }), alone).flatMap(codes)).toContain('output.flip-rate');
  });

  it('are held against time only where their output keeps the contract', () => {
    const temporal = { ...DEFAULT_TEMPORAL_SETTINGS, flipWindowFrames: 8, flipsMax: 0 };
    const guard = guardOf({ temporal });
    const first = pass(guard, GUARD_AT_START, { inputs: next(), ran: ok(outputsOf([1, 0, 0])) });
    const broken = pass(guard, first.state, {
      inputs: next(),
      ran: ok(outputsOf([0, 1, 0], [Number.NaN, 0, 0, 0])),
    });
    expect(codes(broken)).toEqual(['output.not-finite']);
    expect(broken.state.streams.get(undefined)?.temporal.labels).toEqual([0]);
    const other = pass(guard, first.state, { inputs: next(), ran: ok(outputsOf([0, 1, 0])) });
    expect(codes(other)).toEqual(['output.flip-rate']);
    const more = ok(new Map([...outputsOf([0, 1, 0]), ...named('z', float32([1], [0]))]));
    const unknown = pass(guard, first.state, { inputs: next(), ran: more });
    expect(unknown.state.streams.get(undefined)?.temporal.labels).toEqual([0]);
  });
});
