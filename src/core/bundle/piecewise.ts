/**
 * How a walk over a bundle gets its bytes. The walk says which piece it needs and which one comes
 * after it; who drives it reads: one piece at a time, or the next one while this one is hashed.
 */
import { refuseBundle } from './faults.ts';
import type { AheadSource, ByteSource } from './source.ts';

export interface Piece {
  readonly offset: number;
  /** To be filled whole. */
  readonly into: Uint8Array;
}

/** What a walk needs before it goes on; `next`, where it knows, is what it will need after that. */
export interface Wanted extends Piece {
  readonly next?: Piece | undefined;
}

export type Walk<T> = Generator<Wanted, T, void>;

/** Reads each piece when it is needed. Refuses with `bundle.truncated` and what `source` refuses. */
export function walkNow<T>(walk: Walk<T>, source: ByteSource): T {
  for (let step = walk.next(); ; step = walk.next()) {
    if (step.done) return step.value;
    fill(source, step.value.offset, step.value.into);
  }
}

/**
 * Reads the next piece while the walk works on this one, which hides a medium's time behind the
 * hashing or the other way round. Refuses as `walkNow`; when it is back, nothing is being read.
 */
export async function walkAhead<T>(walk: Walk<T>, source: AheadSource): Promise<T> {
  let begun: (Piece & { readonly count: Promise<number> }) | undefined;
  const begin = ({ offset, into }: Piece): NonNullable<typeof begun> => {
    return { offset, into, count: source.readAhead(offset, into) };
  };
  try {
    for (let step = walk.next(); ; step = walk.next()) {
      if (step.done) return step.value;
      const { offset, into, next } = step.value;
      const reading = begun?.into === into && begun.offset === offset ? begun : begin(step.value);
      const count = checked(await reading.count, into.length, offset);
      begun = next && begin(next);
      fill(source, offset + count, into.subarray(count));
    }
  } finally {
    await begun?.count.catch(() => 'the walk ended before it');
  }
}

/** Fills `into`; refuses with `bundle.truncated` where `source` ends before. */
export function fill(source: ByteSource, offset: number, into: Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const at = offset + done;
    done += checked(source.read(at, into.subarray(done)), into.length - done, at);
  }
}

/** A source that claims more than was asked for, or no number, has not filled anything. */
function checked(count: number, asked: number, offset: number): number {
  if (count > 0 && count <= asked) return count;
  throw refuseBundle('bundle.truncated', `the file ends at ${offset}`);
}
