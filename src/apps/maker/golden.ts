/**
 * Golden vectors as a maker makes them: a few rows through the real worker, each twice, so that
 * what a device is held against is what the model gives every time.
 */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { GOLDEN_PACKED_BYTES, GOLDEN_VECTORS_MAX } from '../../core/base/limits.ts';
import { encodeGolden, type GoldenVector } from '../../core/bundle/golden-codec.ts';
import { toleranceOf } from '../../core/bundle/golden-tolerance.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import type { NamedTensors, Tensor } from '../../core/numeric/tensor.ts';
import { readGolden } from '../../host/runtime/golden-run.ts';
import { refuseMaker } from './faults.ts';
import { sameBits } from './features.ts';
import type { Frames } from './frames.ts';
import type { MakerModel } from './maker-model.ts';
import { randomFrames } from './random-frames.ts';

export interface GoldenMade {
  /** The payload of role `golden`. */
  readonly bytes: Uint8Array;
  readonly vectors: number;
  /** From recorded rows; else from seeded noise within the declared ranges. */
  readonly recorded: boolean;
}

/**
 * Takes the first rows of `samples`, or seeded noise without it: at most `GOLDEN_VECTORS_MAX`, and
 * fewer where inputs and outputs are large. Faults: `maker.input`, `maker.not-deterministic`,
 * `golden.size`, `golden.values`, `golden.contract`, `inference.*`.
 */
export function makeGolden(
  maker: MakerModel,
  samples?: (ports: readonly InputSchema[]) => Frames | Promise<Frames>,
): Promise<Result<GoldenMade>> {
  return attemptAsync(async () => {
    const { io, model } = maker;
    const frames = (await samples?.(io.inputs)) ?? randomFrames(io.inputs, GOLDEN_VECTORS_MAX);
    if (frames.count === 0) throw refuseMaker('maker.input', 'there are no rows to take');
    const vectors = await record(maker, frames);
    const tolerances = new Map(
      io.outputs.map(({ name }) => [
        name,
        toleranceOf(vectors.map(({ outputs }) => outputs.get(name) as Tensor)),
      ]),
    );
    const bytes = encodeGolden({ modelSha256: model.sha256, tolerances, vectors });
    // A device would refuse what does not read back, so the maker reads it first.
    need(readGolden(bytes, model.sha256, io));
    return { bytes, vectors: vectors.length, recorded: samples !== undefined };
  });
}

async function record({ engine }: MakerModel, frames: Frames): Promise<readonly GoldenVector[]> {
  const vectors: GoldenVector[] = [];
  let sizeBytes = 0;
  for (let row = 0; row < Math.min(frames.count, GOLDEN_VECTORS_MAX); row++) {
    const inputs = frames.frame(row);
    const outputs = need(await engine.run(inputs));
    const again = need(await engine.run(inputs));
    for (const [name, tensor] of outputs) {
      if (sameBits(tensor, again.get(name) as Tensor)) continue;
      throw refuseMaker('maker.not-deterministic', `row ${row}: the output ${name} differs`);
    }
    sizeBytes += sizeOf(inputs) + sizeOf(outputs);
    if (row > 0 && sizeBytes > GOLDEN_PACKED_BYTES) break;
    vectors.push({ inputs, outputs });
  }
  return vectors;
}

function sizeOf(tensors: NamedTensors): number {
  let sizeBytes = 0;
  for (const { data } of tensors.values()) {
    sizeBytes += ArrayBuffer.isView(data) ? data.byteLength : data.join('').length;
  }
  return sizeBytes;
}
