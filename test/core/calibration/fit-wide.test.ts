import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import { detectorScores } from '../../../src/core/guard/novelty-detectors.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { simulatedInput, simulatedModel } from './simulated.ts';

describe('a guard policy of wide features', () => {
  const model = simulatedModel(3, 300);
  const input = { ...simulatedInput(model), fit: model.outputs(2, 400) };
  const { labels: _, ...unlabelled } = input;
  const policy = need(fitGuardPolicy({ ...unlabelled, labels: model.outputs(2, 400).labels }));

  it('projects them for MDS++ and RMDS++, and comes back from bytes', () => {
    const { statistics } = policy.novelty;
    expect(statistics?.features).toBe(300);
    expect(statistics?.projection?.components).toBe(128);
    expect(statistics?.mean).toHaveLength(300);
    expect(statistics?.classCentres).toHaveLength(3 * 128);
    expect(need(decodeGuardPolicy(encodeGuardPolicy(policy)))).toEqual(policy);
  });

  it('scores usual rows above strange ones with each detector', () => {
    const score = (strangeness: number): Float64Array[] => {
      const rows = model.outputs(77, 20, strangeness);
      return Array.from({ length: 20 }, (_, row) =>
        detectorScores(
          policy.novelty.statistics,
          referenceKernels,
          rowOf(rows.logits, row),
          rowOf(rows.features, row),
        ),
      ) as Float64Array[];
    };
    const mean = (rows: Float64Array[], j: number): number =>
      rows.reduce((sum, row) => sum + (row[j] as number), 0) / rows.length;
    const [usual, strange] = [score(0), score(20)];
    for (const j of [0, 1]) expect(mean(usual, j)).toBeGreaterThan(mean(strange, j));
  });
});
