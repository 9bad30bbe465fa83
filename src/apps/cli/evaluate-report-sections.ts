/**
 * An evaluation in words and tables, for every report alike: each section says what its figures
 * mean before it shows them, and an empty one is listed as not evaluated.
 */
import type {
  AlarmObservation,
  CallerRow,
  DriftRow,
  Evaluation,
  NotEvaluated,
} from '../../core/calibration/evaluation.ts';

export type SectionName =
  | 'False alarms'
  | 'Detection'
  | 'Corruptions'
  | 'Attacks'
  | 'Drift'
  | 'Callers'
  | 'Latency';

export interface Section {
  readonly title: SectionName;
  /** What the figures are, and what they are not. */
  readonly about: string;
  readonly head: readonly string[];
  /** The first cell of a row names it, the others are figures. */
  readonly rows: readonly (readonly string[])[];
}

const ABSENT = '–';

/** Those that have rows, in the order of a report. */
export function sectionsOf(evaluation: Evaluation): readonly Section[] {
  return allSections(evaluation).filter(({ rows }) => rows.length > 0);
}

/** What the evaluation lists, and every section without a row that it does not. */
export function notEvaluatedIn(evaluation: Evaluation): readonly NotEvaluated[] {
  const listed = evaluation.notEvaluated;
  const named = new Set(listed.map(({ what }) => what.toLowerCase()));
  const empty = allSections(evaluation).filter(
    ({ title, rows }) => rows.length === 0 && !named.has(title.toLowerCase()),
  );
  return [...listed, ...empty.map(({ title }) => ({ what: title, why: 'there are no figures' }))];
}

/** One sentence. */
export function promiseWords({ promise: { budget, confidence } }: Evaluation): string {
  const share = shareWords(budget);
  return `At most ${share} of usual frames raise an alarm, with ${shareWords(confidence)} confidence.`;
}

/** What matters most of each section, in sentences. */
export function seenWords(evaluation: Evaluation): readonly string[] {
  const { promise, detection, corruptions, attacks } = evaluation;
  const alarms = promise.observed.map((seen) => {
    const rate = `${shareWords(seen.alarms / seen.frames)} of ${countWords(seen.frames)} usual frames`;
    return `${seen.set}: ${rate} raised an alarm: ${standing(seen, promise.budget)}.`;
  });
  // Single scores are in the table; what counts is the guard as a whole.
  const whole = new Set(detection.filter(({ score }) => score === 'guard').map(({ set }) => set));
  const found = detection
    .filter(({ set, score }) => score === 'guard' || !whole.has(set))
    .map(({ set, score, detected }) => {
      return `${set}: ${shareWords(detected)} detected${score === 'guard' ? '' : ` by ${score}`}.`;
    });
  const worst = corruptions.toSorted((a, b) => a.detected - b.detected)[0];
  const bypassed = attacks.toSorted((a, b) => passed(b) / b.samples - passed(a) / a.samples)[0];
  return [
    ...alarms,
    ...found,
    ...(worst === undefined
      ? []
      : [`Least seen of the corruptions: ${worst.corruption}, ${shareWords(worst.detected)}.`]),
    ...(bypassed === undefined
      ? []
      : [
          `${bypassed.attack} passed unseen on ${passed(bypassed)} of ${bypassed.samples} attacked frames.`,
        ]),
  ];
}

/** Where rate and interval lie to the budget; chance is taken for neither breach nor proof. */
export function standing(
  { alarms, frames, low, high }: AlarmObservation,
  budget: number,
):
  | 'clearly within the budget'
  | 'within the budget'
  | 'above the budget, maybe by chance'
  | 'over the budget' {
  if (high <= budget) return 'clearly within the budget';
  if (alarms / frames <= budget) return 'within the budget';
  return low <= budget ? 'above the budget, maybe by chance' : 'over the budget';
}

/** `0.42%`, `97.3%`; never 0% or 100% for what is neither. */
export function shareWords(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return ABSENT;
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return '<0.01%';
  if (percent < 100 && percent >= 99.95) return '>99.9%';
  return `${percent.toFixed(percent >= 10 ? 1 : 2).replace(/\.?0+$/, '')}%`;
}

export function countWords(count: number | undefined): string {
  if (count === undefined || !Number.isFinite(count)) return ABSENT;
  return count.toLocaleString('en', { maximumFractionDigits: 1 });
}

/** `640 us`, `1.25 ms`. */
export function timeWords(us: number): string {
  if (!Number.isFinite(us)) return ABSENT;
  return us < 1000 ? `${Number(us.toPrecision(3))} us` : `${Number((us / 1000).toPrecision(3))} ms`;
}

/** Whether a row is as it should be: what drifts was found, what does not was left alone. */
export function asItShould(row: DriftRow | CallerRow): boolean {
  if ('drifts' in row) return row.drifts ? row.alarms === row.streams : row.alarms === 0;
  return row.hostile ? row.flagged === row.runs : row.flagged === 0;
}

/** Of an area under a curve. */
export function areaWords(area: number): string {
  return Number.isFinite(area) ? area.toFixed(3) : ABSENT;
}

/** Attacked frames on which the model was fooled and no check alarmed. */
function passed({ succeeded, detected }: { succeeded: number; detected: number }): number {
  return succeeded - detected;
}

function allSections(evaluation: Evaluation): readonly Section[] {
  return [
    alarmSection(evaluation),
    detectionSection(evaluation),
    corruptionSection(evaluation),
    attackSection(evaluation),
    driftSection(evaluation),
    callerSection(evaluation),
    latencySection(evaluation),
  ];
}

function alarmSection({ promise }: Evaluation): Section {
  return {
    title: 'False alarms',
    about:
      'Alarms on usual frames that the guard has not seen before, against the budget. The interval says how much of the rate may be chance.',
    head: ['Set', 'Frames', 'Alarms', 'Rate', 'Interval', 'Budget', 'Standing'],
    rows: promise.observed.flatMap((seen) => [
      [
        seen.set,
        countWords(seen.frames),
        countWords(seen.alarms),
        shareWords(seen.alarms / seen.frames),
        `${shareWords(seen.low)} to ${shareWords(seen.high)} (${shareWords(seen.confidence)})`,
        shareWords(promise.budget),
        standing(seen, promise.budget),
      ],
      ...(seen.byCheck ?? []).map(({ check, alarms }) => {
        const share = shareWords(alarms / seen.frames);
        return [`${seen.set}, by ${check}`, '', countWords(alarms), share, '', '', ''];
      }),
    ]),
  };
}

function detectionSection({ detection }: Evaluation): Section {
  return {
    title: 'Detection',
    about:
      'How well unusual frames are told from usual ones. AUROC is 1 for a perfect score and 0.5 for a useless one; FPR95 is the share of unusual frames that pass where 95% of the usual ones do; detected is what alarms at the threshold in the bundle.',
    head: ['Set', 'Score', 'Frames', 'AUROC', 'FPR95', 'Detected'],
    rows: detection.map((row) => [
      ...[row.set, row.score, countWords(row.frames), areaWords(row.auroc)],
      ...[shareWords(row.fpr95), shareWords(row.detected)],
    ]),
  };
}

function corruptionSection({ corruptions }: Evaluation): Section {
  return {
    title: 'Corruptions',
    about: 'What fails in sensors and cables, done to usual frames by this tool.',
    head: ['Corruption', 'Frames', 'AUROC', 'FPR95', 'Detected'],
    rows: corruptions.map((row) => [
      ...[row.corruption, countWords(row.frames), areaWords(row.auroc)],
      ...[shareWords(row.fpr95), shareWords(row.detected)],
    ]),
  };
}

function attackSection({ attacks }: Evaluation): Section {
  return {
    title: 'Attacks',
    about:
      'Frames changed on purpose until the model errs, by attackers who do not know the guard. One who does can pass it: detection here is a tripwire, not protection.',
    head: [
      'Attack',
      'Frames',
      'Model fooled',
      'Of those detected',
      'Passed unseen',
      'Median queries',
    ],
    rows: attacks.map((row) => [
      row.attack,
      countWords(row.samples),
      shareWords(row.succeeded / row.samples),
      shareWords(row.detected / row.succeeded),
      shareWords(passed(row) / row.samples),
      countWords(row.medianQueries),
    ]),
  };
}

function driftSection({ drift }: Evaluation): Section {
  return {
    title: 'Drift',
    about:
      'Streams of frames. Where something drifts, the delay is how many frames pass until the alarm; where nothing does, every alarm is false.',
    head: [
      'Stream',
      'Drifts',
      'Streams',
      'Frames each',
      'With alarm',
      'Median delay',
      'As it should',
    ],
    rows: drift.map((row) => [
      ...[row.stream, row.drifts ? 'yes' : 'no', countWords(row.streams), countWords(row.frames)],
      ...[countWords(row.alarms), countWords(row.medianDelay), asItShould(row) ? 'yes' : 'NO'],
    ]),
  };
}

function callerSection({ callers }: Evaluation): Section {
  return {
    title: 'Callers',
    about:
      'Who asks the model. Hostile callers copy it or search for its errors and should be flagged; harmless ones should not.',
    head: [
      'Caller',
      'Hostile',
      'Runs',
      'Queries each',
      'Flagged',
      'Median queries',
      'As it should',
    ],
    rows: callers.map((row) => [
      ...[row.caller, row.hostile ? 'yes' : 'no', countWords(row.runs), countWords(row.queries)],
      ...[countWords(row.flagged), countWords(row.medianQueries), asItShould(row) ? 'yes' : 'NO'],
    ]),
  };
}

function latencySection({ latency }: Evaluation): Section {
  const { inference, guard } = latency ?? {};
  const rows = Object.entries({ inference, guard }).flatMap(([what, timing]) =>
    timing === undefined || inference === undefined
      ? []
      : [
          [
            ...[what, timeWords(timing.medianUs), timeWords(timing.p99Us)],
            shareWords(timing.medianUs / inference.medianUs),
          ],
        ],
  );
  const where = latency === undefined ? '' : ` Measured on ${latency.machine}.`;
  const frames = latency === undefined ? '' : ` over ${countWords(latency.frames)} frames`;
  return {
    title: 'Latency',
    about: `Time for one frame${frames}, one after the other.${where} Another board has other figures.`,
    head: ['Part', 'Median', '99th percentile', 'Of an inference'],
    rows,
  };
}
