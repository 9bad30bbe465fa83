/**
 * The input-statistics check (guard 2): judges before the model whether a frame looks like those that
 * the sensor gave on the maker's bench. It sees what features miss, such as too much light.
 *
 * Its score is of the kind that shares the promise on false alarms: higher = more usual, total,
 * deterministic. What is NOT promised: these few numbers do not tell one usual scene from another.
 */
import { isDataOf, type Tensor } from '../numeric/tensor.ts';
import { imageStatisticNames, imageStatistics } from './image-statistics.ts';
import { type InputLayout, valuesOfRow } from './input-layout.ts';
import { type ReferenceRanks, referenceLogP } from './reference-ranks.ts';
import { signalStatisticNames, signalStatistics } from './signal-statistics.ts';
import { tableStatisticNames, tableStatistics } from './table-statistics.ts';
import { asFloat32, numbersOf } from './values.ts';

/** What rows of one layout are held against. */
export interface InputReference {
  readonly layout: InputLayout;
  /** Two-sided, one column per statistic in the order of `statisticNames`. */
  readonly ranks: ReferenceRanks;
}

/** What `statisticsOf` measures, in its order. */
export function statisticNames(layout: InputLayout): readonly string[] {
  if (layout.kind === 'image') return imageStatisticNames(layout);
  return layout.kind === 'signal' ? signalStatisticNames(layout) : tableStatisticNames(layout);
}

/**
 * The statistics of one row, all finite. `undefined` when they cannot be taken: other data than one
 * row of the layout, texts, NaN, infinities. Values are looked at as float32, as models take them: a
 * double beyond its range is infinite, and a 64-bit integer loses its last digits.
 */
export function statisticsOf(layout: InputLayout, tensor: Tensor): Float64Array | undefined {
  const values = floatsOf(tensor);
  if (values?.length !== valuesOfRow(layout)) return undefined;
  if (layout.kind === 'image') return imageStatistics(values, layout);
  return layout.kind === 'signal' ? signalStatistics(values, layout) : tableStatistics(values);
}

/**
 * `ln` of the harmonic mean of the two-sided conformal p of every statistic: at most 0, higher = more
 * usual. `-Infinity` for a tensor that cannot be judged, or that is not there.
 */
export function inputScore(reference: InputReference, tensor: Tensor | undefined): number {
  const statistics = tensor && statisticsOf(reference.layout, tensor);
  return statistics === undefined ? -Infinity : statisticsScore(reference, statistics);
}

/**
 * `inputScore` of statistics that were taken before: calibration scores its rows by this and by
 * nothing else, or the threshold is on another scale than the frames.
 *
 * Why not Fisher's product: a fault of a sensor moves one or two statistics far and leaves the others
 * as they are, and then the sum over all of them hides it; and they depend on each other, so that it
 * counts one cause several times. The harmonic mean is near the smallest p, robust to dependence, and
 * still lower where several agree. Source: Good 1958; Wilson 2019 (harmonic mean p-value).
 */
export function statisticsScore(
  { ranks }: Pick<InputReference, 'ranks'>,
  statistics: Float64Array,
): number {
  const count = ranks.sorted.length;
  if (statistics.length !== count) return -Infinity;
  const logs = new Float64Array(count);
  let smallest = 0;
  for (let j = 0; j < count; j++) {
    const logP = referenceLogP(
      ranks.sorted[j] as Float64Array,
      ranks.sides,
      statistics[j] as number,
    );
    logs[j] = logP;
    if (logP < smallest) smallest = logP;
  }
  if (smallest === -Infinity) return -Infinity;
  // Sum of 1/p in units of the largest one: that of a p below the smallest double overflows.
  let sum = 0;
  for (let j = 0; j < count; j++) sum += Math.exp(smallest - (logs[j] as number));
  return Math.min(0, smallest - Math.log(sum / count));
}

export interface StrangestStatistic {
  readonly name: string;
  readonly value: number;
  /** `ln` of its two-sided p. */
  readonly logP: number;
}

/** Which statistic is the strangest, for the record of a finding. */
export function strangestStatistic(
  { layout, ranks }: InputReference,
  statistics: Float64Array,
): StrangestStatistic | undefined {
  let strangest: StrangestStatistic | undefined;
  for (const [j, name] of statisticNames(layout).entries()) {
    const [sorted, value] = [ranks.sorted[j], statistics[j]];
    if (sorted === undefined || value === undefined) continue;
    const logP = referenceLogP(sorted, ranks.sides, value);
    if (!(logP >= (strangest?.logP ?? Infinity))) strangest = { name, value, logP };
  }
  return strangest;
}

function floatsOf(tensor: Tensor): Float32Array | undefined {
  const { dtype, data } = tensor;
  if (!isDataOf(dtype, data)) return undefined;
  const floats = asFloat32(tensor);
  if (floats !== undefined) return floats;
  const numbers = numbersOf(tensor);
  return numbers && Float32Array.from(numbers, Number);
}
