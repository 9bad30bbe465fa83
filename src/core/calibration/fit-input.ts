/** Fits the input-statistics check: what the statistics of usual frames are like. */
import { attempt, type Result } from '../base/fault.ts';
import { INPUT_REFERENCE_VALUES_MAX } from '../base/limits.ts';
import type { InputLayout } from '../guard/input-layout.ts';
import type { InputPolicy } from '../guard/input-policy.ts';
import { statisticNames } from '../guard/input-statistics.ts';
import { fitRanks } from '../guard/reference-ranks.ts';
import { refuseCalibration } from './faults.ts';

/** Of fewer frames the extremes are chance, and with them the scale of what is beyond. */
export const REFERENCE_ROWS_MIN = 20;

/**
 * The policy for one input of the model. The reference frames may be the fit set, half A of the
 * calibration set, or both; half B must not be among them. Only quantiles of the statistics are kept,
 * no frame; where a table is so wide that they would be too many, evenly spaced rows.
 *
 * Faults: `calibration.fit-rows` (fewer than 20 frames), `calibration.values` (a frame that could not
 * be measured), `calibration.constant` (no statistic varies: a sensor that was stuck).
 *
 * @param input name of the model's input
 * @param statistics `statisticsOf` of every reference frame, `undefined` included
 */
export function fitInput(
  input: string,
  layout: InputLayout,
  statistics: readonly (Float64Array | undefined)[],
): Result<InputPolicy> {
  return attempt(() => {
    const names = statisticNames(layout);
    if (statistics.length < REFERENCE_ROWS_MIN) {
      throw refuseCalibration(
        'calibration.fit-rows',
        `${statistics.length} frames of "${input}" to learn its statistics from; ` +
          `${REFERENCE_ROWS_MIN} are needed`,
      );
    }
    const rowsMax = Math.floor(INPUT_REFERENCE_VALUES_MAX / names.length);
    const every = Math.ceil(statistics.length / rowsMax);
    const columns = names.map(() => new Float64Array(Math.ceil(statistics.length / every)));
    for (const [row, measured] of statistics.entries()) {
      if (measured?.length !== names.length || !measured.every(Number.isFinite)) {
        throw refuseCalibration('calibration.values', `row ${row} of "${input}" has no statistics`);
      }
      if (row % every !== 0) continue;
      for (const [j, value] of measured.entries())
        (columns[j] as Float64Array)[row / every] = value;
    }
    const ranks = fitRanks(columns, 'two');
    if (ranks.sorted.every((sorted) => sorted[0] === sorted.at(-1))) {
      throw refuseCalibration(
        'calibration.constant',
        `all ${statistics.length} frames of "${input}" have the same ${names.length} statistics`,
      );
    }
    return { input, layout, ranks };
  });
}
