/**
 * What the guard sees once the model has answered: the output contract, novelty, and whether one
 * more inference is worth its time. Nothing is decided here.
 */
import type { Fault, Result } from '../base/fault.ts';
import type { MonotonicMs } from '../base/time.ts';
import type { IoSchema } from '../bundle/io-schema.ts';
import type { Kernels } from '../numeric/kernels.ts';
import type { NamedTensors } from '../numeric/tensor.ts';
import { type Finding, finding, quoted } from './findings.ts';
import { inputLayout } from './input-layout.ts';
import { type CheckScore, judgeScore } from './joint.ts';
import { scoreNovelty } from './novelty.ts';
import { checkOutput } from './output-contract.ts';
import {
  type Companion,
  countProbe,
  instability,
  type ProbeState,
  perturbationScore,
  wantsProbe,
} from './perturbation.ts';
import type { GuardPolicy } from './policy.ts';
import type { GuardSettings } from './settings.ts';
import type { NamedSizes } from './shape.ts';
import { type SqueezeKind, squeeze, squeezeKind } from './squeeze.ts';
import { asFloat32 } from './values.ts';

export interface Seen {
  /** Snapshots of what the model gave; absent when it did not run or failed. */
  readonly outputs: NamedTensors | undefined;
  /** The run's fault, where it had one. */
  readonly fault: Fault | undefined;
  /** `output.*`, `novelty.*`, in the order of the checks. */
  readonly findings: readonly Finding[];
  readonly novelty: CheckScore | undefined;
  readonly logits: Float32Array | undefined;
  readonly features: Float32Array | undefined;
  readonly companion: Companion | undefined;
  /** The frame to infer as well, slightly smoothed; its outputs are given to `judge`. */
  readonly probe: NamedTensors | undefined;
  readonly probes: ProbeState | undefined;
}

interface SeeingParts {
  readonly schema: IoSchema;
  readonly settings: GuardSettings;
  readonly kernels: Kernels;
  readonly policy?: GuardPolicy | undefined;
}

/** Looks at what a run gave. `inputs` are asked for only where the frame is probed. */
export function seeOutputs(
  parts: SeeingParts,
  inputs: NamedTensors,
  sizes: NamedSizes,
  ran: Result<NamedTensors> | undefined,
  probes: ProbeState | undefined,
  frame: number,
  nowMs: MonotonicMs,
): Seen {
  const outputs = ran?.ok === true ? ran.value : undefined;
  const fault = ran?.ok === false ? ran.fault : undefined;
  const nothing = { novelty: undefined, logits: undefined, features: undefined };
  const none = { outputs, fault, ...nothing, companion: undefined, probe: undefined, probes };
  if (outputs === undefined) return { ...none, findings: [] };
  const { schema, settings, policy } = parts;
  const contract = checkOutput(schema, outputs, sizes, settings.probabilitySumTolerance);
  if (policy === undefined) return { ...none, findings: contract };
  const judged = checkNovelty(parts, policy, outputs);
  const seen = { ...none, ...judged, findings: [...contract, ...judged.findings] };
  const { perturbation } = policy;
  if (perturbation === undefined || probes === undefined) return seen;
  // Without scores there is nothing to compare with, and a finding that says so.
  if (judged.logits === undefined) return seen;
  const noveltyP = judged.novelty?.p ?? Number.NaN;
  if (!wantsProbe(perturbation, probes, { noveltyP, nowMs, frame })) return seen;
  const probe = smoothedAs(perturbation.kind, schema, inputs);
  if (probe === undefined) {
    const words = `the frame cannot be smoothed by ${perturbation.kind}`;
    return { ...seen, findings: [...seen.findings, finding('perturbation.not-scored', words)] };
  }
  return { ...seen, probe, probes: countProbe(perturbation, probes, nowMs) };
}

function checkNovelty(
  { kernels }: SeeingParts,
  policy: GuardPolicy,
  outputs: NamedTensors,
): Pick<Seen, 'findings' | 'novelty' | 'logits' | 'features' | 'companion'> {
  const { scores, features: name } = policy.outputs;
  const logits = rowOf(outputs, scores);
  if (logits === undefined) {
    const words = `${quoted(scores)} is not there as floating-point numbers`;
    const findings = [finding('novelty.not-scored', words)];
    return {
      ...{ logits, features: undefined, novelty: undefined, companion: undefined },
      findings,
    };
  }
  const features = name === undefined ? undefined : rowOf(outputs, name);
  const { score, companion } = scoreNovelty(policy.novelty, kernels, logits, features);
  const novelty = judgeScore(policy.checks, 'novelty', score);
  return { logits, features, companion, novelty, findings: noveltyFindings(novelty) };
}

function noveltyFindings(judged: CheckScore | undefined): readonly Finding[] {
  if (judged?.alarm !== true) return [];
  return [
    Number.isFinite(judged.score)
      ? alarmFinding('novelty.out-of-distribution', judged)
      : notScored('novelty.not-scored', 'the outputs give no finite score', judged),
  ];
}

/**
 * The finding of a probed frame, if there is one. `probed` is what the smoothed frame gave, or its
 * fault; `undefined` when it did not run, though it was asked for.
 */
export function probeFindings(
  policy: GuardPolicy,
  seen: Seen,
  probed: Result<NamedTensors> | undefined,
): readonly Finding[] {
  const { perturbation, outputs, checks } = policy;
  if (perturbation === undefined || seen.logits === undefined) return [];
  const after = probed?.ok === true ? rowOf(probed.value, outputs.scores) : undefined;
  if (after === undefined) {
    const fault = probed?.ok === false ? `${probed.fault.code}: ${probed.fault.message}` : '';
    const why = fault || (probed === undefined ? 'nothing, as it was not run' : 'no scores');
    return [finding('perturbation.not-scored', `the smoothed frame gave ${why}`)];
  }
  const unstable = instability(seen.logits, after);
  const score = perturbationScore(perturbation, unstable, seen.companion);
  const judged = judgeScore(checks, 'perturbation', score);
  if (judged?.alarm !== true) return [];
  return [
    Number.isFinite(judged.score)
      ? alarmFinding('perturbation.unstable', judged)
      : notScored('perturbation.not-scored', 'the answers cannot be compared', judged),
  ];
}

/** Of a check that shares the promise: value and threshold are on the common scale. */
export function alarmFinding(
  code: 'input.unlike-calibration' | 'novelty.out-of-distribution' | 'perturbation.unstable',
  { usualness, threshold, p }: CheckScore,
  also?: string,
): Finding {
  const words = `the usualness ${usualness.toPrecision(4)} is below ${threshold.toPrecision(4)}`;
  const detail = also === undefined ? words : `${words}; ${also}`;
  return finding(code, detail, { value: usualness, threshold, p });
}

export function notScored(
  code: 'input.not-scored' | 'novelty.not-scored' | 'perturbation.not-scored',
  detail: string,
  { threshold, p }: CheckScore,
): Finding {
  return finding(code, detail, { threshold, p });
}

/**
 * The frame with its first input smoothed; `undefined` where that cannot be. Only models with one
 * input are calibrated, and so only they are probed.
 */
export function smoothedFrame(schema: IoSchema, inputs: NamedTensors): NamedTensors | undefined {
  const [input] = schema.inputs;
  const layout = input && inputLayout(input);
  const tensor = input && inputs.get(input.name);
  if (input === undefined || layout === undefined || tensor === undefined) return undefined;
  const changed = squeeze(tensor, layout);
  return changed && new Map(inputs).set(input.name, changed);
}

/** By the filter that the policy was calibrated with, and by no other. */
function smoothedAs(
  kind: SqueezeKind,
  schema: IoSchema,
  inputs: NamedTensors,
): NamedTensors | undefined {
  const [input] = schema.inputs;
  const layout = input && inputLayout(input);
  const same = layout !== undefined && squeezeKind(layout) === kind;
  return same ? smoothedFrame(schema, inputs) : undefined;
}

function rowOf(outputs: NamedTensors, name: string): Float32Array | undefined {
  const tensor = outputs.get(name);
  return tensor === undefined ? undefined : asFloat32(tensor);
}
