/** Calibrating a model on recordings: what comes out, and every refusal with its numbers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CalibrationPlan,
  calibrateModel,
  type RecordedInputs,
} from '../../../src/apps/maker/calibration.ts';
import { framesOf } from '../../../src/apps/maker/frames.ts';
import { type MakerModel, openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import type { Port } from '../../../src/apps/maker/recorded-rows.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { DEFAULT_PROBE_SETTINGS } from '../../../src/core/guard/perturbation.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { floats, npy, type ToyShape, toyModel, toyRows } from './toy.ts';

const opened: MakerModel[] = [];

async function open(shape: ToyShape = {}, metadata = '{}'): Promise<MakerModel> {
  const maker = accepted(await openMakerModel(toyModel(shape), utf8(metadata)));
  opened.push(maker);
  return maker;
}

const PORTS: readonly Port[] = [
  { name: 'x', dtype: 'float32', dims: [{ name: 'N', min: 1, max: 4096 }, 8] },
];
const recorded = (tensor: Tensor, ports: readonly Port[] = PORTS): RecordedInputs => ({
  frames: framesOf(new Map([['x', tensor]]), ports),
  sha256: sha256(npy(tensor)),
});
const classesOf = ({ data }: Tensor): Int32Array => Int32Array.from(data as Int32Array);

function planned(changes: Partial<CalibrationPlan> = {}): CalibrationPlan {
  const { x, labels } = toyRows(1, 150);
  return {
    fit: recorded(x),
    labels: classesOf(labels),
    calibration: recorded(toyRows(2, 200).x),
    falseAlarms: 0.05,
    confidence: 0.95,
    scores: 'logits',
    features: 'features',
    ...changes,
  };
}

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

  it('takes the answers of the model without labels', async () => {
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
    const { inputs } = convert.io;
    const raw = accepted(
      await calibrateModel(
        convert,
        planned({
          fit: recorded(scaled(toyRows(1, 150).x), inputs),
          calibration: recorded(scaled(toyRows(2, 200).x), inputs),
        }),
      ),
    );
    const plain = accepted(await calibrateModel(toy, planned()));
    const { promise: _, ...rest } = raw;
    expect(rest).toEqual({ ...rest, ...{ novelty: plain.novelty, checks: plain.checks } });
  });

  it('fits every check that is asked for, and counts rows that a sensor check stops', async () => {
    const plan = planned({ drift: { alpha: 0.01, classes: true } });
    const all = accepted(await calibrateModel(toy, plan));
    expect(Object.keys(all.checks.scales)).toEqual(['input', 'novelty']);
    expect(all.input).toMatchObject({ input: 'x', layout: { kind: 'table', columns: 8 } });
    expect(all.drift?.classCounts?.reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(all.callers?.features).toBeGreaterThan(0);
    const bare = accepted(await calibrateModel(toy, planned({ inputStatistics: false })));
    expect(Object.keys(bare.checks.scales)).toEqual(['novelty']);
    expect([bare.input, bare.drift]).toEqual([undefined, undefined]);
  });

  it('refuses a tripwire for what cannot be smoothed', async () => {
    const fault = faultIn(await calibrateModel(toy, planned({ probe: DEFAULT_PROBE_SETTINGS })));
    expect(fault).toMatchObject({ code: 'maker.input' });
    expect(fault.message).toContain('smoothed');
  });

  it('refuses recordings of which a sensor check stops more than the budget', async () => {
    const strict = await open(
      {},
      '{"inputs": {"x": {"range": [-0.5, 0.5]}}, "guard": {"sensors": {"saturatedShare": 0.1}}}',
    );
    const clipped = ({ dims, data }: Tensor): Tensor =>
      floats(
        dims,
        Array.from(data as Float32Array, (value) => Math.max(-0.5, Math.min(0.5, value))),
      );
    const plan = planned({
      fit: recorded(clipped(toyRows(1, 150).x)),
      calibration: recorded(clipped(toyRows(2, 200).x)),
    });
    const fault = faultIn(await calibrateModel(strict, plan));
    expect(fault.code).toBe('calibration.stopped');
    expect(fault.message).toMatch(/stops \d+ of the calibration rows/);
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
    { fit: recorded(few.x), labels: classesOf(few.labels) },
  ],
  [
    ...([
      'calibration.classes',
      /given labels \(0: 150, 1: 0, 2: 0\)/,
      'labels of one class',
    ] as const),
    { labels: new Int32Array(150) },
  ],
  [
    'calibration.labels',
    /^12 labels for 150 fit rows$/,
    'too few labels',
    { labels: classesOf(few.labels) },
  ],
  [
    ...(['calibration.labels', /fit row 0 is 7, .* 0 to 2/, 'labels of other classes'] as const),
    { labels: new Int32Array(150).fill(7) },
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
