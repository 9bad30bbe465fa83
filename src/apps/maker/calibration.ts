/** Calibration as a maker does it: run the model over recorded inputs, fit its guard on the outputs. */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { fitGuardPolicy, promiseRank } from '../../core/calibration/fit.ts';
import type { DriftChoice, RecordedParts } from '../../core/calibration/fit-parts.ts';
import type { RecordedOutputs } from '../../core/calibration/rows.ts';
import type { Finding } from '../../core/guard/findings.ts';
import { checkInput } from '../../core/guard/input-contract.ts';
import { type InputLayout, inputLayout } from '../../core/guard/input-layout.ts';
import { statisticsOf } from '../../core/guard/input-statistics.ts';
import type { FurtherDetector } from '../../core/guard/novelty-detectors.ts';
import type { ProbeSettings } from '../../core/guard/perturbation.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import { smoothedFrame } from '../../core/guard/seen-frame.ts';
import { type SensorCheck, sensorCheck } from '../../core/guard/sensor-faults.ts';
import { parseGuardSettings } from '../../core/guard/settings.ts';
import { type SqueezeKind, squeezeKind } from '../../core/guard/squeeze.ts';
import type { NamedTensors, Tensor } from '../../core/numeric/tensor.ts';
import { type LinearHead, linearHead } from '../../core/onnx/linear-head.ts';
import { refuseMaker } from './faults.ts';
import type { MakerModel } from './maker-model.ts';
import type { RecordedSet } from './recorded-inputs.ts';

/** Recorded inputs, as `openRecorded` opens them. */
export type RecordedInputs = Pick<RecordedSet, 'frames' | 'sha256'>;

export interface CalibrationPlan {
  readonly fit: RecordedInputs;
  /** Class index of every fit row; the model's own answers without them. */
  readonly labels?: Int32Array | undefined;
  readonly calibration: RecordedInputs;
  readonly falseAlarms: number;
  readonly confidence: number;
  /** Outputs with the raw class scores and with the features; reduced detection without the latter. */
  readonly scores: string;
  readonly features: string;
  /** Whether the statistics of inputs are judged too, where the input has a layout; true unless said. */
  readonly inputStatistics?: boolean | undefined;
  /** The tripwire costs one more inference a calibration row, and on the device where it asks. */
  readonly probe?: ProbeSettings | undefined;
  readonly drift?: DriftChoice | undefined;
  /** Beside those of full detection; refused in reduced detection. */
  readonly detectors?: readonly FurtherDetector[] | undefined;
  /** Told of every row that ran, for a progress bar. */
  readonly onRow?: ((set: 'fit' | 'calibration', row: number, rows: number) => void) | undefined;
  /** Told what is worth knowing: reduced detection, an estimated last layer. */
  readonly onNote?: ((line: string) => void) | undefined;
}

interface OutputNames {
  readonly scores: string;
  readonly features?: string;
}

/** Faults: `calibration.*`, `inference.*`, `maker.*`, `tensor.*`, `field.*`. */
export function calibrateModel(
  maker: MakerModel,
  plan: CalibrationPlan,
): Promise<Result<GuardPolicy>> {
  return attemptAsync(async () => {
    const outputs = outputNames(maker, plan);
    const head = headOf(maker, outputs, plan);
    const watched = watchedInput(maker, plan);
    const { labels } = plan;
    // What can be refused at once is not refused after minutes of work.
    need(promiseRank(plan.calibration.frames.count, plan.falseAlarms, plan.confidence));
    const fit = await record('fit', maker, plan, outputs, watched);
    if (labels !== undefined) tellAgreement(fit.outputs, labels, plan);
    const calibration = await record('calibration', maker, plan, outputs, watched);
    return need(
      fitGuardPolicy({
        modelSha256: maker.model.sha256,
        outputs,
        fit: fit.outputs,
        ...(labels === undefined ? {} : { labels }),
        calibration: calibration.outputs,
        ...(head === undefined ? {} : { head }),
        falseAlarms: plan.falseAlarms,
        confidence: plan.confidence,
        ...partsOf(watched, plan, fit, calibration),
        ...(plan.detectors && { detectors: plan.detectors }),
        stopped: calibration.stopped,
      }),
    );
  });
}

/** The one input, with what is measured of it. */
interface WatchedInput {
  readonly name: string;
  /** Absent where its statistics say nothing, or are not asked for. */
  readonly layout: InputLayout | undefined;
  readonly probe: { readonly settings: ProbeSettings; readonly kind: SqueezeKind } | undefined;
  readonly sensors: SensorCheck;
}

function watchedInput({ io, maker }: MakerModel, plan: CalibrationPlan): WatchedInput {
  const [input, ...others] = io.inputs;
  if (input === undefined || others.length > 0) {
    throw refuseMaker('maker.input', 'calibration takes models with one input');
  }
  const layout = inputLayout(input);
  if (layout === undefined && plan.inputStatistics !== false) {
    plan.onNote?.(`the input ${input.name} has no layout: its statistics are not judged`);
  }
  const kind = layout && squeezeKind(layout);
  if (plan.probe !== undefined && kind === undefined) {
    throw refuseMaker('maker.input', `the input ${input.name} is nothing that can be smoothed`);
  }
  const { sensors } = need(parseGuardSettings(maker.guard ?? new Map()));
  return {
    name: input.name,
    layout: plan.inputStatistics === false ? undefined : layout,
    probe: plan.probe && kind && { settings: plan.probe, kind },
    sensors: sensorCheck(io, sensors),
  };
}

function partsOf(
  { name, layout, probe }: WatchedInput,
  { drift }: CalibrationPlan,
  fit: RecordedRun,
  calibration: RecordedRun,
): RecordedParts {
  return {
    ...(layout && {
      input: { name, layout, fit: fit.statistics, calibration: calibration.statistics },
    }),
    ...(probe && { probed: { ...probe, logits: joined(calibration.probed) } }),
    ...(drift && { drift }),
  };
}

interface RecordedRun {
  readonly outputs: RecordedOutputs;
  readonly statistics: readonly (Float64Array | undefined)[];
  /** Logits of the rows, smoothed; of the calibration set only. */
  readonly probed: readonly Float32Array[];
  /** Rows that a sensor check of the device would stop. */
  readonly stopped: ReadonlySet<number>;
}

/** Runs every row alone, as a device does: what is fitted is bit by bit what will be judged. */
async function record(
  set: 'fit' | 'calibration',
  { engine, io }: MakerModel,
  plan: CalibrationPlan,
  outputs: OutputNames,
  { name, layout, probe, sensors }: WatchedInput,
): Promise<RecordedRun> {
  const { frames, sha256 } = plan[set];
  const logits: Float32Array[] = [];
  const features: Float32Array[] = [];
  const statistics: (Float64Array | undefined)[] = [];
  const probed: Float32Array[] = [];
  const stopped = new Set<number>();
  for (let row = 0; row < frames.count; row++) {
    const frame = frames.frame(row);
    const tensor = frame.get(name) as Tensor;
    refuseBroken(`${set} row ${row}`, checkInput(io, frame).findings);
    if (sensors.look(frame).length > 0) stopped.add(row);
    if (layout !== undefined) statistics.push(statisticsOf(layout, tensor));
    const ran = need(await engine.run(frame));
    logits.push(floats(ran.get(outputs.scores), outputs.scores));
    if (outputs.features !== undefined) {
      features.push(floats(ran.get(outputs.features), outputs.features));
    }
    if (probe !== undefined && set === 'calibration') {
      const smoothed = smoothedFrame(io, frame) as NamedTensors;
      const again = need(await engine.run(smoothed));
      probed.push(floats(again.get(outputs.scores), outputs.scores));
    }
    plan.onRow?.(set, row, frames.count);
  }
  const recorded = {
    logits: joined(logits),
    ...(outputs.features === undefined ? {} : { features: joined(features) }),
    sha256,
  };
  return { outputs: recorded, statistics, probed, stopped };
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
  { scores, features, detectors, onNote }: CalibrationPlan,
): OutputNames {
  const names = io.outputs.map(({ name }) => name);
  if (!names.includes(scores)) {
    throw refuseMaker(
      'maker.output',
      `there is no output ${scores}; there are ${names.join(', ')}`,
    );
  }
  if (names.includes(features)) return { scores, features };
  if (detectors !== undefined && detectors.length > 0) {
    throw refuseMaker('maker.output', `${detectors.join(' and ')} need an output ${features}`);
  }
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
