/**
 * Makes the demo's model from nothing but this folder: simulates windows, trains, writes ONNX.
 *
 *     node src/apps/demo/train.ts --check   compares with the committed files, exit code 1 if not
 *     node src/apps/demo/train.ts --write   writes rotor.onnx and rotor.json
 *
 * The same bytes come out on every version of Node.js.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { concatBytes, equalBytes, toHex, utf8 } from '../../core/base/bytes.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { encodeModel, type OnnxNodeSpec } from '../../core/onnx/writer.ts';
import { type Classifier, classify, type Example, trainClassifier } from './classifier.ts';
import { SeededRandom } from './exact-math.ts';
import {
  BINS,
  dftBasis,
  FRAME_SAMPLES,
  HOP_SAMPLES,
  POWER_FLOOR,
  SPECTRUM_SIZE,
  spectrumOf,
} from './spectrum.ts';
import {
  CONDITIONS,
  RANGE_G,
  SAMPLE_RATE_HZ,
  vibrationWindow,
  WINDOW_SAMPLES,
} from './vibration.ts';

const SEED = 2026;
const TRAINING_WINDOWS = 1_600;
const TEST_WINDOWS = 800;
const HIDDEN = 48;

/** Sources whose digest is the provenance of the model. */
const SOURCES = ['exact-math.ts', 'vibration.ts', 'spectrum.ts', 'classifier.ts', 'train.ts'];

export interface Rotor {
  readonly model: Uint8Array;
  /** The maker's metadata of the bundle, with the provenance of the model. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Simulates, trains and encodes; takes a few seconds. */
export function makeRotor(): Rotor {
  const basis = dftBasis();
  const training = examples(TRAINING_WINDOWS, 1, basis);
  const net = trainClassifier(
    training,
    {
      hidden: HIDDEN,
      classes: CONDITIONS.length,
      hiddenBias: 2,
      epochs: 12,
      batch: 16,
      learningRate: 0.02,
      momentum: 0.9,
      weightDecay: 1e-2,
    },
    new SeededRandom(SEED, 0),
  );
  const model = encodeRotor(net, basis);
  const trainingAccuracy = accuracy(net, training);
  const testAccuracy = accuracy(net, examples(TEST_WINDOWS, 2, basis));
  return { model, metadata: metadataOf({ model, trainingAccuracy, testAccuracy }) };
}

/** What differs between the committed files and a fresh run; nothing when they agree. */
export function differences(rotor: Rotor): readonly string[] {
  const same = JSON.stringify(JSON.parse(readFileSync(METADATA_FILE, 'utf8')));
  return [
    ...(equalBytes(readFileSync(MODEL_FILE), rotor.model) ? [] : ['rotor.onnx']),
    ...(same === JSON.stringify(rotor.metadata) ? [] : ['rotor.json']),
  ];
}

const MODEL_FILE = resolve(import.meta.dirname, 'rotor.onnx');
const METADATA_FILE = resolve(import.meta.dirname, 'rotor.json');

function examples(count: number, stream: number, basis: Float32Array): Example[] {
  const random = new SeededRandom(SEED, stream);
  return Array.from({ length: count }, (_, i) => {
    const label = i % CONDITIONS.length;
    const window = vibrationWindow(CONDITIONS[label] ?? 'healthy', random);
    return { input: spectrumOf(window, basis), label };
  });
}

function accuracy(net: Classifier, cases: readonly Example[]): number {
  return cases.filter(({ input, label }) => classify(net, input) === label).length / cases.length;
}

interface Trained {
  readonly model: Uint8Array;
  readonly trainingAccuracy: number;
  readonly testAccuracy: number;
}

function metadataOf({ model, trainingAccuracy, testAccuracy }: Trained): Rotor['metadata'] {
  const sources = SOURCES.map((name) => readFileSync(resolve(import.meta.dirname, name)));
  return {
    description: 'Condition of a pump bearing from 80 ms of housing vibration (simulated data)',
    inputs: {
      vibration: { layout: 'NCW', range: [-RANGE_G, RANGE_G], dims: { batch: [1, 256] } },
    },
    outputs: { logits: { labels: CONDITIONS } },
    // No condition is claimed: all of them score the same.
    safeOutput: { outputs: { logits: CONDITIONS.map(() => 0) } },
    intendedUses: ['Demonstration and tests of Edgeward'],
    prohibitedUses: ['Monitoring of real machines: the training data are simulated'],
    provenance: {
      script: 'src/apps/demo/train.ts',
      sources: SOURCES,
      sourcesSha256: toHex(sha256(concatBytes(...sources))),
      modelSha256: toHex(sha256(model)),
      seed: SEED,
      data: 'simulated vibration, src/apps/demo/vibration.ts',
      samplingRateHz: SAMPLE_RATE_HZ,
      windowSamples: WINDOW_SAMPLES,
      unit: 'g',
      conditions: CONDITIONS,
      trainingWindows: TRAINING_WINDOWS,
      testWindows: TEST_WINDOWS,
      trainingAccuracy,
      testAccuracy,
    },
  };
}

/** Window [batch, 1, 1024] in g -> spectrum -> Gemm - Relu (`features`) - Gemm (`logits`). */
function encodeRotor(net: Classifier, basis: Float32Array): Uint8Array {
  const node = (
    op: string,
    inputs: string[],
    outputs: string[],
    attributes: OnnxNodeSpec['attributes'] = {},
  ): OnnxNodeSpec => ({ op, inputs, outputs, attributes });
  const overFrames = { axes: { ints: [2] }, keepdims: { int: 0 } };
  const transposed = { transB: { int: 1 } };
  const vector = (data: Float32Array, ...dims: number[]) =>
    ({ dtype: 'float32', dims, data }) as const;
  return encodeModel({
    producerName: 'edgeward-demo',
    graph: {
      name: 'rotor',
      nodes: [
        node('Conv', ['vibration', 'basis'], ['phasors'], { strides: { ints: [HOP_SAMPLES] } }),
        node('Split', ['phasors', 'halves'], ['real', 'imaginary'], { axis: { int: 1 } }),
        node('Mul', ['real', 'real'], ['real2']),
        node('Mul', ['imaginary', 'imaginary'], ['imaginary2']),
        node('Add', ['real2', 'imaginary2'], ['power']),
        node('Add', ['power', 'floor'], ['raised']),
        node('Log', ['raised'], ['levels']),
        node('ReduceMean', ['levels'], ['means'], overFrames),
        node('ReduceMax', ['levels'], ['maxima'], overFrames),
        node('Concat', ['means', 'maxima'], ['spectrum'], { axis: { int: 1 } }),
        node('Gemm', ['spectrum', 'hidden.weight', 'hidden.bias'], ['hidden'], transposed),
        node('Relu', ['hidden'], ['features']),
        node('Gemm', ['features', 'output.weight', 'output.bias'], ['logits'], transposed),
      ],
      initializers: {
        basis: vector(basis, 2 * BINS, 1, FRAME_SAMPLES),
        halves: { dtype: 'int64', dims: [2], data: BigInt64Array.of(BigInt(BINS), BigInt(BINS)) },
        floor: vector(Float32Array.of(POWER_FLOOR)),
        'hidden.weight': vector(net.hiddenWeights, HIDDEN, SPECTRUM_SIZE),
        'hidden.bias': vector(net.hiddenBias, HIDDEN),
        'output.weight': vector(net.outputWeights, net.classes, HIDDEN),
        'output.bias': vector(net.outputBias, net.classes),
      },
      inputs: [{ name: 'vibration', dtype: 'float32', dims: ['batch', 1, WINDOW_SAMPLES] }],
      outputs: [
        { name: 'logits', dtype: 'float32', dims: ['batch', CONDITIONS.length] },
        { name: 'features', dtype: 'float32', dims: ['batch', HIDDEN] },
      ],
    },
  });
}

function main(option: string | undefined): number {
  if (option !== '--check' && option !== '--write') {
    process.stderr.write('usage: node src/apps/demo/train.ts --check | --write\n');
    return 2;
  }
  const rotor = makeRotor();
  process.stdout.write(`${toHex(sha256(rotor.model))} ${rotor.model.length} bytes\n`);
  if (option === '--write') {
    writeFileSync(MODEL_FILE, rotor.model);
    writeFileSync(METADATA_FILE, utf8(`${JSON.stringify(rotor.metadata, null, 2)}\n`));
    return 0;
  }
  const differing = differences(rotor);
  for (const name of differing) process.stderr.write(`${name} is not what this script makes\n`);
  return differing.length === 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main(process.argv[2]);
