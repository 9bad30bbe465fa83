/**
 * Callers whose intentions are known, held against the judge of callers: who copies a model or
 * searches it, who asks about usual frames, and a sensor. What one asks next is a generator that gets
 * back the answer to its last query.
 */

import type { MonotonicMs } from '../base/time.ts';
import type { ValueRange } from '../bundle/io-schema.ts';
import { judgeCaller } from '../guard/caller-judge.ts';
import type { CallerSettings } from '../guard/caller-settings.ts';
import { NO_CALLERS } from '../guard/caller-state.ts';
import type { ImageLayout, SignalLayout } from '../guard/input-layout.ts';
import { stridesOf } from '../guard/input-layout.ts';
import type { GuardPolicy } from '../guard/policy.ts';
import type { GuardSettings } from '../guard/settings.ts';
import type { ScoredRow } from './scored-rows.ts';

export type Queries = Generator<Float32Array, void, ScoredRow>;

/** Answers whether one more row of this caller gets him shut out. */
export type CallerWatch = (row: ScoredRow) => boolean;

const CALLER = 'caller';

/** Watches one caller from its first row on; as the signed settings say, or a declared sensor. */
export function watchCaller(
  policy: GuardPolicy,
  settings: GuardSettings,
  kind: 'query' | 'sensor' = 'query',
): CallerWatch {
  const { undeclared } = settings.callers;
  const principals = new Map([[CALLER, { kind, ...undeclared }]]);
  const callers: CallerSettings = { ...settings.callers, principals };
  const rules = { settings: callers, reference: policy.callers };
  let state = NO_CALLERS;
  let atMs = 0;
  return ({ scores, features, answer }) => {
    atMs += 1;
    const frame = { noveltyP: scores.novelty?.p, features, label: answer };
    const step = judgeCaller(state, rules, CALLER, frame, atMs as MonotonicMs);
    state = step.state;
    return step.findings.length > 0;
  };
}

/** Counted from 1, the row with which a caller was found; `undefined` where he was not. */
export function queriesToFinding(
  watch: CallerWatch,
  rows: Iterable<ScoredRow>,
): number | undefined {
  let count = 0;
  for (const row of rows) {
    count += 1;
    if (watch(row)) return count;
  }
  return undefined;
}

/**
 * Copies the model with frames made from a few of his own: each round doubles them by
 * `x + step sign(J)` (JBDA, Papernot et al. 2017), here of a guessed J.
 *
 * @param step in the unit of the frames
 */
export function* augmentedQueries(
  seeds: readonly Float32Array[],
  step: number,
  range: ValueRange,
  next: () => number,
): Queries {
  const own = [...seeds];
  for (const frame of seeds) yield frame;
  for (let i = 0; ; i++) {
    const made = (own[i] as Float32Array).map((v) =>
      clamped(v + (next() < 0.5 ? step : -step), range),
    );
    yield made;
    own.push(made);
  }
}

/**
 * Searches for a frame that is answered otherwise, value by value at random (SimBA, Guo et al. 2019),
 * and begins again with another frame once it is found.
 */
export function* searchingQueries(
  frames: () => Float32Array,
  step: number,
  range: ValueRange,
  next: () => number,
): Queries {
  for (;;) {
    let frame = frames();
    let answered = yield frame;
    const label = answered.answer ?? 0;
    while (answered.answer === label) {
      const at = Math.floor(next() * frame.length);
      for (const by of [step, -step]) {
        const tried = frame.slice();
        tried[at] = clamped((tried[at] as number) + by, range);
        const given = yield tried;
        if (shareOf(given, label) >= shareOf(answered, label)) continue;
        frame = tried;
        answered = given;
        break;
      }
    }
  }
}

/** Frames of one scene in a row, before the sensor turns to the next. */
export const SCENE_FRAMES = 50;
/** Largest shift of an image against its scene, in pixels. */
const SHIFT_MAX = 4;
/** Noise of a camera: the most, as a share of the range. */
const CAMERA_NOISE = 0.04;
/** By how much a window moves on, as a share of its samples. */
const WINDOW_STEP = 1 / 8;

/** A camera that looks at one scene for a while: moved sideways a little, with noise on it. */
export function* cameraQueries(
  scenes: () => Float32Array,
  layout: ImageLayout,
  range: ValueRange,
  next: () => number,
): Queries {
  const noise = CAMERA_NOISE * (range.max - range.min);
  const { step } = stridesOf(layout);
  for (let shift = 0; ; ) {
    const scene = scenes();
    for (let i = 0; i < SCENE_FRAMES; i++) {
      if (i % 4 === 0) {
        shift = Math.max(-SHIFT_MAX, Math.min(SHIFT_MAX, shift + Math.floor(next() * 3) - 1));
      }
      yield scene.map((_, at) => {
        const column = Math.floor(at / step) % layout.width;
        const from = Math.min(layout.width - 1, Math.max(0, column + shift));
        const value = scene[at + (from - column) * step] as number;
        return clamped(value + noise * (next() - next()), range);
      });
    }
  }
}

/** A window that slides along one recording for a while; the recording is the row over and over. */
export function* windowQueries(scenes: () => Float32Array, layout: SignalLayout): Queries {
  const { step } = stridesOf(layout);
  const { samples } = layout;
  for (;;) {
    const scene = scenes();
    for (let i = 0; i < SCENE_FRAMES; i++) {
      const by = Math.round(i * WINDOW_STEP * samples);
      yield scene.map((_, at) => {
        const sample = Math.floor(at / step) % samples;
        return scene[at + (((sample + by) % samples) - sample) * step] as number;
      });
    }
  }
}

/** Softmax probability of one class; 0 where there is no answer. */
function shareOf({ logits }: ScoredRow, label: number): number {
  if (logits === undefined) return 0;
  return 1 / logits.reduce((sum, z) => sum + Math.exp(z - (logits[label] as number)), 0);
}

function clamped(value: number, { min, max }: ValueRange): number {
  return Math.min(max, Math.max(min, value));
}
