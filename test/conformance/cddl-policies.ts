/** Guard policies of every kind and guard settings with every member, made by the code that ships. */
import { need } from '../../src/core/base/fault.ts';
import { type CalibrationInput, fitGuardPolicy } from '../../src/core/calibration/fit.ts';
import { featureStatistics } from '../../src/core/calibration/fit-statistics.ts';
import { type CborMap, cborMap } from '../../src/core/cose/value.ts';
import type { InputLayout } from '../../src/core/guard/input-layout.ts';
import { statisticNames } from '../../src/core/guard/input-statistics.ts';
import { DEFAULT_PROBE_SETTINGS } from '../../src/core/guard/perturbation.ts';
import type { GuardPolicy } from '../../src/core/guard/policy.ts';
import { encodeGuardPolicy } from '../../src/core/guard/policy-codec.ts';
import { simulatedInput, simulatedModel } from '../core/calibration/simulated.ts';

export const MODEL_SHA256: Uint8Array = new Uint8Array(32).fill(7);

const model = simulatedModel(3, 4);
const fitted = { ...simulatedInput(model), modelSha256: MODEL_SHA256 };
const { fit, calibration } = fitted;
const withoutFeatures: CalibrationInput = {
  ...fitted,
  outputs: { scores: 'logits' },
  fit: { logits: fit.logits, sha256: fit.sha256 },
  calibration: { logits: calibration.logits, sha256: calibration.sha256 },
};

/** Statistics of as many rows, no two of them alike. */
const measured = (layout: InputLayout, rows: number, from: number): Float64Array[] =>
  Array.from({ length: rows }, (_, row) =>
    Float64Array.from(statisticNames(layout), (_, j) => Math.sin(from + row + j)),
  );

/** What a maker records for every check there is. */
function everyPart(layout: InputLayout): Partial<CalibrationInput> {
  return {
    input: {
      name: 'x',
      layout,
      fit: measured(layout, 90, 0),
      calibration: measured(layout, 118, 0.5),
    },
    probed: {
      settings: { ...DEFAULT_PROBE_SETTINGS, when: 'risk', riskP: 0.25 },
      kind: layout.kind === 'image' ? 'median-2x2' : 'median-3',
      logits: {
        width: 3,
        // Near one class no smoothing changes the answer: as if all rows were between two.
        data: calibration.logits.data.map((_, i) => Math.sin(i)),
      },
    },
    drift: { alpha: 0.01, classes: true },
    shares: { input: 0.25, novelty: 0.5, perturbation: 0.25 },
  };
}

/** Rows of tables cannot be smoothed. */
const onlyInput = ({ input }: Partial<CalibrationInput>): Partial<CalibrationInput> =>
  input === undefined ? {} : { input };

const image: InputLayout = {
  ...{ kind: 'image', channels: 1, height: 8, width: 9 },
  channelsLast: false,
};
const signal: InputLayout = { kind: 'signal', channels: 2, samples: 64, channelsLast: true };
const table: InputLayout = { kind: 'table', columns: 2 };

const policy = (input: CalibrationInput): GuardPolicy => need(fitGuardPolicy(input));

/** Wide features are projected; here four of them, as the reader asks for no width. */
function projected(full: GuardPolicy): GuardPolicy {
  const projection = {
    ...{ features: 4, components: 2 },
    directions: Float64Array.of(1, 0, 0, 0, 0, 0.6, 0.8, 0),
  };
  const { features } = model.outputs(2, 90);
  const statistics = featureStatistics(features, fitted.labels ?? [], model.head, projection);
  return { ...full, novelty: { ...full.novelty, statistics } };
}

/** A whole policy whose 130 features are projected onto so many of their axes. */
export function projectedTo(components: number): Uint8Array {
  const features = 130;
  const [full, ones] = [policy(fitted), (length: number) => new Float64Array(length).fill(1)];
  const directions = new Float64Array(components * features);
  for (let row = 0; row < components; row++) directions[row * (features + 1)] = 1;
  const triangle = (components * (components + 1)) / 2;
  const statistics = {
    ...{ features, projection: { features, components, directions } },
    ...{ mean: ones(features), headDistances: ones(3) },
    ...{ classWhitener: ones(triangle), classCentres: ones(3 * components) },
    ...{ wholeWhitener: ones(triangle), wholeCentre: ones(components) },
  };
  const callers = { features, nearDistance: 0.25, sceneDistance: 0.5 };
  return encodeGuardPolicy({ ...full, callers, novelty: { ...full.novelty, statistics } });
}

export const POLICIES: Readonly<Record<string, Uint8Array>> = {
  full: encodeGuardPolicy(policy(fitted)),
  reduced: encodeGuardPolicy(policy(withoutFeatures)),
  'full, every part, of images': encodeGuardPolicy(
    projected(policy({ ...fitted, ...everyPart(image) })),
  ),
  'reduced, every part, of signals': encodeGuardPolicy(
    policy({ ...withoutFeatures, ...everyPart(signal) }),
  ),
  'full, every detector, input statistics of tables': encodeGuardPolicy(
    policy({ ...fitted, ...onlyInput(everyPart(table)), detectors: ['vim', 'knn'] }),
  ),
};

/** Every member that settings can have, each with a value that is not its default. */
export const WHOLE_SETTINGS: CborMap = cborMap(
  [
    'actions',
    cborMap(
      ['contract', 'withhold'],
      ['sensor', 'flag'],
      ['input', 'hold'],
      ['novelty', 'substitute'],
      ['perturbation', 'withhold'],
      ['drift', 'hold'],
      ['caller', 'substitute'],
      ['output', 'withhold'],
      ['inference', 'withhold'],
    ),
  ],
  ['frozenFrames', 5],
  ['lastGoodMaxAgeMs', 500],
  ['holdMaxMs', 5000],
  ['holdsMax', 2],
  ['shadow', true],
  ['probabilitySumTolerance', 0.01],
  [
    'sensors',
    cborMap(
      ['stuckChannel', false],
      ['dropoutShare', 0.25],
      ['saturatedShare', 1],
      ['deadLines', 3],
      ['replayFrames', 100],
      ['timeOrder', false],
    ),
  ],
  [
    'temporal',
    cborMap(
      ['flipWindowFrames', 50],
      ['flipsMax', 4],
      ['changePerSMax', 12.5],
      ['confidenceMin', 0.5],
    ),
  ],
  ['disclosure', cborMap(['topK', 1], ['decimals', 2], ['features', true])],
  [
    'callers',
    cborMap(
      [
        'principals',
        cborMap(
          ['press', cborMap(['kind', 'query'], ['perSecond', 2.5], ['burst', 5], ['budget', 1000])],
          ['Kamera \u{1f4f7}', cborMap(['kind', 'sensor'])],
        ),
      ],
      ['undeclared', cborMap(['perSecond', 1], ['burst', 2], ['budget', 100])],
      ['budgetPeriodMs', 3_600_000],
      ['alpha', 0.001],
      ['noveltyLevel', 0.0625],
      ['noveltyShare', 0.25],
      ['nearShare', 0.2],
      ['flipShare', 0.125],
      ['quarantineMs', 60_000],
      ['kills', 1],
      ['killWindowMs', 120_000],
    ),
  ],
);
