/**
 * Finds the input of a classifier's last linear layer and makes it an output of the model, so that
 * the guard can see it without anybody training or exporting the model again.
 */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, attemptAsync, need, type Result } from '../../core/base/fault.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { appendOutput } from '../../core/onnx/append-output.ts';
import { type LinearHead, linearHead } from '../../core/onnx/linear-head.ts';
import type { Engine } from '../../host/inference/engine.ts';
import { refuseMaker } from './faults.ts';
import type { Frames } from './frames.ts';
import { type MakerModel, openMakerModel } from './maker-model.ts';
import { randomFrames } from './random-frames.ts';

export interface FeaturesPlan {
  /** The output with the class scores; `logits`, or the one that has a last linear layer. */
  readonly scores?: string | undefined;
  /** What the output is expected to be called. ONNX calls it as its tensor: this is a check only. */
  readonly name?: string | undefined;
  /** Opens recorded inputs; seeded random ones in the declared shapes without it. */
  readonly samples?: ((ports: readonly InputSchema[]) => Frames | Promise<Frames>) | undefined;
  /** Told of every frame that ran through both models, for a progress bar. */
  readonly onFrame?: ((frame: number, frames: number) => void) | undefined;
}

export interface FeaturesOutput {
  /** The model with the output; what was given where it had it already. */
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly scores: string;
  readonly head: LinearHead;
  /** How it was proven that the earlier outputs stayed; absent where nothing was added. */
  readonly proof?: Proof;
}

export interface Proof {
  readonly frames: number;
  /** Numbers of the earlier outputs, compared bit by bit. */
  readonly numbers: number;
  readonly recorded: boolean;
}

/**
 * Faults: `maker.no-features` (with the reason), `maker.output`, `maker.input`,
 * `maker.outputs-changed`, `onnx.*`, `inference.*`.
 */
export function addFeatures(
  model: Uint8Array,
  plan: FeaturesPlan = {},
): Promise<Result<FeaturesOutput>> {
  return attemptAsync(async () => {
    const before = need(await openMakerModel(model));
    try {
      const { scores, head } = findHead(before, plan.scores);
      const name = head.featuresTensor;
      if (plan.name !== undefined && plan.name !== name) {
        const why = `an output carries the name of its tensor, which is "${name}"`;
        throw refuseMaker('maker.output', `the features cannot be called "${plan.name}": ${why}`);
      }
      const bytes = need(appendOutput(model, name));
      if (bytes === model) return { bytes, name, scores, head };
      const after = need(await openMakerModel(bytes));
      try {
        const frames = (await plan.samples?.(before.io.inputs)) ?? randomFrames(before.io.inputs);
        const numbers = await proveUnchanged(before.engine, after.engine, frames, {
          ...{ name, width: head.features, onFrame: plan.onFrame },
        });
        const recorded = plan.samples !== undefined;
        return { bytes, name, scores, head, proof: { frames: frames.count, numbers, recorded } };
      } finally {
        await after.engine.close();
      }
    } finally {
      await before.engine.close();
    }
  });
}

type Runs = Pick<Engine, 'run'>;

/**
 * Runs every frame through both models and gives how many numbers were compared. Refuses with
 * `maker.outputs-changed` where a bit of an earlier output differs, and with `maker.no-features`
 * where the new one is not a row of `width` float32 values.
 */
export async function proveUnchanged(
  before: Runs,
  after: Runs,
  frames: Frames,
  added: {
    readonly name: string;
    readonly width: number;
    readonly onFrame?: FeaturesPlan['onFrame'];
  },
): Promise<number> {
  if (frames.count === 0) throw refuseMaker('maker.input', 'the samples hold no rows');
  let numbers = 0;
  for (let index = 0; index < frames.count; index++) {
    const frame = frames.frame(index);
    const old = need(await before.run(frame));
    const now = need(await after.run(frame));
    for (const [name, tensor] of old) {
      const same = now.get(name);
      if (same === undefined || !sameBits(tensor, same)) {
        throw refuseMaker('maker.outputs-changed', `frame ${index}: the output ${name} differs`);
      }
      numbers += tensor.data.length;
    }
    const { dtype, dims } = now.get(added.name) ?? { dtype: 'none', dims: [] };
    if (dtype !== 'float32' || dims.length !== 2 || dims[1] !== added.width) {
      const seen = `${dtype} of [${dims.join(', ')}]`;
      throw refuseMaker('maker.no-features', `${added.name} is ${seen}, not rows of features`);
    }
    added.onFrame?.(index, frames.count);
  }
  return numbers;
}

/** Type, dimensions and every bit of the data. */
export function sameBits(a: Tensor, b: Tensor): boolean {
  if (a.dtype !== b.dtype || a.dims.join() !== b.dims.join()) return false;
  if (ArrayBuffer.isView(a.data) && ArrayBuffer.isView(b.data)) {
    return equalBytes(bytesOf(a.data), bytesOf(b.data));
  }
  return JSON.stringify(a.data) === JSON.stringify(b.data);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

interface FoundHead {
  readonly scores: string;
  readonly head: LinearHead;
}

function findHead(maker: MakerModel, stated: string | undefined): FoundHead {
  const outputs = maker.graph.outputs.map(({ name }) => name);
  const asked = stated ?? (outputs.includes('logits') ? 'logits' : undefined);
  const found: FoundHead[] = [];
  const reasons: string[] = [];
  for (const scores of asked === undefined ? outputs : [asked]) {
    const head = classifierHead(maker, scores);
    if (head.ok) found.push({ scores, head: head.value });
    else if (head.fault.code === 'onnx.no-output') need(head);
    else reasons.push(`${scores}: ${head.fault.message}`);
  }
  const [first, ...others] = found;
  if (first === undefined) throw refuseMaker('maker.no-features', reasons.join('; '));
  if (others.length > 0) {
    const names = found.map(({ scores }) => scores).join(', ');
    throw refuseMaker('maker.output', `${names} have a last linear layer each: name the scores`);
  }
  return first;
}

function classifierHead(maker: MakerModel, scores: string): Result<LinearHead> {
  return attempt(() => {
    const { graph, io } = maker;
    const head = need(linearHead(graph, scores));
    if (io.inputs.some((input) => rowSize(input) === head.classes)) {
      const what = 'a reconstruction, not class scores';
      throw refuseMaker('maker.no-features', `it has as many values as the input: ${what}`);
    }
    if (!graph.nodes.some(({ outputs }) => outputs.includes(head.featuresTensor))) {
      const what = `the last linear layer takes ${head.featuresTensor} itself`;
      throw refuseMaker('maker.no-features', `${what}: nothing is computed before it`);
    }
    return head;
  });
}

/** Values in one row of an input; `NaN` where a size is open. */
function rowSize({ dims }: InputSchema): number {
  const sizes = dims.slice(1).map((dim) => (typeof dim === 'number' ? dim : Number.NaN));
  return sizes.reduce((product, size) => product * size, 1);
}
