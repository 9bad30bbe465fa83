/**
 * A finding is what a check of the guard saw in one frame: data about the frame, not a failure of
 * Edgeward. `decide` turns findings into a verdict; telemetry reports them as they are.
 */

/** The check families; the signed settings choose an action for each except `mode`. */
export type Check =
  | 'contract'
  | 'sensor'
  | 'input'
  | 'novelty'
  | 'perturbation'
  | 'drift'
  | 'caller'
  | 'output'
  | 'inference'
  | 'mode';

/** Closed, and API: a code is never reworded. Its first word is its check. */
export type FindingCode =
  | 'contract.not-tensors'
  | 'contract.missing-input'
  | 'contract.unknown-input'
  | 'contract.dtype'
  | 'contract.shape'
  | 'contract.batch'
  | 'contract.size'
  | 'contract.payload'
  | 'contract.not-finite'
  | 'contract.range'
  | 'sensor.frozen'
  | 'sensor.stuck-channel'
  | 'sensor.dropout'
  | 'sensor.saturated'
  | 'sensor.dead-lines'
  | 'sensor.replayed'
  | 'sensor.time-backwards'
  | 'input.unlike-calibration'
  | 'input.not-scored'
  | 'novelty.out-of-distribution'
  | 'novelty.not-scored'
  | 'perturbation.unstable'
  | 'perturbation.not-scored'
  | 'drift.novelty'
  | 'drift.input'
  | 'drift.classes'
  | 'caller.rate'
  | 'caller.budget'
  | 'caller.novelty-rate'
  | 'caller.near-duplicates'
  | 'caller.probing'
  | 'caller.quarantined'
  | 'output.missing'
  | 'output.unknown'
  | 'output.dtype'
  | 'output.shape'
  | 'output.labels'
  | 'output.not-finite'
  | 'output.range'
  | 'output.probabilities'
  | 'output.flip-rate'
  | 'output.jump'
  | 'output.confidence'
  | 'inference.failed-deadline'
  | 'inference.failed'
  | 'mode.withholding';

export interface Finding {
  readonly code: FindingCode;
  readonly check: Check;
  /** What was measured, in the unit of `threshold`. */
  readonly value?: number;
  /** What `value` was held against. */
  readonly threshold?: number;
  /** Probability of a value at least this strange among calibration frames, in (0, 1]. */
  readonly p?: number;
  /** What was seen and where, in words. Names from outside are quoted and cut. */
  readonly detail: string;
}

/** What the record needs beside the words; a member that is `undefined` is left out. */
export interface Measured {
  readonly value?: number | undefined;
  readonly threshold?: number | undefined;
  readonly p?: number | undefined;
}

/** Every code with its meaning in one sentence, for documents and reports. */
export const FINDINGS: Readonly<Record<FindingCode, string>> = {
  'contract.not-tensors': 'The frame was no set of named tensors at all.',
  'contract.missing-input': 'The model has an input that the frame does not give.',
  'contract.unknown-input': 'The frame gives inputs that the model does not have.',
  'contract.dtype': 'The element type, or the array that carries it, is not the schema’s.',
  'contract.shape': 'Rank, a fixed, bounded or shared dimension, or the channels disagree.',
  'contract.batch': 'The frame holds more or fewer rows than one judgement covers.',
  'contract.size': 'The data are not as many elements as the dimensions say.',
  'contract.payload': 'The frame is larger than one frame may be.',
  'contract.not-finite': 'A NaN or an infinity is in the data.',
  'contract.range': 'A value lies outside the range of its tensor or channel.',
  'sensor.frozen': 'The same frame came again and again.',
  'sensor.stuck-channel': 'One channel gives one value only.',
  'sensor.dropout': 'A long stretch of the data is one and the same value.',
  'sensor.saturated': 'Too many values stand at an end of the range.',
  'sensor.dead-lines': 'Rows or columns of the image hold one value each.',
  'sensor.replayed': 'The frame came before, within the window of frames that are remembered.',
  'sensor.time-backwards': 'The frame is older than the one before it.',
  'input.unlike-calibration':
    'The statistics of the input are unlike those of the calibration set.',
  'input.not-scored': 'The statistics of the input could not be judged.',
  'novelty.out-of-distribution': 'The model has not seen inputs like this one.',
  'novelty.not-scored': 'The novelty check could not be made on what the model gave.',
  'perturbation.unstable':
    'A slight smoothing of the input changes the answer more than it should.',
  'perturbation.not-scored': 'The perturbation check could not be made.',
  'drift.novelty': 'The frames have become less usual than those of the calibration set.',
  'drift.input': 'The statistics of the inputs have moved away from the calibration set.',
  'drift.classes': 'The classes come more or less often than in the calibration set.',
  'caller.rate': 'The caller asks faster than its rate.',
  'caller.budget': 'The caller has used up the queries of its period.',
  'caller.novelty-rate': 'The caller sends unusual frames far more often than others.',
  'caller.near-duplicates': 'The caller sends frames that differ little and change their label.',
  'caller.probing': 'The distances between the caller’s frames look made, not recorded.',
  'caller.quarantined': 'The caller is shut out for a while.',
  'output.missing': 'The model did not give an output of the schema.',
  'output.unknown': 'The model gave an output that is not in the schema.',
  'output.dtype': 'The element type of an output is not the schema’s.',
  'output.shape': 'The shape or the size of an output is not the schema’s.',
  'output.labels': 'There are more or fewer entries than labels.',
  'output.not-finite': 'A NaN or an infinity is in an output.',
  'output.range': 'A value of an output lies outside its range.',
  'output.probabilities': 'Entries are no probabilities, or do not sum to 1.',
  'output.flip-rate': 'The label changes more often than the signed policy allows.',
  'output.jump': 'A value changed faster than the signed policy allows.',
  'output.confidence': 'The model is less sure than the signed policy demands.',
  'inference.failed-deadline': 'The inference did not end within its deadline.',
  'inference.failed': 'The inference gave no outputs.',
  'mode.withholding': 'The mode of the device does not release model outputs.',
};

export function checkOf(code: FindingCode): Check {
  return code.slice(0, code.indexOf('.')) as Check;
}

export function finding(code: FindingCode, detail: string, measured: Measured = {}): Finding {
  const { value, threshold, p } = measured;
  return {
    code,
    check: checkOf(code),
    ...(value !== undefined && { value }),
    ...(threshold !== undefined && { threshold }),
    ...(p !== undefined && { p }),
    detail,
  };
}

const QUOTED_CHARS_MAX = 64;

/** A name from outside, made fit for a line of text: cut, quoted, control characters escaped. */
export function quoted(name: string): string {
  const cut = name.length > QUOTED_CHARS_MAX ? `${name.slice(0, QUOTED_CHARS_MAX)}...` : name;
  return JSON.stringify(cut);
}
