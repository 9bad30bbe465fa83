/** Whether a guard keeps what it promises, in one word and in sentences that give the figures. */
import type { CorruptionRow, Evaluation, EvaluationVerdict } from './evaluation.ts';
import type { SplitOutcome } from './split-trial.ts';

type Figures = Pick<Evaluation, 'promise' | 'detection' | 'corruptions' | 'drift' | 'attacks'>;

/**
 * Passed: no observed alarm rate is above the budget by more than chance (its exact interval begins
 * at or below it), and no more random splits break the promise than chance lets. Detection has no
 * bar: what is enough depends on the use, and a person decides.
 */
export function evaluationVerdict(
  figures: Figures,
  splits: SplitOutcome | undefined,
): EvaluationVerdict {
  const { budget, observed } = figures.promise;
  const over = observed.filter(({ low }) => low > budget);
  const broken = splits !== undefined && splits.broken > splits.limit;
  const passed = over.length === 0 && !broken;
  const first = passed
    ? 'The guard keeps its promise on false alarms; whether it detects enough is for you to judge.'
    : 'The guard does not keep its promise on false alarms.';
  return {
    passed,
    words: [
      first,
      ...observed.map(
        ({ set, frames, alarms, low, high, confidence }) =>
          `${set}: ${percent(alarms / frames)} of ${frames} usual frames alarm (any check), ` +
          `${percent(low)} to ${percent(high)} at ${percent(confidence)} confidence; ` +
          `the budget is ${percent(budget)}.`,
      ),
      ...(splits === undefined ? [] : [splitWords(splits, budget)]),
      ...sweepWords(figures.corruptions),
      ...driftWords(figures),
    ],
  };
}

function splitWords(splits: SplitOutcome, budget: number): string {
  const { broken, splits: all, limit, chance, calibrationRows, judgedRows } = splits;
  return (
    `In ${broken} of ${all} random splits (${percent(broken / all)}) of the usual rows the whole ` +
    `guard, calibrated anew on ${calibrationRows}, alarms on more than ${percent(budget)} of the ` +
    `other ${judgedRows}; chance alone does it in ${percent(chance)}, and lets at most ${limit} ` +
    `of ${all} be. The median rate is ${percent(splits.medianRate)}, the worst ` +
    `${percent(splits.worstRate)}.`
  );
}

function sweepWords(rows: readonly CorruptionRow[]): readonly string[] {
  const mean = rows.find(({ corruption }) => corruption.startsWith('mean of'));
  if (mean === undefined) return [];
  return [
    `Corruptions, ${mean.corruption}: AUROC ${mean.auroc.toFixed(3)}, FPR95 ` +
      `${percent(mean.fpr95)}, by min(novelty.p, input.p); ${percent(mean.detected)} alarm.`,
  ];
}

function driftWords({ drift }: Figures): readonly string[] {
  return drift.map(({ stream, drifts, streams, frames, alarms, medianDelay }) => {
    const delay = medianDelay === undefined ? '' : `, after ${medianDelay} frames in the median`;
    const what = drifts ? 'drift alarms' : 'false drift alarms';
    return `${stream}: ${what} in ${alarms} of ${streams} streams of ${frames} frames${delay}.`;
  });
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`;
}
