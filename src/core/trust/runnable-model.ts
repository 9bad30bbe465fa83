/**
 * Model bytes that an engine may open. The brand has two makers and no more: a bundle that
 * `verifyBundle` accepted, and the maker's own file on the maker's own machine.
 */
import { sha256 } from '../crypto/digest.ts';

declare const runnable: unique symbol;

export interface RunnableModel {
  /** The very bytes that were hashed; an engine must not read the model from anywhere else. */
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
  readonly [runnable]: true;
}

/** For `verifyBundle` alone. */
export function verifiedModel(bytes: Uint8Array, digest: Uint8Array): RunnableModel {
  return { bytes, sha256: digest } as RunnableModel;
}

/**
 * For calibration and packing on the maker's machine, where the model is not signed yet. Nothing
 * that runs on a device calls it.
 */
export function makersModel(bytes: Uint8Array): RunnableModel {
  return { bytes, sha256: sha256(bytes) } as RunnableModel;
}
