/**
 * The guard policy as bytes: one deterministic CBOR map, numbers in bulk as little-endian doubles.
 *
 * A signature says who made a policy, not that it is sane. Reading one checks again everything that
 * scoring relies on, so that no accepted policy can crash the guard or keep it from ever alarming.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import {
  CALIBRATION_ROWS_MAX,
  CLASSES_MAX,
  FEATURES_MAX,
  GUARD_POLICY_BYTES_MAX,
  TENSOR_NAME_CHARS_MAX,
} from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { callerReferenceMap, readCallerReference } from './caller-reference.ts';
import { doublesToBytes, needAscending, readDoubles } from './doubles.ts';
import { driftPolicyMap, readDriftPolicy } from './drift-policy.ts';
import { inputPolicyMap, readInputPolicy } from './input-policy.ts';
import { type JointChecks, jointMap, needSpread, readJoint, SCORED_CHECKS } from './joint.ts';
import { knnMap, readKnn } from './knn.ts';
import {
  detectorsOf,
  type FeatureStatistics,
  FULL_DETECTORS,
  FURTHER_DETECTORS,
  type FurtherDetector,
} from './novelty-detectors.ts';
import { projectionMap, readProjection } from './pca.ts';
import { perturbationMap, readPerturbation } from './perturbation.ts';
import {
  CONFIDENCE_MAX,
  CONFIDENCE_MIN,
  type DataSet,
  type Detection,
  FALSE_ALARMS_MAX,
  FALSE_ALARMS_MIN,
  type FalseAlarmPromise,
  GUARD_PROFILE,
  type GuardPolicy,
  type NoveltyPolicy,
} from './policy.ts';
import { refusePolicy } from './policy-faults.ts';
import { readVim, vimMap } from './vim.ts';

const STATEMENT_CHARS_MAX = 2_048;

/** Deterministic: equal policies give equal bytes. */
export function encodeGuardPolicy(policy: GuardPolicy): Uint8Array {
  const { novelty, promise, outputs } = policy;
  return encodeCbor(
    cborMap(
      ['profile', policy.profile],
      ['model', policy.modelSha256],
      ['detection', policy.detection],
      ['outputs', cborMap(['scores', outputs.scores], ['features', outputs.features])],
      ['novelty', noveltyMap(novelty)],
      ['input', policy.input && inputPolicyMap(policy.input)],
      ['perturbation', policy.perturbation && perturbationMap(policy.perturbation)],
      ['drift', policy.drift && driftPolicyMap(policy.drift)],
      ['callers', policy.callers && callerReferenceMap(policy.callers)],
      ['checks', jointMap(policy.checks)],
      [
        'promise',
        cborMap(
          ['false-alarms', promise.falseAlarms],
          ['confidence', promise.confidence],
          ['rows-half-a', promise.rowsHalfA],
          ['rows-half-b', promise.rowsHalfB],
          ['statement', promise.statement],
          ['fit', dataSetMap(promise.fit)],
          ['calibration', dataSetMap(promise.calibration)],
        ),
      ],
    ),
  );
}

/**
 * Faults: `policy.size`, `policy.detection` (mode, outputs and statistics disagree),
 * `policy.length` (an array that does not fit the counts), `policy.values` (not finite, or
 * impossible), `policy.order` (unsorted or constant scores), `policy.rank` (rank or threshold
 * that do not follow from the promise), and those of the CBOR gate and of field reading.
 */
export function decodeGuardPolicy(bytes: Uint8Array): Result<GuardPolicy> {
  return attempt(() => {
    if (bytes.length > GUARD_POLICY_BYTES_MAX) {
      throw refusePolicy('policy.size', `${bytes.length} bytes, at most ${GUARD_POLICY_BYTES_MAX}`);
    }
    const map = Fields.of('guard', need(decodeCbor(bytes)));
    const profile = map.oneOf('profile', [GUARD_PROFILE]);
    const modelSha256 = map.bytes('model', 32).slice();
    const detection = map.oneOf<Detection>('detection', ['full', 'reduced']);
    const outputs = readOutputs(map.map('outputs'), detection);
    const promise = readPromise(map.map('promise'));
    const novelty = readNovelty(map.map('novelty'), detection, promise);
    const checks = readJoint(map.map('checks'), promise);
    const parts = readParts(map, novelty, promise);
    needShares(checks, parts);
    map.done();
    return { profile, modelSha256, detection, outputs, novelty, ...parts, checks, promise };
  });
}

type Parts = Pick<GuardPolicy, 'input' | 'perturbation' | 'drift' | 'callers'>;

function readParts(map: Fields, novelty: NoveltyPolicy, promise: FalseAlarmPromise): Parts {
  const { rowsHalfA, rowsHalfB } = promise;
  const input = map.optional('input', (name) => readInputPolicy(map.map(name)));
  const perturbation = map.optional('perturbation', (name) =>
    readPerturbation(map.map(name), rowsHalfA),
  );
  const drift = map.optional('drift', (name) =>
    readDriftPolicy(map.map(name), rowsHalfB, novelty.classes),
  );
  const callers = map.optional('callers', (name) => readCallerReference(map.map(name)));
  if (callers !== undefined && callers.features !== novelty.statistics?.features) {
    throw refusePolicy('policy.length', `callers are compared by ${callers.features} features`);
  }
  return {
    ...(input && { input }),
    ...(perturbation && { perturbation }),
    ...(drift && { drift }),
    ...(callers && { callers }),
  };
}

/** A check without a share could not alarm, and a share without a check could not be judged. */
function needShares({ scales }: JointChecks, { input, perturbation }: Parts): void {
  const wanted = {
    input: input !== undefined,
    novelty: true,
    perturbation: perturbation !== undefined,
  };
  for (const check of SCORED_CHECKS) {
    if (wanted[check] === (scales[check] !== undefined)) continue;
    const seen = wanted[check] ? 'no share of the budget' : 'a share, and is not there';
    throw refusePolicy('policy.shares', `${check} has ${seen}`);
  }
}

function noveltyMap(novelty: NoveltyPolicy): CborMap {
  const { statistics } = novelty;
  return cborMap(
    ['classes', novelty.classes],
    ['statistics', statistics === undefined ? undefined : statisticsMap(statistics)],
    ['half-a', novelty.halfA.map(doublesToBytes)],
  );
}

function statisticsMap(statistics: FeatureStatistics): CborMap {
  return cborMap(
    ['features', statistics.features],
    [
      'projection',
      statistics.projection === undefined ? undefined : projectionMap(statistics.projection),
    ],
    ['mean', doublesToBytes(statistics.mean)],
    ['head-distances', doublesToBytes(statistics.headDistances)],
    ['class-whitener', doublesToBytes(statistics.classWhitener)],
    ['class-centres', doublesToBytes(statistics.classCentres)],
    ['whole-whitener', doublesToBytes(statistics.wholeWhitener)],
    ['whole-centre', doublesToBytes(statistics.wholeCentre)],
    ['vim', statistics.vim && vimMap(statistics.vim)],
    ['knn', statistics.knn && knnMap(statistics.knn)],
  );
}

function dataSetMap(set: DataSet): CborMap {
  return cborMap(['sha256', set.sha256], ['rows', set.rows]);
}

function readOutputs(map: Fields, detection: Detection): GuardPolicy['outputs'] {
  const scores = map.text('scores', TENSOR_NAME_CHARS_MAX);
  const features = map.optional('features', (name) => map.text(name, TENSOR_NAME_CHARS_MAX));
  map.done();
  if ((features !== undefined) !== (detection === 'full')) {
    throw refusePolicy('policy.detection', `${detection} detection, features output: ${features}`);
  }
  return features === undefined ? { scores } : { scores, features };
}

function readPromise(map: Fields): FalseAlarmPromise {
  const promise: FalseAlarmPromise = {
    falseAlarms: map.number('false-alarms', FALSE_ALARMS_MIN, FALSE_ALARMS_MAX),
    confidence: map.number('confidence', CONFIDENCE_MIN, CONFIDENCE_MAX),
    rowsHalfA: map.integer('rows-half-a', 2, CALIBRATION_ROWS_MAX),
    rowsHalfB: map.integer('rows-half-b', 1, CALIBRATION_ROWS_MAX),
    statement: map.text('statement', STATEMENT_CHARS_MAX),
    fit: readDataSet(map.map('fit')),
    calibration: readDataSet(map.map('calibration')),
  };
  map.done();
  if (promise.rowsHalfA + promise.rowsHalfB !== promise.calibration.rows) {
    throw refusePolicy(
      'policy.length',
      `halves of ${promise.rowsHalfA} and ${promise.rowsHalfB} of ${promise.calibration.rows} rows`,
    );
  }
  return promise;
}

function readDataSet(map: Fields): DataSet {
  const set = {
    sha256: map.bytes('sha256', 32).slice(),
    rows: map.integer('rows', 1, CALIBRATION_ROWS_MAX),
  };
  map.done();
  return set;
}

function readNovelty(map: Fields, detection: Detection, promise: FalseAlarmPromise): NoveltyPolicy {
  const classes = map.integer('classes', 2, CLASSES_MAX);
  const statistics = map.optional('statistics', (name) => readStatistics(map.map(name), classes));
  if ((statistics !== undefined) !== (detection === 'full')) {
    const seen = statistics === undefined ? 'without' : 'with';
    throw refusePolicy('policy.detection', `${detection} detection ${seen} feature statistics`);
  }
  const halfA = readHalfA(map, detectorsOf(statistics), promise.rowsHalfA);
  map.done();
  const policy = { classes, halfA };
  return statistics === undefined ? policy : { ...policy, statistics };
}

function readHalfA(map: Fields, detectors: readonly string[], rows: number): Float64Array[] {
  const list = map.list('half-a', FULL_DETECTORS.length + FURTHER_DETECTORS.length);
  if (list.length !== detectors.length) {
    throw refusePolicy('policy.length', `${map.at('half-a')} is not ${detectors.join(', ')}`);
  }
  const entries = new Fields(map.at('half-a'), new Map(list.map((entry, i) => [i, entry])));
  return detectors.map((_, i) => {
    const sorted = readDoubles(entries, i, rows);
    needAscending(entries.at(i), sorted);
    needSpread(entries.at(i), sorted);
    return sorted;
  });
}

function readStatistics(map: Fields, classes: number): FeatureStatistics {
  const features = map.integer('features', 1, FEATURES_MAX);
  const projection = map.optional('projection', (name) => readProjection(map.map(name)));
  if (projection !== undefined && projection.features !== features) {
    throw refusePolicy(
      'policy.length',
      `${map.at('projection')} is of ${projection.features} features, there are ${features}`,
    );
  }
  const d = projection?.components ?? features;
  const triangle = (d * (d + 1)) / 2;
  const further = readFurther(map, features, d);
  const statistics: FeatureStatistics = {
    features,
    ...(projection !== undefined && { projection }),
    mean: readDoubles(map, 'mean', features),
    headDistances: readDoubles(map, 'head-distances', (classes * (classes - 1)) / 2),
    classWhitener: readDoubles(map, 'class-whitener', triangle),
    classCentres: readDoubles(map, 'class-centres', classes * d),
    wholeWhitener: readDoubles(map, 'whole-whitener', triangle),
    wholeCentre: readDoubles(map, 'whole-centre', d),
    ...further,
  };
  map.done();
  // Two classes with one weight row would divide by zero.
  if (!statistics.headDistances.every((distance) => distance > 0)) {
    throw refusePolicy('policy.values', `${map.at('head-distances')} has one that is not positive`);
  }
  // A whitener without its diagonal maps strange frames onto the centre: a silent pass.
  for (const name of ['classWhitener', 'wholeWhitener'] as const) {
    for (let row = 0, at = 0; row < d; row += 1, at += row + 1) {
      if (!((statistics[name][at] as number) > 0)) {
        throw refusePolicy('policy.values', `${map.at(name)} is not positive at diagonal ${row}`);
      }
    }
  }
  return statistics;
}

/** Each sees the features that the others see: as they are, or projected. */
function readFurther(
  map: Fields,
  features: number,
  d: number,
): Pick<FeatureStatistics, FurtherDetector> {
  const vim = map.optional('vim', (name) => readVim(map.map(name)));
  const knn = map.optional('knn', (name) => readKnn(map.map(name)));
  if (vim !== undefined && vim.features !== features) {
    throw refusePolicy('policy.length', `${map.at('vim')} is of ${vim.features} features`);
  }
  if (knn !== undefined && knn.width !== d) {
    throw refusePolicy('policy.length', `${map.at('knn')} is of ${knn.width} features`);
  }
  return { ...(vim && { vim }), ...(knn && { knn }) };
}
