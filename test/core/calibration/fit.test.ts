import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { binomialUpper } from '../../../src/core/calibration/evaluate.ts';
import { type CalibrationInput, fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import type { RecordedOutputs, Rows } from '../../../src/core/calibration/rows.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { judgedNovelty } from '../guard/judged.ts';
import { simulatedInput, simulatedModel } from './simulated.ts';

const model = simulatedModel(3, 4);
const input = simulatedInput(model);

describe('fitGuardPolicy', () => {
  it('states its promise with the evidence for it', () => {
    const policy = need(fitGuardPolicy(input));
    expect(policy.detection).toBe('full');
    expect(policy.checks.rank).toBe(1);
    const { statement, ...evidence } = policy.promise;
    expect(evidence).toEqual({
      falseAlarms: 0.05,
      confidence: 0.95,
      rowsHalfA: 59,
      rowsHalfB: 59,
      fit: { sha256: input.fit.sha256, rows: 90 },
      calibration: { sha256: input.calibration.sha256, rows: 118 },
    });
    expect(statement).toContain('At most 5% of the frames');
    expect(statement).toContain('probability 95% (threshold: rank 1 of 59 rows');
  });

  it('gives the same bytes for the same input', () => {
    const bytes = encodeGuardPolicy(need(fitGuardPolicy(input)));
    expect(encodeGuardPolicy(need(fitGuardPolicy(input)))).toEqual(bytes);
  });

  it('finds the last layer by least squares, dead and doubled features included', () => {
    const given = need(fitGuardPolicy(input)).novelty.statistics?.headDistances;
    const { head: _, ...headless } = input;
    const found = need(fitGuardPolicy(headless)).novelty.statistics?.headDistances;
    given?.forEach((distance, i) => {
      expect(found?.[i]).toBeCloseTo(distance, 4);
    });
    expect(given).toHaveLength(3);
    const dead = {
      ...headless,
      fit: mapFeatures(input.fit, (f) => Float32Array.of(...f, 0, f[0] as number)),
      calibration: mapFeatures(input.calibration, (f) => Float32Array.of(...f, 0, f[0] as number)),
    };
    expect(fitGuardPolicy(dead).ok).toBe(true);
  });

  it('scores with further detectors where they are asked for, and keeps the promise with them', () => {
    const policy = need(fitGuardPolicy({ ...input, detectors: ['knn', 'vim'] }));
    expect(policy.novelty.halfA).toHaveLength(5);
    expect(policy.novelty.statistics?.vim?.features).toBe(4);
    expect(policy.novelty.statistics?.knn?.holdsSamples).toBe(true);
    expect(need(decodeGuardPolicy(encodeGuardPolicy(policy)))).toEqual(policy);
    expect(alarmRate(policy, model.outputs(52, 1500))).toBeLessThan(0.05);
    expect(alarmRate(policy, model.outputs(51, 500, 10))).toBeGreaterThan(0.9);
    // Without features there is nothing that they could look at.
    const bare = need(fitGuardPolicy({ ...reduced(input), detectors: ['vim'] }));
    expect(bare.novelty.halfA).toHaveLength(1);
  });

  it('takes the answers of the model where labels are missing', () => {
    const { labels: _, ...unlabelled } = input;
    const own = { ...input, labels: predicted(input.fit.logits) };
    expect(fitGuardPolicy(unlabelled)).toEqual(fitGuardPolicy(own));
  });

  it('judges by the logits alone without features, and declares it', () => {
    const policy = need(fitGuardPolicy(reduced(input)));
    expect(policy.detection).toBe('reduced');
    expect(policy.novelty.statistics).toBeUndefined();
    expect(policy.novelty.halfA).toHaveLength(1);
    const frames = model.outputs(40, 10);
    const judged = judgedNovelty(policy, rowOf(frames.logits, 0), undefined);
    expect(judged.score).toBeLessThan(0);
  });

  it('keeps the promise over many calibration sets, and detects', () => {
    const [sets, rows] = [300, 1500];
    const rates = Array.from({ length: sets }, (_, set) => {
      const calibration = model.outputs(1000 + set, 118);
      const policy = need(fitGuardPolicy({ ...input, calibration }));
      return alarmRate(policy, model.outputs(100_000 + set, rows));
    });
    const broken = rates.filter((rate) => rate > input.falseAlarms).length / sets;
    expect(broken).toBeLessThanOrEqual(binomialUpper(sets, 0.05, 0.999));
    // Rank 1 of 59 alarms on one frame in 60: less would be a promise kept by never alarming.
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / sets;
    expect(mean).toBeGreaterThan(0.8 / 60);
    expect(mean).toBeLessThan(1.2 / 60);
    const policy = need(fitGuardPolicy(input));
    expect(alarmRate(policy, model.outputs(51, rows, 10))).toBeGreaterThan(0.9);
  });
});

describe('fitGuardPolicy refuses', () => {
  const cases: [string, Partial<CalibrationInput>, string, string][] = [
    ['no budget', { falseAlarms: 0 }, 'calibration.budget', 'false alarms 0'],
    ['a budget of NaN', { falseAlarms: NaN }, 'calibration.budget', 'NaN'],
    ['a confidence of 1', { confidence: 1 }, 'calibration.budget', 'confidence 1'],
    [
      'too few calibration rows',
      { calibration: model.outputs(5, 117) },
      'calibration.rows',
      '117 calibration rows; 0.05 false alarms at confidence 0.95 needs 118 in all',
    ],
    [
      'too few rows for 1% at 95%',
      { calibration: model.outputs(5, 597), falseAlarms: 0.01 },
      'calibration.rows',
      'needs 598 in all',
    ],
    ['too few rows for 0.1%', { falseAlarms: 0.001 }, 'calibration.rows', 'needs 5990 in all'],
    ['a label per row and one more', { labels: new Int32Array(91) }, 'calibration.labels', '91'],
    [
      'a label without a class',
      { labels: new Int32Array(90).fill(3) },
      'calibration.labels',
      'fit row 0 is 3',
    ],
    [
      'a class without rows',
      { labels: Int32Array.from({ length: 90 }, (_, row) => row % 2) },
      'calibration.classes',
      'by the given labels (0: 45, 1: 45, 2: 0)',
    ],
    [
      'fewer fit rows than features and classes',
      { fit: model.outputs(2, 6), labels: Int32Array.of(0, 1, 2, 0, 1, 2) },
      'calibration.fit-rows',
      '6 fit rows; 4 features and 3 classes need 7',
    ],
    [
      'the fit file as the calibration file',
      { calibration: { ...model.outputs(5, 118), sha256: input.fit.sha256 } },
      'calibration.same-rows',
      'one file',
    ],
    [
      'the fit rows in another file',
      { fit: { ...input.calibration, sha256: new Uint8Array(32) }, labels: cycle(118) },
      'calibration.same-rows',
      '118 of 118',
    ],
    [
      'a NaN among the features',
      { fit: mapFeatures(input.fit, (f, row) => (row === 8 ? f.map(() => NaN) : f)) },
      'calibration.values',
      'fit features: NaN in row 8, column 0',
    ],
    [
      'features of zeros',
      { fit: mapFeatures(input.fit, (f, row) => (row === 8 ? f.map(() => 0) : f)) },
      'calibration.values',
      '1 of 90 rows are all zeros, the first is row 8',
    ],
    [
      'rows that do not divide',
      { fit: { ...input.fit, logits: { width: 3, data: new Float32Array(100) } } },
      'calibration.shape',
      '100 values',
    ],
    [
      'one score a row',
      { fit: { ...input.fit, logits: { width: 1, data: new Float32Array(90) } } },
      'calibration.shape',
      'rows of 1 values',
    ],
    [
      'more logits than features',
      { fit: { ...input.fit, logits: { width: 3, data: new Float32Array(93) } } },
      'calibration.shape',
      '31 rows of logits and 90 of features',
    ],
    [
      'sets of two models',
      { calibration: simulatedModel(3, 5).outputs(5, 118) },
      'calibration.shape',
      '3 scores and 4 features a row, the calibration set 3 scores and 5 features',
    ],
    [
      'features without a name',
      { outputs: { scores: 'logits' } },
      'calibration.shape',
      'named undefined',
    ],
    [
      'a last layer of another size',
      { head: { ...model.head, features: 5 } },
      'calibration.head',
      '3 x 5 for 3 scores and 4 features',
    ],
    [
      'a last layer that does not make the logits',
      { head: { ...model.head, bias: model.head.bias.map((b) => b + 1) } },
      'calibration.head',
      'of the logits of 118 held-out rows unexplained',
    ],
    [
      'classes with the same weights',
      twins(),
      'calibration.head',
      'classes 0 and 1 have the same weights',
    ],
  ];
  it.each(cases)('%s', (_, change, code, words) => {
    const result = fitGuardPolicy({ ...input, ...change });
    expect(result).toMatchObject({ ok: false, fault: { code } });
    if (!result.ok) expect(result.fault.message).toContain(words);
  });

  it('features that do not feed the last layer', () => {
    const { head: _, ...headless } = input;
    const squared = (f: Float32Array): Float32Array => f.map((value) => value * value);
    const result = fitGuardPolicy({
      ...headless,
      fit: mapFeatures(input.fit, squared),
      calibration: mapFeatures(input.calibration, squared),
    });
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.head' } });
  });

  it('features that never vary', () => {
    const constant = Float32Array.of(1, 2, 3, 4);
    const z = model.head.bias.map((_, c) =>
      constant.reduce(
        (sum, f, i) => sum + f * (model.head.weights[c * 4 + i] as number),
        model.head.bias[c] as number,
      ),
    );
    const still = (set: RecordedOutputs, jitter: number): RecordedOutputs => ({
      ...set,
      features: mapFeatures(set, (_, row) => constant.map((f) => f + jitter * row))
        .features as Rows,
      logits: {
        width: 3,
        data: set.logits.data.map((_, at) => {
          const moved = model.head.weights.subarray((at % 3) * 4, (at % 3) * 4 + 4);
          const row = Math.floor(at / 3);
          return (z[at % 3] as number) + jitter * row * moved.reduce((sum, w) => sum + w, 0);
        }),
      },
    });
    const result = fitGuardPolicy({
      ...input,
      fit: still(input.fit, 0),
      calibration: still(input.calibration, 1e-3),
    });
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.constant' } });
  });

  it('logits of which half say the same', () => {
    const flat = {
      width: 3,
      data: input.calibration.logits.data.map((z, i) => (i < 300 ? Math.floor(i / 3) : z)),
    };
    const result = fitGuardPolicy(
      reduced({ ...input, calibration: { ...input.calibration, logits: flat } }),
    );
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.constant' } });
  });

  it('a policy that would be too large, before fitting it', () => {
    const wide = (rows: number, id: number): RecordedOutputs => ({
      logits: { width: 4096, data: new Float32Array(4096 * rows) },
      features: { width: 2000, data: new Float32Array(2000 * rows).fill(1) },
      sha256: new Uint8Array(32).fill(id),
    });
    const result = fitGuardPolicy({ ...input, fit: wide(4, 1), calibration: wide(118, 2) });
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.size' } });
  });
});

function alarmRate(policy: GuardPolicy, frames: RecordedOutputs): number {
  const count = frames.logits.data.length / frames.logits.width;
  let alarms = 0;
  for (let row = 0; row < count; row++) {
    const features = frames.features === undefined ? undefined : rowOf(frames.features, row);
    const logits = rowOf(frames.logits, row);
    if (judgedNovelty(policy, logits, features).alarm) alarms += 1;
  }
  return alarms / count;
}

function mapFeatures(
  set: RecordedOutputs,
  change: (features: Float32Array, row: number) => Float32Array,
): RecordedOutputs {
  const rows = set.features as Rows;
  const count = rows.data.length / rows.width;
  const changed = Array.from({ length: count }, (_, row) => change(rowOf(rows, row), row));
  const width = changed[0]?.length ?? 0;
  return { ...set, features: { width, data: Float32Array.from(changed.flatMap((f) => [...f])) } };
}

function reduced({ outputs, fit, calibration, ...rest }: CalibrationInput): CalibrationInput {
  return {
    ...rest,
    outputs: { scores: outputs.scores },
    fit: { logits: fit.logits, sha256: fit.sha256 },
    calibration: { logits: calibration.logits, sha256: calibration.sha256 },
  };
}

function predicted(logits: Rows): Int32Array {
  const count = logits.data.length / logits.width;
  return Int32Array.from({ length: count }, (_, row) => {
    const z = rowOf(logits, row);
    return z.indexOf(Math.max(...z));
  });
}

function cycle(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => row % 3);
}

/** Class 1 made the same as class 0, in the layer and in what it put out. */
function twins(): Partial<CalibrationInput> {
  const twin = (set: RecordedOutputs): RecordedOutputs => {
    const data = set.logits.data.map((z, at) =>
      at % 3 === 1 ? (set.logits.data[at - 1] ?? 0) : z,
    );
    return { ...set, logits: { width: 3, data } };
  };
  const { weights, bias } = model.head;
  return {
    head: {
      ...model.head,
      weights: weights.map((w, at) => (at >= 4 && at < 8 ? (weights[at - 4] as number) : w)),
      bias: bias.map((b, c) => (c === 1 ? (bias[0] as number) : b)),
    },
    fit: twin(input.fit),
    calibration: twin(input.calibration),
  };
}
