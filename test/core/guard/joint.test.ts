/** One promise for several checks, whatever they have to do with each other. */
import { describe, expect, it } from 'vitest';
import { binomialUpper } from '../../../src/core/calibration/evaluate.ts';
import { splitHalves } from '../../../src/core/calibration/split.ts';
import { promisedRank } from '../../../src/core/guard/conformal.ts';
import {
  type JointChecks,
  joinChecks,
  judgeScore,
  type ScoredCheck,
  USUALNESS_MIN,
} from '../../../src/core/guard/joint.ts';

const ROWS = 200;
const HALVES = splitHalves(ROWS);
const [BUDGET, CONFIDENCE] = [0.05, 0.95];
const RANK = promisedRank(HALVES.b.length, BUDGET, CONFIDENCE);
const SHARES = { input: 0.2, novelty: 0.5, perturbation: 0.3 };

type Scores = Readonly<Record<ScoredCheck, Float64Array>>;
type Dependence = 'independent' | 'the same' | 'opposed';

/** The published 32-bit generator mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Scores of very different scales and shapes. */
function draw(random: () => number, rows: number, dependence: Dependence): Scores {
  const shapes: readonly ((u: number) => number)[] = [
    (u) => u * 1e-6,
    (u) => Math.log(u + 1e-12),
    (u) => -((1 - u) ** 8) * 1e5,
  ];
  const columns = [new Float64Array(rows), new Float64Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row++) {
    const first = random();
    columns.forEach((column, i) => {
      const u = i === 0 || dependence === 'the same' ? first : random();
      column[row] = (shapes[i] as (u: number) => number)(
        dependence === 'opposed' && i === 1 ? 1 - first : u,
      );
    });
  }
  const [input, novelty, perturbation] = columns as [Float64Array, Float64Array, Float64Array];
  return { input, novelty, perturbation };
}

function rowsOf(scores: Scores, rows: Uint32Array): Scores {
  const of = (column: Float64Array) => Float64Array.from(rows, (row) => column[row] as number);
  return {
    input: of(scores.input),
    novelty: of(scores.novelty),
    perturbation: of(scores.perturbation),
  };
}

function fitted(scores: Scores, stopped?: ReadonlySet<number>): JointChecks {
  const halves = [rowsOf(scores, HALVES.a), rowsOf(scores, HALVES.b)] as const;
  return joinChecks(SHARES, ...halves, RANK, stopped);
}

function alarms(joint: JointChecks, scores: Scores, row: number): ScoredCheck[] {
  return (Object.keys(scores) as ScoredCheck[]).filter(
    (check) => judgeScore(joint, check, scores[check][row] as number)?.alarm,
  );
}

describe('the joint threshold', () => {
  it.each(['independent', 'the same', 'opposed'] as const)(
    'keeps the budget of the whole guard, the checks being %s',
    (dependence) => {
      const random = seeded(11);
      const [sets, rows] = [300, 1000];
      let broken = 0;
      let sum = 0;
      for (let set = 0; set < sets; set++) {
        const joint = fitted(draw(random, ROWS, dependence));
        const usual = draw(random, rows, dependence);
        let count = 0;
        for (let row = 0; row < rows; row++) if (alarms(joint, usual, row).length > 0) count++;
        if (count / rows > BUDGET) broken++;
        sum += count / rows;
      }
      expect(broken / sets).toBeLessThanOrEqual(binomialUpper(sets, 1 - CONFIDENCE, 0.999));
      // It is not kept by never alarming: rank k of n alarms on k / (n + 1) of the frames.
      const expected = RANK / (HALVES.b.length + 1);
      expect(sum / sets).toBeGreaterThan(0.8 * expected);
      expect(sum / sets).toBeLessThan(1.2 * expected);
    },
  );

  it('spends the budget as the shares say, where half A reaches that far', () => {
    const random = seeded(12);
    const halves = splitHalves(4000);
    const rank = promisedRank(halves.b.length, BUDGET, CONFIDENCE);
    const counts = { input: 0, novelty: 0, perturbation: 0 };
    for (let set = 0; set < 10; set++) {
      const scores = draw(random, 4000, 'independent');
      const joint = joinChecks(SHARES, rowsOf(scores, halves.a), rowsOf(scores, halves.b), rank);
      const usual = draw(random, 10_000, 'independent');
      for (let row = 0; row < 10_000; row++) {
        for (const check of alarms(joint, usual, row)) counts[check]++;
      }
    }
    const all = counts.input + counts.novelty + counts.perturbation;
    for (const [check, share] of Object.entries(SHARES)) {
      expect(counts[check as ScoredCheck] / all).toBeGreaterThan(share - 0.05);
      expect(counts[check as ScoredCheck] / all).toBeLessThan(share + 0.05);
    }
  });

  it('alarms on what cannot be judged and on what is far below everything seen', () => {
    const joint = fitted(draw(seeded(13), ROWS, 'independent'));
    for (const score of [Number.NaN, -Infinity, -1e300]) {
      for (const check of ['input', 'novelty', 'perturbation'] as const) {
        const judged = judgeScore(joint, check, score);
        expect(judged).toMatchObject({ alarm: true, p: 1 / (HALVES.b.length + 1) });
      }
    }
    expect(judgeScore(joint, 'input', Infinity)).toMatchObject({ alarm: false, p: 1 });
    expect(judgeScore({ ...joint, scales: {} }, 'input', 0)).toBeUndefined();
  });

  it('counts rows that a deterministic check stops as alarms of the budget', () => {
    const scores = draw(seeded(14), ROWS, 'independent');
    const free = fitted(scores);
    const one = fitted(scores, new Set([HALVES.b.length - 1]));
    expect(one.threshold).toBeLessThanOrEqual(free.threshold);
    expect(one.halfB[0]).toBe(USUALNESS_MIN);
    const many = fitted(scores, new Set(Array.from({ length: RANK }, (_, i) => i)));
    expect(many.threshold).toBe(USUALNESS_MIN);
  });
});
