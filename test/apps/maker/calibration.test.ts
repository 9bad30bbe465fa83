/** Calibrating a model on recordings: what comes out, and every refusal with its numbers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CalibrationPlan, calibrateModel } from '../../../src/apps/maker/calibration.ts';
import { type MakerModel, openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { DType, Tensor, TensorData } from '../../../src/core/numeric/tensor.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { floats, npy, type ToyShape, toyModel, toyRows } from './toy.ts';

const opened: MakerModel[] = [];

async function open(shape: ToyShape = {}, metadata = '{}'): Promise<MakerModel> {
  const maker = accepted(await openMakerModel(toyModel(shape), utf8(metadata)));
  opened.push(maker);
  return maker;
}

const recorded = (tensor: Tensor) => ({ tensor, sha256: sha256(npy(tensor)) });

function planned(changes: Partial<CalibrationPlan> = {}): CalibrationPlan {
  const { x, labels } = toyRows(1, 150);
  return {
    fit: recorded(x),
    labels,
    calibration: recorded(toyRows(2, 200).x),
    falseAlarms: 0.05,
    confidence: 0.95,
    scores: 'logits',
    features: 'features',
    ...changes,
  };
}

const labels = (dtype: DType, data: TensorData): Partial<CalibrationPlan> => {
  return { labels: { dtype, dims: [data.length], data } };
};

let toy: MakerModel;

beforeAll(async () => {
  toy = await open();
});

afterAll(async () => {
  for (const { engine } of opened) await engine.close();
});

describe('calibrateModel', () => {
  it('refuses a row that a device would refuse, and a promise too large, before any run', async () => {
    const ranged = await open({}, '{"inputs": {"x": {"range": [-1e-3, 1e-3]}}}');
    const { code, message } = faultIn(await calibrateModel(ranged, planned()));
    expect(code).toBe('maker.row');
    expect(message).toMatch(/^fit row 0: contract.range/);
    const runs = toy.engine.stats().runs;
    const early = faultIn(await calibrateModel(toy, planned({ falseAlarms: 0.001 })));
    expect(early.code).toBe('calibration.rows');
    expect(toy.engine.stats().runs).toBe(runs);
  });

  it('fits a full guard on features, and tells of every row', async () => {
    const told: string[] = [];
    const notes: string[] = [];
    const plan = planned({
      onRow: (set, row, rows) => told.push(`${set} ${row}/${rows}`),
      onNote: (line) => notes.push(line),
    });
    const policy = accepted(await calibrateModel(toy, plan));
    expect(policy).toMatchObject({ detection: 'full', novelty: { classes: 3 } });
    expect(policy.promise).toMatchObject({ rowsHalfA: 100, rowsHalfB: 100, falseAlarms: 0.05 });
    expect(policy.modelSha256).toEqual(toy.model.sha256);
    expect(told).toHaveLength(350);
    expect([told[0], told[149], told[150], told[349]]).toEqual([
      ...['fit 0/150', 'fit 149/150', 'calibration 0/200', 'calibration 199/200'],
    ]);
    expect(notes).toEqual([]);
  });

  it('takes labels of any integer type, and the model own answers without any', async () => {
    const whole = Array.from({ length: 150 }, (_, row) => row % 3);
    const given = accepted(await calibrateModel(toy, planned()));
    for (const [dtype, data] of [
      ['uint8', Uint8Array.from(whole)],
      ['int64', BigInt64Array.from(whole, BigInt)],
      ['uint32', Uint32Array.from(whole)],
    ] as const) {
      expect(accepted(await calibrateModel(toy, planned(labels(dtype, data))))).toEqual(given);
    }
    const own = accepted(await calibrateModel(toy, planned({ labels: undefined })));
    expect(own.detection).toBe('full');
  });

  it('says so when detection is reduced, and needs no labels then', async () => {
    const notes: string[] = [];
    const plan = planned({ labels: undefined, onNote: (line) => notes.push(line) });
    const policy = accepted(await calibrateModel(await open({ bare: true }), plan));
    expect(policy.detection).toBe('reduced');
    expect(policy.outputs).toEqual({ scores: 'logits' });
    expect(notes).toEqual(['the model has no output features: detection is REDUCED to its scores']);
  });

  it('converts recordings as the metadata says', async () => {
    const scaled = (tensor: Tensor): Tensor =>
      floats(
        tensor.dims,
        Array.from(tensor.data as Float32Array, (value) => value * 4),
      );
    const convert = await open({}, '{"inputs":{"x":{"convert":{"scale":0.25,"offset":0}}}}');
    const plan = planned();
    const raw = accepted(
      await calibrateModel(convert, {
        ...plan,
        fit: { ...plan.fit, tensor: scaled(plan.fit.tensor) },
        calibration: { ...plan.calibration, tensor: scaled(plan.calibration.tensor) },
      }),
    );
    expect(raw).toEqual(accepted(await calibrateModel(toy, plan)));
  });
});

type Refusal = [code: string, words: RegExp, what: string, changes: Partial<CalibrationPlan>];

const few = toyRows(9, 12);
const refusals: Refusal[] = [
  [
    ...(['calibration.rows', /^40 calibration rows; 0\.05 .* 0\.95 needs 118 in all$/] as const),
    ...(['too few rows', { calibration: recorded(toyRows(3, 40).x) }] as const),
  ],
  ['calibration.rows', /0\.01 .* needs 598 in all$/, 'a bold promise', { falseAlarms: 0.01 }],
  ['calibration.rows', /0\.001 .* needs 5990 in all$/, 'a bolder one', { falseAlarms: 0.001 }],
  [
    ...(['calibration.fit-rows', /12 .*19/, 'a small fit set'] as const),
    { fit: recorded(few.x), labels: few.labels },
  ],
  [
    ...([
      'calibration.classes',
      /given labels \(0: 150, 1: 0, 2: 0\)/,
      'labels of one class',
    ] as const),
    labels('int32', new Int32Array(150)),
  ],
  ['calibration.labels', /^12 labels for 150 fit rows$/, 'too few labels', { labels: few.labels }],
  [
    ...(['calibration.labels', /fit row 0 is 7, .* 0 to 2/, 'labels of other classes'] as const),
    labels('uint8', new Uint8Array(150).fill(7)),
  ],
  [
    ...(['calibration.same-rows', /are one file$/, 'one file twice'] as const),
    { calibration: recorded(toyRows(1, 150).x) },
  ],
  ['calibration.budget', /false alarms 2/, 'more alarms than frames', { falseAlarms: 2 }],
  ['calibration.budget', /confidence 1$/, 'certainty', { confidence: 1 }],
  [
    ...(['calibration.constant', /varies by/, 'one row many times'] as const),
    { fit: recorded(floats([150, 8], new Float32Array(1200).fill(1))) },
  ],
  [
    ...([
      'maker.labels',
      /^the labels are float64 of shape \[150\]$/,
      'labels that are floats',
    ] as const),
    labels('float64', new Float64Array(150)),
  ],
  [
    ...(['maker.labels', /row 0 is 4294967296$/, 'labels beyond 32 bits'] as const),
    labels('int64', new BigInt64Array(150).fill(2n ** 32n)),
  ],
  [
    'maker.labels',
    /float32 of shape \[150, 8\]/,
    'inputs as labels',
    { labels: toyRows(1, 150).x },
  ],
  ['maker.output', /no output y; there are logits, features$/, 'other scores', { scores: 'y' }],
  [
    ...([
      'maker.row',
      /^fit row 0: contract.shape: .*3 on axis 1/,
      'rows of another size',
    ] as const),
    { fit: recorded(floats([4, 3], new Float32Array(12))) },
  ],
  [
    ...(['calibration.rows', /^0 calibration rows/, 'no rows at all'] as const),
    { calibration: recorded(floats([0, 8], [])) },
  ],
  [
    ...(['tensor.lossy', /every float64/, 'rows of doubles'] as const),
    { fit: recorded({ dtype: 'float64', dims: [1, 8], data: new Float64Array(8) }) },
  ],
  [
    'maker.input',
    /takes 2 axes/,
    'a cube',
    { fit: recorded(floats([1, 1, 1, 8, 1], Array(8).fill(0))) },
  ],
];

describe('calibrateModel refuses', () => {
  it.each(refusals)('%s (%s): %s', async (code, words, _, changes) => {
    const fault = faultIn(await calibrateModel(toy, planned(changes)));
    expect(fault.code, fault.message).toBe(code);
    expect(fault.message).toMatch(words);
  });

  it('maker.output: scores that a softmax made', async () => {
    const fault = faultIn(await calibrateModel(await open({ softmax: true }), planned()));
    expect(fault).toMatchObject({ code: 'maker.output' });
    expect(fault.message).toMatch(/softmax or sigmoid, not raw scores/);
  });

  it('maker.input: a model with two inputs', async () => {
    const fault = faultIn(await calibrateModel(await open({ second: true }), planned()));
    expect(fault).toMatchObject({ code: 'maker.input' });
    expect(fault.message).toMatch(/models with one input/);
  });

  it('metadata of another model, and no model at all', async () => {
    const other = await openMakerModel(toyModel(), utf8('{"inputs":{"image":{}}}'));
    expect(faultIn(other).message).toMatch(/inputs\.image is not in the model; it has x/);
    expect(faultIn(await openMakerModel(utf8('no model'))).code).toMatch(/^onnx\./);
  });
});
