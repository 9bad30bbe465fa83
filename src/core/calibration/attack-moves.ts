/**
 * What each attack tries next. An attack is a generator: it gives the next input to ask, and gets
 * back how far the answer still is from another class; lower is better, `Infinity` is no answer.
 * None needs gradients of the model. An array that was given may be written to after the next step.
 */
import type { Strides } from '../guard/input-layout.ts';
import { shuffled } from './seeded-numbers.ts';

/** How the values of one row lie in memory; signals and tables have one line. */
export interface Plane {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly strides: Strides;
}

/** Where an attack starts, and the bounds of every value: its range, and the ball of its size. */
export interface Field {
  readonly start: Float32Array;
  readonly lows: Float32Array;
  readonly highs: Float32Array;
  readonly plane: Plane;
}

export type Moves = Generator<Float32Array, void, number>;

/** Moves in a row that change nothing: nothing is left that could be changed. */
const IDLE_MAX = 100;

/**
 * Square attack for the maximum norm (Andriushchenko, Croce, Flammarion & Hein 2020): stripes first,
 * then squares at random places, each channel of a square moved to one end of its bounds; what helps
 * is kept. The squares shrink on the paper's schedule for 10,000 queries, scaled to the budget, from
 * a first share of 0.8 of the area (Croce & Hein 2020). Where a plane is too low for a square, it is
 * a rectangle of the same area.
 */
export function* squareMoves(field: Field, queriesMax: number, next: () => number): Moves {
  const { start, lows, highs, plane } = field;
  const { channels, height, width } = plane;
  let current = start.slice();
  fillStripes(current, field, next);
  let reached = yield current;
  let step = 0;
  for (let idle = 0; idle < IDLE_MAX; ) {
    const area = squareShare(step, queriesMax) * height * width;
    const tall = Math.min(height, Math.max(1, Math.round(Math.sqrt(area))));
    const wide = Math.min(width, Math.max(1, Math.round(area / tall)));
    const top = Math.floor(next() * (height - tall + 1));
    const left = Math.floor(next() * (width - wide + 1));
    const candidate = current.slice();
    let changed = false;
    for (let channel = 0; channel < channels; channel++) {
      const ends = next() < 0.5 ? lows : highs;
      for (let y = top; y < top + tall; y++) {
        for (let x = left; x < left + wide; x++) {
          const i = indexOf(plane, channel, y, x);
          changed ||= candidate[i] !== ends[i];
          candidate[i] = ends[i] as number;
        }
      }
    }
    idle = changed ? 0 : idle + 1;
    if (!changed) continue;
    step += 1;
    const loss = yield candidate;
    if (loss < reached) {
      reached = loss;
      current = candidate;
    }
  }
}

function fillStripes(values: Float32Array, field: Field, next: () => number): void {
  const { channels, height, width } = field.plane;
  for (let channel = 0; channel < channels; channel++) {
    for (let x = 0; x < width; x++) {
      const ends = next() < 0.5 ? field.lows : field.highs;
      for (let y = 0; y < height; y++) {
        const i = indexOf(field.plane, channel, y, x);
        values[i] = ends[i] as number;
      }
    }
  }
}

const SQUARE_SHARE = 0.8;
/** After so many of 10,000 queries the share of the area halves. */
const SQUARE_HALVINGS: readonly number[] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

function squareShare(step: number, queriesMax: number): number {
  const scaled = Math.floor((step / queriesMax) * 10_000);
  return SQUARE_SHARE / 2 ** SQUARE_HALVINGS.filter((after) => scaled > after).length;
}

/** SimBA on single values (Guo et al. 2019): each once, in a random order, down or else up. */
export function* simbaPixelMoves(
  field: Field,
  eps: number,
  atStart: number,
  next: () => number,
): Moves {
  let reached = atStart;
  const current = field.start.slice();
  for (const i of shuffled(current.length, next)) {
    const before = current[i] as number;
    for (const step of [-eps, eps]) {
      current[i] = clamped(before + step, i, field);
      if (current[i] === before) continue;
      const loss = yield current;
      if (loss < reached) {
        reached = loss;
        break;
      }
      current[i] = before;
    }
  }
}

/**
 * SimBA on cosine waves (Guo et al. 2019): the waves of the discrete cosine transform, each of
 * length `eps`, once each, the lowest frequencies first and in a random order among equals.
 */
export function* simbaDctMoves(
  field: Field,
  eps: number,
  atStart: number,
  next: () => number,
): Moves {
  const { plane } = field;
  const { channels, height, width } = plane;
  let reached = atStart;
  let current = field.start.slice();
  // Wave (channel, v, u) at (channel * height + v) * width + u.
  const frequency = (wave: number): number => (wave % width) + (Math.floor(wave / width) % height);
  const waves = shuffled(channels * height * width, next);
  waves.sort((a, b) => frequency(a) - frequency(b));
  for (const wave of waves) {
    const along = cosine(wave % width, width);
    const down = cosine(Math.floor(wave / width) % height, height);
    const channel = Math.floor(wave / (width * height));
    for (const step of [-eps, eps]) {
      const candidate = current.slice();
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const i = indexOf(plane, channel, y, x);
          const change = step * (down[y] as number) * (along[x] as number);
          candidate[i] = clamped((current[i] as number) + change, i, field);
        }
      }
      const loss = yield candidate;
      if (loss < reached) {
        reached = loss;
        current = candidate;
        break;
      }
    }
  }
}

/** One wave of the orthonormal DCT-II over `n` points. */
function cosine(frequency: number, n: number): Float64Array {
  const scale = Math.sqrt((frequency === 0 ? 1 : 2) / n);
  return Float64Array.from(
    { length: n },
    (_, i) => scale * Math.cos((Math.PI * frequency * (2 * i + 1)) / (2 * n)),
  );
}

/** Inputs of at most so many values get one difference per value; others, so many at random. */
const DIRECTIONS = 32;
/** Of eps: how far apart differences are taken, and how far a step goes. */
const PROBE_SHARE = 0.5;
const STEP_SHARE = 0.25;

/**
 * Projected steps of one size along the signs of a gradient (Madry et al. 2018) that is estimated
 * from central differences: along each value of a small input, and along random directions of -1
 * and 1 otherwise (SPSA, Uesato et al. 2018).
 */
export function* gradientMoves(field: Field, eps: number, next: () => number): Moves {
  const { start, lows, highs } = field;
  const n = start.length;
  const one = n <= DIRECTIONS;
  const moved = (from: Float32Array, by: (i: number) => number): Float32Array =>
    from.map((value, i) =>
      Math.min(highs[i] as number, Math.max(lows[i] as number, value + by(i))),
    );
  let current = start;
  for (;;) {
    const slopes = new Float64Array(n);
    for (let k = 0; k < (one ? n : DIRECTIONS); k++) {
      const direction = Float64Array.from({ length: n }, (_, i) => {
        if (one) return i === k ? 1 : 0;
        return next() < 0.5 ? -1 : 1;
      });
      const along = (i: number): number => PROBE_SHARE * eps * (direction[i] as number);
      const ahead = yield moved(current, along);
      const behind = yield moved(current, (i) => -along(i));
      const difference = ahead - behind;
      if (!Number.isFinite(difference)) continue;
      for (let i = 0; i < n; i++) {
        slopes[i] = (slopes[i] as number) + difference * (direction[i] as number);
      }
    }
    current = moved(current, (i) => -STEP_SHARE * eps * Math.sign(slopes[i] as number));
    yield current;
  }
}

function clamped(value: number, i: number, { lows, highs }: Field): number {
  return Math.min(highs[i] as number, Math.max(lows[i] as number, value));
}

function indexOf({ strides }: Plane, channel: number, y: number, x: number): number {
  return channel * strides.channel + y * strides.line + x * strides.step;
}
