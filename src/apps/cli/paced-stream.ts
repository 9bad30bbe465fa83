/**
 * Bytes that have to arrive at a pace. Who feeds an install holds the lock of the slots, and a device
 * that starts meanwhile waits for it: a sender who stops in the middle must not keep it from starting.
 */
import { STREAM_BYTES_PER_S_MIN, STREAM_GRACE_MS } from '../../core/base/limits.ts';
import { refuseCli } from './faults.ts';

/**
 * The chunks as they come. Only waiting counts, not what is done with them: `graceMs`, and a second
 * for every `STREAM_BYTES_PER_S_MIN` bytes that came. Refuses with `cli.stalled`.
 */
export async function* paced(
  chunks: AsyncIterable<Uint8Array>,
  graceMs: number = STREAM_GRACE_MS,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let bytes = 0;
  let waitedMs = 0;
  for (;;) {
    const leftMs = graceMs + (bytes * 1000) / STREAM_BYTES_PER_S_MIN - waitedMs;
    const startMs = performance.now();
    const next = await within(iterator.next(), leftMs);
    if (next === undefined) throw refuseCli('cli.stalled', `nothing follows ${bytes} bytes`);
    if (next.done === true) return;
    waitedMs += performance.now() - startMs;
    bytes += next.value.length;
    yield next.value;
  }
}

async function within<T>(wanted: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}
