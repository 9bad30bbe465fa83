/** Recorded model outputs as rows, checked once at the door. */
import { CALIBRATION_ROWS_MAX, CLASSES_MAX, FEATURES_MAX } from '../base/limits.ts';
import { refuseCalibration } from './faults.ts';

/** Row-major; as many rows as `data.length / width`. */
export interface Rows {
  readonly width: number;
  readonly data: Float32Array;
}

/** What the model put out on one set of inputs, row by row. */
export interface RecordedOutputs {
  /** Raw class scores (logits), before any softmax. */
  readonly logits: Rows;
  /** Input of the last linear layer; absent: reduced detection. */
  readonly features?: Rows;
  /** SHA-256 of the file that the inputs came from. */
  readonly sha256: Uint8Array;
}

/** A set after checking: `count` rows, every value finite, no feature row of zeros. */
export interface CheckedSet {
  readonly count: number;
  readonly logits: Rows;
  readonly features: Rows | undefined;
  readonly sha256: Uint8Array;
}

export function rowOf(rows: Rows, index: number): Float32Array {
  return rows.data.subarray(index * rows.width, (index + 1) * rows.width);
}

/** Faults: `calibration.shape`, `calibration.values`. `name` is the set's, for messages. */
export function checkSet(name: string, set: RecordedOutputs): CheckedSet {
  const { logits, features } = set;
  const count = countRows(`${name} logits`, logits, 2, CLASSES_MAX);
  needFinite(`${name} logits`, logits);
  if (features !== undefined) {
    const featureRows = countRows(`${name} features`, features, 1, FEATURES_MAX);
    if (featureRows !== count) {
      throw refuseCalibration(
        'calibration.shape',
        `the ${name} set has ${count} rows of logits and ${featureRows} of features`,
      );
    }
    needFinite(`${name} features`, features);
    needDirection(`${name} features`, features);
  }
  return { count, logits, features, sha256: set.sha256 };
}

function countRows(name: string, rows: Rows, widthMin: number, widthMax: number): number {
  const { width, data } = rows;
  if (!Number.isSafeInteger(width) || width < widthMin || width > widthMax) {
    throw refuseCalibration(
      'calibration.shape',
      `${name}: rows of ${width} values, ${widthMin} to ${widthMax} can be judged`,
    );
  }
  const count = data.length / width;
  if (!Number.isSafeInteger(count) || count < 1 || count > CALIBRATION_ROWS_MAX) {
    throw refuseCalibration(
      'calibration.shape',
      `${name}: ${data.length} values are not 1 to ${CALIBRATION_ROWS_MAX} rows of ${width}`,
    );
  }
  return count;
}

function needFinite(name: string, { data, width }: Rows): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      throw refuseCalibration(
        'calibration.values',
        `${name}: ${data[i]} in row ${Math.floor(i / width)}, column ${i % width}`,
      );
    }
  }
}

/** A row of zeros has no direction, and the guard alarms on it: it cannot count as usual. */
function needDirection(name: string, rows: Rows): void {
  let zeros = 0;
  let first = -1;
  const count = rows.data.length / rows.width;
  for (let row = 0; row < count; row++) {
    if (rowOf(rows, row).some((value) => value !== 0)) continue;
    if (zeros === 0) first = row;
    zeros += 1;
  }
  if (zeros > 0) {
    throw refuseCalibration(
      'calibration.values',
      `${name}: ${zeros} of ${count} rows are all zeros, the first is row ${first}`,
    );
  }
}
