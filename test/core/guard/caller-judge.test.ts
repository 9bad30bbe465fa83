import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALLER_FRAMES_MAX } from '../../../src/core/base/limits.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import { eValue } from '../../../src/core/guard/caller-evidence.ts';
import {
  type CallerFrame,
  judgeCaller,
  killsMoveMode,
} from '../../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../../src/core/guard/caller-plan.ts';
import { type CallerRecord, NO_CALLERS } from '../../../src/core/guard/caller-state.ts';
import {
  codesOf,
  FEATURES,
  type Frame,
  judgeAll,
  nudged,
  REFERENCE,
  type Run,
  SENSOR,
  settings,
  usualFrames,
} from './caller-frames.ts';
import { ms } from './frames.ts';

const recordOf = (run: Run, name = 'someone'): CallerRecord =>
  run.state.records.get(name) as CallerRecord;

/** A walk in small steps from one frame, the label by `label`. */
function walk(seed: number, label: (step: number) => number): () => Frame {
  const next = seededNumbers(seed);
  let frame = usualFrames(seed)();
  let step = 0;
  return () => {
    frame = { ...nudged(frame, next), label: label(step++) };
    return frame;
  };
}

describe('usual frames', () => {
  it('never shut anybody out: 10 callers, 2,000 frames each, one frame in twenty unusual', () => {
    for (let seed = 10; seed < 20; seed++) {
      expect(judgeAll(usualFrames(seed), 2_000).first).toBeUndefined();
    }
  });

  it('nor a caller who asks for one class only, or draws from few frames again and again', () => {
    const next = usualFrames(30);
    const one = (): Frame => {
      for (let frame = next(); ; frame = next()) if (frame.label === 2) return frame;
    };
    expect(judgeAll(one, 1_000).first).toBeUndefined();
    const few = Array.from({ length: 40 }, usualFrames(31));
    const chance = seededNumbers(32);
    const again = (): Frame => few[Math.floor(chance() * few.length)] as Frame;
    const run = judgeAll(again, 2_000);
    expect(run.first).toBeUndefined();
    // A frame that came before is no try at all.
    expect(recordOf(run).near.tries).toBeLessThan(40);
    expect(recordOf(run).novelty.tries).toBeLessThanOrEqual(40);
  });

  it('are remembered up to a limit', () => {
    const { kept } = recordOf(judgeAll(usualFrames(33), 300));
    expect(kept).toHaveLength(CALLER_FRAMES_MAX);
  });
});

describe('unusual frames', () => {
  const novel = (seed: number, rate: number): (() => Frame) => {
    const frames = usualFrames(seed);
    const next = seededNumbers(seed);
    return () => ({ ...frames(), noveltyP: next() < rate ? 0.01 : 0.5 });
  };

  it('find a caller who sends 36% of them, also after 2,000 ordinary frames', () => {
    for (const seed of [40, 41, 42]) {
      const run = judgeAll(novel(seed, 0.36), 2_000);
      expect(codesOf(run)).toEqual(['caller.novelty-rate']);
      expect(run.first?.at).toBeLessThan(400);
      const before = usualFrames(seed + 10);
      const after = novel(seed, 0.36);
      let sent = 0;
      const late = judgeAll(() => (sent++ < 2_000 ? before() : after()), 4_000);
      expect(codesOf(late)).toEqual(['caller.novelty-rate']);
    }
  });

  it('are counted without features too, and a p that is no number is an unusual one', () => {
    const rules = { settings: settings(), reference: undefined };
    const run = judgeAll(() => ({ noveltyP: Number.NaN }), 100, 'someone', rules);
    expect(codesOf(run)).toEqual(['caller.novelty-rate']);
    expect(judgeAll(() => ({}), 100, 'someone', rules).first).toBeUndefined();
  });

  it('say what was measured, shut the caller out, and start the test anew', () => {
    const run = judgeAll(novel(43, 1), 100);
    const [found] = run.first?.findings ?? [];
    expect(found?.threshold).toBe(3 / 1e-4);
    expect(found?.value).toBeGreaterThanOrEqual(3 / 1e-4);
    expect(found?.p).toBe(1 / (found?.value as number));
    expect(found?.detail).toBe('far more than 15% of the frames of "someone" are unusual');
    expect(eValue(recordOf(run).novelty)).toBe(1);
    const at = ms((run.first?.at ?? 0) + 1);
    expect(planCaller(run.state, settings(), 'someone', at).findings[0]?.code).toBe(
      'caller.quarantined',
    );
  });
});

describe('made frames', () => {
  it('find a search in small steps within 400 queries', () => {
    const run = judgeAll(
      walk(50, () => 0),
      400,
    );
    expect(codesOf(run)).toEqual(['caller.probing']);
  });

  it('find a walk along a boundary by its labels', () => {
    const changing = judgeAll(
      walk(51, (step) => step % 2),
      400,
    );
    expect(codesOf(changing)).toContain('caller.probing');
    const flips = settings({ nearShare: 0.9 });
    const rules = { settings: flips, reference: REFERENCE };
    expect(
      codesOf(
        judgeAll(
          walk(51, (step) => step % 2),
          400,
          'someone',
          rules,
        ),
      ),
    ).toEqual(['caller.near-duplicates']);
    expect(
      judgeAll(
        walk(51, () => 0),
        100,
        'someone',
        rules,
      ).first,
    ).toBeUndefined();
  });

  it('find queries made from 50 seeds, round after round, within 400', () => {
    const frames = usualFrames(52);
    const next = seededNumbers(52);
    const sent: Frame[] = [];
    const made = (): Frame => {
      const parent = sent[sent.length - 50];
      const frame = parent === undefined ? frames() : nudged(parent, next, 0.02);
      sent.push(frame);
      return frame;
    };
    const run = judgeAll(made, 400);
    expect(codesOf(run)).toEqual(['caller.probing']);
    expect(run.first?.at).toBeGreaterThan(50);
  });

  it('are not looked for in features that are not the model’s, or not finite', () => {
    const other = (): CallerFrame => ({ features: new Float32Array(FEATURES + 1).fill(1) });
    expect(judgeAll(other, 200).first).toBeUndefined();
    for (const bad of [Number.NaN, Infinity, 0]) {
      const frame = (): CallerFrame => ({ features: new Float32Array(FEATURES).fill(bad) });
      const run = judgeAll(frame, 200);
      expect(run.first).toBeUndefined();
      expect(recordOf(run).kept).toEqual([]);
    }
  });
});

describe('a declared sensor', () => {
  const rules = { settings: SENSOR, reference: REFERENCE };

  /** A video: scenes of 100 frames, each frame a small step from the one before. */
  function video(seed: number, noveltyP: (scene: number) => number): () => Frame {
    const scenes = usualFrames(seed);
    const next = seededNumbers(seed);
    let frame = scenes();
    let at = 0;
    return () => {
      const scene = Math.floor(at / 100);
      frame = at++ % 100 === 0 ? scenes() : nudged(frame, next, 0.03);
      return { ...frame, noveltyP: noveltyP(scene), label: at % 3 };
    };
  }

  it('is not found by what every video is: near frames, some scenes all unusual', () => {
    const run = judgeAll(
      video(60, (scene) => (scene % 8 === 0 ? 0.001 : 0.5)),
      4_000,
      'camera',
      rules,
    );
    expect(run.first).toBeUndefined();
    expect(recordOf(run, 'camera').novelty.tries).toBeLessThan(60);
    expect(recordOf(run, 'camera').kept).toEqual([]);
  });

  it('is found by scene after scene that is unusual, and an undeclared one by its first', () => {
    const odd = judgeAll(
      video(61, () => 0.001),
      4_000,
      'camera',
      rules,
    );
    expect(codesOf(odd)).toEqual(['caller.novelty-rate']);
    expect(odd.first?.at).toBeGreaterThan(500);
    const undeclared = judgeAll(
      video(61, () => 0.5),
      400,
      'other',
      rules,
    );
    expect(codesOf(undeclared)).toContain('caller.probing');
    expect(undeclared.first?.at).toBeLessThan(100);
  });

  it('counts nothing where its frames have no features', () => {
    const blind = { settings: SENSOR, reference: undefined };
    expect(judgeAll(() => ({ noveltyP: 0.001 }), 300, 'camera', blind).first).toBeUndefined();
  });
});

describe('kills at the deadline', () => {
  const rules = { settings: settings({ kills: 2, killWindowMs: 60_000 }) };
  const kill = (state = NO_CALLERS, name = 'a', at = 0): ReturnType<typeof judgeCaller> =>
    judgeCaller(state, rules, name, { killed: true }, ms(at));

  it('shut a caller out at the second within the window, and leave the mode alone', () => {
    const first = kill();
    expect(first.findings).toEqual([]);
    expect(killsMoveMode(first.state, rules.settings, ms(0))).toBe(false);
    const second = kill(first.state, 'a', 59_999);
    expect(second.findings).toMatchObject([{ code: 'caller.quarantined', value: 2, threshold: 2 }]);
    expect(killsMoveMode(second.state, rules.settings, ms(59_999))).toBe(false);
    expect(kill(first.state, 'a', 60_000).findings).toEqual([]);
  });

  it('move the mode when they are of more than one principal', () => {
    const both = kill(kill().state, 'b', 10).state;
    expect(killsMoveMode(both, rules.settings, ms(10))).toBe(true);
    expect(killsMoveMode(both, rules.settings, ms(60_010))).toBe(false);
  });

  it('keep no more of them than shut out', () => {
    let state = NO_CALLERS;
    for (let i = 0; i < 50; i++) state = kill(state, 'a', i).state;
    expect(state.records.get('a')?.killsAtMs).toEqual([48, 49]);
  });
});

describe('judging', () => {
  it('never throws and never stores what is not a number', () => {
    const anyFrame = fc.record({
      noveltyP: fc.option(fc.double(), { nil: undefined }),
      features: fc.option(fc.float32Array({ minLength: FEATURES, maxLength: FEATURES }), {
        nil: undefined,
      }),
      label: fc.option(fc.integer(), { nil: undefined }),
      killed: fc.option(fc.boolean(), { nil: undefined }),
    });
    const name = fc.constantFrom('camera', 'someone');
    const rules = { settings: SENSOR, reference: REFERENCE };
    fc.assert(
      fc.property(fc.array(fc.tuple(name, anyFrame), { maxLength: 30 }), (frames) => {
        let state = NO_CALLERS;
        for (const [i, [who, frame]] of frames.entries()) {
          state = judgeCaller(state, rules, who, frame, ms(i)).state;
        }
        for (const record of state.records.values()) {
          for (const evidence of [record.novelty, record.near, record.flips]) {
            expect(Number.isFinite(eValue(evidence))).toBe(true);
          }
          for (const { vector } of record.kept) expect(vector.every(Number.isFinite)).toBe(true);
        }
      }),
    );
  });
});
