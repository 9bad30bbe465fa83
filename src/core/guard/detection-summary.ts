/**
 * Detection models: what a frame's candidates add up to (how many, how sure, how large, of which
 * classes), against the fit set. It sees scenes that differ as a whole, not one strange object.
 *
 * Two outputs are read: scores `candidates x classes` and boxes `candidates x 4`, both row-major,
 * before or after the suppression of overlaps, as the model puts them out.
 */
import type { Fields } from '../base/fields.ts';
import { DETECTED_CLASSES_MAX, TENSOR_ELEMENTS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { refusePolicy } from './policy-faults.ts';
import { type ReferenceRanks, ranksMap, ranksScore, readRanks } from './reference-ranks.ts';

export interface DetectionLayout {
  readonly candidates: number;
  /** Columns of the scores. */
  readonly classes: number;
  /** The column that means "nothing here"; without one every column is a class of objects. */
  readonly background?: number;
  /** A candidate whose best class of objects scores at least this is counted. */
  readonly threshold: number;
  /** `corners`: x1, y1, x2, y2. `centre`: x, y, width, height. */
  readonly boxes: BoxForm;
}

export type BoxForm = 'corners' | 'centre';

export interface DetectionPolicy {
  readonly layout: DetectionLayout;
  /** Two-sided, a column for each of `detectionNames`. */
  readonly ranks: ReferenceRanks;
}

const PER_FRAME = ['count', 'score mass', 'area sum', 'area mean'] as const;
const BOX_VALUES = 4;

/** `-Infinity` for what cannot be judged; else at most 0, higher = more usual. */
export function detectionScore(
  policy: DetectionPolicy,
  scores: ArrayLike<number>,
  boxes: ArrayLike<number>,
): number {
  const statistics = detectionStatistics(policy.layout, scores, boxes);
  return statistics === undefined ? -Infinity : ranksScore(policy.ranks, statistics);
}

/**
 * The statistics of a frame, in order: candidates counted; score mass, the sum of the best scores
 * of ALL candidates, so that many near misses show; sum and mean of the areas of those counted;
 * and, where there are several classes of objects, how many were counted of each.
 */
export function detectionNames(layout: DetectionLayout): string[] {
  const objects = objectColumns(layout);
  return objects.length < 2
    ? [...PER_FRAME]
    : [...PER_FRAME, ...objects.map((column) => `count of class ${column}`)];
}

/**
 * What a recording keeps of a frame; `undefined` for outputs of other lengths, or of which any
 * value is not finite, counted or not. Boxes turned inside out have no area.
 */
export function detectionStatistics(
  layout: DetectionLayout,
  scores: ArrayLike<number>,
  boxes: ArrayLike<number>,
): Float64Array | undefined {
  const { candidates, classes, threshold } = layout;
  if (scores.length !== candidates * classes) return undefined;
  if (boxes.length !== candidates * BOX_VALUES) return undefined;
  if (!allFinite(scores) || !allFinite(boxes)) return undefined;
  const objects = objectColumns(layout);
  const byClass = new Float64Array(objects.length);
  let count = 0;
  let mass = 0;
  let area = 0;
  for (let i = 0; i < candidates; i++) {
    const best = bestOf(scores, i * classes, objects);
    const score = scores[i * classes + (objects[best] as number)] as number;
    mass += score;
    if (score < threshold) continue;
    count += 1;
    area += areaOf(boxes, i * BOX_VALUES, layout.boxes);
    byClass[best] = (byClass[best] as number) + 1;
  }
  const mean = count === 0 ? 0 : area / count;
  const perFrame = [count, mass, area, mean];
  const statistics = Float64Array.from(objects.length < 2 ? perFrame : [...perFrame, ...byClass]);
  return statistics.every(Number.isFinite) ? statistics : undefined;
}

/** What is wrong with a layout that a maker or a policy declares, in words. */
export function layoutProblem(layout: DetectionLayout): string | undefined {
  const { candidates, classes, background, threshold } = layout;
  const values = candidates * Math.max(classes, BOX_VALUES);
  if (!(Number.isSafeInteger(candidates) && candidates >= 1 && values <= TENSOR_ELEMENTS_MAX)) {
    return `${candidates} candidates of ${classes} classes`;
  }
  if (background !== undefined && !(Number.isSafeInteger(background) && background >= 0)) {
    return `background in column ${background}`;
  }
  if (background !== undefined && background >= classes) {
    return `background in column ${background} of ${classes}`;
  }
  const objects = background === undefined ? classes : classes - 1;
  if (!(Number.isSafeInteger(objects) && objects >= 1 && objects <= DETECTED_CLASSES_MAX)) {
    return `${objects} classes of objects, 1 to ${DETECTED_CLASSES_MAX} can be`;
  }
  return Number.isFinite(threshold) ? undefined : `a threshold of ${threshold}`;
}

export function detectionMap({ layout, ranks }: DetectionPolicy): CborMap {
  return cborMap(
    [
      'layout',
      cborMap(
        ['candidates', layout.candidates],
        ['classes', layout.classes],
        ['background', layout.background],
        ['threshold', layout.threshold],
        ['boxes', layout.boxes],
      ),
    ],
    ['ranks', ranksMap(ranks)],
  );
}

/** Faults: `policy.length`, `policy.values` (an impossible layout), `policy.order`, `field.*`. */
export function readDetection(fields: Fields): DetectionPolicy {
  const map = fields.map('layout');
  const background = map.optional('background', (name) => map.integer(name));
  const known = {
    candidates: map.integer('candidates'),
    classes: map.integer('classes'),
    threshold: map.number('threshold'),
    boxes: map.oneOf<BoxForm>('boxes', ['corners', 'centre']),
  };
  map.done();
  const layout = background === undefined ? known : { ...known, background };
  const problem = layoutProblem(layout);
  if (problem !== undefined) throw refusePolicy('policy.values', `${map.path}: ${problem}`);
  const ranks = readRanks(fields.map('ranks'), detectionNames(layout).length, 'two');
  fields.done();
  return { layout, ranks };
}

function objectColumns({ classes, background }: DetectionLayout): number[] {
  const columns: number[] = [];
  for (let c = 0; c < classes; c++) if (c !== background) columns.push(c);
  return columns;
}

function bestOf(scores: ArrayLike<number>, start: number, columns: readonly number[]): number {
  let best = 0;
  for (let j = 1; j < columns.length; j++) {
    const score = scores[start + (columns[j] as number)] as number;
    if (score > (scores[start + (columns[best] as number)] as number)) best = j;
  }
  return best;
}

function areaOf(boxes: ArrayLike<number>, at: number, form: BoxForm): number {
  const corners = form === 'corners';
  const width = (boxes[at + 2] as number) - (corners ? (boxes[at] as number) : 0);
  const height = (boxes[at + 3] as number) - (corners ? (boxes[at + 1] as number) : 0);
  return Math.max(0, width) * Math.max(0, height);
}

function allFinite(values: ArrayLike<number>): boolean {
  let poison = 0; // 0 * NaN and 0 * Infinity are NaN, and NaN stays
  for (let i = 0; i < values.length; i++) poison += (values[i] as number) * 0;
  return poison === 0;
}
