/** How soon drift is seen on real images: CIFAR-100 before a ResNet8 that was calibrated on CIFAR-10. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { framesToAlarm } from '../../../src/core/calibration/drift-trial.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { type RecordedOutputs, rowOf as rowIn } from '../../../src/core/calibration/rows.ts';
import { DRIFT_AT_START, type DriftInput, midP, stepDrift } from '../../../src/core/guard/drift.ts';
import { driftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { convertTensor, decodeNpy, rowOf } from '../../../src/core/numeric/npy.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { accepted } from '../base/outcome.ts';
import { judgedNovelty } from '../guard/judged.ts';
import { randomNumbers } from './simulated.ts';

const CLASSES = 10;
const FEATURES = 64;
const WELL_FRAMES = 20_000;
const SHUFFLES = 21;

const read = (path: string): Uint8Array => new Uint8Array(readFileSync(sharedPath(path)));

/** The outputs of the model on the first rows of a set. */
async function outputsOf(name: string, rows: number): Promise<RecordedOutputs> {
  const wasm = createRequire(import.meta.url).resolve(
    'onnxruntime-web/ort-wasm-simd-threaded.wasm',
  );
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = readFileSync(wasm).buffer;
  const session = await ort.InferenceSession.create(read('models/resnet8-cifar10.onnx'));
  const images = accepted(decodeNpy(read(`data/${name}-x.npy`)));
  const logits = new Float32Array(rows * CLASSES);
  const features = new Float32Array(rows * FEATURES);
  for (let row = 0; row < rows; row++) {
    const { dims, data } = accepted(convertTensor(rowOf(images, row), 'float32'));
    const ran = await session.run({
      input: new ort.Tensor('float32', data as Float32Array, dims),
    });
    logits.set((ran['logits'] as ort.Tensor).data as Float32Array, row * CLASSES);
    features.set((ran['features'] as ort.Tensor).data as Float32Array, row * FEATURES);
  }
  await session.release();
  const sha256 = new Uint8Array(32).fill(name.length);
  return {
    logits: { width: CLASSES, data: logits },
    features: { width: FEATURES, data: features },
    sha256,
  };
}

/** Of the same model, as they are recorded beside the data. */
function recordedFit(): RecordedOutputs {
  const floats = (name: string): Float32Array =>
    accepted(convertTensor(accepted(decodeNpy(read(`data/${name}.npy`))), 'float32'))
      .data as Float32Array;
  return {
    logits: { width: CLASSES, data: floats('golden-fit-logits') },
    features: { width: FEATURES, data: floats('golden-fit-features') },
    sha256: new Uint8Array(32),
  };
}

const answersOf = ({ logits }: RecordedOutputs): number[] =>
  Array.from({ length: logits.data.length / CLASSES }, (_, row) => {
    const scores = rowIn(logits, row);
    return scores.indexOf(Math.max(...scores));
  });

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number;

describe.skipIf(sharedMissing)('drift on real images (needs the shared data)', () => {
  it('is seen within 40 frames, soon after many well ones too, and not on well ones', async () => {
    const labels = accepted(decodeNpy(read('data/cifar10-fit-y.npy'))).data;
    const calibration = await outputsOf('cifar10-calibration', 2_000);
    const guard = accepted(
      fitGuardPolicy({
        modelSha256: new Uint8Array(32),
        outputs: { scores: 'logits', features: 'features' },
        fit: recordedFit(),
        labels: Array.from(labels as ArrayLike<number | bigint>, Number),
        calibration,
        falseAlarms: 0.01,
      }),
    );
    const bank = guard.checks.scales.novelty?.halfB as Float64Array;
    const classCounts = Array<number>(CLASSES).fill(0);
    for (const answer of answersOf(calibration)) {
      classCounts[answer] = 1 + (classCounts[answer] as number);
    }
    const policy = driftPolicy({ alpha: 0.01, delta: 0.01, bankRows: bank.length, classCounts });
    const inputsOf = (outputs: RecordedOutputs): DriftInput[] =>
      answersOf(outputs).map((answer, row) => {
        const features = outputs.features && rowIn(outputs.features, row);
        const logits = rowIn(outputs.logits, row);
        const { score } = judgedNovelty(guard, logits, features);
        return { noveltyP: midP(bank, score), class: answer };
      });
    const well = inputsOf(await outputsOf('cifar10-test', 600));
    const strange = inputsOf(await outputsOf('cifar100-test', 500));

    const next = randomNumbers(3);
    let state = DRIFT_AT_START;
    for (let i = 0; i < WELL_FRAMES; i++) {
      const step = stepDrift(state, policy, well[Math.floor(next() * well.length)] as DriftInput);
      expect(step.raised).toEqual([]);
      state = step.state;
    }
    const delays = (from: typeof state): number[] =>
      Array.from({ length: SHUFFLES }, () => {
        const frames = strange
          .map((input) => ({ input, place: next() }))
          .sort((a, b) => a.place - b.place)
          .map(({ input }) => input);
        return framesToAlarm(policy, frames, from)?.frame ?? Infinity;
      });
    const [first, late] = [delays(DRIFT_AT_START), delays(state)];
    console.info(
      `drift on CIFAR-100, ${SHUFFLES} shuffles: median ${median(first)} frames from the start ` +
        `(at most ${Math.max(...first)}), ${median(late)} after ${WELL_FRAMES} well frames without ` +
        `an alarm (at most ${Math.max(...late)})`,
    );
    expect(median(first)).toBeLessThanOrEqual(40);
    expect(median(late)).toBeLessThanOrEqual(120);
  }, 120_000);
});
