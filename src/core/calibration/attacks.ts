/**
 * Runs one attack on one input: a search for a small change that makes the model answer otherwise,
 * by asking the model alone. What an attack tries next is in `attack-moves.ts`; here are its budget
 * of queries, what it has reached, and what counts as success.
 */
import { assert } from '../base/fault.ts';
import type { ValueRange } from '../bundle/io-schema.ts';
import { type InputLayout, stridesOf, valuesOfRow } from '../guard/input-layout.ts';
import {
  type Field,
  gradientMoves,
  type Moves,
  type Plane,
  simbaDctMoves,
  simbaPixelMoves,
  squareMoves,
} from './attack-moves.ts';
import { seededNumbers } from './seeded-numbers.ts';

/** For documents and reports, as it stands. */
export const ATTACK_LIMITS: string =
  'The attacks know nothing of the guard and do not try to pass it; an attacker who does will pass ' +
  'more often than these figures say. They ask the model through its scores, within a small budget ' +
  'of queries, from a few samples; more queries, larger changes, gradients of the model, patches, ' +
  'or a model trained on bad data are not evaluated. Low figures are no proof of robustness.';

/** Raw class scores (logits) of one input row. What it throws ends the attack. */
export type LogitsOracle = (input: Float32Array) => Promise<Float32Array>;

export const ATTACKS = ['square', 'simba', 'simba-dct', 'gradient'] as const;
export type AttackName = (typeof ATTACKS)[number];

/** What each attack is, for reports. */
export const ATTACK_WORDS: Readonly<Record<AttackName, string>> = {
  square: 'Square (Andriushchenko et al. 2020), random squares, every value within eps',
  simba: 'SimBA (Guo et al. 2019), one value at a time by eps',
  'simba-dct': 'SimBA (Guo et al. 2019), one low cosine wave at a time, of length eps',
  gradient: 'projected steps along gradients estimated from scores, every value within eps',
};

export interface AttackTask {
  readonly oracle: LogitsOracle;
  /** One row; finite, inside `ranges`. Not written to. */
  readonly input: Float32Array;
  readonly layout: InputLayout;
  /** One for all values, or one per channel (of a table: column). Nothing outside is ever asked. */
  readonly ranges: readonly ValueRange[];
  /**
   * In the unit of the input. `square`, `simba`, `gradient`: the most by which any value changes.
   * `simba-dct`: the Euclidean length of one step.
   */
  readonly eps: number;
  /** The first query is the input itself. At least 1. */
  readonly queriesMax: number;
  readonly seed: number;
}

export interface AttackResult {
  readonly attack: AttackName;
  /** The model answered otherwise than for the input as it was. */
  readonly success: boolean;
  readonly queries: number;
  /** The input that succeeded, or the one that came nearest to it. */
  readonly input: Float32Array;
  /** Largest change of any value, and Euclidean length of all changes. */
  readonly linf: number;
  readonly l2: number;
  /** Classes answered before and after; -1 where the scores were not finite. */
  readonly label: number;
  readonly answer: number;
}

/**
 * Deterministic: the same task gives the same result. The oracle gets an array of its own each time.
 * Scores that are not finite never count as a success, nor as a step towards it.
 */
export async function runAttack(attack: AttackName, task: AttackTask): Promise<AttackResult> {
  const field = fieldOf(task, attack === 'simba-dct' ? Infinity : task.eps);
  const clean = await task.oracle(task.input.slice());
  const label = topOf(clean);
  let best = { input: field.start, loss: Infinity, answer: label };
  const end = (success: boolean, queries: number): AttackResult => {
    const { input, answer } = best;
    return { attack, success, queries, input, ...distance(task.input, input), label, answer };
  };
  if (label < 0) return end(false, 1);
  const loss = attack.startsWith('simba') ? logOdds : margin;
  best.loss = loss(clean, label);
  const moves = MOVES[attack](field, task, best.loss, seededNumbers(task.seed));
  let queries = 1;
  let reached = best.loss;
  let move = moves.next();
  while (move.done !== true && queries < task.queriesMax) {
    queries += 1;
    const logits = await task.oracle(move.value.slice());
    const answer = logits.length === clean.length ? topOf(logits) : -1;
    reached = answer < 0 ? Infinity : loss(logits, label);
    const success = answer >= 0 && answer !== label;
    if (success || reached < best.loss) best = { input: move.value.slice(), loss: reached, answer };
    if (success) return end(true, queries);
    move = moves.next(reached);
  }
  return end(false, queries);
}

type MakeMoves = (field: Field, task: AttackTask, atStart: number, next: () => number) => Moves;

const MOVES: Readonly<Record<AttackName, MakeMoves>> = {
  square: (field, { queriesMax }, _, next) => squareMoves(field, queriesMax, next),
  simba: (field, { eps }, atStart, next) => simbaPixelMoves(field, eps, atStart, next),
  'simba-dct': (field, { eps }, atStart, next) => simbaDctMoves(field, eps, atStart, next),
  gradient: (field, { eps }, _, next) => gradientMoves(field, eps, next),
};

/** Index of the largest score, the first of equals; -1 when any is not finite, or there are none. */
function topOf(logits: Float32Array): number {
  let top = 0;
  for (let j = 0; j < logits.length; j++) {
    if (!Number.isFinite(logits[j])) return -1;
    if ((logits[j] as number) > (logits[top] as number)) top = j;
  }
  return logits.length === 0 ? -1 : top;
}

/** `z_label - max of the others`, which Square minimises; `Infinity` for a single class. */
function margin(logits: Float32Array, label: number): number {
  let other = -Infinity;
  for (let j = 0; j < logits.length; j++) {
    if (j !== label) other = Math.max(other, logits[j] as number);
  }
  return (logits[label] as number) - other;
}

/**
 * `ln p / (1 - p)` of the label's probability `p`. SimBA minimises `p`: this falls exactly when `p`
 * does, and tells two answers apart that are both 1 to the last bit.
 */
function logOdds(logits: Float32Array, label: number): number {
  const above = margin(logits, label);
  const other = (logits[label] as number) - above;
  let total = 0;
  for (let j = 0; j < logits.length; j++) {
    if (j !== label) total += Math.exp((logits[j] as number) - other);
  }
  return above - Math.log(total);
}

function fieldOf({ input, layout, ranges, eps, queriesMax }: AttackTask, ball: number): Field {
  assert(valuesOfRow(layout) === input.length && input.length > 0, 'a layout of all values');
  assert(eps > 0 && Number.isFinite(eps) && queriesMax >= 1, 'a change and a query at least');
  const plane = planeOf(layout);
  const perChannel = layout.kind === 'table' ? layout.columns : layout.channels;
  assert(ranges.length === 1 || ranges.length === perChannel, 'one range, or one per channel');
  const lows = new Float32Array(input.length);
  const highs = new Float32Array(input.length);
  for (let i = 0; i < input.length; i++) {
    const channel = Math.floor(i / plane.strides.channel) % perChannel;
    const { min, max } = ranges[ranges.length === 1 ? 0 : channel] as ValueRange;
    const value = input[i] as number;
    assert(value >= min && value <= max, 'an input inside its range');
    lows[i] = -floor32(Math.min(-min, ball - value));
    highs[i] = floor32(Math.min(max, value + ball));
  }
  return { start: input.slice(), lows, highs, plane };
}

/** A signal is one line; so is a table, which has no channels. */
function planeOf(layout: InputLayout): Plane {
  if (layout.kind === 'table') {
    const strides = { channel: 1, line: layout.columns, step: 1 };
    return { channels: 1, height: 1, width: layout.columns, strides };
  }
  const strides = stridesOf(layout);
  return layout.kind === 'image'
    ? { channels: layout.channels, height: layout.height, width: layout.width, strides }
    : { channels: layout.channels, height: 1, width: layout.samples, strides };
}

const bits = new DataView(new ArrayBuffer(4));

/** The largest float32 that is not above: rounding must not lead out of a range. */
function floor32(value: number): number {
  const near = Math.fround(value);
  if (near <= value) return near;
  if (near === 0) return -(2 ** -149);
  bits.setFloat32(0, near);
  bits.setInt32(0, bits.getInt32(0) + (near > 0 ? -1 : 1));
  return bits.getFloat32(0);
}

function distance(a: Float32Array, b: Float32Array): { linf: number; l2: number } {
  let linf = 0;
  let squared = 0;
  for (let i = 0; i < a.length; i++) {
    const change = Math.abs((a[i] as number) - (b[i] as number));
    linf = Math.max(linf, change);
    squared += change * change;
  }
  return { linf, l2: Math.sqrt(squared) };
}
