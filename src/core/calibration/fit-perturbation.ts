/** Fits the perturbation tripwire: how steady the model's answers are on usual frames. */
import { instability, type PerturbationPolicy, type ProbeSettings } from '../guard/perturbation.ts';
import type { SqueezeKind } from '../guard/squeeze.ts';
import { refuseCalibration } from './faults.ts';
import { type Rows, rowOf } from './rows.ts';

/**
 * `instability` of every row, in [0, 2]: `logits` of the rows as they are, `squeezed` of the same
 * rows smoothed. Refuses with `calibration.shape`, `calibration.values`.
 */
export function instabilities(logits: Rows, squeezed: Rows): Float64Array {
  if (logits.width !== squeezed.width || logits.data.length !== squeezed.data.length) {
    const size = ({ data, width }: Rows): string => `${data.length / width} rows of ${width}`;
    throw refuseCalibration(
      'calibration.shape',
      `${size(logits)} logits of calibration rows, ${size(squeezed)} of the same rows smoothed`,
    );
  }
  const count = logits.data.length / logits.width;
  return Float64Array.from({ length: count }, (_, row) => {
    const unstable = instability(rowOf(logits, row), rowOf(squeezed, row));
    if (Number.isFinite(unstable)) return unstable;
    throw refuseCalibration(
      'calibration.values',
      `the logits of calibration row ${row}, or of it smoothed, are not finite`,
    );
  });
}

/**
 * @param unstable of all calibration rows
 * @param halfA rows that shape the score
 *
 * Refuses with `calibration.constant`.
 */
export function fitPerturbation(
  settings: ProbeSettings,
  kind: SqueezeKind,
  unstable: Float64Array,
  halfA: Uint32Array,
): PerturbationPolicy {
  const stability = Float64Array.from(halfA, (row) => -(unstable[row] as number)).sort();
  if (!((stability[stability.length >> 1] as number) > (stability[0] as number))) {
    throw refuseCalibration(
      'calibration.constant',
      `smoothing changes the answers to half of ${stability.length} calibration rows most, ` +
        `all by ${-(stability[0] ?? 0)}`,
    );
  }
  const { when, riskP, sampleEvery, probesPerMinute } = settings;
  return { kind, when, riskP, sampleEvery, probesPerMinute, stability };
}
