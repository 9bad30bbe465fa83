import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QUEUE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { MemoryOutbox, type OutgoingMessage } from '../../../src/core/telemetry/queue.ts';
import { SEVERITIES, type Severity } from '../../../src/core/telemetry/vocabulary.ts';

function message(severity: Severity, sequence?: number, bytes: number = 10): OutgoingMessage {
  const plain = { topic: 't', payload: new Uint8Array(bytes), retained: false, severity };
  return sequence === undefined ? plain : { ...plain, sequence };
}

const sequences = (outbox: MemoryOutbox): (number | undefined)[] =>
  outbox.peekBatch(Infinity).map((queued) => queued.sequence);

describe('outbox in memory', () => {
  it('keeps order, keeps what is not acknowledged, forgets what is', () => {
    const outbox = new MemoryOutbox();
    for (let i = 0; i < 5; i++) outbox.push(message('info', i));
    expect(outbox.peekBatch(2).map((queued) => queued.sequence)).toEqual([0, 1]);
    expect(outbox.peekBatch(2).map((queued) => queued.sequence)).toEqual([0, 1]);
    outbox.acknowledge(outbox.peekBatch(2)[1]?.id ?? 0);
    outbox.acknowledge(12345);
    expect(sequences(outbox)).toEqual([0, 2, 3, 4]);
    expect(outbox.depth).toEqual({ messages: 4, bytes: 44, dropped: 0 });
    expect(outbox.takeDrops()).toBeUndefined();
  });

  it('gives up the oldest of the least severity, a lesser newcomer too', () => {
    const outbox = new MemoryOutbox(3);
    outbox.push(message('warning', 1));
    outbox.push(message('info', 2));
    outbox.push(message('info', 3));
    outbox.push(message('critical', 4));
    expect(sequences(outbox)).toEqual([1, 3, 4]);
    outbox.push(message('critical', 5));
    outbox.push(message('critical', 6));
    outbox.push(message('info', 7));
    expect(sequences(outbox)).toEqual([4, 5, 6]);
    outbox.push(message('critical', 8));
    expect(sequences(outbox)).toEqual([5, 6, 8]);
  });

  it('accounts for every drop once', () => {
    const outbox = new MemoryOutbox(1);
    outbox.push(message('critical', 10));
    outbox.push(message('info', 11));
    outbox.push(message('warning'));
    outbox.push(message('critical', 12));
    expect(outbox.takeDrops()).toEqual({
      info: 1,
      warning: 1,
      critical: 1,
      sequenced: 2,
      firstSequence: 10,
      lastSequence: 11,
    });
    expect(outbox.takeDrops()).toBeUndefined();
    outbox.discard(outbox.peekBatch(1)[0]?.id ?? 0);
    expect(outbox.takeDrops()).toMatchObject({ critical: 1, firstSequence: 12, lastSequence: 12 });
    expect(outbox.depth).toEqual({ messages: 0, bytes: 0, dropped: 4 });
  });

  it('refuses what it could never keep, and drops nothing for it', () => {
    const outbox = new MemoryOutbox();
    outbox.push(message('info', 1));
    expect(outbox.push(message('critical', 2, QUEUE_BYTES_MAX))).toMatchObject({
      ok: false,
      fault: { code: 'telemetry.size' },
    });
    expect(sequences(outbox)).toEqual([1]);
  });

  it('never exceeds its bounds, never reorders, and every message is kept, gone or counted', () => {
    const operations = fc.array(
      fc.oneof(
        fc.record({
          push: fc.constantFrom(...SEVERITIES),
          bytes: fc.integer({ min: 0, max: 60 }),
        }),
        fc.record({ acknowledge: fc.nat({ max: 9 }) }),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(operations, (steps) => {
        const outbox = new MemoryOutbox(8, 200);
        const severities = new Map<number, Severity>();
        let pushed = 0;
        let acknowledged = 0;
        for (const step of steps) {
          if ('push' in step) {
            const result = outbox.push(message(step.push, pushed++, step.bytes));
            if (result.ok) severities.set(result.value, step.push);
          } else {
            const target = outbox.peekBatch(10)[step.acknowledge];
            if (target !== undefined) {
              outbox.acknowledge(target.id);
              acknowledged++;
            }
          }
          const kept = outbox.peekBatch(Infinity);
          expect(kept.length).toBe(outbox.depth.messages);
          expect(kept.length <= 8 && outbox.depth.bytes <= 200).toBe(true);
          expect(kept.map(({ id }) => id)).toEqual(kept.map(({ id }) => id).sort((a, b) => a - b));
          expect(kept.length + acknowledged + outbox.depth.dropped).toBe(pushed);
        }
        const drops = outbox.takeDrops();
        const counted = (drops?.info ?? 0) + (drops?.warning ?? 0) + (drops?.critical ?? 0);
        expect(counted).toBe(outbox.depth.dropped);
      }),
    );
  });
});
