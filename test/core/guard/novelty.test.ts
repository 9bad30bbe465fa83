import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { featureStatistics } from '../../../src/core/calibration/fit-statistics.ts';
import { provenHead } from '../../../src/core/calibration/head.ts';
import { checkSet, type Rows, rowOf } from '../../../src/core/calibration/rows.ts';
import type { CheckScore } from '../../../src/core/guard/joint.ts';
import { detectorScores } from '../../../src/core/guard/novelty-detectors.ts';
import type { GuardPolicy, NoveltyPolicy } from '../../../src/core/guard/policy.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { simulatedInput, simulatedModel } from '../calibration/simulated.ts';
import { judgedNovelty } from './judged.ts';

const TOLERANCE = 1e-4;

describe.skipIf(sharedMissing)('detectors (needs the shared data)', () => {
  it('agree with the independent NumPy scores of 40 images', () => {
    const golden = JSON.parse(readFileSync(sharedPath('data/golden-scores.json'), 'utf8')) as {
      features: number[][];
      logits: number[][];
      scores: Record<string, number[]>;
    };
    const fitRows = {
      logits: npyRows('golden-fit-logits'),
      features: npyRows('golden-fit-features'),
    };
    const goldenRows = { logits: asRows(golden.logits), features: asRows(golden.features) };
    const sha256 = new Uint8Array(32);
    const fit = { ...checkSet('fit', { ...fitRows, sha256 }), features: fitRows.features };
    const heldOut = {
      ...checkSet('golden', { ...goldenRows, sha256 }),
      features: goldenRows.features,
    };
    const head = provenHead(undefined, fit, heldOut);
    const labels = new Int32Array(npyData('cifar10-fit-y'));
    const statistics = featureStatistics(fit.features, labels, head);

    let compared = 0;
    for (let row = 0; row < heldOut.count; row++) {
      const logits = rowOf(heldOut.logits, row);
      const full = detectorScores(
        statistics,
        referenceKernels,
        logits,
        rowOf(heldOut.features, row),
      );
      const reduced = detectorScores(undefined, referenceKernels, logits, undefined);
      const scores = [...(full ?? []), ...(reduced ?? [])];
      ['fDBD (dist)', 'MDS++', 'RMDS++', 'GEN g0.1'].forEach((method, j) => {
        const want = golden.scores[method]?.[row] as number;
        const difference = Math.abs((scores[j] as number) - want) / Math.abs(want);
        expect(difference, `${method}, image ${row}`).toBeLessThanOrEqual(TOLERANCE);
        compared += 1;
      });
    }
    expect(compared).toBe(160);
  });
});

describe('the novelty check', () => {
  const model = simulatedModel(3, 4);
  const guard = need(fitGuardPolicy(simulatedInput(model)));
  const { novelty, checks } = guard;

  it('alarms exactly where p is at most rank / (n + 1)', () => {
    let alarms = 0;
    for (const strangeness of [0, 2, 5, 10, 20]) {
      const frames = model.outputs(31, 200, strangeness);
      for (let row = 0; row < 200; row++) {
        const { usualness, p, threshold, alarm } = judge(guard, frames, row);
        expect(alarm).toBe(usualness < threshold);
        // Alone, its own ranks and the joint ones are the same.
        expect(alarm).toBe(p <= checks.rank / (checks.halfB.length + 1));
        if (alarm) alarms += 1;
      }
    }
    expect(alarms).toBeGreaterThan(300);
    expect(alarms).toBeLessThan(900);
  });

  it('alarms with the smallest p on whatever it cannot judge', () => {
    const good = model.outputs(32, 1);
    const logits = good.logits.data;
    const features = good.features.data;
    const spoilt = (values: Float32Array, value: number): Float32Array =>
      values.map((old, i) => (i === 1 ? value : old));
    const mean = Float32Array.from(novelty.statistics?.mean ?? []);
    const atMean: NoveltyPolicy = {
      ...novelty,
      statistics: {
        ...(novelty.statistics as NonNullable<NoveltyPolicy['statistics']>),
        mean: Float64Array.from(mean),
      },
    };
    const cases: [NoveltyPolicy, Float32Array, Float32Array | undefined][] = [
      [novelty, spoilt(logits, NaN), features],
      [novelty, spoilt(logits, Infinity), features],
      [novelty, logits, spoilt(features, NaN)],
      [novelty, logits, spoilt(features, -Infinity)],
      [novelty, logits, new Float32Array(4)],
      [novelty, logits, undefined],
      [novelty, logits, features.subarray(1)],
      [novelty, logits.subarray(1), features],
      [novelty, new Float32Array(0), features],
      [atMean, logits, mean],
    ];
    for (const [policy, z, f] of cases) {
      expect(judgedNovelty({ ...guard, novelty: policy }, z, f)).toEqual({
        score: -Infinity,
        usualness: -Infinity,
        p: 1 / (checks.halfB.length + 1),
        threshold: checks.threshold,
        alarm: true,
      });
    }
  });

  it('never gives a NaN or a p outside (0, 1], whatever the outputs', () => {
    const any = fc.float();
    fc.assert(
      fc.property(
        fc.array(any, { minLength: 3, maxLength: 3 }),
        fc.array(any, { minLength: 4, maxLength: 4 }),
        (z, f) => {
          const judged = judgedNovelty(guard, Float32Array.from(z), Float32Array.from(f));
          expect(judged.score).toBeLessThanOrEqual(0);
          expect(judged.p).toBeGreaterThan(0);
          expect(judged.p).toBeLessThanOrEqual(1);
          expect(judged.alarm).toBe(judged.usualness < judged.threshold);
          if (![...z, ...f].every(Number.isFinite)) expect(judged.alarm).toBe(true);
        },
      ),
    );
  });

  it('still alarms when the promise leaves only the smallest score as threshold', () => {
    // 1% at 95% from 598 rows: n_B = 299, rank 1. An empirical p would saturate at 1/300 in every
    // detector, and no frame could be strictly stranger than a half B that holds such a row.
    const input = { ...simulatedInput(model), falseAlarms: 0.01 };
    let alarms = 0;
    const sets = 20;
    for (let set = 0; set < sets; set++) {
      const calibration = model.outputs(1000 + set, 598);
      const policy = need(fitGuardPolicy({ ...input, calibration }));
      expect([policy.checks.halfB.length, policy.checks.rank]).toEqual([299, 1]);
      const frames = model.outputs(33, 50, 40);
      for (let row = 0; row < 50; row++) if (judge(policy, frames, row).alarm) alarms += 1;
    }
    expect(alarms).toBe(sets * 50);
  });
});

function judge(
  policy: GuardPolicy,
  frames: { readonly logits: Rows; readonly features: Rows },
  row: number,
): CheckScore {
  return judgedNovelty(policy, rowOf(frames.logits, row), rowOf(frames.features, row));
}

function asRows(table: readonly (readonly number[])[]): Rows {
  return { width: table[0]?.length ?? 0, data: Float32Array.from(table.flat()) };
}

function npyRows(name: string): Rows {
  const data = new Float32Array(npyData(name));
  return { width: data.length / 2000, data };
}

/** The data behind a version 1 header, which is padded to whole cache lines. */
function npyData(name: string): ArrayBuffer {
  const bytes = new Uint8Array(readFileSync(sharedPath(`data/${name}.npy`)));
  return bytes.slice(10 + (bytes[8] as number) + 256 * (bytes[9] as number)).buffer;
}
