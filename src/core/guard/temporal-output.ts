/**
 * Plausibility of a model's output in time (guard 8): how often its label changes, how fast its
 * values move, and how sure it is. Limits are the maker's, in the signed settings; all off at 0.
 */
import type { Fields } from '../base/fields.ts';
import { FLIP_WINDOW_MAX } from '../base/limits.ts';
import type { MonotonicMs } from '../base/time.ts';
import type { IoSchema, OutputSchema } from '../bundle/io-schema.ts';
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { type Finding, finding, quoted } from './findings.ts';
import { numbersOf } from './values.ts';

export interface TemporalSettings {
  /** How many frames the flips are counted in; 0 does not count them. */
  readonly flipWindowFrames: number;
  /** Changes of the label within the window that are still plausible. */
  readonly flipsMax: number;
  /** How much any value of an output of another role may change in a second; 0 lets it. */
  readonly changePerSMax: number;
  /** The probability that the first class must have; 0 demands none. */
  readonly confidenceMin: number;
}

export const DEFAULT_TEMPORAL_SETTINGS: TemporalSettings = {
  flipWindowFrames: 0,
  flipsMax: 0,
  changePerSMax: 0,
  confidenceMin: 0,
};

/** Reads the map `temporal`; refuses with `field.*`. */
export function readTemporalSettings(fields: Fields): TemporalSettings {
  const defaults = DEFAULT_TEMPORAL_SETTINGS;
  const count = (name: 'flipWindowFrames' | 'flipsMax'): number =>
    fields.optional(name, () => fields.integer(name, 0, FLIP_WINDOW_MAX)) ?? defaults[name];
  const settings = {
    flipWindowFrames: count('flipWindowFrames'),
    flipsMax: count('flipsMax'),
    changePerSMax:
      fields.optional('changePerSMax', (name) => fields.number(name, 0)) ?? defaults.changePerSMax,
    confidenceMin:
      fields.optional('confidenceMin', (name) => fields.number(name, 0, 1)) ??
      defaults.confidenceMin,
  };
  fields.done();
  return settings;
}

export interface TemporalState {
  /** Labels of the last frames, the oldest first. */
  readonly labels: readonly number[];
  readonly last: { readonly outputs: NamedTensors; readonly atMs: MonotonicMs } | undefined;
}

export const TEMPORAL_AT_START: TemporalState = { labels: [], last: undefined };

/** Looks at outputs that keep the contract; what was not plausible is remembered all the same. */
export function stepTemporal(
  state: TemporalState,
  schema: IoSchema,
  settings: TemporalSettings,
  outputs: NamedTensors,
  nowMs: MonotonicMs,
): { readonly state: TemporalState; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  let { labels, last } = state;
  const scores = schema.outputs.find(({ role }) => role === 'scores');
  const tensor = scores && outputs.get(scores.name);
  if (scores !== undefined && tensor !== undefined) {
    const { label, confidence } = topOf(scores, tensor);
    if (settings.flipWindowFrames > 0 && label >= 0) {
      labels = [...labels, label].slice(-settings.flipWindowFrames - 1);
      findings.push(...flips(labels, settings));
    }
    // No demand is met by any confidence, and by none at all.
    if (settings.confidenceMin > 0 && !(confidence >= settings.confidenceMin)) {
      const words = `the first class has the probability ${confidence.toPrecision(3)}`;
      const measured = { value: confidence, threshold: settings.confidenceMin };
      findings.push(finding('output.confidence', words, measured));
    }
  }
  if (settings.changePerSMax > 0) {
    if (last !== undefined) findings.push(...jumps(schema, settings, last, outputs, nowMs));
    last = { outputs, atMs: nowMs };
  }
  return { state: { labels, last }, findings };
}

/** The class with the highest score and its probability; raw scores go through a softmax. */
export function topOf(
  { probabilities }: Pick<OutputSchema, 'probabilities'>,
  tensor: Tensor,
): { readonly label: number; readonly confidence: number } {
  const numbers = numbersOf(tensor);
  if (numbers === undefined || numbers.length === 0) return { label: -1, confidence: Number.NaN };
  const scores = Float64Array.from(numbers as ArrayLike<number>, Number);
  let label = 0;
  for (let i = 1; i < scores.length; i++) {
    if ((scores[i] as number) > (scores[label] as number)) label = i;
  }
  const top = scores[label] as number;
  if (probabilities === true) return { label, confidence: top };
  let total = 0;
  for (const score of scores) total += Math.exp(score - top);
  return { label, confidence: 1 / total };
}

function flips(labels: readonly number[], { flipWindowFrames, flipsMax }: TemporalSettings) {
  const count = labels.filter((label, i) => i > 0 && label !== labels[i - 1]).length;
  if (count <= flipsMax) return [];
  const words = `the label changed ${count} times in ${flipWindowFrames} frames`;
  return [finding('output.flip-rate', words, { value: count, threshold: flipsMax })];
}

/** Classes jump by nature; what jumps here are the values of regressions and the like. */
function jumps(
  schema: IoSchema,
  { changePerSMax }: TemporalSettings,
  last: NonNullable<TemporalState['last']>,
  outputs: NamedTensors,
  nowMs: MonotonicMs,
): Finding[] {
  const seconds = (nowMs - last.atMs) / 1000;
  if (!(seconds > 0)) return [];
  return schema.outputs.flatMap(({ name, role }) => {
    const [before, after] = [last.outputs.get(name), outputs.get(name)];
    if (role !== 'other' || before === undefined || after === undefined) return [];
    const perS = largestChange(before, after) / seconds;
    if (perS <= changePerSMax) return [];
    const words = `output ${quoted(name)} changed by ${perS.toPrecision(4)} a second`;
    return [finding('output.jump', words, { value: perS, threshold: changePerSMax })];
  });
}

/** 0 for texts and for tensors of other sizes: what cannot be compared has not jumped. */
function largestChange(before: Tensor, after: Tensor): number {
  const [a, b] = [numbersOf(before), numbersOf(after)];
  if (a === undefined || b === undefined || a.length !== b.length) return 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(Number(a[i]) - Number(b[i])));
  }
  return largest;
}
