/**
 * A sensor that froze gives the same frame again and again (guard 2). The state is a value: the
 * last frame itself and how often it came in a row. To compare ends at the first difference, which
 * is early in the frames of a sensor that lives; a hash would have to read every frame whole.
 */
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { type Finding, finding } from './findings.ts';

export interface FrozenState {
  /** Nobody writes to it any more. */
  readonly last: NamedTensors | undefined;
  /** Frames in a row that were this one. */
  readonly count: number;
}

export const FROZEN_AT_START: FrozenState = { last: undefined, count: 0 };

/**
 * Counts one frame. `sensor.frozen` from the `frames`-th identical frame on: value is the count,
 * threshold is `frames` (at least 2; the caller leaves the check out when the setting is 0).
 */
export function stepFrozen(
  state: FrozenState,
  frame: NamedTensors,
  frames: number,
): { readonly state: FrozenState; readonly findings: readonly Finding[] } {
  const same = state.last !== undefined && isSameFrame(state.last, frame);
  const count = same ? state.count + 1 : 1;
  const findings =
    count < frames
      ? []
      : [
          finding('sensor.frozen', `the same frame came ${count} times in a row`, {
            value: count,
            threshold: frames,
          }),
        ];
  return { state: { last: frame, count }, findings };
}

/** Whether names, element types, dimensions and every bit of the data agree. */
export function isSameFrame(a: NamedTensors, b: NamedTensors): boolean {
  if (a.size !== b.size) return false;
  for (const [name, tensor] of a) {
    const other = b.get(name);
    if (other === undefined || !isSameTensor(tensor, other)) return false;
  }
  return true;
}

function isSameTensor(a: Tensor, b: Tensor): boolean {
  if (a.dtype !== b.dtype || !sameItems(a.dims, b.dims)) return false;
  const [ours, theirs] = [a.data, b.data];
  if (!ArrayBuffer.isView(ours) || !ArrayBuffer.isView(theirs)) {
    return sameItems(ours as readonly string[], theirs as readonly string[]);
  }
  // Bits, not values: 0 and -0 are two frames. By words where both lie so.
  const step = (ours.byteOffset | theirs.byteOffset | ours.byteLength) % 4 === 0 ? 4 : 1;
  return sameItems(bitsOf(ours, step), bitsOf(theirs, step));
}

function bitsOf(
  { buffer, byteOffset, byteLength }: ArrayBufferView,
  step: 1 | 4,
): ArrayLike<number> {
  return step === 4
    ? new Uint32Array(buffer, byteOffset, byteLength / 4)
    : new Uint8Array(buffer, byteOffset, byteLength);
}

function sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
