import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pValue } from '../../../src/core/guard/conformal.ts';
import {
  acknowledgeDrift,
  DRIFT_AT_START,
  type DriftInput,
  type DriftState,
  midP,
  stepDrift,
} from '../../../src/core/guard/drift.ts';
import { type Capital, lnWealth } from '../../../src/core/guard/drift-capital.ts';
import { driftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { randomNumbers } from '../calibration/simulated.ts';

const ROWS = 200;
const POLICY = driftPolicy({
  alpha: 0.01,
  delta: 0.01,
  bankRows: ROWS,
  classCounts: [100, 60, 40],
});
const wealth = (capital: Capital): number => Math.exp(lnWealth(capital));

function run(frames: readonly DriftInput[], state: DriftState = DRIFT_AT_START): DriftState {
  return frames.reduce((now, frame) => stepDrift(now, POLICY, frame).state, state);
}

const p = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
const past = fc.array(p, { maxLength: 60 });
const strange: DriftInput = { noveltyP: 0.02, inputP: 0.98, class: 2 };

describe('midP', () => {
  it('is the middle of the ranks that a score may have', () => {
    const bank = Float64Array.of(1, 2, 2, 2, 5);
    expect([0, 1, 1.5, 2, 5, 6].map((score) => 12 * midP(bank, score))).toEqual([
      1, 2, 3, 6, 10, 11,
    ]);
    expect(midP(bank, -Infinity)).toBe(1 / 12);
    expect(midP(bank, Infinity)).toBe(11 / 12);
  });

  it('is one half on average over frame and bank, however many scores tie', () => {
    // Every bank of 4 scores and every frame out of three values of unequal weight.
    const weights = [0.6, 0.3, 0.1];
    let mean = 0;
    for (let draw = 0; draw < 3 ** 5; draw++) {
      const values = [0, 1, 2, 3, 4].map((i) => Math.floor(draw / 3 ** i) % 3);
      const chance = values.reduce((all, value) => all * (weights[value] as number), 1);
      const [score = 0, ...bank] = values;
      mean += chance * midP(Float64Array.from(bank).sort(), score);
    }
    expect(mean).toBeCloseTo(0.5, 12);
  });
});

describe('a bank whose scores tie', () => {
  it('raises no alarm with the rank in the middle, where the plain p would', () => {
    const next = randomNumbers(11);
    const score = (): number => Math.floor(2 * next());
    const bank = Float64Array.from({ length: ROWS }, score).sort();
    let [middle, plain] = [DRIFT_AT_START, DRIFT_AT_START];
    for (let i = 0; i < 2_000; i++) {
      const seen = score();
      middle = stepDrift(middle, POLICY, { noveltyP: midP(bank, seen) }).state;
      const noveltyP = Math.min(pValue(bank, seen), 1 - 1e-9);
      plain = stepDrift(plain, POLICY, { noveltyP }).state;
    }
    expect(stepDrift(middle, POLICY, {}).findings).toEqual([]);
    expect(stepDrift(plain, POLICY, {}).findings).toHaveLength(1);
  });
});

describe('the bet on p', () => {
  it('never goes below zero, and loses on average where p is uniform on its grid', () => {
    fc.assert(
      fc.property(past, (ps) => {
        const state = run(ps.map((noveltyP) => ({ noveltyP })));
        if (stepDrift(state, POLICY, {}).findings.length > 0) return;
        let mean = 0;
        for (let rank = 0; rank <= ROWS; rank++) {
          const after = stepDrift(state, POLICY, { noveltyP: (rank + 0.5) / (ROWS + 1) }).state;
          expect(wealth(after.novelty)).toBeGreaterThan(0);
          mean += wealth(after.novelty) / (ROWS + 1);
        }
        expect(mean).toBeLessThan(wealth(state.novelty));
      }),
      { seed: 4, numRuns: 40 },
    );
  });

  it('gains nothing on average while the mean of p is within the allowance, on either side', () => {
    const { allowance } = POLICY;
    const mean = fc.constantFrom(0.5 - allowance, 0.5, 0.5 + allowance);
    fc.assert(
      fc.property(past, mean, p, p, (ps, centre, a, b) => {
        const state = run(ps.map((inputP) => ({ inputP })));
        if (stepDrift(state, POLICY, {}).findings.length > 0) return;
        // Two values with that mean, else the mean itself all the time.
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const chance = low < centre && centre < high ? (high - centre) / (high - low) : 1;
        const stepped = (inputP: number) =>
          wealth(stepDrift(state, POLICY, { inputP }).state.input);
        const average =
          chance === 1 ? stepped(centre) : chance * stepped(low) + (1 - chance) * stepped(high);
        expect(average).toBeLessThanOrEqual(wealth(state.input) * (1 + 1e-9));
      }),
      { seed: 5 },
    );
  });

  it('alarms when p is too small, and when it is too large', () => {
    for (const noveltyP of [0.05, 0.95]) {
      let state = DRIFT_AT_START;
      let frames = 0;
      let found: readonly unknown[] = [];
      while (found.length === 0 && frames < 100) {
        const step = stepDrift(state, POLICY, { noveltyP });
        [state, found] = [step.state, step.findings];
        frames++;
      }
      expect(frames).toBeLessThan(40);
      expect(found).toMatchObject([{ code: 'drift.novelty', check: 'drift', threshold: 100 }]);
    }
  });
});

describe('an alarm', () => {
  const alarmed = run(Array<DriftInput>(60).fill(strange));

  it('is raised once in a frame of its own and stands in every frame after it', () => {
    let state = DRIFT_AT_START;
    const raised: string[] = [];
    let standing = 0;
    for (let i = 0; i < 200; i++) {
      const step = stepDrift(state, POLICY, i % 2 === 0 ? strange : {});
      state = step.state;
      raised.push(...step.raised.map(({ code }) => code));
      expect(step.findings.length).toBeGreaterThanOrEqual(standing);
      standing = step.findings.length;
    }
    expect(raised.sort()).toEqual(['drift.classes', 'drift.input', 'drift.novelty']);
    expect(standing).toBe(3);
  });

  it('says what was seen, with the wealth it was raised at', () => {
    const { findings } = stepDrift(alarmed, POLICY, {});
    expect(findings.map(({ code }) => code)).toEqual([
      'drift.novelty',
      'drift.input',
      'drift.classes',
    ]);
    for (const { value = 0 } of findings) expect(value).toBeGreaterThanOrEqual(100);
    expect(findings[2]?.detail).toMatch(
      /^class 2 makes up 100\.0% of the recent answers, 20\.1% in calibration: \d+ to 1 after \d+ frames$/,
    );
  });

  it('rests until it is acknowledged: neither good nor bad frames change it', () => {
    expect(run([strange, { noveltyP: 0.5, inputP: 0.5, class: 0 }], alarmed)).toEqual(alarmed);
    const calm = acknowledgeDrift(alarmed, POLICY);
    expect(calm).toEqual(DRIFT_AT_START);
    expect(stepDrift(calm, POLICY, {}).findings).toEqual([]);
  });

  it('is acknowledged without touching bets that have raised none', () => {
    const state = run(
      Array<DriftInput>(60).fill({ noveltyP: 0.02, inputP: 0.4, class: 1 }).slice(0, 45),
    );
    const calm = acknowledgeDrift({ ...state, classes: DRIFT_AT_START.classes }, POLICY);
    expect(calm).toEqual({ ...DRIFT_AT_START, input: state.input });
  });

  it('of one bet does not keep the others from betting', () => {
    const state = run(Array<DriftInput>(100).fill({ noveltyP: 0.02, inputP: 0.5 }));
    expect(stepDrift(state, POLICY, {}).findings.map(({ code }) => code)).toEqual([
      'drift.novelty',
    ]);
    expect(state.input.frames).toBe(100);
    expect(state.novelty.frames).toBeLessThan(100);
  });
});

describe('whatever comes', () => {
  it('is no bet when it is not within bounds', () => {
    for (const odd of [Number.NaN, 0, 1, -1, 2, Infinity, -Infinity, -0]) {
      expect(stepDrift(DRIFT_AT_START, POLICY, { noveltyP: odd, inputP: odd }).state).toEqual(
        DRIFT_AT_START,
      );
    }
    for (const odd of [Number.NaN, -1, 3, 0.5, Infinity, 2 ** 60]) {
      expect(stepDrift(DRIFT_AT_START, POLICY, { class: odd }).state).toEqual(DRIFT_AT_START);
    }
  });

  it('is no bet on classes without class counts', () => {
    const { classCounts: _, ...terms } = POLICY;
    const plain = driftPolicy(terms);
    expect(stepDrift(DRIFT_AT_START, plain, { class: 1 }).state).toEqual(DRIFT_AT_START);
  });

  it('keeps every number finite over a long stream of any kind', () => {
    const next = randomNumbers(6);
    for (const make of [() => next(), () => 1e-9, () => 1 - 1e-9, () => 0.5]) {
      let state = DRIFT_AT_START;
      for (let i = 0; i < 3_000; i++) {
        state = stepDrift(state, POLICY, { noveltyP: make(), inputP: make(), class: i % 3 }).state;
      }
      for (const { lnStaked, stakes } of [state.novelty, state.input, state.classes.capital]) {
        expect(Math.abs(lnStaked)).toBeLessThan(50);
        expect(stakes.reduce((sum, stake) => sum + stake, 0)).toBeCloseTo(1, 9);
      }
    }
  });
});
