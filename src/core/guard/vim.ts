/**
 * ViM (Wang et al. 2022, "Out-of-distribution with virtual-logit matching"): the part of the
 * features outside the fit set's principal subspace, as a logit of its own against all others.
 */
import type { Fields } from '../base/fields.ts';
import { FEATURES_MAX, VIM_COMPONENTS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { doublesToBytes, readDoubles } from './doubles.ts';
import { dotRow, readDirections } from './pca.ts';

export interface VimPolicy {
  /** `d`; the features as they are, neither normalised nor projected. */
  readonly features: number;
  /** `D`, below `d`: how many principal directions the residual leaves out. */
  readonly components: number;
  /** `u = -W^+ b` of the last layer, the features at which all logits are 0; `d` values. */
  readonly origin: Float64Array;
  /** Principal directions of `f - u` on the fit set, `D x d`, orthonormal rows. */
  readonly directions: Float64Array;
  /** Mean largest logit over mean residual on the fit set; positive. */
  readonly alpha: number;
}

let scratch = new Float64Array(0);

/**
 * `ln sum of e^z - alpha |r|`, `r` the residual of `f - u`: the paper's energy form, higher = more
 * usual. `-Infinity` for features of another number, no logits, or what is not finite. Not
 * re-entrant; allocates nothing after its first call.
 */
export function vimScore(policy: VimPolicy, logits: Float32Array, features: Float32Array): number {
  const score = energy(logits) - policy.alpha * residual(policy, features);
  return Number.isFinite(score) ? score : -Infinity;
}

/** `|r|`, NaN for features of another number. */
export function residual(
  { features: d, components, origin, directions }: Omit<VimPolicy, 'alpha'>,
  features: Float32Array,
): number {
  if (features.length !== d) return NaN;
  if (scratch.length !== d) scratch = new Float64Array(d);
  const fromOrigin = scratch;
  let squared = 0;
  for (let i = 0; i < d; i++) {
    const difference = (features[i] as number) - (origin[i] as number);
    fromOrigin[i] = difference;
    squared += difference * difference;
  }
  for (let j = 0; j < components; j++) squared -= dotRow(directions, j * d, fromOrigin) ** 2;
  // Inside the subspace rounding may leave less than nothing; NaN passes through.
  return Math.sqrt(squared < 0 ? 0 : squared);
}

export function vimMap(policy: VimPolicy): CborMap {
  return cborMap(
    ['features', policy.features],
    ['components', policy.components],
    ['origin', doublesToBytes(policy.origin)],
    ['directions', doublesToBytes(policy.directions)],
    ['alpha', policy.alpha],
  );
}

/** Faults: `policy.length`, `policy.values`, `field.*`. */
export function readVim(fields: Fields): VimPolicy {
  const features = fields.integer('features', 2, FEATURES_MAX);
  const componentsMax = Math.min(features - 1, VIM_COMPONENTS_MAX);
  const components = fields.integer('components', 1, componentsMax);
  const origin = readDoubles(fields, 'origin', features);
  const directions = readDirections(fields, components, features);
  // Zero or less would not see the residual, or take a large one for usual.
  const alpha = fields.number('alpha', Number.MIN_VALUE);
  fields.done();
  return { features, components, origin, directions, alpha };
}

function energy(logits: Float32Array): number {
  let max = -Infinity;
  for (let j = 0; j < logits.length; j++) max = Math.max(max, logits[j] as number);
  let sum = 0;
  for (let j = 0; j < logits.length; j++) sum += Math.exp((logits[j] as number) - max);
  return max + Math.log(sum);
}
