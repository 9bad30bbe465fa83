import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { err, ok, type Result } from '../../../src/core/base/fault.ts';
import { IN_FLIGHT_MAX } from '../../../src/core/base/limits.ts';
import { MemoryOutbox, type OutgoingMessage } from '../../../src/core/telemetry/queue.ts';
import { type UplinkFaultCode, uplinkFault } from '../../../src/host/uplink/faults.ts';
import type { MqttMessage } from '../../../src/host/uplink/mqtt-link.ts';
import type { LinkWatcher, Transport } from '../../../src/host/uplink/mqtt-transport.ts';
import { Publisher } from '../../../src/host/uplink/publisher.ts';
import { EVENT_TOPIC, startBroker, until, watched } from './brokers.ts';

function numbered(number: number): OutgoingMessage {
  return {
    topic: EVENT_TOPIC,
    payload: new TextEncoder().encode(String(number)),
    retained: false,
    severity: 'warning',
    sequence: number,
  };
}

/** A link that the test makes, breaks and answers by hand. */
class HandLink implements Transport {
  connected = false;
  inFlightMax = IN_FLIGHT_MAX;
  readonly arrived: number[] = [];
  readonly waiting: { number: number; settle: (result: Result<void>) => void }[] = [];
  #watcher: LinkWatcher = {};

  watch(watcher: LinkWatcher): void {
    this.#watcher = watcher;
  }

  publish(message: MqttMessage): Promise<Result<void>> {
    const number = Number(new TextDecoder().decode(message.payload));
    this.arrived.push(number);
    return new Promise((settle) => this.waiting.push({ number, settle }));
  }

  connect(): void {
    if (this.connected) return;
    this.connected = true;
    this.#watcher.onConnect?.(5);
  }

  async answer(code?: UplinkFaultCode): Promise<void> {
    this.waiting.shift()?.settle(code === undefined ? ok(undefined) : err(uplinkFault(code, '')));
    await Promise.resolve();
    await Promise.resolve();
  }

  async cut(): Promise<void> {
    this.connected = false;
    while (this.waiting.length > 0) await this.answer('uplink.closed');
  }
}

describe('publisher', () => {
  it('keeps order and bounds, and loses nothing to a flapping link', async () => {
    const steps = fc.array(fc.constantFrom('send', 'send', 'connect', 'answer', 'cut'), {
      maxLength: 120,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 20 }), async (script, inFlightMax) => {
        const outbox = new MemoryOutbox();
        const link = new HandLink();
        link.inFlightMax = inFlightMax;
        const publisher = new Publisher(outbox, link);
        let sent = 0;
        for (const step of [...script, 'connect']) {
          if (step === 'send') publisher.send(numbered(sent++));
          else if (step === 'connect') link.connect();
          else if (step === 'answer') await link.answer();
          else await link.cut();
          expect(link.waiting.length <= Math.min(inFlightMax, IN_FLIGHT_MAX)).toBe(true);
        }
        while (link.waiting.length > 0) await link.answer();
        const firsts = [...new Set(link.arrived)];
        expect(firsts).toEqual(Array.from({ length: sent }, (_, number) => number));
        expect(outbox.depth).toEqual({ messages: 0, bytes: 0, dropped: 0 });
      }),
    );
  });

  it('repeats after a cut from the oldest that was not acknowledged', async () => {
    const link = new HandLink();
    const publisher = new Publisher(new MemoryOutbox(), link);
    for (let i = 0; i < 4; i++) publisher.send(numbered(i));
    link.connect();
    await link.answer();
    await link.cut();
    link.connect();
    expect(link.arrived).toEqual([0, 1, 2, 3, 1, 2, 3]);
  });

  it.each<UplinkFaultCode>(['uplink.rejected', 'uplink.size'])(
    'gives up what is %s and counts it; the others go on',
    async (code) => {
      const outbox = new MemoryOutbox();
      const link = new HandLink();
      const discarded: [number | undefined, string][] = [];
      const publisher = new Publisher(outbox, link, {
        onDiscard: (message, fault) => discarded.push([message.sequence, fault.code]),
      });
      for (let i = 0; i < 2; i++) publisher.send(numbered(i));
      link.connect();
      await link.answer(code);
      expect(discarded).toEqual([[0, code]]);
      await link.answer();
      expect(outbox.depth).toMatchObject({ messages: 0, dropped: 1 });
      expect(outbox.takeDrops()).toMatchObject({ warning: 1, firstSequence: 0, lastSequence: 0 });
    },
  );

  it('tells when the outbox is empty, or that it is not in time', async () => {
    const link = new HandLink();
    const publisher = new Publisher(new MemoryOutbox(), link);
    expect(await publisher.flush(1)).toBe(true);
    publisher.send(numbered(0));
    expect(await publisher.flush(1)).toBe(false);
    link.connect();
    const flushed = publisher.flush(60_000);
    await link.answer();
    expect(await flushed).toBe(true);
  });

  it('loses nothing when the broker stops, is away and comes back', async () => {
    const first = await startBroker();
    const { transport, downs } = watched(first.port);
    const publisher = new Publisher(new MemoryOutbox(), transport);
    const texts = (broker: typeof first): string[] =>
      broker.published.filter(({ topic }) => topic === EVENT_TOPIC).map((p) => `${p.payload}`);
    transport.start();
    for (let i = 0; i < 40; i++) publisher.send(numbered(i));
    await until(() => texts(first).length >= 20);
    await first.stop();
    await until(() => downs.length > 0);
    for (let i = 40; i < 80; i++) publisher.send(numbered(i));
    const second = await startBroker({ port: first.port });
    expect(await publisher.flush(60_000)).toBe(true);
    await transport.close();
    await second.stop();
    const received = [...texts(first), ...texts(second)];
    const firsts = [...new Set(received)];
    expect(firsts).toEqual(Array.from({ length: 80 }, (_, number) => String(number)));
    // In order on each connection too, whatever was repeated.
    expect(texts(second)).toEqual([...texts(second)].sort((a, b) => Number(a) - Number(b)));
  });
});
