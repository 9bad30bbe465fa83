/** The class of every fit row: as given, or as the model itself answers. */
import { indexOfLargest } from '../numeric/vectors.ts';
import { refuseCalibration } from './faults.ts';
import { type CheckedSet, rowOf } from './rows.ts';

/**
 * One class index per fit row, every class at least once. Faults: `calibration.labels` (too few, or
 * no such class), `calibration.classes` (a class without rows).
 */
export function labelsOf(fit: CheckedSet, given: ArrayLike<number> | undefined): ArrayLike<number> {
  const classes = fit.logits.width;
  if (given === undefined) {
    const own = Uint16Array.from({ length: fit.count }, (_, row) =>
      indexOfLargest(rowOf(fit.logits, row)),
    );
    needEveryClass(own, classes, 'predicted');
    return own;
  }
  if (given.length !== fit.count) {
    throw refuseCalibration(
      'calibration.labels',
      `${given.length} labels for ${fit.count} fit rows`,
    );
  }
  for (let row = 0; row < given.length; row++) {
    const label = given[row] as number;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw refuseCalibration(
        'calibration.labels',
        `the label of fit row ${row} is ${label}, there are classes 0 to ${classes - 1}`,
      );
    }
  }
  needEveryClass(given, classes, 'given');
  return given;
}

function needEveryClass(labels: ArrayLike<number>, classes: number, origin: string): void {
  const counts = new Uint32Array(classes);
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] as number;
    counts[label] = (counts[label] as number) + 1;
  }
  if (!counts.includes(0)) return;
  const each = [...counts.subarray(0, 32)].map((count, label) => `${label}: ${count}`).join(', ');
  throw refuseCalibration(
    'calibration.classes',
    `a class has no fit rows by the ${origin} labels (${each}${classes > 32 ? ', ...' : ''})`,
  );
}
