/** Scores of usual and unusual frames as curves to look at; higher scores are more usual. */
import type { RocCurve, ScoreHistogram } from './evaluation.ts';
import { HISTOGRAM_BINS_MAX, ROC_POINTS_MAX } from './evaluation.ts';

/**
 * The ROC curve, thinned out to `pointsMax` points: those where it rises most stay. Empty when a
 * side is. `-Infinity` is the most unusual score; scores must not be NaN.
 */
export function rocPoints(
  usual: ArrayLike<number>,
  unusual: ArrayLike<number>,
  pointsMax: number = ROC_POINTS_MAX,
): RocCurve['points'] {
  const inside = Float64Array.from(usual).sort();
  const outside = Float64Array.from(unusual).sort();
  if (inside.length === 0 || outside.length === 0) return [];
  const points: (readonly [number, number])[] = [[0, 0]];
  for (let i = 0, o = 0; i < inside.length || o < outside.length; ) {
    // All frames with a score of at most this one alarm.
    const score = Math.min(inside[i] ?? Infinity, outside[o] ?? Infinity);
    while (i < inside.length && (inside[i] as number) <= score) i += 1;
    while (o < outside.length && (outside[o] as number) <= score) o += 1;
    points.push([i / inside.length, o / outside.length]);
  }
  return thinned(points, pointsMax);
}

/** Evenly along the length of the curve, so that neither its steep nor its flat part is lost. */
function thinned(
  points: readonly (readonly [number, number])[],
  pointsMax: number,
): RocCurve['points'] {
  if (points.length <= pointsMax) return points;
  const kept: (readonly [number, number])[] = [];
  // The length is x + y, which is 2 at the end.
  for (const point of points.slice(0, -1)) {
    const due = (2 * kept.length) / (pointsMax - 1);
    if (kept.length < pointsMax - 1 && point[0] + point[1] >= due) kept.push(point);
  }
  return [...kept, [1, 1]];
}

/**
 * Both sides in bins of one width, over the range in which all finite scores but the lowest and
 * highest hundredth lie; what lies outside is counted in the outer bins, so that a few scores far
 * out do not push all others into one bin. `undefined` when no score is finite.
 */
export function scoreHistogram(
  usual: ArrayLike<number>,
  unusual: ArrayLike<number>,
  bins: number = HISTOGRAM_BINS_MAX,
): Pick<ScoreHistogram, 'edges' | 'usual' | 'unusual'> | undefined {
  const all = Float64Array.from([...Array.from(usual), ...Array.from(unusual)]);
  const finite = all.filter(Number.isFinite).sort();
  const low = finite[Math.floor(0.01 * (finite.length - 1))];
  const high = finite[Math.ceil(0.99 * (finite.length - 1))];
  if (low === undefined || high === undefined) return undefined;
  const width = (high > low ? high - low : 1) / bins;
  const counted = (scores: ArrayLike<number>): number[] => {
    const counts = Array<number>(bins).fill(0);
    for (const score of Array.from(scores)) {
      const bin = Math.min(bins - 1, Math.max(0, Math.floor((score - low) / width)));
      counts[bin] = 1 + (counts[bin] as number);
    }
    return counts;
  };
  const edges = Array.from({ length: bins + 1 }, (_, bin) => low + bin * width);
  return { edges, usual: counted(usual), unusual: counted(unusual) };
}
