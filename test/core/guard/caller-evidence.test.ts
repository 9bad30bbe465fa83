import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import {
  type Evidence,
  eValue,
  NO_EVIDENCE,
  stepEvidence,
} from '../../../src/core/guard/caller-evidence.ts';

const share = fc.double({ min: 0.001, max: 0.9, noNaN: true });

function stepsToAlarm(
  evidence: Evidence,
  rate: number,
  nullShare: number,
  alpha: number,
  triesMax: number,
  next: () => number,
): number | undefined {
  let now = evidence;
  for (let i = 1; i <= triesMax; i++) {
    now = stepEvidence(now, nullShare, next() < rate);
    if (eValue(now) >= 1 / alpha) return i;
  }
  return undefined;
}

describe('evidence', () => {
  it('is worth 1 on average under the null, over all courses of ten tries', () => {
    fc.assert(
      fc.property(share, (p) => {
        let mean = 0;
        for (let course = 0; course < 1_024; course++) {
          let evidence = NO_EVIDENCE;
          let probability = 1;
          for (let i = 0; i < 10; i++) {
            const event = ((course >> i) & 1) === 1;
            evidence = stepEvidence(evidence, p, event);
            probability *= event ? p : 1 - p;
          }
          mean += probability * eValue(evidence);
        }
        expect(mean).toBeCloseTo(1, 9);
      }),
      { numRuns: 20 },
    );
  });

  it('never gains on average where events are rarer than the share', () => {
    fc.assert(
      fc.property(
        share,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(50),
        (p, part, past) => {
          let evidence = NO_EVIDENCE;
          for (let i = 0; i < past; i++) evidence = stepEvidence(evidence, p, i % 3 === 0);
          const rate = p * part;
          const mean =
            rate * eValue(stepEvidence(evidence, p, true)) +
            (1 - rate) * eValue(stepEvidence(evidence, p, false));
          expect(mean).toBeLessThanOrEqual(eValue(evidence) * (1 + 1e-12));
        },
      ),
    );
  });

  it('is ever mistaken as seldom as Ville says: 400 streams of 1,000 at the very share', () => {
    const next = seededNumbers(5);
    let alarms = 0;
    for (let stream = 0; stream < 400; stream++) {
      if (stepsToAlarm(NO_EVIDENCE, 0.1, 0.1, 0.05, 1_000, next) !== undefined) alarms += 1;
    }
    // 20 are allowed on average; 34 or more would have a probability of 0.002.
    expect(alarms).toBeLessThan(34);
  });

  it('is not buried by innocence: after 100,000 quiet tries it takes few more', () => {
    let quiet = NO_EVIDENCE;
    for (let i = 0; i < 100_000; i++) quiet = stepEvidence(quiet, 0.15, false);
    const next = seededNumbers(6);
    expect(stepsToAlarm(NO_EVIDENCE, 0.36, 0.15, 1e-4, 1_000, next)).toBeLessThan(300);
    expect(stepsToAlarm(quiet, 0.36, 0.15, 1e-4, 1_000, next)).toBeLessThan(500);
  });
});
