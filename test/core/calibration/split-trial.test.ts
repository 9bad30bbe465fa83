/** The promise over random splits: kept by a guard that ranks, broken by rows that are not alike. */
import { describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import { chanceOfMore, splitTrial } from '../../../src/core/calibration/split-trial.ts';
import { guardedPolicy, scoredRows } from './guarded-rows.ts';

const policy = guardedPolicy();
const rows = scoredRows(policy, 31, 800);

function trial(changes: Partial<Parameters<typeof splitTrial>[0]> = {}) {
  const next = seededNumbers(1);
  return splitTrial({ policy, rows, calibrationRows: 400, splits: 200, next, ...changes });
}

describe('splitTrial', () => {
  it('finds that the whole guard keeps its promise, as often as chance has it', () => {
    const outcome = trial();
    expect(outcome).toMatchObject({ splits: 200, calibrationRows: 400, judgedRows: 400 });
    expect(outcome?.broken).toBeLessThanOrEqual(outcome?.limit as number);
    // The count of broken splits is binomial: neither far more nor far fewer than said.
    const expected = 200 * (outcome?.chance as number);
    expect(Math.abs((outcome?.broken as number) - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(outcome?.medianRate).toBeLessThan(policy.promise.falseAlarms);
    expect(outcome?.worstRate).toBeGreaterThanOrEqual(outcome?.medianRate as number);
  });

  it('refits what calibration rows decide: rows of another place are judged by their own kind', () => {
    const moved = scoredRows(policy, 32, 800, { strangeness: 1, loudness: 1.5 });
    const outcome = trial({ rows: moved });
    expect(outcome?.broken).toBeLessThanOrEqual(outcome?.limit as number);
  });

  it('finds splits whose threshold was meant for fewer alarms', () => {
    const promise = { ...policy.promise, falseAlarms: 0.2 };
    const generous = trial({ policy: { ...policy, promise }, rows: rows.slice(0, 500) });
    expect(generous?.broken).toBeLessThanOrEqual(generous?.limit as number);
    expect(generous?.medianRate).toBeGreaterThan(0.05);
  });

  it('counts rows that a rule stops as alarms, whichever part they fall into', () => {
    const stopped = rows.map((row, i) => (i % 10 === 0 ? { ...row, stopped: true } : row));
    const outcome = trial({ rows: stopped });
    expect(outcome?.medianRate).toBeGreaterThanOrEqual(0.08);
    expect(outcome?.broken).toBe(200);
    expect(outcome?.broken).toBeGreaterThan(outcome?.limit as number);
  });

  it('gives nothing where too few rows would calibrate, or none are left', () => {
    expect(trial({ calibrationRows: 100 })).toBeUndefined();
    expect(trial({ calibrationRows: 800 })).toBeUndefined();
  });

  it('is the same for the same seed', () => {
    expect(trial({ splits: 20 })).toEqual(trial({ splits: 20 }));
  });
});

describe('chanceOfMore', () => {
  it('is the share of random orders in which it happens', () => {
    // Of 2 judged rows more than 0 below the smallest of 1 other: it is first in 1 of 3 orders.
    expect(chanceOfMore(0, 2, 1, 1)).toBeCloseTo(2 / 3, 12);
    expect(chanceOfMore(1, 2, 1, 1)).toBeCloseTo(1 / 3, 12);
    expect(chanceOfMore(2, 2, 1, 1)).toBe(0);
    const next = seededNumbers(3);
    let more = 0;
    for (let draw = 0; draw < 20_000; draw++) {
      const judged = Array.from({ length: 20 }, next);
      const others = Array.from({ length: 30 }, next).sort((a, b) => a - b);
      const threshold = others[2] as number;
      if (judged.filter((score) => score < threshold).length > 3) more += 1;
    }
    expect(more / 20_000).toBeCloseTo(chanceOfMore(3, 20, 3, 30), 2);
  });

  it('does not overflow for many rows', () => {
    const chance = chanceOfMore(1_000, 100_000, 937, 100_000);
    expect(chance).toBeGreaterThan(0.01);
    expect(chance).toBeLessThan(0.2);
  });
});
