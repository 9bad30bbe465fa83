/** The model on the maker's machine with its guard beside it: recorded rows in, scored rows out. */
import { equalBytes, toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { ValueRange } from '../../core/bundle/io-schema.ts';
import { type RowScorer, rowScorer, type ScoredRow } from '../../core/calibration/scored-rows.ts';
import { type InputLayout, inputLayout } from '../../core/guard/input-layout.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import { type GuardSettings, parseGuardSettings } from '../../core/guard/settings.ts';
import { referenceKernels } from '../../core/numeric/reference.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';
import type { Frames } from './frames.ts';
import type { MakerModel } from './maker-model.ts';

/** Told how far a stage of the work is, for a progress bar. */
export type OnProgress = (stage: string, done: number, total: number) => void;

/**
 * Which rows are inferred once more for the tripwire: all, as the promise is made for; or those on
 * which a device would do it for sure, where it can still change what the guard says.
 */
export type Probing = 'all' | 'at-risk';

export interface EvaluationBench {
  readonly maker: MakerModel;
  readonly policy: GuardPolicy;
  /** As the metadata states them; they are not part of the policy. */
  readonly settings: GuardSettings;
  /** Absent where rows of the input are of no kind that the guard knows. */
  readonly layout: InputLayout | undefined;
  /** Refuses with `inference.*` where the model itself fails. */
  score(frame: NamedTensors, probing: Probing): Promise<ScoredRow>;
  scoreAll(
    stage: string,
    frames: Frames,
    probing: Probing,
    onProgress: OnProgress | undefined,
  ): Promise<readonly ScoredRow[]>;
}

/** Refuses with `maker.policy`, `maker.input`, `field.*`. */
export function evaluationBench(maker: MakerModel, policy: GuardPolicy): EvaluationBench {
  const { io } = maker;
  needOwnPolicy(maker, policy);
  const [input, ...others] = io.inputs;
  if (input === undefined || others.length > 0) {
    throw refuseMaker('maker.input', 'evaluation takes models with one input');
  }
  const settings = need(parseGuardSettings(maker.maker.guard));
  const scorer = rowScorer({ schema: io, settings, policy, kernels: referenceKernels });
  const score = (frame: NamedTensors, probing: Probing): Promise<ScoredRow> =>
    scoreFrame(maker, scorer, frame, probing);
  return {
    ...{ maker, policy, settings, score },
    layout: inputLayout(input),
    async scoreAll(stage, frames, probing, onProgress) {
      const rows: ScoredRow[] = [];
      for (let row = 0; row < frames.count; row++) {
        rows.push(await score(frames.frame(row), probing));
        onProgress?.(stage, row + 1, frames.count);
      }
      return rows;
    },
  };
}

function needOwnPolicy({ model, io }: MakerModel, { modelSha256, outputs }: GuardPolicy): void {
  if (!equalBytes(modelSha256, model.sha256)) {
    throw refuseMaker(
      'maker.policy',
      `the policy is of model ${toHex(modelSha256)}, this one is ${toHex(model.sha256)}`,
    );
  }
  const names = io.outputs.map(({ name }) => name);
  const missing = [outputs.scores, outputs.features].find((name) => name && !names.includes(name));
  if (missing !== undefined) {
    throw refuseMaker('maker.policy', `the policy reads an output "${missing}"`);
  }
}

async function scoreFrame(
  { engine }: MakerModel,
  scorer: RowScorer,
  frame: NamedTensors,
  probing: Probing,
): Promise<ScoredRow> {
  const admitted = scorer.admit(frame);
  if (!admitted.runs) return scorer.score(admitted, undefined);
  const row = scorer.score(admitted, { ok: true, value: need(await engine.run(frame)) });
  const wanted = probing === 'all' || (row.atRisk && row.alarms.length === 0);
  const probe = wanted ? scorer.probe(frame) : undefined;
  return probe === undefined ? row : scorer.scoreProbed(row, await engine.run(probe));
}

/** At most `rows` of a set, evenly spaced, so that a set in the order of its classes keeps them all. */
export function thinned({ count, frame }: Frames, rows: number): Frames {
  if (count <= rows) return { count, frame };
  return { count: rows, frame: (row) => frame(Math.floor((row * count) / rows)) };
}

/** Rows of an input as plain numbers, to make others from. */
export interface PlainInput {
  readonly name: string;
  readonly dims: readonly number[];
  /** What the metadata states, or else what the rows have. */
  readonly range: ValueRange;
  readonly stated: boolean;
  values(row: number): Float32Array;
  frame(values: Float32Array): NamedTensors;
}

/** `undefined` where rows are not float32, not finite, or all of one value: nothing can be made. */
export function plainInput({ io }: MakerModel, frames: Frames): PlainInput | undefined {
  const [input] = io.inputs;
  if (input === undefined || frames.count === 0) return undefined;
  const { name, dtype } = input;
  const tensorOf = (row: number) => frames.frame(row).get(name);
  const dims = tensorOf(0)?.dims;
  if (dtype !== 'float32' || dims === undefined) return undefined;
  const values = (row: number): Float32Array =>
    Float32Array.from(tensorOf(row)?.data as Float32Array);
  const range = input.range ?? rangeOf(frames.count, values);
  if (!(range.max > range.min && range.max - range.min < Infinity)) return undefined;
  const stated = input.range !== undefined;
  const frame = (data: Float32Array): NamedTensors => new Map([[name, { dtype, dims, data }]]);
  return { name, dims, range, stated, values, frame };
}

function rangeOf(count: number, values: (row: number) => Float32Array): ValueRange {
  let [min, max] = [Infinity, -Infinity];
  for (let row = 0; row < count; row++) {
    for (const value of values(row)) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return { min, max };
}
