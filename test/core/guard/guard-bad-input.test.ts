/** Bad input, decided: what each kind of it gives, on the device and at the maker's. */
import { describe, expect, it } from 'vitest';
import { need, type Result } from '../../../src/core/base/fault.ts';
import { type CalibrationInput, fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import type { RecordedOutputs, Rows } from '../../../src/core/calibration/rows.ts';
import { admitTensors } from '../../../src/core/guard/admission.ts';
import { GUARD_AT_START } from '../../../src/core/guard/guard.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { float32, ms, named } from './frames.ts';
import {
  calmSignals,
  codes,
  outputsOf,
  pass,
  SAMPLES,
  samplesOf,
  signal,
  UNPROBED,
  usualSignals,
  wholeGuard,
  wholeInput,
} from './whole-model.ts';

const calm = calmSignals(81)();
const with1 = (value: number): NamedTensors =>
  signal(samplesOf(calm).map((sample, t) => (t === 3 ? value : sample)));
const shaped = (dims: readonly number[], count: number = SAMPLES): NamedTensors =>
  named('x', float32(dims, Array<number>(count).fill(0.5)));
const each = (of: (t: number) => number): NamedTensors =>
  signal(Float32Array.from({ length: SAMPLES }, (_, t) => of(t)));
const gave = (scores: readonly number[], features?: readonly number[]) => ({
  inputs: calm,
  ran: outputsOf(scores, features),
});

interface Frame {
  readonly inputs: NamedTensors;
  readonly ran?: NamedTensors;
}

/** The codes in their order; what a model was not asked for has `-` before it. */
const ON_THE_DEVICE: readonly (readonly [string, Frame, string])[] = [
  ['a usual frame', { inputs: calm }, ''],
  ['NaN', { inputs: with1(NaN) }, '- contract.not-finite'],
  ['Infinity', { inputs: with1(-Infinity) }, '- contract.not-finite'],
  ['no batch', { inputs: shaped([0, 1, SAMPLES], 0) }, '- contract.batch'],
  ['no samples', { inputs: shaped([1, 1, 0], 0) }, '- contract.shape'],
  ['a rank too few', { inputs: shaped([1, SAMPLES]) }, '- contract.shape'],
  ['a rank too many', { inputs: shaped([1, 1, 1, SAMPLES]) }, '- contract.shape'],
  ['no rank', { inputs: shaped([], 1) }, '- contract.shape'],
  ['huge sizes', { inputs: shaped([1, 1, 2 ** 40]) }, '- contract.shape'],
  ['a huge batch', { inputs: shaped([2 ** 31, 1, SAMPLES]) }, '- contract.batch'],
  ['fewer data than it says', { inputs: shaped([1, 1, SAMPLES], 3) }, '- contract.size'],
  [
    'values that are all equal',
    { inputs: each(() => 0.5) },
    '- sensor.stuck-channel input.unlike-calibration',
  ],
  [
    'zeros of both signs',
    { inputs: each((t) => (t % 2) * -0) },
    '- sensor.stuck-channel input.unlike-calibration',
  ],
  ['denormals', { inputs: each((t) => t * 1e-44) }, 'input.unlike-calibration novelty.not-scored'],
  [
    'the largest floats',
    { inputs: each((t) => (t % 2 ? 3e38 : -3e38)) },
    'input.unlike-calibration novelty.out-of-distribution',
  ],
  ['features of zeros', gave([9, 0, 0], [0, 0, 0, 0]), 'novelty.not-scored'],
  ['features of zeros with a sign', gave([9, 0, 0], [-0, -0, 0, 0]), 'novelty.not-scored'],
  ['features of NaN', gave([9, 0, 0], [NaN, 0, 0, 0]), 'output.not-finite novelty.not-scored'],
  ['scores of Infinity', gave([Infinity, 0, 0]), 'output.not-finite novelty.not-scored'],
  ['denormal features', gave([0.1, 0, -0.1], [1e-45, 0, 0, 0]), 'novelty.out-of-distribution'],
  ['scores of another model', gave([9, 0, 0, 0]), 'output.shape novelty.not-scored'],
  ['features of another model', gave([9, 0, 0], [1, 2, 3]), 'output.shape novelty.not-scored'],
  [
    'no outputs',
    { inputs: calm, ran: new Map() },
    'output.missing output.missing novelty.not-scored',
  ],
];

describe('bad input on the device', () => {
  const guard = wholeGuard({ policy: UNPROBED });

  it.each(ON_THE_DEVICE)('%s gives its findings', (_, { inputs, ran }, wanted) => {
    const result: Result<NamedTensors> | undefined = ran && { ok: true, value: ran };
    const passed = pass(guard, GUARD_AT_START, { inputs, ...(result && { ran: result }) });
    const shown = [...(passed.plan.runInference ? [] : ['-']), ...codes(passed)].join(' ');
    expect(shown).toBe(wanted);
    expect(passed.judgement.verdict === 'release').toBe(wanted === '');
  });

  it.each([
    ['no tensors', null],
    [
      'a size beyond counting',
      { x: { dtype: 'float32', dims: [2 ** 53], data: new Float32Array(1) } },
    ],
    ['a size of NaN', { x: { dtype: 'float32', dims: [NaN], data: new Float32Array(1) } }],
    ['a negative size', { x: { dtype: 'float32', dims: [-1], data: new Float32Array(1) } }],
    ['data of no array', { x: { dtype: 'float32', dims: [1], data: 'data' } }],
  ])('%s does not pass the door, and has a verdict', (_, value) => {
    const admitted = admitTensors(value);
    if (admitted.ok) throw new Error('it was admitted');
    const plan = guard.planRefused(GUARD_AT_START, admitted.fault);
    const seen = guard.see(plan, new Map(), undefined, ms(0));
    const { judgement } = guard.judge(plan, seen, 'NOMINAL', ms(0));
    expect(judgement).toMatchObject({ verdict: 'substitute', source: 'safe' });
    expect(judgement.reasons).toMatchObject([{ code: 'contract.not-tensors' }]);
  });

  it('a zero with a sign is a zero', () => {
    const [plus, minus] = [0, -0].map((zero) => {
      const { judgement } = pass(guard, GUARD_AT_START, { inputs: with1(zero) });
      return [judgement.verdict, judgement.input, judgement.novelty];
    });
    expect(minus).toEqual(plus);
  });
});

const INPUT = wholeInput();
const { fit: FIT, calibration: CAL } = INPUT;
const STATISTICS = INPUT.input as NonNullable<CalibrationInput['input']>;
const PROBED = INPUT.probed as NonNullable<CalibrationInput['probed']>;

/** A set with one value, or every value, of its logits or features another. */
function put(
  set: RecordedOutputs,
  which: 'logits' | 'features',
  value: number,
  row?: number,
): RecordedOutputs {
  const { width, data } = set[which] as Rows;
  const changed = data.map((old, i) =>
    row === undefined || Math.floor(i / width) === row ? value : old,
  );
  return { ...set, [which]: { width, data: changed } };
}

/** The rows `from[i]` of a calibration, with what was recorded beside them. */
function rowsOf(from: readonly number[]): Partial<CalibrationInput> {
  const pick = ({ width, data }: Rows): Rows => ({
    width,
    data: Float32Array.from(
      from.flatMap((row) => [...data.subarray(row * width, (row + 1) * width)]),
    ),
  });
  const { logits, features, sha256 } = CAL;
  return {
    calibration: { logits: pick(logits), features: pick(features as Rows), sha256 },
    input: {
      ...STATISTICS,
      calibration: from.map((row) => STATISTICS.calibration[row]),
    },
    probed: { ...PROBED, logits: pick(PROBED.logits) },
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const tripled = (set: RecordedOutputs): RecordedOutputs => ({
  ...set,
  logits: { ...set.logits, data: set.logits.data.map((z) => 3 * z) },
});
const noFeatures = ({ logits, sha256 }: RecordedOutputs): RecordedOutputs => ({ logits, sha256 });
const rows = (width: number, values: number): Rows => ({ width, data: new Float32Array(values) });
const one = STATISTICS.fit[0];

const AT_THE_MAKERS: readonly (readonly [string, Partial<CalibrationInput>, string])[] = [
  ['every part, as it should be', {}, 'accepted'],
  ['NaN among the scores', { calibration: put(CAL, 'logits', NaN, 3) }, 'calibration.values'],
  ['Infinity in the features', { fit: put(FIT, 'features', Infinity, 3) }, 'calibration.values'],
  ['a feature row of zeros', { calibration: put(CAL, 'features', 0, 3) }, 'calibration.values'],
  ['one of zeros with a sign', { calibration: put(CAL, 'features', -0, 3) }, 'calibration.values'],
  ['a denormal feature row', { calibration: put(CAL, 'features', 1e-45, 3) }, 'calibration.head'],
  ['no rows', { calibration: { ...CAL, logits: rows(3, 0) } }, 'calibration.shape'],
  ['rows of nothing', { fit: { ...FIT, logits: rows(0, 0) } }, 'calibration.shape'],
  ['rows of NaN values', { fit: { ...FIT, logits: rows(NaN, 9) } }, 'calibration.shape'],
  ['huge rows', { fit: { ...FIT, logits: rows(2 ** 53, 9) } }, 'calibration.shape'],
  ['scores that never change', { calibration: put(CAL, 'logits', 1) }, 'calibration.head'],
  ['one class in the labels', { labels: new Int32Array(150) }, 'calibration.classes'],
  [
    'one class in the answers',
    {
      fit: {
        ...FIT,
        logits: { width: 3, data: FIT.logits.data.map((z, i) => z + (i % 3 ? 0 : 99)) },
      },
    },
    'calibration.classes',
  ],
  ['the fit rows again', { calibration: FIT }, 'calibration.same-rows'],
  [
    'rows of the fit set',
    { ...rowsOf(range(118)), calibration: { ...FIT, ...cut(FIT, 118), sha256: CAL.sha256 } },
    'calibration.same-rows',
  ],
  ['every row twice', rowsOf([...range(59), ...range(59)]), 'calibration.same-rows'],
  ['one row again and again', rowsOf(Array<number>(118).fill(0)), 'calibration.same-rows'],
  ['a few rows twice', rowsOf([...range(112), ...range(6)]), 'accepted'],
  ['outputs of another model', { calibration: tripled(CAL) }, 'calibration.head'],
  [
    'features of another width',
    { calibration: { ...CAL, features: { width: 5, data: new Float32Array(5 * 118).fill(1) } } },
    'calibration.shape',
  ],
  [
    'another model, smoothed',
    { probed: { ...PROBED, logits: rows(4, 4 * 118) } },
    'calibration.shape',
  ],
  ['fewer smoothed rows', { probed: { ...PROBED, logits: rows(3, 3 * 117) } }, 'calibration.shape'],
  [
    'NaN, smoothed',
    { probed: { ...PROBED, logits: { width: 3, data: PROBED.logits.data.map(() => NaN) } } },
    'calibration.values',
  ],
  [
    'answers that no smoothing changes',
    { probed: { ...PROBED, logits: CAL.logits } },
    'calibration.constant',
  ],
  [
    'inputs that are all equal',
    { input: { ...STATISTICS, fit: STATISTICS.fit.map(() => one) } },
    'calibration.constant',
  ],
  [
    'a fit input that cannot be measured',
    { input: { ...STATISTICS, fit: [...STATISTICS.fit, undefined] } },
    'calibration.values',
  ],
  [
    'a calibration input that cannot be',
    { input: { ...STATISTICS, calibration: [...STATISTICS.calibration.slice(1), undefined] } },
    'calibration.values',
  ],
  [
    'fewer measured inputs than rows',
    { input: { ...STATISTICS, calibration: STATISTICS.calibration.slice(1) } },
    'calibration.shape',
  ],
  [
    'more measured inputs than rows',
    { input: { ...STATISTICS, calibration: [...STATISTICS.calibration, one] } },
    'calibration.shape',
  ],
  ['a share too few', { shares: { input: 0.5, novelty: 0.5 } }, 'calibration.shares'],
  [
    'a share of nothing',
    { shares: { input: 0, novelty: 0.5, perturbation: 0.5 } },
    'calibration.shares',
  ],
  [
    'a share below nothing',
    { shares: { input: -1, novelty: 1, perturbation: 1 } },
    'calibration.shares',
  ],
  [
    'a share of NaN',
    { shares: { input: NaN, novelty: 0.5, perturbation: 0.5 } },
    'calibration.shares',
  ],
  [
    'shares of more than all',
    { shares: { input: 0.5, novelty: 0.5, perturbation: 0.5 } },
    'calibration.shares',
  ],
  ['every row stopped', { stopped: new Set(range(118)) }, 'calibration.stopped'],
  ['a drift alpha of NaN', { drift: { alpha: NaN, classes: true } }, 'policy.values'],
  [
    'a risk of NaN',
    { probed: { ...PROBED, settings: { ...PROBED.settings, riskP: NaN } } },
    'field.type',
  ],
  [
    'too few rows to bet on drift with',
    { ...rowsOf(range(80)), falseAlarms: 0.2 },
    'calibration.rows',
  ],
];

function cut({ logits, features }: RecordedOutputs, count: number) {
  const first = ({ width, data }: Rows): Rows => ({ width, data: data.subarray(0, count * width) });
  return { logits: first(logits), features: first(features as Rows) };
}

describe('bad input at the maker’s', () => {
  it.each(AT_THE_MAKERS)('%s gives its fault', (_, change, wanted) => {
    const result = fitGuardPolicy({ ...INPUT, ...change });
    expect(result.ok ? 'accepted' : result.fault.code).toBe(wanted);
  });

  it('scores alone cannot show that they are of another model: the digest does', () => {
    const alone = { ...INPUT, outputs: { scores: 'logits' }, fit: noFeatures(FIT) };
    const policy = need(fitGuardPolicy({ ...alone, calibration: noFeatures(tripled(CAL)) }));
    expect(policy.modelSha256).toEqual(INPUT.modelSha256);
  });

  it('frames of another world are an alarm nearly every time, not a silent pass', () => {
    const [guard, next] = [wholeGuard({ policy: UNPROBED }), usualSignals(83)];
    const noise = (): NamedTensors => signal(samplesOf(next()).map((x, t) => (t % 2 ? -3 : 3) * x));
    const passed = Array.from({ length: 100 }, () =>
      pass(guard, GUARD_AT_START, { inputs: noise() }),
    );
    expect(passed.filter((one) => codes(one).length > 0).length).toBeGreaterThan(90);
  });
});
