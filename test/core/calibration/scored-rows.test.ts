/** One row as the guard sees it: the same scores as on a device, and who of the checks alarms. */
import { describe, expect, it } from 'vitest';
import { err } from '../../../src/core/base/fault.ts';
import {
  alarmsBy,
  GUARD,
  PAIR,
  rowScorer,
  type ScoredRow,
  scoreNames,
  scoreOf,
} from '../../../src/core/calibration/scored-rows.ts';
import { createGuard, GUARD_AT_START } from '../../../src/core/guard/guard.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { inferenceFault } from '../../../src/host/inference/faults.ts';
import { ms } from '../guard/frames.ts';
import {
  floats,
  guardedPolicy,
  partsOf,
  type RecordedRow,
  recordedRows,
  SAMPLES,
  scoredRow,
  scoredRows,
} from './guarded-rows.ts';

const policy = guardedPolicy();
const scorer = rowScorer(partsOf(policy));
const [usual] = recordedRows(7, 1) as [RecordedRow];

describe('rowScorer', () => {
  it('scores as the guard of a device does, bit by bit', () => {
    const guard = createGuard({ ...partsOf(policy), probeKey: new Uint8Array(32) });
    const odd = [{}, { strangeness: 3 }, { loudness: 4 }];
    for (const row of odd.flatMap((way) => recordedRows(11, 20, way))) {
      const plan = guard.plan(GUARD_AT_START, row.frame, ms(0));
      const seen = guard.see(plan, row.frame, { ok: true, value: row.outputs }, ms(0));
      const { judgement } = guard.judge(plan, seen, 'NOMINAL', ms(0));
      const { scores } = scoredRow(scorer, row);
      expect(scores.novelty).toMatchObject(judgement.novelty as object);
      expect(scores.input).toMatchObject(judgement.input as object);
    }
  });

  it('says which check each kind of oddness alarms', () => {
    const alarmedBy = (rows: readonly ScoredRow[]) => [...new Set(rows.flatMap((r) => r.alarms))];
    expect(alarmedBy(scoredRows(policy, 12, 30, { strangeness: 6 }))).toContain('novelty');
    expect(alarmedBy(scoredRows(policy, 12, 30, { loudness: 8 }))).toEqual(['input']);
    expect(alarmedBy(scoredRows(policy, 12, 30, { shaky: true }))).toContain('perturbation');
  });

  it('lets no frame that breaks the contract near the model, nor its probe', () => {
    const broken = floats(new Float32Array(SAMPLES).fill(Number.NaN));
    const admitted = scorer.admit(new Map([['x', broken]]));
    expect(admitted.runs).toBe(false);
    const row = scorer.score(admitted, { ok: true, value: usual.outputs });
    expect(row.alarms).toEqual(expect.arrayContaining(['contract', 'novelty']));
    expect(row.stopped).toBe(true);
    expect(row.logits).toBeUndefined();
    expect(scoreOf(row, GUARD)).toBe(-Infinity);
    expect(alarmsBy(row, GUARD)).toBe(true);
  });

  it('counts outputs that break their contract, and runs that failed', () => {
    const admitted = scorer.admit(usual.frame);
    const broken = new Map(usual.outputs).set('logits', floats(Float32Array.of(1, Infinity, 0)));
    const bad = scorer.score(admitted, { ok: true, value: broken });
    expect(bad.alarms).toEqual(expect.arrayContaining(['output', 'novelty']));
    expect(bad.detectors).toBeUndefined();
    const late = scorer.score(admitted, err(inferenceFault('inference.deadline', 'late')));
    expect(late.alarms).toEqual(expect.arrayContaining(['inference', 'novelty']));
    expect(late.answer).toBeUndefined();
  });

  it('counts what a rule on sensors stops', () => {
    const parts = partsOf(policy);
    const sensors = { ...parts.settings.sensors, saturated: 0.5 };
    const strict = rowScorer({ ...parts, settings: { ...parts.settings, sensors } });
    const flat = floats(new Float32Array(SAMPLES).fill(100));
    expect(strict.admit(new Map([['x', flat]])).broken).toEqual(['sensor']);
  });

  it('probes with the filter of the policy, and a probe that failed leaves the row as it was', () => {
    const probe = scorer.probe(usual.frame)?.get('x');
    expect(probe?.dims).toEqual([1, SAMPLES]);
    expect(probe?.data).not.toEqual(usual.frame.get('x')?.data);
    const row = scorer.score(scorer.admit(usual.frame), { ok: true, value: usual.outputs });
    const failed = err(inferenceFault('inference.deadline', 'late'));
    expect(scorer.scoreProbed(row, failed)).toBe(row);
    const { perturbation: _, ...without } = policy;
    expect(rowScorer(partsOf(without)).probe(usual.frame)).toBeUndefined();
  });
});

describe('scoreOf', () => {
  const rows = scoredRows(policy, 21, 200, { strangeness: 4 });

  it('has a floor as p, and none as the guard decides', () => {
    const lowest = Math.min(...rows.map((row) => scoreOf(row, PAIR)));
    expect(lowest).toBe(1 / (policy.promise.rowsHalfB + 1));
    expect(rows.filter((row) => scoreOf(row, PAIR) === lowest).length).toBeGreaterThan(1);
    expect(new Set(rows.map((row) => scoreOf(row, GUARD))).size).toBe(rows.length);
  });

  it('alarms exactly below the threshold of the policy', () => {
    const { threshold } = policy.checks;
    for (const row of [...rows, ...scoredRows(policy, 22, 200)]) {
      for (const name of ['novelty', 'input', GUARD] as const) {
        expect(alarmsBy(row, name)).toBe(scoreOf(row, name) < threshold);
      }
      const either = alarmsBy(row, 'novelty') || alarmsBy(row, 'input');
      expect(alarmsBy(row, PAIR)).toBe(either);
    }
  });

  it('counts the tripwire on frames at risk only', () => {
    const shaky = scoredRows(policy, 23, 60, { shaky: true });
    const calm = shaky.filter(({ alarms, atRisk }) => alarms.includes('perturbation') && !atRisk);
    expect(calm.length).toBeGreaterThan(0);
    for (const row of calm) {
      expect(scoreOf(row, GUARD)).toBe(Math.min(scoreOf(row, 'novelty'), scoreOf(row, 'input')));
    }
  });

  it('has names for what the policy judges', () => {
    expect(scoreNames(policy)).toEqual(['novelty', 'input', PAIR, GUARD]);
    const { input: _, ...scales } = policy.checks.scales;
    const bare: GuardPolicy = { ...policy, checks: { ...policy.checks, scales } };
    expect(scoreNames(bare)).toEqual(['novelty', GUARD]);
  });
});
