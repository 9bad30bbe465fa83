/**
 * What a caller is told (guard 7): no features, the first classes only, rounded. Exact scores of all
 * classes are what a copy of the model is trained on. Declared sensors and the device's own program
 * get the outputs as they are.
 */
import type { Fields } from '../base/fields.ts';
import { CLASSES_MAX } from '../base/limits.ts';
import type { IoSchema } from '../bundle/io-schema.ts';
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';

export interface DisclosureSettings {
  /** Classes whose scores are told; 0 tells all. */
  readonly topK: number;
  /** Decimal places of scores; 17 tells them whole. */
  readonly decimals: number;
  readonly features: boolean;
}

export const DEFAULT_DISCLOSURE: DisclosureSettings = { topK: 0, decimals: 17, features: false };

const DECIMALS_WHOLE = 17;

/** Reads the map `disclosure`; refuses with `field.*`. */
export function readDisclosure(fields: Fields): DisclosureSettings {
  const { topK, decimals, features } = DEFAULT_DISCLOSURE;
  const settings = {
    topK: fields.optional('topK', (name) => fields.integer(name, 0, CLASSES_MAX)) ?? topK,
    decimals:
      fields.optional('decimals', (name) => fields.integer(name, 0, DECIMALS_WHOLE)) ?? decimals,
    features: fields.optional('features', (name) => fields.boolean(name)) ?? features,
  };
  fields.done();
  return settings;
}

/**
 * The outputs for a caller, in tensors of their own. A score that is not told becomes 0 among
 * probabilities, and one less than the smallest that is told among raw scores: the first class stays
 * the first, and nothing is learnt of the others.
 */
export function minimised(
  outputs: NamedTensors,
  schema: IoSchema,
  settings: DisclosureSettings,
): NamedTensors {
  const told = new Map<string, Tensor>();
  for (const { name, role, probabilities } of schema.outputs) {
    const tensor = outputs.get(name);
    if (tensor === undefined || (role === 'features' && !settings.features)) continue;
    told.set(name, role === 'scores' ? coarse(tensor, settings, probabilities === true) : tensor);
  }
  return told;
}

function coarse(
  tensor: Tensor,
  { topK, decimals }: DisclosureSettings,
  probabilities: boolean,
): Tensor {
  const { data, dims } = tensor;
  // Scores of whole numbers are as coarse as they can be.
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return tensor;
  const scores = data.slice();
  const width = dims.at(-1) ?? scores.length;
  if (topK > 0 && topK < width) {
    for (let start = 0; start < scores.length; start += width) {
      const row = scores.subarray(start, start + width);
      const least = row.toSorted()[width - topK] as number;
      const untold = probabilities ? 0 : least - 1;
      for (let i = 0; i < width; i++) if ((row[i] as number) < least) row[i] = untold;
    }
  }
  if (decimals < DECIMALS_WHOLE) {
    const unit = 10 ** decimals;
    for (let i = 0; i < scores.length; i++) {
      scores[i] = Math.round((scores[i] as number) * unit) / unit;
    }
  }
  return { ...tensor, data: scores } as Tensor;
}
