/** A stream that stops in the middle is given up; one that comes is passed on, however slowly it is used. */
import { describe, expect, it } from 'vitest';
import { paced } from '../../../src/apps/cli/paced-stream.ts';
import { attemptAsync } from '../../../src/core/base/fault.ts';
import { STREAM_BYTES_PER_S_MIN } from '../../../src/core/base/limits.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';

const never = new Promise<never>(() => {});

async function* stopping(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
  await never;
}

const collect = (chunks: AsyncIterable<Uint8Array>, graceMs: number) =>
  attemptAsync(async () => {
    const sizes: number[] = [];
    for await (const chunk of paced(chunks, graceMs)) sizes.push(chunk.length);
    return sizes;
  });

describe('paced', () => {
  it('gives what comes, to its end', async () => {
    async function* whole() {
      yield new Uint8Array(3);
      yield new Uint8Array(5);
    }
    expect(accepted(await collect(whole(), 60_000))).toEqual([3, 5]);
  });

  it('gives up a sender who stops, at once or in the middle', async () => {
    expect(faultIn(await collect(stopping([]), 1))).toMatchObject({
      code: 'cli.stalled',
      message: 'nothing follows 0 bytes',
    });
    const chunk = new Uint8Array(STREAM_BYTES_PER_S_MIN / 64);
    expect(faultIn(await collect(stopping([chunk, chunk]), 1))).toMatchObject({
      message: `nothing follows ${2 * chunk.length} bytes`,
    });
  });
});
