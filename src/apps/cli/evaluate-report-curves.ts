/** Pictures of scores: ROC curves, and the scores of usual and unusual frames side by side. */
import type { RocCurve, ScoreHistogram } from '../../core/calibration/evaluation.ts';
import { countWords, shareWords } from './evaluate-report-sections.ts';
import {
  label,
  legend,
  legendHeight,
  line,
  MARGIN,
  type Named,
  PICTURE_WIDTH,
  pictureSvg,
  px,
  stroke,
} from './evaluate-report-svg.ts';

/** More curves in one picture cannot be told apart. */
const CURVES_MAX = 6;
const LEFT = 46;
const TOP = 12;
/** The last tick is written around the end of its axis. */
const RIGHT = 18;
const WIDTH = PICTURE_WIDTH - LEFT - RIGHT;
const ROC_HEIGHT = 270;
const HISTOGRAM_HEIGHT = 130;
/** For ticks and what the axis is. */
const BELOW = 46;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** The curves of one set, a score each. */
export function rocPicture(set: string, curves: readonly RocCurve[], id: string): string {
  const shown = curves.slice(0, CURVES_MAX);
  const names = shown.map(({ score }, index): Named => ({ name: score, kind: `s${index}` }));
  const at = ([x, y]: readonly [number, number]): readonly [number, number] => [
    LEFT + x * WIDTH,
    TOP + (1 - y) * ROC_HEIGHT,
  ];
  const more = curves.length - shown.length;
  const foot = TOP + ROC_HEIGHT + BELOW;
  return pictureSvg({
    id,
    title: `ROC curves of ${set}`,
    description: `Share of ${set} detected against the share of usual frames that alarm, for ${names.map(({ name }) => name).join('; ')}. Dots are the thresholds in the bundle.`,
    height: foot + legendHeight(names) + (more > 0 ? 20 : 0) + 8,
    body: [
      ...TICKS.flatMap((tick) => rocGrid(tick, at)),
      line([at([0, 0]), at([1, 1])], 'chance'),
      ...shown.map(({ points }, index) => line(points.map(at), `series s${index}`)),
      ...shown.flatMap(({ threshold }, index) => {
        if (threshold === undefined) return [];
        const [x, y] = at(threshold);
        return [`<circle cx="${px(x)}" cy="${px(y)}" r="5" class="dot s${index}"/>`];
      }),
      label(LEFT + WIDTH / 2, foot - 14, 'usual frames that alarm', { anchor: 'middle' }),
      sideways(TOP + ROC_HEIGHT / 2, 'unusual frames detected'),
      ...legend(names, foot + 8),
      ...(more > 0
        ? [label(MARGIN, foot + legendHeight(names) + 16, `and ${more} more in the table`)]
        : []),
    ],
  });
}

/** In the colour that its curve has, which is the `series`-th of `rocPicture`. */
export function histogramPicture(histogram: ScoreHistogram, id: string, series: number): string {
  const { set, score, edges, threshold, usual, unusual } = histogram;
  const [low = 0] = edges;
  const high = edges.at(-1) ?? 1;
  const span = high > low ? high - low : 1;
  // Each side as shares of its own frames: there may be ten times as many of one.
  const sides = [sharesOf(usual), sharesOf(unusual)];
  const peak = Math.max(...sides.flat(), Number.MIN_VALUE);
  const x = (value: number): number => LEFT + ((value - low) / span) * WIDTH;
  const y = (share: number): number => TOP + (1 - share / peak) * HISTOGRAM_HEIGHT;
  const foot = TOP + HISTOGRAM_HEIGHT;
  const names: readonly Named[] = [
    { name: 'usual frames', kind: 'usual' },
    { name: set, kind: `s${series}` },
  ];
  const marked = threshold !== undefined && threshold >= low && threshold <= high;
  const outline = (shares: readonly number[]): (readonly [number, number])[] =>
    shares.flatMap((share, bin): (readonly [number, number])[] => [
      [x(edges[bin] ?? low), y(share)],
      [x(edges[bin + 1] ?? high), y(share)],
    ]);
  return pictureSvg({
    id,
    title: `Scores of ${set}, ${score}`,
    description: `How often each score occurs among usual frames and among ${set}, from ${short(low)} to ${short(high)}. ${threshold === undefined ? 'No threshold is drawn.' : `Frames with a score below ${short(threshold)} alarm.`}`,
    height: foot + BELOW + legendHeight(names) + 8,
    body: [
      stroke(LEFT, foot, LEFT + WIDTH, foot, 'axis'),
      label(LEFT - 6, TOP + 8, shareWords(peak), { anchor: 'end', kind: 'tick' }),
      label(LEFT - 6, foot, '0', { anchor: 'end', kind: 'tick' }),
      ...sides.flatMap((shares, side) => {
        const top = outline(shares);
        const closed: (readonly [number, number])[] = [[LEFT, foot], ...top, [LEFT + WIDTH, foot]];
        const { kind } = names[side] as Named;
        return [line(closed, `area ${kind}`), line(top, `series ${kind}`)];
      }),
      ...(marked ? [stroke(x(threshold), TOP, x(threshold), foot, 'limit')] : []),
      label(LEFT, foot + 16, short(low), { kind: 'tick' }),
      label(LEFT + WIDTH, foot + 16, short(high), { anchor: 'end', kind: 'tick' }),
      label(LEFT + WIDTH / 2, foot + 32, `${score}${marked ? '; dashed: the threshold' : ''}`, {
        anchor: 'middle',
      }),
      ...legend(names, foot + BELOW + 8),
    ],
  });
}

function rocGrid(
  tick: number,
  at: (point: readonly [number, number]) => readonly [number, number],
): readonly string[] {
  const [x, bottom] = at([tick, 0]);
  const [left, y] = at([0, tick]);
  return [
    line([at([tick, 0]), at([tick, 1])], 'grid'),
    line([at([0, tick]), at([1, tick])], 'grid'),
    label(x, bottom + 16, shareWords(tick), { anchor: 'middle', kind: 'tick' }),
    label(left - 6, y + 4, shareWords(tick), { anchor: 'end', kind: 'tick' }),
  ];
}

function sideways(y: number, words: string): string {
  return `<g transform="translate(12 ${px(y)}) rotate(-90)">${label(0, 0, words, { anchor: 'middle' })}</g>`;
}

function sharesOf(counts: readonly number[]): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (total === 0 ? 0 : count / total));
}

function short(value: number): string {
  return Number.isFinite(value) ? countWords(Number(value.toPrecision(3))) : String(value);
}
