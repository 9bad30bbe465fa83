/** What the issue asks of the guard on real images and vibration, measured by the maker's own tool. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calibrateModel } from '../../src/apps/maker/calibration.ts';
import {
  type EvaluationPlan,
  evaluateModel,
  type NamedSet,
} from '../../src/apps/maker/evaluation.ts';
import { evaluationBench } from '../../src/apps/maker/evaluation-bench.ts';
import { type MakerModel, openMakerModel } from '../../src/apps/maker/maker-model.ts';
import { openLabels, openRecorded } from '../../src/apps/maker/recorded-inputs.ts';
import type { CorruptionRow, Evaluation } from '../../src/core/calibration/evaluation.ts';
import { separation } from '../../src/core/calibration/evaluation-figures.ts';
import { seededNumbers } from '../../src/core/calibration/seeded-numbers.ts';
import { splitTrial } from '../../src/core/calibration/split-trial.ts';
import type { GuardPolicy } from '../../src/core/guard/policy.ts';
import { accepted } from '../core/base/outcome.ts';
import { sharedMissing, sharedPath } from '../shared.ts';

const LIMIT_MS = 120_000;
/** A minute, which every run of CI takes. */
const asked = process.env['CI'] === 'true' || process.env['EDGEWARD_EVALUATE'] === '1';
const away = sharedMissing || !asked;
const NEEDS = 'the shared models and data, and CI=true or EDGEWARD_EVALUATE=1';

interface Guarded {
  readonly maker: MakerModel;
  readonly policy: GuardPolicy;
}

async function guarded(model: string, data: string): Promise<Guarded> {
  const maker = accepted(await openMakerModel(readFileSync(sharedPath(`models/${model}.onnx`))));
  const recorded = async (part: string) => (await recordedSet(maker, `${data}-${part}-x`)).set;
  const policy = accepted(
    await calibrateModel(maker, {
      fit: await recorded('fit'),
      labels: await openLabels(sharedPath(`data/${data}-fit-y.npy`)),
      calibration: await recorded('calibration'),
      ...{ falseAlarms: 0.01, confidence: 0.95, scores: 'logits', features: 'features' },
      drift: { alpha: 0.01, classes: false },
    }),
  );
  return { maker, policy };
}

async function recordedSet({ io }: MakerModel, name: string): Promise<NamedSet> {
  return { name, set: await openRecorded(sharedPath(`data/${name}.npy`), io.inputs) };
}

/** A first look: 400 rows of each set. */
async function lookAt(
  { maker, policy }: Guarded,
  test: string,
  unusual: readonly string[],
  changes: Partial<EvaluationPlan> = {},
): Promise<Evaluation> {
  return accepted(
    await evaluateModel(maker, {
      ...{ policy, policySha256: new Uint8Array(32), model: 'a model', version: '0.0.0' },
      test: await recordedSet(maker, test),
      unusual: await Promise.all(unusual.map((name) => recordedSet(maker, name))),
      ...{ attacks: 0, callers: false, quick: true, seed: 1, machine: 'here' },
      ...changes,
    }),
  );
}

function rowOf({ corruptions }: Evaluation, name: string): CorruptionRow {
  const row = corruptions.find(({ corruption }) => corruption.startsWith(name));
  if (row === undefined) throw new Error(`no row ${name}`);
  return row;
}

describe.skipIf(away)(`evaluation of ResNet8 (needs ${NEEDS})`, () => {
  let resnet: Guarded;

  beforeAll(async () => {
    resnet = await guarded('resnet8-cifar10', 'cifar10');
  }, LIMIT_MS);

  afterAll(() => resnet.maker.engine.close());

  it(
    'sees corruptions by the smaller p, and drift; attacks pass, and it says so',
    async () => {
      const look = await lookAt(resnet, 'cifar10-test-x', ['cifar100-test-x'], { attacks: 2 });
      const mean = rowOf(look, 'mean of 9');
      expect(mean.auroc).toBeGreaterThanOrEqual(0.96);
      expect(mean.fpr95).toBeLessThanOrEqual(0.15);
      expect(look.corruptions).toHaveLength(12);
      const delay = look.drift.find(({ stream }) => stream.startsWith('cifar100'));
      expect(delay?.alarms).toBe(delay?.streams);
      expect(delay?.medianDelay).toBeLessThanOrEqual(40);
      expect(look.drift.filter(({ drifts }) => !drifts).map(({ alarms }) => alarms)).toEqual([
        0, 0,
      ]);
      expect(look.attacks.map(({ samples }) => samples)).toEqual([2, 2, 2, 2]);
      expect(look.attacks[0]?.succeeded).toBe(2);
      const why = look.notEvaluated.find(
        ({ what }) => what === 'Attackers who know the guard',
      )?.why;
      expect(why).toContain('will pass more often');
    },
    LIMIT_MS,
  );

  it(
    'tells near and far images apart, and keeps its promise over 200 random splits',
    async () => {
      const { maker, policy } = resnet;
      const bench = evaluationBench(maker, policy);
      const rowsOf = async (name: string) => {
        const { set } = await recordedSet(maker, name);
        return bench.scoreAll(name, set.frames, 'at-risk', undefined);
      };
      const usual = await rowsOf('cifar10-test-x');
      for (const [name, least] of [
        ['cifar100-test-x', 0.825],
        ['mnist32-test-x', 0.975],
      ] as const) {
        const { detection } = separation(name, policy, usual, await rowsOf(name));
        const novelty = detection.find(({ score }) => score === 'novelty');
        expect(novelty?.auroc, name).toBeGreaterThanOrEqual(least);
      }
      const calibration = await rowsOf('cifar10-calibration-x');
      const splits = splitTrial({
        ...{ policy, rows: [...calibration, ...usual], calibrationRows: calibration.length },
        ...{ splits: 200, next: seededNumbers(1) },
      });
      expect(splits?.broken).toBeLessThanOrEqual(splits?.limit as number);
      // 5% of 200, and the binomial error of that: no looser limit than the promise itself.
      expect(splits?.limit).toBe(15);
    },
    LIMIT_MS,
  );
});

describe.skipIf(away)(`evaluation of the bearing CNN (needs ${NEEDS})`, () => {
  let bearing: Guarded;

  beforeAll(async () => {
    bearing = await guarded('bearing-cnn', 'bearing');
  }, LIMIT_MS);

  afterAll(() => bearing.maker.engine.close());

  it(
    'sees what fails in a sensor, and that the load of the motor changed',
    async () => {
      const look = await lookAt(bearing, 'bearing-test-x', ['bearing-load3-x']);
      for (const name of ['stuck half', 'bias']) {
        expect(rowOf(look, name).auroc, name).toBeGreaterThanOrEqual(0.99);
      }
      const names = look.corruptions.map(({ corruption }) => corruption);
      expect(names).toEqual([
        ...['stuck half', 'bias', 'gain', 'clip', 'half rate', 'noise', 'mean of 6'],
      ]);
      const load = look.drift.find(({ drifts }) => drifts);
      expect(load?.alarms).toBe(load?.streams);
    },
    LIMIT_MS,
  );
});
