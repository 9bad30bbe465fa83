/** Calibration as a maker does it: run the model over recorded inputs, fit its guard on the outputs. */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { fitGuardPolicy, promiseRank } from '../../core/calibration/fit.ts';
import type { RecordedOutputs } from '../../core/calibration/rows.ts';
import type { Finding } from '../../core/guard/findings.ts';
import { checkInput } from '../../core/guard/input-contract.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { type LinearHead, linearHead } from '../../core/onnx/linear-head.ts';
import { refuseMaker } from './faults.ts';
import { framesOf } from './frames.ts';
import type { MakerModel } from './maker-model.ts';

/** Recorded inputs, rows along the first axis, and the digest of the file they came from. */
export interface RecordedInputs {
  readonly tensor: Tensor;
  readonly sha256: Uint8Array;
}

export interface CalibrationPlan {
  readonly fit: RecordedInputs;
  /** Class index of every fit row; the model's own answers without them. */
  readonly labels?: Tensor | undefined;
  readonly calibration: RecordedInputs;
  readonly falseAlarms: number;
  readonly confidence: number;
  /** Outputs with the raw class scores and with the features; reduced detection without the latter. */
  readonly scores: string;
  readonly features: string;
  /** Told of every row that ran, for a progress bar. */
  readonly onRow?: ((set: 'fit' | 'calibration', row: number, rows: number) => void) | undefined;
  /** Told what is worth knowing: reduced detection, an estimated last layer. */
  readonly onNote?: ((line: string) => void) | undefined;
}

interface OutputNames {
  readonly scores: string;
  readonly features?: string;
}

/** Faults: `calibration.*`, `inference.*`, `maker.*`, `tensor.*`. */
export function calibrateModel(
  maker: MakerModel,
  plan: CalibrationPlan,
): Promise<Result<GuardPolicy>> {
  return attemptAsync(async () => {
    const outputs = outputNames(maker, plan);
    const head = headOf(maker, outputs, plan);
    const labels = plan.labels && labelsOf(plan.labels);
    // What can be refused at once is not refused after minutes of work.
    need(promiseRank(plan.calibration.tensor.dims[0] ?? 0, plan.falseAlarms, plan.confidence));
    const fit = await record('fit', maker, plan, outputs);
    if (labels !== undefined) tellAgreement(fit, labels, plan);
    const calibration = await record('calibration', maker, plan, outputs);
    return need(
      fitGuardPolicy({
        modelSha256: maker.model.sha256,
        outputs,
        fit,
        ...(labels === undefined ? {} : { labels }),
        calibration,
        ...(head === undefined ? {} : { head }),
        falseAlarms: plan.falseAlarms,
        confidence: plan.confidence,
      }),
    );
  });
}

/** Runs every row alone, as a device does: what is fitted is bit by bit what will be judged. */
async function record(
  set: 'fit' | 'calibration',
  { engine, io }: MakerModel,
  plan: CalibrationPlan,
  outputs: OutputNames,
): Promise<RecordedOutputs> {
  const [input, ...others] = io.inputs;
  if (input === undefined || others.length > 0) {
    throw refuseMaker('maker.input', 'calibration takes models with one input');
  }
  const frames = framesOf(new Map([[input.name, plan[set].tensor]]), io.inputs);
  const logits: Float32Array[] = [];
  const features: Float32Array[] = [];
  for (let row = 0; row < frames.count; row++) {
    const frame = frames.frame(row);
    refuseBroken(`${set} row ${row}`, checkInput(io, frame).findings);
    const ran = need(await engine.run(frame));
    logits.push(floats(ran.get(outputs.scores), outputs.scores));
    if (outputs.features !== undefined) {
      features.push(floats(ran.get(outputs.features), outputs.features));
    }
    plan.onRow?.(set, row, frames.count);
  }
  return {
    logits: joined(logits),
    ...(outputs.features === undefined ? {} : { features: joined(features) }),
    sha256: plan[set].sha256,
  };
}

/** Labels of another data set fit something all the same; a person must see it. */
function tellAgreement(
  fit: RecordedOutputs,
  labels: Int32Array,
  { onNote }: CalibrationPlan,
): void {
  const { width, data } = fit.logits;
  const rows = Math.min(labels.length, data.length / width);
  let agreed = 0;
  for (let row = 0; row < rows; row++) {
    const scores = data.subarray(row * width, (row + 1) * width);
    if (scores.indexOf(Math.max(...scores)) === labels[row]) agreed++;
  }
  if (agreed >= rows / 2) return;
  onNote?.(`the labels agree with the model on ${agreed} of ${rows} rows only: are they its own?`);
}

/** A device would not let such a row near the model, so nothing is learnt from it. */
function refuseBroken(where: string, [found]: readonly Finding[]): void {
  if (found === undefined) return;
  throw refuseMaker('maker.row', `${where}: ${found.code}: ${found.detail}`);
}

function outputNames(
  { io }: MakerModel,
  { scores, features, onNote }: CalibrationPlan,
): OutputNames {
  const names = io.outputs.map(({ name }) => name);
  if (!names.includes(scores)) {
    throw refuseMaker(
      'maker.output',
      `there is no output ${scores}; there are ${names.join(', ')}`,
    );
  }
  if (names.includes(features)) return { scores, features };
  onNote?.(`the model has no output ${features}: detection is REDUCED to its scores`);
  return { scores };
}

function headOf(
  { graph }: MakerModel,
  { scores, features }: OutputNames,
  { onNote }: CalibrationPlan,
): LinearHead | undefined {
  const head = linearHead(graph, scores);
  if (head.ok && head.value.activated) {
    throw refuseMaker(
      'maker.output',
      `the output ${scores} is a softmax or sigmoid, not raw scores`,
    );
  }
  if (features === undefined) return undefined;
  if (head.ok) return head.value;
  onNote?.(`${head.fault.message}: W and b are estimated from the recorded outputs instead`);
  return undefined;
}

function labelsOf({ dtype, data, dims }: Tensor): Int32Array {
  if (dims.length !== 1 || !/^u?int/.test(dtype)) {
    throw refuseMaker('maker.labels', `the labels are ${dtype} of shape [${dims.join(', ')}]`);
  }
  const labels = Array.from(data as ArrayLike<number | bigint>, Number);
  const narrow = Int32Array.from(labels);
  const at = labels.findIndex((label, row) => label !== narrow[row]);
  if (at >= 0) throw refuseMaker('maker.labels', `the label of row ${at} is ${labels[at]}`);
  return narrow;
}

function floats(tensor: Tensor | undefined, name: string): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw refuseMaker('maker.output', `the output ${name} is not float32`);
}

function joined(rows: readonly Float32Array[]): { width: number; data: Float32Array } {
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(width * rows.length);
  for (const [index, row] of rows.entries()) data.set(row.subarray(0, width), index * width);
  return { width, data };
}
