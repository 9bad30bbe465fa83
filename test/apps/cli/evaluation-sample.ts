/** An evaluation as it may come out for a small image classifier, with something of everything. */
import { rocPoints, scoreHistogram } from '../../../src/core/calibration/curves.ts';
import type {
  AlarmObservation,
  Evaluation,
  RocCurve,
  ScoreHistogram,
} from '../../../src/core/calibration/evaluation.ts';
import { exactInterval } from '../../../src/core/calibration/exact-interval.ts';
import { lcg } from '../maker/toy.ts';

const THRESHOLD = -2.33;

/** Normal-like scores around `centre`. */
function scores(seed: number, centre: number, count = 2000): readonly number[] {
  const random = lcg(seed);
  return Array.from({ length: count }, () => {
    const sum = Array.from({ length: 12 }, random).reduce((a, b) => a + b, 0);
    return centre + sum - 6;
  });
}

function below(values: readonly number[]): number {
  return values.filter((value) => value < THRESHOLD).length / values.length;
}

const usual = scores(1, 0);
const sides: readonly (readonly [set: string, score: string, values: readonly number[]])[] = [
  ['cifar100-near', 'novelty.p', scores(2, -1.3)],
  ['mnist-far', 'novelty.p', scores(3, -3.1)],
  ['mnist-far', 'guard', scores(4, -3.4)],
];

function observation(set: string, frames: number, alarms: number): AlarmObservation {
  return { set, frames, alarms, confidence: 0.95, ...exactInterval(alarms, frames, 0.95) };
}

export const SAMPLE: Evaluation = {
  identity: {
    model: 'resnet8-cifar10 1.4.0',
    modelSha256: '3f'.repeat(32),
    policySha256: 'a4'.repeat(32),
    bundleSha256: '9c'.repeat(32),
    detection: 'full',
    version: '0.1.0',
    evaluatedAt: '2026-11-20T19:30:00Z',
  },
  verdict: {
    passed: false,
    words: [
      'In winter the guard alarms three times as often as promised; elsewhere it keeps its promise.',
      'It tells far images from its own, and misses most of the near ones.',
      'An attacker who knows the guard was not tried and can be expected to pass it.',
    ],
  },
  sets: [
    {
      ...{ name: 'cifar10-test', kind: 'usual', frames: 2000, sha256: '1b'.repeat(32) },
      description: 'array of uint8 [2000, 32, 32, 3], 2000 rows',
    },
    {
      ...{ name: 'cifar100-near', kind: 'unusual', frames: 2000, sha256: '2c'.repeat(32) },
      description: 'folder of 2000 images (PNG), 100 classes',
    },
    {
      ...{ name: 'mnist-far', kind: 'unusual', frames: 2000, sha256: '3d'.repeat(32) },
      description: 'array of uint8 [2000, 32, 32, 3], 2000 rows',
    },
  ],
  promise: {
    budget: 0.01,
    confidence: 0.95,
    statement:
      'With 95% confidence at most 1% of frames that are exchangeable with the 2,000 calibration frames raise an alarm; in a correlated stream it holds for independent segments, not for single frames.',
    observed: [
      {
        ...observation('cifar10-test', 2000, 13),
        byCheck: [
          { check: 'novelty', alarms: 9 },
          { check: 'input', alarms: 5 },
        ],
      },
      observation('cifar10-other-camera', 500, 8),
      observation('cifar10-winter', 400, 14),
    ],
  },
  detection: sides.map(([set, score, values], index) => ({
    ...{ set, score, frames: 2000, detected: below(values) },
    auroc: [0.832, 0.981, 0.987][index] as number,
    fpr95: [0.667, 0.071, 0.043][index] as number,
  })),
  curves: sides.map(([set, score, values]): RocCurve => {
    return {
      set,
      score,
      points: rocPoints(usual, values),
      threshold: [below(usual), below(values)],
    };
  }),
  histograms: sides.slice(0, 2).map(([set, score, values]): ScoreHistogram => {
    const counted = scoreHistogram(usual, values, 40);
    if (counted === undefined) throw new Error('the sample has no scores');
    return { set, score, threshold: THRESHOLD, ...counted };
  }),
  corruptions: (
    [
      ['Gaussian noise sd 25', 0.962, 0.171, 0.662],
      ['Gaussian noise sd 60', 0.999, 0.002, 0.996],
      ['box blur 5x5', 0.978, 0.102, 0.731],
      ['brightness -90', 0.971, 0.118, 0.702],
      ['brightness +110', 0.966, 0.131, 0.688],
      ['contrast x 0.35', 0.983, 0.077, 0.804],
      ['4 dead rows', 0.991, 0.031, 0.902],
      ['grey occlusion 12x12', 0.902, 0.412, 0.331],
      ['values divided by 255', 1, 0, 1],
      ['90-degree rotation', 0.688, 0.801, 0.061],
      ['channel swap', 0.611, 0.866, 0.034],
    ] as const
  ).map(([corruption, auroc, fpr95, detected]) => {
    return { corruption, frames: 1000, auroc, fpr95, detected };
  }),
  attacks: [
    { attack: 'square', samples: 100, succeeded: 96, detected: 58, medianQueries: 412 },
    { attack: 'simba', samples: 100, succeeded: 71, detected: 33, medianQueries: 1290 },
    { attack: 'gradient (finite differences)', samples: 50, succeeded: 0, detected: 0 },
  ],
  drift: [
    { stream: 'nothing drifts', drifts: false, streams: 100, frames: 20_000, alarms: 0 },
    {
      ...{ stream: 'cifar10-test, then cifar100-near', drifts: true, streams: 20, frames: 2000 },
      ...{ alarms: 20, medianDelay: 31 },
    },
    {
      ...{ stream: 'brightness falls slowly over two thousand frames at dusk', drifts: true },
      ...{ streams: 1, frames: 2000, alarms: 1, medianDelay: 412 },
    },
    {
      stream: 'one class vanishes',
      drifts: true,
      streams: 10,
      frames: 2000,
      alarms: 4,
      medianDelay: 988,
    },
  ],
  callers: [
    {
      ...{ caller: 'JBDA copy', hostile: true, runs: 10, queries: 2000, flagged: 10 },
      medianQueries: 212,
    },
    {
      ...{ caller: 'natural queries', hostile: true, runs: 10, queries: 2000, flagged: 9 },
      medianQueries: 1460,
    },
    { caller: 'independent frames', hostile: false, runs: 10, queries: 2000, flagged: 0 },
  ],
  latency: {
    frames: 1000,
    machine: 'a 2-core x86-64 virtual machine',
    inference: { medianUs: 3120, p99Us: 4890 },
    guard: { medianUs: 288.4, p99Us: 610 },
  },
  notEvaluated: [
    { what: 'an attacker who knows the guard', why: 'there is no such attack in this tool' },
    { what: 'time of day and season', why: 'the recordings are from one week in May' },
  ],
};
