import { describe, expect, it } from 'vitest';
import { type AttackOutcome, attackSummary } from '../../../src/core/calibration/attack-summary.ts';

function outcome(part: Partial<AttackOutcome>): AttackOutcome {
  return { attack: 'square', success: true, queries: 10, linf: 1, l2: 2, detectedBy: [], ...part };
}

describe('attackSummary', () => {
  it('counts success, detection and bypass for each attack', () => {
    const summaries = attackSummary([
      outcome({ queries: 10, detectedBy: ['novelty'] }),
      outcome({ attack: 'simba', success: false, queries: 500 }),
      outcome({ queries: 30, detectedBy: ['novelty', 'perturbation'], linf: 3, l2: 6 }),
      outcome({ queries: 20 }),
      outcome({ queries: 90, linf: 2, l2: 4 }),
      outcome({ success: false, queries: 500, detectedBy: ['novelty'] }),
    ]);
    expect(summaries).toEqual([
      {
        attack: 'square',
        samples: 5,
        succeeded: 4,
        successRate: 0.8,
        detected: 2,
        detectedShare: 0.5,
        detectedBy: { novelty: 2, perturbation: 1 },
        bypassed: 2,
        bypassRate: 0.4,
        medianQueries: 25,
        medianLinf: 1.5,
        medianL2: 3,
      },
      {
        attack: 'simba',
        samples: 1,
        succeeded: 0,
        successRate: 0,
        detected: 0,
        detectedShare: undefined,
        detectedBy: {},
        bypassed: 0,
        bypassRate: 0,
        medianQueries: undefined,
        medianLinf: undefined,
        medianL2: undefined,
      },
    ]);
  });

  it('takes a check that is named twice for one detection', () => {
    const [summary] = attackSummary([outcome({ detectedBy: ['input', 'input'] })]);
    expect(summary).toMatchObject({ detected: 1, detectedBy: { input: 1 }, bypassed: 0 });
  });

  it('is empty without samples', () => {
    expect(attackSummary([])).toEqual([]);
  });
});
