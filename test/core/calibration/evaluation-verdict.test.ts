/** The verdict: chance breaks no promise, more than chance does, and the figures are in the words. */
import { describe, expect, it } from 'vitest';
import type { AlarmObservation } from '../../../src/core/calibration/evaluation.ts';
import { evaluationVerdict } from '../../../src/core/calibration/evaluation-verdict.ts';
import { exactInterval } from '../../../src/core/calibration/exact-interval.ts';
import type { SplitOutcome } from '../../../src/core/calibration/split-trial.ts';

const SPLITS: SplitOutcome = {
  ...{ splits: 200, calibrationRows: 2000, judgedRows: 2000, medianRate: 0.005 },
  ...{ worstRate: 0.013, broken: 8, chance: 0.0455, limit: 15 },
};

function verdictOf(alarms: number, splits: SplitOutcome | 'none' = SPLITS) {
  const observed: AlarmObservation = {
    ...{ set: 'test', frames: 2000, alarms, confidence: 0.95 },
    ...exactInterval(alarms, 2000, 0.95),
  };
  const promise = { budget: 0.01, confidence: 0.95, statement: 's', observed: [observed] };
  const drift = [
    { stream: 'still', drifts: false, streams: 100, frames: 20_000, alarms: 0 },
    { stream: 'moved', drifts: true, streams: 10, frames: 400, alarms: 10, medianDelay: 27 },
  ];
  const mean = { frames: 9, auroc: 0.983, fpr95: 0.12, detected: 0.567 };
  const corruptions = [{ corruption: 'mean of 9', ...mean }];
  const figures = { promise, detection: [], corruptions, attacks: [], drift };
  return evaluationVerdict(figures, splits === 'none' ? undefined : splits);
}

describe('evaluationVerdict', () => {
  it('passes a rate within the budget, and one above it that may be chance', () => {
    expect(verdictOf(9).passed).toBe(true);
    expect(verdictOf(27).passed).toBe(true);
  });

  it('does not pass a rate whose whole interval is above the budget', () => {
    const { passed, words } = verdictOf(35);
    expect(passed).toBe(false);
    expect(words[0]).toBe('The guard does not keep its promise on false alarms.');
    expect(words[1]).toMatch(/^test: 1\.75% of 2000 .* 1\.2\d% to 2\.4\d% at 95% .* is 1%\.$/);
  });

  it('does not pass more broken splits than chance lets be', () => {
    expect(verdictOf(9, { ...SPLITS, broken: 15 }).passed).toBe(true);
    expect(verdictOf(9, { ...SPLITS, broken: 16 }).passed).toBe(false);
    expect(verdictOf(9, 'none').words.join()).not.toContain('random splits');
  });

  it('gives every figure that it is made from, in sentences', () => {
    const words = verdictOf(9).words.join('\n');
    expect(words).toContain('In 8 of 200 random splits (4%)');
    expect(words).toContain('lets at most 15 of 200 be');
    expect(words).toContain('mean of 9: AUROC 0.983, FPR95 12%');
    expect(words).toContain('still: false drift alarms in 0 of 100 streams of 20000 frames.');
    expect(words).toContain('moved: drift alarms in 10 of 10 streams of 400 frames, after 27 ');
  });
});
