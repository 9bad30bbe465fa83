/** What a sweep of attacks comes to: how often they succeed, and how often the guard saw it. */
import type { Check } from '../guard/findings.ts';
import type { AttackName, AttackResult } from './attacks.ts';

/** One attacked sample, and which checks of the guard alarmed on the input that was found. */
export interface AttackOutcome
  extends Pick<AttackResult, 'attack' | 'success' | 'queries' | 'linf' | 'l2'> {
  readonly detectedBy: readonly Check[];
}

/** Shares are `undefined` where there is nothing to divide by. */
export interface AttackSummary {
  readonly attack: AttackName;
  readonly samples: number;
  /** The model answered otherwise: what the attack achieves where there is no guard. */
  readonly succeeded: number;
  /** `succeeded / samples`. */
  readonly successRate: number | undefined;
  /** Of those that succeeded, the ones on which any check alarmed. */
  readonly detected: number;
  /** `detected / succeeded`. */
  readonly detectedShare: number | undefined;
  /** Of those that succeeded, how many each check alarmed on. */
  readonly detectedBy: Readonly<Partial<Record<Check, number>>>;
  /** Succeeded and no check alarmed. */
  readonly bypassed: number;
  /** `bypassed / samples`: what the attack achieves against a guard that it does not know. */
  readonly bypassRate: number | undefined;
  /** Over those that succeeded; `undefined` without one. */
  readonly medianQueries: number | undefined;
  readonly medianLinf: number | undefined;
  readonly medianL2: number | undefined;
}

/** One summary for each attack, in the order in which they first occur. */
export function attackSummary(outcomes: readonly AttackOutcome[]): readonly AttackSummary[] {
  return [...new Set(outcomes.map(({ attack }) => attack))].map((attack) =>
    summaryOf(
      attack,
      outcomes.filter((outcome) => outcome.attack === attack),
    ),
  );
}

function summaryOf(attack: AttackName, samples: readonly AttackOutcome[]): AttackSummary {
  const succeeded = samples.filter(({ success }) => success);
  const detected = succeeded.filter(({ detectedBy }) => detectedBy.length > 0).length;
  const bypassed = succeeded.length - detected;
  const checks: Partial<Record<Check, number>> = {};
  for (const check of succeeded.flatMap(({ detectedBy }) => [...new Set(detectedBy)])) {
    checks[check] = (checks[check] ?? 0) + 1;
  }
  return {
    attack,
    samples: samples.length,
    succeeded: succeeded.length,
    successRate: share(succeeded.length, samples.length),
    detected,
    detectedShare: share(detected, succeeded.length),
    detectedBy: checks,
    bypassed,
    bypassRate: share(bypassed, samples.length),
    medianQueries: median(succeeded.map(({ queries }) => queries)),
    medianLinf: median(succeeded.map(({ linf }) => linf)),
    medianL2: median(succeeded.map(({ l2 }) => l2)),
  };
}

function share(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

/** The mean of the two in the middle where their number is even. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
