/**
 * Who is shut out, on ResNet8 and real images: callers who copy the model or search it are, those who
 * ask about their own images and cameras are not. Nothing was tuned on these sets.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as ort from 'onnxruntime-web/wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { fitGuardPolicy } from '../../src/core/calibration/fit.ts';
import { fitCallerReference } from '../../src/core/calibration/fit-callers.ts';
import { seededNumbers } from '../../src/core/calibration/seeded-numbers.ts';
import { splitHalves } from '../../src/core/calibration/split.ts';
import { type CallerFrame, judgeCaller } from '../../src/core/guard/caller-judge.ts';
import type { CallerReference } from '../../src/core/guard/caller-reference.ts';
import { parseCallerSettings } from '../../src/core/guard/caller-settings.ts';
import { NO_CALLERS } from '../../src/core/guard/caller-state.ts';
import { fuse, pValue } from '../../src/core/guard/conformal.ts';
import { detectorScores } from '../../src/core/guard/novelty-detectors.ts';
import type { NoveltyPolicy } from '../../src/core/guard/policy.ts';
import { decodeNpy } from '../../src/core/numeric/npy.ts';
import { referenceKernels } from '../../src/core/numeric/reference.ts';
import { accepted } from '../core/base/outcome.ts';
import { ms } from '../core/guard/frames.ts';
import { sharedMissing, sharedPath } from '../shared.ts';

const PIXELS = 3 * 32 * 32;
const QUERIES = 400;
const SETTINGS = accepted(parseCallerSettings({ principals: { camera: { kind: 'sensor' } } }));

interface Answer {
  readonly logits: Float32Array;
  readonly features: Float32Array;
}

/** Asks the model about one image; what it is answered is judged as well. */
type Ask = (image: Float32Array) => Promise<Answer>;

let session: ort.InferenceSession;
let novelty: NoveltyPolicy;
let halfB: Float64Array;
let reference: CallerReference | undefined;
let test: Float32Array;
let testAnswers: readonly Answer[];

describe.skipIf(sharedMissing)('callers of ResNet8 (needs the shared models and data)', () => {
  beforeAll(async () => {
    const wasm = createRequire(import.meta.url).resolve(
      'onnxruntime-web/ort-wasm-simd-threaded.wasm',
    );
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = readFileSync(wasm).buffer;
    const model = new Uint8Array(readFileSync(sharedPath('models/resnet8-cifar10.onnx')));
    session = await ort.InferenceSession.create(model);
    const answers = await answersOf(images('cifar10-calibration-x'));
    const calibration = {
      logits: { width: 10, data: joined(answers.map(({ logits }) => logits)) },
      features: { width: 64, data: joined(answers.map(({ features }) => features)) },
      sha256: new Uint8Array(32),
    };
    const policy = accepted(
      fitGuardPolicy({
        modelSha256: new Uint8Array(32),
        outputs: { scores: 'logits', features: 'features' },
        fit: {
          logits: { width: 10, data: floats('golden-fit-logits') },
          features: { width: 64, data: floats('golden-fit-features') },
          sha256: new Uint8Array(32).fill(1),
        },
        calibration,
        falseAlarms: 0.01,
      }),
    );
    novelty = policy.novelty;
    const { b } = splitHalves(answers.length);
    halfB = Float64Array.from(b, (row) => scoreOf(answers[row] as Answer)).sort();
    reference = fitCallerReference(calibration.features);
    test = images('cifar10-test-x');
    testAnswers = await answersOf(test);
  }, 60_000);

  it('who asks about usual images is never found: 10 runs of 2,000, some images again', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const next = seededNumbers(seed);
      const found = judged(2_000, () => testAnswers[Math.floor(next() * 2_000)] as Answer);
      expect(found, `run ${seed}`).toBeUndefined();
    }
  });

  it.each(['cifar100-test-x', 'mnist32-test-x'])(
    'who copies it with natural images of other kinds is found within 2,000: %s',
    async (name) => {
      const answers = await answersOf(images(name).subarray(0, 400 * PIXELS));
      const found = judged(answers.length, (i) => answers[i] as Answer);
      expect(found?.codes).toEqual(['caller.novelty-rate']);
    },
    20_000,
  );

  it.each([6, 13, 26, 51])(
    'who makes images from 50 seeds (JBDA), %i levels up or down, is found within 400',
    async (step) => {
      for (const seed of [1, 2]) {
        const found = await judgedLive((ask) => augment(ask, step, seededNumbers(seed)));
        expect(found?.at, `seed ${seed}`).toBeLessThanOrEqual(QUERIES);
      }
    },
    20_000,
  );

  it('who searches by chance, pixel by pixel (SimBA), is found within 400', async () => {
    for (const seed of [1, 2, 3]) {
      const found = await judgedLive((ask) => simba(ask, seededNumbers(seed)));
      expect(found?.codes, `seed ${seed}`).toContain('caller.probing');
    }
  }, 20_000);

  it('a declared camera is never found; undeclared, the same frames are', async () => {
    const next = seededNumbers(1);
    const frames: Answer[] = [];
    let image: Float32Array = new Float32Array(PIXELS);
    let shift = 0;
    for (let i = 0; i < 1_500; i++) {
      if (i % 50 === 0) image = imageAt(test, Math.floor(next() * 2_000));
      if (i % 4 === 0) shift = Math.max(-4, Math.min(4, shift + Math.floor(next() * 3) - 1));
      frames.push(await answer(moved(image, shift, () => 10 * (next() - next()))));
    }
    const at = (i: number): Answer => frames[i] as Answer;
    expect(judged(frames.length, at, 'camera')).toBeUndefined();
    expect(judged(frames.length, at, 'other')?.codes).toContain('caller.probing');
  }, 20_000);
});

interface Found {
  /** Counts from 1. */
  readonly at: number;
  readonly codes: readonly string[];
}

/** A caller's judge; says what is found first. */
function judge(name: string): (answer: Answer) => Found | undefined {
  let state = NO_CALLERS;
  let at = 0;
  return (answer) => {
    at += 1;
    const rules = { settings: SETTINGS, reference };
    const step = judgeCaller(state, rules, name, frameOf(answer), ms(at));
    state = step.state;
    return step.findings.length === 0
      ? undefined
      : { at, codes: step.findings.map(({ code }) => code) };
  };
}

function judged(count: number, at: (i: number) => Answer, name = 'caller'): Found | undefined {
  const next = judge(name);
  for (let i = 0; i < count; i++) {
    const found = next(at(i));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Lets an attack ask until it is found, or has asked 400 times. */
async function judgedLive(attack: (ask: Ask) => Promise<void>): Promise<Found | undefined> {
  const next = judge('caller');
  let asked = 0;
  let found: Found | undefined;
  class Over extends Error {}
  try {
    await attack(async (image) => {
      if (found !== undefined || asked === QUERIES) throw new Over();
      asked += 1;
      const given = await answer(image);
      found = next(given);
      return given;
    });
  } catch (thrown) {
    if (!(thrown instanceof Over)) throw thrown;
  }
  return found;
}

/** Papernot et al. 2017: each round doubles the set by `x + step sign(J)`, here of a guessed J. */
async function augment(ask: Ask, step: number, next: () => number): Promise<void> {
  const set = Array.from({ length: 50 }, () => imageAt(test, Math.floor(next() * 2_000)));
  for (const image of set) await ask(image);
  for (let i = 0; ; i++) {
    const made = (set[i] as Float32Array).map((v) => levels(v + (next() < 0.5 ? step : -step)));
    await ask(made);
    set.push(made);
  }
}

/** Guo et al. 2019, in the pixel basis, towards a smaller probability of the first answer. */
async function simba(ask: Ask, next: () => number): Promise<void> {
  for (;;) {
    let image = imageAt(test, Math.floor(next() * 2_000));
    let logits = (await ask(image)).logits;
    const label = labelOf(logits);
    while (labelOf(logits) === label) {
      const pixel = Math.floor(next() * PIXELS);
      for (const by of [51, -51]) {
        const tried = image.slice();
        tried[pixel] = levels((tried[pixel] as number) + by);
        const given = (await ask(tried)).logits;
        if (shareOf(given, label) >= shareOf(logits, label)) continue;
        image = tried;
        logits = given;
        break;
      }
    }
  }
}

function frameOf(answer: Answer): CallerFrame {
  const { logits, features } = answer;
  return { noveltyP: pValue(halfB, scoreOf(answer)), features, label: labelOf(logits) };
}

function scoreOf({ logits, features }: Answer): number {
  const scores = detectorScores(novelty.statistics, referenceKernels, logits, features);
  return scores === undefined ? -Infinity : fuse(novelty.halfA, scores);
}

function labelOf(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

function shareOf(logits: Float32Array, label: number): number {
  return 1 / logits.reduce((sum, z) => sum + Math.exp(z - (logits[label] as number)), 0);
}

async function answer(image: Float32Array): Promise<Answer> {
  const input = new ort.Tensor('float32', Float32Array.from(image, levels), [1, 3, 32, 32]);
  const outputs = await session.run({ input });
  const row = (name: string): Float32Array =>
    Float32Array.from(outputs[name]?.data as Float32Array);
  return { logits: row('logits'), features: row('features') };
}

async function answersOf(all: Float32Array): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < all.length / PIXELS; i++) answers.push(await answer(imageAt(all, i)));
  return answers;
}

/** What a camera gives: whole levels within its range. */
function levels(value: number): number {
  return Math.round(Math.min(255, Math.max(0, value)));
}

/** Shifted sideways with the border repeated, with noise on it. */
function moved(image: Float32Array, by: number, noise: () => number): Float32Array {
  return image.map((_, at) => {
    const column = Math.min(31, Math.max(0, (at % 32) + by));
    return (image[at - (at % 32) + column] as number) + noise();
  });
}

function imageAt(all: Float32Array, index: number): Float32Array {
  return all.slice(index * PIXELS, (index + 1) * PIXELS);
}

function images(name: string): Float32Array {
  const { data } = accepted(decodeNpy(readFileSync(sharedPath(`data/${name}.npy`))));
  return Float32Array.from(data as Uint8Array);
}

function floats(name: string): Float32Array {
  const { data } = accepted(decodeNpy(readFileSync(sharedPath(`data/${name}.npy`))));
  return data as Float32Array;
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(width * rows.length);
  for (const [i, row] of rows.entries()) data.set(row, i * width);
  return data;
}
