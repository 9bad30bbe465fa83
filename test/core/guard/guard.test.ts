import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import {
  createGuard,
  GUARD_AT_START,
  type Guard,
  type GuardParts,
  type GuardState,
  type Judgement,
} from '../../../src/core/guard/guard.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import {
  acting,
  float32,
  frame,
  judged,
  logits,
  ms,
  named,
  POLICY,
  SCHEMA,
  settings,
} from './frames.ts';

const SAFE = logits(0, 0, 1);
const GOOD = logits(20, 0, 0);
const ODD = logits(1, 1, 1);
const NAN = named('x', float32([1, 3, 2, 2], Array<number>(12).fill(Number.NaN)));

const guardOf = (parts: Partial<GuardParts> = {}): Guard =>
  createGuard({
    schema: SCHEMA,
    settings: settings(),
    kernels: referenceKernels,
    policy: POLICY,
    safeOutput: SAFE,
    ...parts,
  });

interface Pass {
  readonly inputs: NamedTensors;
  readonly outputs?: NamedTensors;
  readonly atMs?: number;
  readonly mode?: Mode;
}

/** Runs frames through both phases, as a session does. */
function run(guard: Guard, passes: readonly Pass[]): Judgement[] {
  let state: GuardState = GUARD_AT_START;
  return passes.map(({ inputs, outputs, atMs = 0, mode = 'NOMINAL' }) => {
    const plan = guard.plan(state, inputs, ms(atMs));
    const ran: Result<NamedTensors> | undefined =
      plan.runInference && outputs !== undefined ? { ok: true, value: outputs } : undefined;
    const done = judged(guard, plan, inputs, ran, mode, ms(atMs));
    state = done.state;
    return done.judgement;
  });
}

describe('the guard', () => {
  it('releases a usual frame with its novelty', () => {
    const [judgement] = run(guardOf(), [{ inputs: frame(), outputs: GOOD }]);
    expect(judgement).toMatchObject({
      verdict: 'release',
      source: 'model',
      outputs: GOOD,
      reasons: [],
      mode: 'NOMINAL',
      words: 'release, gives the model output: nothing was found',
    });
    expect(judgement?.novelty?.p).toBeGreaterThan(0.5);
  });

  it('flags an unusual one with score, threshold and p', () => {
    const [judgement] = run(guardOf(), [{ inputs: frame(), outputs: ODD }]);
    expect(judgement).toMatchObject({ verdict: 'flag', outputs: ODD, novelty: { p: 0.2 } });
    expect(judgement?.reasons).toMatchObject([
      { code: 'novelty.out-of-distribution', threshold: POLICY.checks.threshold, p: 0.2 },
    ]);
    // On the common scale: ln p among half A, here below all of it.
    expect(judgement?.reasons[0]?.value).toBeLessThan(Math.log(1 / 5));
  });

  it('judges no novelty without a policy', () => {
    const [judgement] = run(guardOf({ policy: undefined }), [{ inputs: frame(), outputs: ODD }]);
    expect(judgement?.verdict).toBe('release');
    expect(judgement).not.toHaveProperty('novelty');
  });

  it('does not let a broken frame reach the model, nor its outputs out', () => {
    const guard = guardOf();
    const plan = guard.plan(GUARD_AT_START, NAN, ms(0));
    expect(plan.runInference).toBe(false);
    const ran = { ok: true, value: GOOD } as const;
    const { judgement } = judged(guard, plan, NAN, ran, 'NOMINAL', ms(0));
    expect(judgement).toMatchObject({ verdict: 'substitute', source: 'safe', outputs: SAFE });
    const shadow = guardOf({ settings: settings({ shadow: true }) });
    expect(judged(shadow, plan, NAN, ran, 'NOMINAL', ms(0)).judgement.verdict).toBe('withhold');
    expect(judgement.words).toContain('contract.not-finite: input "x" holds NaN at [0, 0, 0, 0]');
  });

  it('finds a sensor that froze, and bad frames between do not thaw it', () => {
    const inputs = frame();
    const passes = [inputs, inputs, NAN, inputs, inputs, frame(1)];
    const judged = run(
      guardOf(),
      passes.map((given) => ({ inputs: given, outputs: GOOD })),
    );
    expect(judged.map(({ reasons }) => reasons[0]?.code)).toEqual([
      undefined,
      undefined,
      'contract.not-finite',
      'sensor.frozen',
      'sensor.frozen',
      undefined,
    ]);
  });

  it('infers a frozen frame only where that is flagged, in shadow, or not looked at', () => {
    const third = (parts: Partial<GuardParts>): Judgement => {
      const passes = Array.from({ length: 3 }, () => ({ inputs: frame(), outputs: GOOD }));
      return run(guardOf(parts), passes)[2] as Judgement;
    };
    expect(third({}).verdict).toBe('substitute');
    expect(third({ settings: acting({ sensor: 'flag' }) })).toMatchObject({
      verdict: 'flag',
      outputs: GOOD,
    });
    expect(third({ settings: settings({ shadow: true }) }).verdict).toBe('flag');
    expect(third({ settings: settings({ frozenFrames: 0 }) }).verdict).toBe('release');
  });

  it('stands in with the last released output, never with a flagged one', () => {
    const guard = guardOf({ settings: settings({ lastGoodMaxAgeMs: 100 }) });
    const judged = run(guard, [
      { inputs: frame(1), outputs: GOOD, atMs: 0 },
      { inputs: frame(2), outputs: ODD, atMs: 50 },
      { inputs: NAN, atMs: 100 },
      { inputs: NAN, atMs: 101 },
    ]);
    expect(judged.map(({ source }) => source)).toEqual(['model', 'model', 'last-good', 'safe']);
    expect(judged[2]?.outputs).toBe(GOOD);
  });

  it('keeps no output that the settings never use', () => {
    const guard = guardOf();
    const plan = guard.plan(GUARD_AT_START, frame(), ms(0));
    const ran = { ok: true, value: GOOD } as const;
    const { state } = judged(guard, plan, frame(), ran, 'NOMINAL', ms(0));
    expect([...state.streams.values()]).toMatchObject([{ lastGood: undefined }]);
  });

  it('judges a failed and a forgotten inference', () => {
    const guard = guardOf({ safeOutput: undefined });
    const plan = guard.plan(GUARD_AT_START, frame(), ms(0));
    const fault = { code: 'inference.deadline', message: 'not within 5 ms', next: '' };
    const late = judged(guard, plan, frame(), { ok: false, fault }, 'NOMINAL', ms(5)).judgement;
    expect(late).toMatchObject({ verdict: 'withhold', source: 'none', outputs: undefined });
    expect(late.reasons[0]).toMatchObject({
      code: 'inference.failed-deadline',
      detail: 'inference.deadline: not within 5 ms',
    });
    const none = judged(guard, plan, frame(), undefined, 'NOMINAL', ms(5)).judgement;
    expect(none.reasons[0]?.code).toBe('inference.failed');
  });

  it('blames the mode alone for an inference that the mode forbade', () => {
    const [judgement] = run(guardOf({ settings: acting({ inference: 'withhold' }) }), [
      { inputs: frame(), mode: 'PAUSED' },
    ]);
    expect(judgement).toMatchObject({ verdict: 'substitute', source: 'safe', mode: 'PAUSED' });
    expect(judgement?.reasons.map(({ code }) => code)).toEqual(['mode.withholding']);
  });

  it('holds back an output that was computed before the mode changed', () => {
    const [judgement] = run(guardOf(), [{ inputs: frame(), outputs: GOOD, mode: 'SAFE' }]);
    expect(judgement).toMatchObject({ verdict: 'substitute', outputs: SAFE });
  });

  it('does not take what cannot be scored for usual', () => {
    const policy = { ...POLICY, outputs: { scores: 'elsewhere' } };
    const [judgement] = run(guardOf({ policy }), [{ inputs: frame(), outputs: GOOD }]);
    expect(judgement).toMatchObject({ verdict: 'flag', reasons: [{ code: 'novelty.not-scored' }] });
  });

  it('scores float16 and float64 logits as well', () => {
    for (const tensor of [
      { dtype: 'float64', dims: [1, 3], data: Float64Array.of(20, 0, 0) } as const,
      { dtype: 'float16', dims: [1, 3], data: Uint16Array.of(0x4d00, 0, 0) } as const,
    ]) {
      const [output] = SCHEMA.outputs;
      const schema = { ...SCHEMA, outputs: [{ ...output, dtype: tensor.dtype }] };
      const guard = guardOf({ schema: schema as typeof SCHEMA });
      const outputs = named('logits', tensor);
      const [judgement] = run(guard, [{ inputs: frame(), outputs }]);
      const [plain] = run(guardOf(), [{ inputs: frame(), outputs: GOOD }]);
      expect(judgement?.novelty).toEqual(plain?.novelty);
    }
  });
});
