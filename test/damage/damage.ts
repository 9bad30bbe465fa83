/** Every kind of damage to a specimen, tried and counted. */
import { concatBytes, equalBytes } from '../../src/core/base/bytes.ts';
import type { Result } from '../../src/core/base/fault.ts';
import { seedOf } from '../fuzz/random.ts';
import type { Specimen } from './specimens.ts';

export interface Tally {
  readonly what: string;
  tried: number;
  /** Of those, by the whole verification; the others by the layer that alone judges those bytes. */
  whole: number;
  /** What was done to each specimen that was accepted: none may be. */
  readonly accepted: string[];
  readonly thrown: string[];
  readonly codes: Map<string, number>;
}

/** The three values that stand for all: a neighbour, the top bit, and every bit. */
export const MASKS: readonly number[] = [0x01, 0x80, 0xff];
/** In a short run whole verification takes one of the three values, and every 16th length. */
const LENGTHS_EACH = 16;
const BLOCK = 512;

export interface Extent {
  /** Everything by whole verification; without it what lies behind the signatures mostly is not. */
  readonly long: boolean;
  /** Chooses the value that is verified whole at each offset of a short run. */
  readonly seed: number;
}

export function everyByte(specimen: Specimen, { long, seed }: Extent): Tally {
  const tally = begin(`${specimen.name}, one changed byte`);
  const { bytes } = specimen;
  for (let at = 0; at < bytes.length; at++) {
    const chosen = (seedOf(seed, specimen.name, at) >>> 0) % MASKS.length;
    MASKS.forEach((mask, number) => {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ mask;
      const place = `byte ${at} ^ ${mask}`;
      note(tally, specimen, damaged, at, long || number === chosen, place);
    });
  }
  return tally;
}

export function everyLength(specimen: Specimen, { long }: Extent): Tally {
  const tally = begin(`${specimen.name}, cut short`);
  const { bytes } = specimen;
  for (let length = 0; length < bytes.length; length++) {
    const whole = long || length % LENGTHS_EACH === 0;
    note(tally, specimen, bytes.subarray(0, length), length, whole, `cut at ${length}`);
  }
  return tally;
}

/** Bytes before, behind and at every block between: one, a block, a second copy. */
export function everyGrowth(specimen: Specimen): Tally {
  const tally = begin(`${specimen.name}, grown`);
  const { bytes } = specimen;
  const places = [...bytes.keys(), bytes.length].filter(
    (at) => at % BLOCK === 0 || at === bytes.length,
  );
  const zeros = new Uint8Array(BLOCK);
  for (const piece of [zeros.subarray(1), zeros, zeros.subarray(0, 1), Uint8Array.of(1), bytes]) {
    for (const at of places) {
      const grown = concatBytes(bytes.subarray(0, at), piece, bytes.subarray(at));
      note(tally, specimen, grown, at, true, `${piece.length} bytes at ${at}`);
    }
  }
  return tally;
}

/** Judges changes that were made elsewhere; one that left the bytes as they were does not count. */
export function everyChange(
  specimen: Specimen,
  kind: string,
  changes: Iterable<readonly [what: string, bytes: Uint8Array]>,
): Tally {
  const tally = begin(`${specimen.name}, ${kind}`);
  for (const [what, damaged] of changes) {
    if (!equalBytes(damaged, specimen.bytes)) note(tally, specimen, damaged, 0, true, what);
  }
  return tally;
}

/** `0 accepted, 0 thrown` with the counts, for people. */
export function lineOf({ what, tried, whole, accepted, thrown, codes }: Tally): string {
  const layer = whole === tried ? '' : ` (${whole} by whole verification, the rest by its layer)`;
  const counts = `${accepted.length} accepted, ${thrown.length} thrown`;
  return `${what}: ${tried} tried${layer}, ${counts}, ${codes.size} fault codes`;
}

function begin(what: string): Tally {
  return { what, tried: 0, whole: 0, accepted: [], thrown: [], codes: new Map() };
}

function note(
  tally: Tally,
  specimen: Specimen,
  damaged: Uint8Array,
  at: number,
  whole: boolean,
  place: string,
): void {
  const behind = specimen.behind !== undefined && at >= specimen.behind.from;
  const byLayer = behind && !whole;
  tally.tried++;
  if (!byLayer) tally.whole++;
  try {
    const judge = byLayer ? specimen.behind : specimen;
    const result = judge?.judge(damaged) as Result<unknown>;
    if (result.ok) tally.accepted.push(place);
    else tally.codes.set(result.fault.code, (tally.codes.get(result.fault.code) ?? 0) + 1);
  } catch (thrown) {
    tally.thrown.push(`${place}: ${String(thrown)}`);
  }
}
