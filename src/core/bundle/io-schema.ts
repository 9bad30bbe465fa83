/** The input and output schema of a model, as the signed metadata states it. */
import type { DType } from '../numeric/tensor.ts';

/** A named dynamic dimension, bounded; a fixed one is a plain number. */
export interface DynamicDim {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

export type Dim = number | DynamicDim;

/** Closed interval of allowed values; one pair for the tensor, or one per channel. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

export interface InputSchema {
  readonly name: string;
  readonly dtype: DType;
  /** The first dimension is the batch when it is dynamic. */
  readonly dims: readonly Dim[];
  /** For example `NCHW`; names the axes so that a range can be per channel (axis `C`). */
  readonly layout?: string;
  readonly range?: ValueRange;
  /** One entry per channel; needs a layout with a `C` axis. */
  readonly channelRanges?: readonly ValueRange[];
  /** How values of another dtype become the model's: value * scale + offset. */
  readonly convert?: { readonly scale: number; readonly offset: number };
}

export type OutputRole = 'scores' | 'features' | 'other';

export interface OutputSchema {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  readonly role: OutputRole;
  /** What the entries of the last axis mean; only for `scores`. */
  readonly labels?: readonly string[];
  readonly range?: ValueRange;
  /** The entries of the last axis are probabilities: each in [0, 1], summing to 1. */
  readonly probabilities?: boolean;
}

export interface IoSchema {
  readonly inputs: readonly InputSchema[];
  readonly outputs: readonly OutputSchema[];
}
