/** Evaluating a small model on recordings: every figure is there, or said to be missing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calibrateModel } from '../../../src/apps/maker/calibration.ts';
import {
  type EvaluationPlan,
  evaluateModel,
  type NamedSet,
} from '../../../src/apps/maker/evaluation.ts';
import { plainInput, thinned } from '../../../src/apps/maker/evaluation-bench.ts';
import { framesOf } from '../../../src/apps/maker/frames.ts';
import { type MakerModel, openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { Evaluation } from '../../../src/core/calibration/evaluation.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { floats, npy, toyModel, toyRows } from './toy.ts';

const METADATA = utf8(JSON.stringify({ inputs: { x: { range: [-20, 20] } } }));
let toy: MakerModel;
let policy: GuardPolicy;
let evaluation: Evaluation;
const stages: string[] = [];

function recorded({ io }: MakerModel, tensor: Tensor) {
  const frames = framesOf(new Map([['x', tensor]]), io.inputs);
  return { frames, sha256: sha256(npy(tensor)), description: 'rows of a test' };
}

function named(name: string, seed: number, count: number, strangeness = 0): NamedSet {
  return { name, set: recorded(toy, toyRows(seed, count, strangeness).x) };
}

function planned(changes: Partial<EvaluationPlan> = {}): EvaluationPlan {
  return {
    ...{ policy, policySha256: sha256(encodeGuardPolicy(policy)), model: 'toy.onnx' },
    test: named('test', 3, 300),
    unusual: [named('moved', 4, 60, 3)],
    ...{ attacks: 0, callers: false, quick: true, seed: 1, version: '0.0.0', machine: 'a desk' },
    ...changes,
  };
}

beforeAll(async () => {
  toy = accepted(await openMakerModel(toyModel(), METADATA));
  const { x, labels } = toyRows(1, 150);
  policy = accepted(
    await calibrateModel(toy, {
      ...{ fit: recorded(toy, x), labels: Int32Array.from(labels.data as Int32Array) },
      calibration: recorded(toy, toyRows(2, 400).x),
      ...{ falseAlarms: 0.05, confidence: 0.95, scores: 'logits', features: 'features' },
      drift: { alpha: 0.01, classes: false },
    }),
  );
  evaluation = accepted(
    await evaluateModel(
      toy,
      planned({
        ...{ attacks: 3, callers: true, quick: false, calibration: named('calibration', 2, 400) },
        onProgress: (stage) => {
          if (stages.at(-1) !== stage) stages.push(stage);
        },
      }),
    ),
  );
}, 60_000);

afterAll(() => toy.engine.close());

describe('evaluateModel', () => {
  it('holds the whole guard against its promise, on the test set and over random splits', () => {
    const { promise, verdict } = evaluation;
    expect(promise).toMatchObject({ budget: 0.05, confidence: 0.95 });
    expect(promise.observed).toMatchObject([{ set: 'test', frames: 300 }]);
    expect(verdict.passed).toBe(true);
    expect(verdict.words.join('\n')).toMatch(/of 200 random splits/);
  });

  it('tells the unusual set apart, and finds its drift', () => {
    const novelty = evaluation.detection.find(({ score }) => score === 'novelty');
    expect(novelty).toMatchObject({ set: 'moved', frames: 60 });
    expect(novelty?.auroc).toBeGreaterThan(0.95);
    expect(evaluation.drift.map(({ drifts }) => drifts)).toEqual([false, false, true]);
    expect(evaluation.drift[0]).toMatchObject({ streams: 100, frames: 20_000 });
    expect(evaluation.drift[1]?.alarms).toBe(0);
    expect(evaluation.drift[2]?.alarms).toBe(100);
  });

  it('attacks the model with each attack, and lets callers ask', () => {
    expect(evaluation.attacks.map(({ samples }) => samples)).toEqual([3, 3, 3, 3]);
    expect(evaluation.attacks[0]?.attack).toMatch(/^square, within 8\/255 of the range/);
    const callers = evaluation.callers.map(({ caller, hostile }) => [caller, hostile]);
    expect(callers).toEqual([
      ['copies with moved', true],
      ['copies with frames made from 50', true],
      ['searches at random', true],
      ['asks about usual frames', false],
    ]);
    expect(evaluation.callers[0]?.flagged).toBe(5);
    expect(evaluation.callers[3]?.flagged).toBe(0);
  });

  it('names what was evaluated, where and on what', () => {
    expect(evaluation.identity).toMatchObject({ model: 'toy.onnx', detection: 'full' });
    expect(evaluation.sets.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      ...['test usual', 'calibration usual', 'moved unusual'],
    ]);
    expect(evaluation.latency).toMatchObject({ frames: 200, machine: 'a desk' });
    const { inference, guard } = evaluation.latency as NonNullable<Evaluation['latency']>;
    for (const { medianUs, p99Us } of [inference, guard]) {
      expect(medianUs).toBeGreaterThan(0);
      expect(p99Us).toBeGreaterThanOrEqual(medianUs);
    }
    expect(stages).toEqual(expect.arrayContaining(['test', 'moved', 'attack square']));
  });

  it('lists what it did not evaluate, with why', () => {
    const listed = new Map(evaluation.notEvaluated.map(({ what, why }) => [what, why]));
    expect(listed.get('Corruptions')).toMatch(/rows of a table/);
    expect(listed.get('Perturbation check')).toMatch(/the policy has none/);
    expect(listed.get('Attackers who know the guard')).toMatch(/will pass/);
    expect(listed.has('Random splits')).toBe(false);
    expect(listed.has('All rows')).toBe(false);
  });

  it('a first look says so, and leaves out what was not asked for', async () => {
    const { drift: _, input: __, ...bare } = policy;
    const { input: ___, ...scales } = policy.checks.scales;
    const checks = { ...policy.checks, scales };
    const look = accepted(
      await evaluateModel(
        toy,
        planned({ policy: { ...bare, checks }, unusual: [], test: named('test', 3, 40) }),
      ),
    );
    const listed = look.notEvaluated.map(({ what }) => what);
    expect(listed).toEqual(
      expect.arrayContaining([
        ...['Input statistics', 'Detection', 'Attacks', 'Callers', 'Drift', 'A full run'],
        'Random splits',
      ]),
    );
    expect(look.drift).toEqual([]);
    expect(look.detection).toEqual([]);
  });

  it('says where not all rows were taken, and what could not be attacked', async () => {
    const flat = recorded(toy, floats([500, 8], new Float32Array(4_000)));
    const test = { name: 'test', set: flat };
    const { io } = toy;
    const unranged = {
      ...toy,
      io: { ...io, inputs: io.inputs.map(({ range: _, ...input }) => input) },
    };
    const plan = planned({ test, unusual: [], attacks: 1, callers: true });
    const look = accepted(await evaluateModel(unranged, plan));
    const listed = new Map(look.notEvaluated.map(({ what, why }) => [what, why]));
    expect(listed.get('All rows')).toMatch(/of larger sets 400 /);
    expect(listed.get('Attacks')).toMatch(/cannot be changed/);
    expect(listed.get('Callers')).toMatch(/cannot be changed/);
    expect(look.sets[0]?.frames).toBe(400);
  });

  it('is the same for the same seed, time apart', async () => {
    const plan = planned({ test: named('test', 3, 60), attacks: 2, callers: true });
    const [a, b] = [await evaluateModel(toy, plan), await evaluateModel(toy, plan)];
    const figures = ({ latency: _, ...others }: Evaluation) => others;
    expect(figures(accepted(a))).toEqual(figures(accepted(b)));
  });

  it('a guard that alarms on usual frames does not pass', async () => {
    const test = named('test', 5, 60, 3);
    const { verdict } = accepted(await evaluateModel(toy, planned({ test })));
    expect(verdict.passed).toBe(false);
  });

  it('refuses the policy of another model, and sets without rows', async () => {
    const other = accepted(await openMakerModel(toyModel({ scale: 2 }), METADATA));
    const bare = accepted(await openMakerModel(toyModel({ bare: true }), METADATA));
    try {
      const refused = faultIn(await evaluateModel(other, planned()));
      expect(refused.code).toBe('maker.policy');
      expect(refused.message).toMatch(/^the policy is of model [0-9a-f]{64}, this one is /);
      const own = { ...policy, modelSha256: bare.model.sha256 };
      const missing = faultIn(await evaluateModel(bare, planned({ policy: own })));
      expect(missing).toMatchObject({ code: 'maker.policy' });
      expect(missing.message).toMatch(/reads an output "features"/);
    } finally {
      await other.engine.close();
      await bare.engine.close();
    }
    const none = { ...named('test', 3, 2), set: { ...named('test', 3, 2).set } };
    const empty = { ...none, set: { ...none.set, frames: { ...none.set.frames, count: 0 } } };
    expect(faultIn(await evaluateModel(toy, planned({ test: empty }))).code).toBe('maker.input');
  });
});

describe('rows to make others from', () => {
  it('are taken evenly', () => {
    const frames = { count: 10, frame: (row: number) => new Map([['x', floats([1], [row])]]) };
    const some = thinned(frames, 4);
    const rows = Array.from({ length: some.count }, (_, i) => some.frame(i).get('x')?.data[0]);
    expect(rows).toEqual([0, 2, 5, 7]);
    expect(thinned(frames, 10).count).toBe(10);
  });

  it('have the range of the metadata, or else their own; rows of one value have none', () => {
    const { frames } = named('test', 3, 20).set;
    expect(plainInput(toy, frames)?.range).toEqual({ min: -20, max: 20 });
    const [input] = toy.io.inputs;
    const { range: _, ...open } = input as NonNullable<typeof input>;
    const unstated = { ...toy, io: { ...toy.io, inputs: [open] } };
    const seen = plainInput(unstated, frames)?.range as { min: number; max: number };
    expect(seen.min).toBeGreaterThan(-20);
    expect(seen.max).toBeLessThan(20);
    const flat = framesOf(new Map([['x', floats([3, 8], new Float32Array(24))]]), toy.io.inputs);
    expect(plainInput(unstated, flat)).toBeUndefined();
  });
});
