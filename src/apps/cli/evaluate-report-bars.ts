/** Pictures of rates and times: the alarm rate against the promise, sweeps, delays, latency. */
import type {
  AlarmPromise,
  AttackRow,
  CorruptionRow,
  DriftRow,
  EvaluationLatency,
} from '../../core/calibration/evaluation.ts';
import {
  areaWords,
  asItShould,
  countWords,
  shareWords,
  standing,
  timeWords,
} from './evaluate-report-sections.ts';
import {
  type Bar,
  bars,
  barsHeight,
  heading,
  label,
  MARGIN,
  PICTURE_WIDTH,
  pictureSvg,
  px,
  stroke,
} from './evaluate-report-svg.ts';

const TOP = 20;
const WIDTH = PICTURE_WIDTH - 2 * MARGIN;
const ALARM_ROW = 64;

/** Each rate as a dot with its interval, and the budget as a line through all of them. */
export function alarmPicture({ budget, observed }: AlarmPromise, id: string): string {
  const full = 1.15 * Math.max(budget, ...observed.map(({ high }) => high));
  const x = (rate: number): number => MARGIN + (rate / full) * WIDTH;
  const foot = TOP + observed.length * ALARM_ROW;
  const budgetWords = `budget ${shareWords(budget)}`;
  // The words stay in the picture wherever the line is.
  const anchor = x(budget) > PICTURE_WIDTH / 2 ? 'end' : 'start';
  return pictureSvg({
    id,
    title: 'Alarm rate against the promise',
    description: observed
      .map((seen) => {
        const interval = `${shareWords(seen.low)} to ${shareWords(seen.high)}`;
        const rate = shareWords(seen.alarms / seen.frames);
        return `${seen.set}: ${rate}, interval ${interval}, ${standing(seen, budget)}.`;
      })
      .join(' '),
    height: foot + 34,
    body: [
      ...observed.flatMap((seen, row) => {
        const y = TOP + row * ALARM_ROW;
        const rate = seen.alarms / seen.frames;
        const good = rate <= budget ? 'good' : seen.low <= budget ? 'fair' : 'bad';
        return [
          ...heading(y, seen.set, shareWords(rate)),
          stroke(x(budget), y + 6, x(budget), y + 28, 'limit'),
          stroke(x(seen.low), y + 17, x(seen.high), y + 17, `interval ${good}`),
          stroke(x(seen.low), y + 12, x(seen.low), y + 22, `interval ${good}`),
          stroke(x(seen.high), y + 12, x(seen.high), y + 22, `interval ${good}`),
          `<circle cx="${px(x(rate))}" cy="${px(y + 17)}" r="5" class="${good}"/>`,
          label(MARGIN, y + 38, standing(seen, budget), { kind: 'tick' }),
        ];
      }),
      stroke(MARGIN, foot - 4, MARGIN + WIDTH, foot - 4, 'axis'),
      stroke(x(budget), foot - 10, x(budget), foot + 3, 'limit'),
      label(x(budget), foot + 20, budgetWords, { anchor, kind: 'value' }),
      label(
        anchor === 'end' ? MARGIN : MARGIN + WIDTH,
        foot + 20,
        shareWords(anchor === 'end' ? 0 : full),
        {
          ...{ anchor: anchor === 'end' ? 'start' : 'end', kind: 'tick' },
        },
      ),
    ],
  });
}

export function corruptionPicture(rows: readonly CorruptionRow[], id: string): string {
  return barsPicture({
    ...{ id, title: 'Corruptions detected', full: 1 },
    rows: rows.map(({ corruption, detected, auroc }) => ({
      name: corruption,
      parts: [{ amount: detected, kind: 's0 fill' }],
      words: `${shareWords(detected)}, AUROC ${areaWords(auroc)}`,
    })),
  });
}

/** Of all attacked frames: detected, and what passed unseen; the rest did not fool the model. */
export function attackPicture(rows: readonly AttackRow[], id: string): string {
  return barsPicture({
    ...{ id, title: 'Attacked frames that were detected and that passed unseen', full: 1 },
    rows: rows.map(({ attack, samples, succeeded, detected }) => ({
      name: attack,
      parts: [
        { amount: detected / samples, kind: 'good' },
        { amount: (succeeded - detected) / samples, kind: 'bad' },
      ],
      words: `${shareWords((succeeded - detected) / samples)} passed unseen`,
    })),
  });
}

export function driftPicture(rows: readonly DriftRow[], id: string): string {
  const full = Math.max(1, ...rows.map(({ medianDelay }) => medianDelay ?? 0));
  return barsPicture({
    ...{ id, title: 'Frames until the alarm, median', full },
    rows: rows.map((row) => ({
      name: row.stream,
      parts: [{ amount: row.medianDelay ?? 0, kind: asItShould(row) ? 's0 fill' : 'bad' }],
      words: driftWords(row),
    })),
  });
}

/** The median as a bar, the 99th percentile as a thin line beyond it. */
export function latencyPicture({ inference, guard }: EvaluationLatency, id: string): string {
  return barsPicture({
    ...{ id, title: 'Time for one frame' },
    full: Math.max(inference.p99Us, guard.p99Us),
    rows: Object.entries({ inference, guard }).map(([name, { medianUs, p99Us }], index) => ({
      name,
      parts: [{ amount: medianUs, kind: `s${index} fill` }],
      whisker: p99Us,
      words: `${timeWords(medianUs)}, 99% within ${timeWords(p99Us)}`,
    })),
  });
}

function driftWords({ alarms, streams, medianDelay }: DriftRow): string {
  const delay = alarms === 0 ? 'no alarm' : countWords(medianDelay);
  return `${delay} (${countWords(alarms)} of ${countWords(streams)})`;
}

interface BarsPicture {
  readonly id: string;
  readonly title: string;
  readonly full: number;
  readonly rows: readonly Bar[];
}

function barsPicture({ id, title, full, rows }: BarsPicture): string {
  return pictureSvg({
    ...{ id, title },
    description: rows.map(({ name, words }) => `${name}: ${words}.`).join(' '),
    height: TOP + barsHeight(rows) - 8,
    body: bars(rows, full, TOP),
  });
}
