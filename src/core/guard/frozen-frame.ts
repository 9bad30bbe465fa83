/**
 * A sensor that froze gives the same frame again and again (guard 2). The state is a value: the
 * hash of the last frame and how often it came in a row.
 *
 * Equal frames always hash equally, so a frozen sensor cannot slip through. Two different frames
 * in a row hash equally by chance once in 2^64. The hash is not cryptographic: whoever can choose
 * frames can make two that collide, and thereby only raises a finding against himself, as he could
 * by repeating one frame.
 */
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { type Finding, finding } from './findings.ts';

export interface FrameHash {
  readonly high: number;
  readonly low: number;
}

export interface FrozenState {
  readonly last: FrameHash | undefined;
  /** Frames in a row with this hash. */
  readonly count: number;
}

export const FROZEN_AT_START: FrozenState = { last: undefined, count: 0 };

/**
 * Counts one frame. `sensor.frozen` from the `frames`-th identical frame on: value is the count,
 * threshold is `frames` (at least 2; the caller leaves the check out when the setting is 0).
 */
export function stepFrozen(
  state: FrozenState,
  hash: FrameHash,
  frames: number,
): { readonly state: FrozenState; readonly findings: readonly Finding[] } {
  const same = state.last?.high === hash.high && state.last.low === hash.low;
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
  return { state: { last: hash, count }, findings };
}

/**
 * 64 bits over the dimensions and all data bytes of the named tensors, in the order of `names`.
 * Two lanes of 32 bits, mixed word by word as in MurmurHash3 x86 (Austin Appleby, public domain).
 */
export function hashFrame(names: readonly string[], inputs: NamedTensors): FrameHash {
  const lanes: Lanes = { a: 0x9e3779b9, b: 0x85ebca6b };
  for (const name of names) {
    const tensor = inputs.get(name);
    if (tensor === undefined) continue;
    mixWords(lanes, Uint32Array.of(tensor.dims.length, ...tensor.dims));
    mixData(lanes, tensor);
  }
  const a = finish(lanes.a + lanes.b);
  const b = finish(lanes.b + a);
  return { high: a, low: b };
}

interface Lanes {
  a: number;
  b: number;
}

function mixData(lanes: Lanes, tensor: Tensor): void {
  if (tensor.dtype === 'string') {
    for (const text of tensor.data as readonly string[]) {
      // The length keeps ["ab", "c"] and ["a", "bc"] apart.
      mixWords(lanes, Uint32Array.of(text.length));
      mixWords(
        lanes,
        Uint32Array.from(text, (char) => char.codePointAt(0) as number),
      );
    }
    return;
  }
  const data = tensor.data as Exclude<Tensor['data'], readonly string[]>;
  const aligned = data.byteOffset % 4 === 0 ? data : data.slice();
  const whole = aligned.byteLength >>> 2;
  mixWords(lanes, new Uint32Array(aligned.buffer, aligned.byteOffset, whole));
  const rest = new Uint8Array(aligned.buffer, aligned.byteOffset + 4 * whole, data.byteLength % 4);
  if (rest.length > 0) mixWords(lanes, Uint32Array.from(rest));
}

/** Both lanes take every word; the rotations carry high bits down, where a product alone would not. */
function mixWords(lanes: Lanes, words: Uint32Array): void {
  let a = lanes.a | 0;
  let b = lanes.b | 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    a ^= k;
    a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    b ^= Math.imul(word ^ a, 0x2545f491);
    b = (Math.imul((b << 17) | (b >>> 15), 9) + a) | 0;
  }
  lanes.a = a;
  lanes.b = b;
}

/** The final mix of MurmurHash3: every input bit reaches every output bit. */
function finish(lane: number): number {
  let h = lane | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
