/** Figures from scored rows: counts that add up, areas that agree, drift that is found. */
import { describe, expect, it } from 'vitest';
import type { CorruptionRow } from '../../../src/core/calibration/evaluation.ts';
import {
  alarmObservation,
  corruptionMean,
  corruptionRow,
  driftInput,
  driftRow,
  medianOf,
  separation,
} from '../../../src/core/calibration/evaluation-figures.ts';
import { GUARD, PAIR, type ScoredRow } from '../../../src/core/calibration/scored-rows.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import type { DriftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { guardedPolicy, scoredRows } from './guarded-rows.ts';

const policy = guardedPolicy();
const drifting = { ...policy, drift: policy.drift as DriftPolicy };
const usual = scoredRows(policy, 41, 600);
const strange = scoredRows(policy, 42, 300, { strangeness: 3 });

describe('alarmObservation', () => {
  it('counts rows with an alarm once, and each check for itself', () => {
    const seen = alarmObservation('test', usual);
    expect(seen).toMatchObject({ set: 'test', frames: 600, confidence: 0.95 });
    expect(seen.alarms).toBe(usual.filter(({ alarms }) => alarms.length > 0).length);
    expect(seen.alarms).toBeGreaterThan(0);
    const total = seen.byCheck?.reduce((sum, { alarms }) => sum + alarms, 0);
    expect(total).toBeGreaterThanOrEqual(seen.alarms);
    expect(seen.low).toBeLessThan(seen.alarms / 600);
    expect(seen.high).toBeGreaterThan(seen.alarms / 600);
    expect(seen.low).toBeLessThanOrEqual(policy.promise.falseAlarms);
  });
});

describe('separation', () => {
  const found = separation('moved', policy, usual, strange);

  it('has a row for every score, and a curve and histogram for those without a floor', () => {
    expect(found.detection.map(({ score }) => score)).toEqual(['novelty', 'input', PAIR, GUARD]);
    expect(found.curves.map(({ score }) => score)).toEqual(['novelty', 'input', GUARD]);
    expect(found.histograms.map(({ score }) => score)).toEqual(['novelty', 'input', GUARD]);
    for (const { usual: inside, unusual } of found.histograms) {
      expect(inside.reduce((a, b) => a + b, 0)).toBe(600);
      expect(unusual.reduce((a, b) => a + b, 0)).toBe(300);
    }
  });

  it('tells features that moved apart by novelty, and by input not at all', () => {
    const by = Object.fromEntries(found.detection.map((row) => [row.score, row]));
    expect(by['novelty']?.auroc).toBeGreaterThan(0.9);
    expect(by['input']?.auroc).toBeCloseTo(0.5, 1);
    expect(by[GUARD]?.detected).toBeGreaterThanOrEqual(by['novelty']?.detected as number);
  });

  it('puts the threshold on the curve', () => {
    for (const { points, threshold } of found.curves) {
      const [x, y] = threshold as readonly [number, number];
      const beyond = points.filter(([fpr, tpr]) => fpr >= x && tpr >= y);
      expect(beyond.length).toBeGreaterThan(0);
    }
  });
});

describe('corruptions', () => {
  it('are judged by the smaller p, and detected by the guard', () => {
    const row = corruptionRow('loud', usual, scoredRows(policy, 43, 100, { loudness: 6 }));
    expect(row).toMatchObject({ corruption: 'loud', frames: 100, detected: 1 });
    expect(row.auroc).toBeGreaterThan(0.98);
    expect(row.fpr95).toBe(0);
  });

  it('are averaged without those that are no fault of a sensor', () => {
    const row = (corruption: string, auroc: number): CorruptionRow => {
      return { corruption, frames: 10, auroc, fpr95: 1 - auroc, detected: auroc };
    };
    const rows = [row('blur', 0.9), row('noise', 1), row('channel swap', 0)];
    expect(corruptionMean(rows)).toEqual({
      corruption: 'mean of 2, without 90-degree rotation and channel swap',
      ...{ frames: 20, auroc: 0.95, fpr95: expect.closeTo(0.05, 12), detected: 0.95 },
    });
    expect(corruptionMean(rows.slice(0, 2))?.corruption).toBe('mean of 2');
    expect(corruptionMean(rows.slice(1))).toBeUndefined();
  });
});

describe('drift', () => {
  it('is found within frames in rows that moved, and in usual ones never', () => {
    const next = seededNumbers(5);
    const moved = driftRow('moved', true, drifting, strange, 10, next);
    expect(moved).toMatchObject({ stream: 'moved', drifts: true, streams: 10, alarms: 10 });
    expect(moved.medianDelay).toBeLessThan(60);
    const still = driftRow('usual', false, drifting, usual, 10, next);
    expect(still).toMatchObject({ frames: 600, alarms: 0 });
    expect(still).not.toHaveProperty('medianDelay');
  });

  it('bets on nothing in rows that a rule stopped', () => {
    const row = usual[0] as ScoredRow;
    expect(driftInput(policy, row)).toMatchObject({ class: row.answer });
    expect(driftInput(policy, { ...row, stopped: true })).toEqual({});
  });
});

describe('medianOf', () => {
  it('is of the middle', () => {
    expect([medianOf([3, 1, 2]), medianOf([4, 1, 2, 3]), medianOf([])]).toEqual([
      2,
      2.5,
      undefined,
    ]);
  });
});
