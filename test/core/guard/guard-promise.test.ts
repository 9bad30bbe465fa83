/** The promise for the guard as it runs, with all of its checks, over many draws of calibration rows. */
import { beforeAll, describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { binomialUpper } from '../../../src/core/calibration/evaluate.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { GUARD_AT_START } from '../../../src/core/guard/guard.ts';
import { settings } from './frames.ts';
import { loudSignals, pass, usualSignals, wholeGuard, wholeInput } from './whole-model.ts';

const [DRAWS, ROWS] = [200, 600];
const BUDGET = 0.05;
const CHECKS = ['input', 'novelty', 'perturbation'] as const;

/** Share of frames on which any check of single frames alarms, and how many alarms each had. */
function alarms(seed: number, frames: () => ReturnType<ReturnType<typeof usualSignals>>) {
  const policy = need(fitGuardPolicy(wholeInput(seed)));
  // Drift is a promise of its own, and acts on no frame here.
  const guard = wholeGuard({ policy, settings: settings({ frozenFrames: 0 }) });
  const counts = { any: 0, input: 0, novelty: 0, perturbation: 0 };
  let state = GUARD_AT_START;
  for (let row = 0; row < ROWS; row++) {
    const passed = pass(guard, state, { inputs: frames(), atMs: row * 1000 });
    state = passed.state;
    const found = new Set(passed.judgement.reasons.map(({ check }) => check));
    for (const check of CHECKS) if (found.has(check)) counts[check]++;
    if (CHECKS.some((check) => found.has(check))) counts.any++;
  }
  return counts;
}

describe('the promise of the whole guard', () => {
  let draws: ReturnType<typeof alarms>[] = [];
  beforeAll(() => {
    draws = Array.from({ length: DRAWS }, (_, draw) =>
      alarms(10_000 + draw, usualSignals(20_000 + draw)),
    );
  });

  it(`is kept in ${DRAWS} draws of calibration rows as often as it says`, () => {
    const broken = draws.filter(({ any }) => any / ROWS > BUDGET).length / DRAWS;
    expect(broken).toBeLessThanOrEqual(binomialUpper(DRAWS, 1 - 0.95, 0.999));
  });

  it('is not kept by never alarming: rank 1 of 59 rows is one frame in 60', () => {
    const mean = draws.reduce((sum, { any }) => sum + any / ROWS, 0) / DRAWS;
    expect(mean).toBeGreaterThan(0.8 / 60);
    expect(mean).toBeLessThan(1.2 / 60);
    for (const check of CHECKS) {
      expect(draws.filter((counts) => counts[check] > 0).length).toBeGreaterThan(DRAWS / 10);
    }
  });

  it('leaves the power to see what is not usual', () => {
    expect(alarms(10_000, loudSignals(7)).any / ROWS).toBeGreaterThan(0.9);
  });
});
