import { describe, expect, it } from 'vitest';
import {
  framesToAlarm,
  type NullTrial,
  nullStreamAlarms,
} from '../../../src/core/calibration/drift-trial.ts';
import { DRIFT_AT_START, type DriftInput, stepDrift } from '../../../src/core/guard/drift.ts';
import { driftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { randomNumbers } from './simulated.ts';

const TERMS = { alpha: 0.01, delta: 0.01, bankRows: 1_000 };

const trial = (change: Partial<NullTrial> = {}): NullTrial => ({
  ...{ ...TERMS, streams: 4, frames: 5_000, classes: 10, next: randomNumbers(21) },
  ...change,
});

describe('streams in which nothing drifts', () => {
  it('raise no alarm', () => {
    expect(nullStreamAlarms(trial())).toEqual([]);
  });

  it('raise few where the bank is small, the classes are many and much is allowed', () => {
    // With alpha + delta = 0.4 for each of three bets nearly all streams could.
    const alarms = nullStreamAlarms(
      trial({ streams: 30, frames: 300, alpha: 0.2, delta: 0.2, bankRows: 60, classes: 100 }),
    );
    expect(alarms.length).toBeLessThan(10);
  });

  it('are streams: with chance that does not mix they do raise alarms', () => {
    let half = 0;
    const stuck = () => {
      half += 1;
      return half <= 4_000 ? (half % 100) / 100 : 0.001;
    };
    expect(nullStreamAlarms(trial({ streams: 1, next: stuck }))).toHaveLength(1);
  });
});

describe('framesToAlarm', () => {
  const policy = driftPolicy({ ...TERMS, classCounts: [500, 500] });
  const low = Array<DriftInput>(200).fill({ noveltyP: 0.1 });

  it('counts to the frame that raises the first alarm', () => {
    const found = framesToAlarm(policy, low);
    const { frame } = found as { frame: number };
    expect(found).toEqual({ frame, code: 'drift.novelty' });
    expect(framesToAlarm(policy, low.slice(0, frame - 1))).toBeUndefined();
    expect(framesToAlarm(policy, low.slice(0, frame))).toEqual(found);
  });

  it('goes on from a state, whose alarms it takes as seen', () => {
    let state = DRIFT_AT_START;
    for (let i = 0; i < 1_000; i++) {
      state = stepDrift(state, policy, { noveltyP: ((i * 37) % 100) / 100 + 0.005 }).state;
    }
    const fresh = framesToAlarm(policy, low)?.frame as number;
    const late = framesToAlarm(policy, low, state)?.frame as number;
    expect(late).toBeGreaterThan(fresh);
    expect(late).toBeLessThan(3 * fresh);
    for (const input of low) state = stepDrift(state, policy, input).state;
    expect(framesToAlarm(policy, low, state)?.frame).toBe(fresh);
  });
});
