/** What the drift bets need of a calibration, as part of the guard policy. */
import { Fields, refuseField } from '../base/fields.ts';
import { CALIBRATION_ROWS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { type ClassFrequencies, classFrequencies } from './drift-classes.ts';
import { refusePolicy } from './policy-faults.ts';

export interface DriftTerms {
  /** Probability that a bet ever gains `1 / alpha` while nothing drifts; 1e-9 to 0.5. */
  readonly alpha: number;
  /** Probability that the calibration set is so unusual that this does not hold; 1e-9 to 0.5. */
  readonly delta: number;
  /** Rows of the bank in which `noveltyP` and `inputP` are ranked; `driftRowsMin` at least. */
  readonly bankRows: number;
  /** Answers of the model on calibration rows per class; absent: no bet on classes. */
  readonly classCounts?: readonly number[];
}

/** The terms and what follows from them; made by `driftPolicy` only. */
export interface DriftPolicy extends DriftTerms {
  /** What the mean of p may be off by. */
  readonly allowance: number;
  readonly frequencies: ClassFrequencies | undefined;
}

/** The default of a policy. */
export const DRIFT_DELTA = 0.01;

/** A larger one would leave a bet with next to nothing to gain. */
const ALLOWANCE_MAX = 0.25;
const PROBABILITY_MIN = 1e-9;
const PROBABILITY_MAX = 0.5;

/** The smallest bank that can be betted on. */
export function driftRowsMin(delta: number): number {
  return Math.ceil(Math.log(2 / delta) / (2 * ALLOWANCE_MAX ** 2));
}

/** Refuses with `policy.values` what no bet can be made on. */
export function driftPolicy(terms: DriftTerms): DriftPolicy {
  const { alpha, delta, bankRows, classCounts } = terms;
  const sane = (value: number): boolean => value >= PROBABILITY_MIN && value <= PROBABILITY_MAX;
  if (!sane(alpha) || !sane(delta) || !(bankRows >= driftRowsMin(delta))) {
    throw refusePolicy(
      'policy.values',
      `drift: alpha ${alpha}, delta ${delta}, a bank of ${bankRows} rows`,
    );
  }
  if (classCounts !== undefined) needCounts(classCounts);
  return {
    ...{ alpha, delta, bankRows },
    ...(classCounts !== undefined && { classCounts }),
    allowance: Math.sqrt(Math.log(2 / delta) / (2 * bankRows)),
    frequencies: classCounts && classFrequencies(classCounts, delta),
  };
}

export function driftPolicyMap({ alpha, delta, classCounts }: DriftPolicy): CborMap {
  return cborMap(['alpha', alpha], ['delta', delta], ['class-counts', classCounts]);
}

/**
 * Refuses with `policy.values`, `field.*`.
 *
 * @param bankRows as the rest of the guard policy has them
 * @param classes of the model; `undefined` where it answers none
 */
export function readDriftPolicy(
  fields: Fields,
  bankRows: number,
  classes: number | undefined,
): DriftPolicy {
  const classCounts =
    classes === undefined
      ? undefined
      : fields.optional('class-counts', (name) =>
          readNumbers(fields, name, classes, 0, CALIBRATION_ROWS_MAX),
        );
  const terms: DriftTerms = {
    alpha: fields.number('alpha'),
    delta: fields.number('delta'),
    bankRows,
    ...(classCounts && { classCounts }),
  };
  fields.done();
  return driftPolicy(terms);
}

function needCounts(counts: readonly number[]): void {
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const whole = counts.every((count) => Number.isSafeInteger(count) && count >= 0);
  if (whole && counts.length >= 2 && rows >= 1 && rows <= CALIBRATION_ROWS_MAX) return;
  throw refusePolicy('policy.values', `drift: ${counts.length} classes in ${rows} rows`);
}

/** A list of `length` numbers within bounds. Refuses with `field.*`. */
export function readNumbers(
  fields: Fields,
  name: string | number,
  length: number,
  min: number,
  max: number,
): number[] {
  const list = fields.list(name, length);
  if (list.length !== length) {
    throw refuseField(
      'field.range',
      `${fields.at(name)} has ${list.length} entries, not ${length}`,
    );
  }
  const entries = new Fields(fields.at(name), new Map(list.entries()));
  return list.map((_, i) => entries.number(i, min, max));
}
