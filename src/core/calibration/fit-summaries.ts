/**
 * Fits the novelty of models that are no classifiers from what a recording keeps of each frame: a
 * few statistics, never its input or output.
 */
import {
  type DetectionLayout,
  type DetectionPolicy,
  detectionNames,
  layoutProblem,
} from '../guard/detection-summary.ts';
import {
  type GroupedValues,
  groupCount,
  groupName,
  groupSpan,
  groupsProblem,
} from '../guard/output-groups.ts';
import type { ReconstructionPolicy } from '../guard/reconstruction.ts';
import { fitRanks } from '../guard/reference-ranks.ts';
import { type RegressionPolicy, regressionCount } from '../guard/regression.ts';
import { refuseCalibration } from './faults.ts';
import { needRows } from './fit-pca.ts';

/** Below it the reference is mostly tail, and ranks tell little. */
export const SUMMARY_ROWS_MIN = 100;

/** Of every fit frame, in their order. */
export type StatisticRows = readonly Float64Array[];

/**
 * @param rows `reconstructionErrors` of every fit frame
 *
 * Faults: `calibration.shape`, `calibration.fit-rows`, `calibration.values`,
 * `calibration.constant` (a group with the same error on every row: most likely the output is a
 * copy of the input there).
 */
export function fitReconstruction(
  grouped: GroupedValues,
  rows: StatisticRows,
): ReconstructionPolicy {
  needSound(groupsProblem(grouped));
  const columns = columnsOf(rows, groupCount(grouped.groups));
  columns.forEach((column, g) => {
    if (isConstant(column)) throw constant(rows, `the error of ${groupName(grouped, g)}`, column);
  });
  return { grouped, ranks: fitRanks(columns, 'one') };
}

/**
 * @param rows `regressionStatistics` of every fit frame
 *
 * Faults: `calibration.shape`, `calibration.fit-rows`, `calibration.values`,
 * `calibration.constant` (a group that neither moves nor changes its spread).
 */
export function fitRegression(grouped: GroupedValues, rows: StatisticRows): RegressionPolicy {
  needSound(groupsProblem(grouped));
  const columns = columnsOf(rows, regressionCount(grouped));
  const groups = groupCount(grouped.groups);
  let spread = groups;
  for (let g = 0; g < groups; g++) {
    const mean = columns[g] as Float64Array;
    const still = groupSpan(grouped, g).size === 1 || isConstant(columns[spread++] as Float64Array);
    if (still && isConstant(mean))
      throw constant(rows, `the mean of ${groupName(grouped, g)}`, mean);
  }
  return { grouped, ranks: fitRanks(columns, 'two') };
}

/**
 * A statistic may be constant, as the count of a class that the fit set does not have: a frame with
 * it is far out. Only a model that says the same of every frame is refused.
 *
 * @param rows `detectionStatistics` of every fit frame
 *
 * Faults: `calibration.shape`, `calibration.fit-rows`, `calibration.values`,
 * `calibration.constant`.
 */
export function fitDetection(layout: DetectionLayout, rows: StatisticRows): DetectionPolicy {
  needSound(layoutProblem(layout));
  const names = detectionNames(layout);
  const columns = columnsOf(rows, names.length);
  if (columns.every(isConstant)) {
    const [count] = columns as [Float64Array];
    throw constant(
      rows,
      `no statistic varies: the count of ${layout.candidates} candidates`,
      count,
    );
  }
  return { layout, ranks: fitRanks(columns, 'two') };
}

function needSound(problem: string | undefined): void {
  if (problem !== undefined) throw refuseCalibration('calibration.shape', `declared: ${problem}`);
}

function columnsOf(rows: StatisticRows, width: number): Float64Array[] {
  needRows(rows.length, SUMMARY_ROWS_MIN, 'ranks of the statistics');
  rows.forEach((row, i) => {
    if (row.length !== width) {
      throw refuseCalibration(
        'calibration.shape',
        `fit row ${i} has ${row.length} statistics, there are ${width}`,
      );
    }
    const bad = row.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw refuseCalibration(
        'calibration.values',
        `statistic ${bad} of fit row ${i} is ${row[bad]}`,
      );
    }
  });
  return Array.from({ length: width }, (_, j) =>
    Float64Array.from(rows, (row) => row[j] as number),
  );
}

function isConstant(column: Float64Array): boolean {
  return column.every((value) => value === column[0]);
}

function constant(
  rows: StatisticRows,
  what: string,
  column: Float64Array,
): ReturnType<typeof refuseCalibration> {
  return refuseCalibration(
    'calibration.constant',
    `${what} is ${column[0]} on all ${rows.length} fit rows`,
  );
}
