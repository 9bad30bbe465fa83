import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeStatus } from '../../../src/core/telemetry/status.ts';
import { createTransport, type TransportOptions } from '../../../src/host/uplink/mqtt-transport.ts';
import {
  clock,
  EVENT_TOPIC,
  eventMessage,
  STATUS_TOPIC,
  startBroker,
  startScripted,
  until,
  type Watched,
  watched,
  will,
} from './brokers.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function tidy<T extends { stop: () => Promise<void> }>(broker: T): T {
  cleanups.push(() => broker.stop());
  return broker;
}

function started(port: number, options: Partial<TransportOptions> = {}): Watched {
  const up = watched(port, options);
  cleanups.push(() => up.transport.close());
  up.transport.start();
  return up;
}

// MQTT 5 packets of a broker, by hand: section 3.2, 3.4 and 3.3 of the standard.
const CONNACK_5 = Buffer.from([0x20, 3, 0, 0, 0]);
/** Receive Maximum 3, Maximum Packet Size 64. */
const CONNACK_5_LIMITS = Buffer.from([0x20, 11, 0, 0, 8, 0x21, 0, 3, 0x27, 0, 0, 0, 64]);
const isConnect = (bytes: Buffer): boolean => bytes[0] === 0x10;
const isPublish = (bytes: Buffer): boolean => ((bytes[0] ?? 0) & 0xf0) === 0x30;

/** The packet id of the first PUBLISH in the bytes (short packets only). */
function packetId(bytes: Buffer): [number, number] {
  const at = 4 + bytes.readUInt16BE(2);
  return [bytes[at] ?? 0, bytes[at + 1] ?? 0];
}

describe('connection', () => {
  it('falls back from MQTT 5 to 3.1.1, once, without a wait, and remembers', async () => {
    const broker = tidy(await startBroker());
    const { transport, ups, downs } = started(broker.port);
    await until(() => transport.connected);
    expect(ups).toEqual([4]);
    expect(downs).toEqual([]);
    broker.cut();
    await until(() => ups.length >= 2);
    expect(ups).toEqual([4, 4]);
    expect(downs.map(({ code }) => code)).toEqual(['uplink.closed']);
  });

  it('speaks MQTT 5 where the broker does, and keeps to its limits', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) {
          expect(bytes[8]).toBe(5);
          socket.write(CONNACK_5_LIMITS);
        } else if (isPublish(bytes)) socket.write(Buffer.from([0x40, 2, ...packetId(bytes)]));
      }),
    );
    const { transport, ups } = started(broker.port, { closeDeadlineMs: 50 });
    await until(() => transport.connected);
    expect(ups).toEqual([5]);
    expect(transport.inFlightMax).toBe(2);
    expect(await transport.publish(eventMessage('fits'))).toEqual({ ok: true, value: undefined });
    expect(await transport.publish(eventMessage('x'.repeat(64)))).toMatchObject({
      ok: false,
      fault: { code: 'uplink.size' },
    });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['hangs up on', (socket) => socket.destroy()],
    ['resets', (socket) => socket.resetAndDestroy()],
  ])('tries the other version when a broker %s the first packet', async (_, hangUp) => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes) && bytes[8] === 4) socket.write(Buffer.from([0x20, 2, 0, 0]));
        else if (isConnect(bytes)) hangUp(socket);
      }),
    );
    const { ups, downs } = started(broker.port, { closeDeadlineMs: 50 });
    await until(() => ups.length >= 1);
    expect(ups).toEqual([4]);
    expect(downs.length).toBe(1);
  });

  it('says when the broker refuses, and keeps trying', async () => {
    const broker = tidy(
      await startBroker({
        authenticate: (_client, _username, password, done) =>
          done(null, password?.toString() === 'right'),
      }),
    );
    const wrong = started(broker.port, { username: 'd', password: 'wrong' });
    await until(() => wrong.downs.length >= 2);
    expect(wrong.downs[0]?.code).toBe('uplink.refused');
    const right = started(broker.port, { clientId: 'e', username: 'd', password: 'right' });
    await until(() => right.transport.connected);
  });

  it('says when nobody is there, and connects when somebody comes', async () => {
    const { port, stop } = await startBroker();
    await stop();
    const { transport, downs } = started(port);
    await until(() => downs.length >= 2);
    expect(downs[0]?.code).toBe('uplink.unreachable');
    tidy(await startBroker({ port }));
    await until(() => transport.connected);
  });

  it('says when the broker never answers', async () => {
    const broker = tidy(await startScripted(() => {}));
    const { downs } = started(broker.port, { connectDeadlineMs: 30 });
    await until(() => downs.length >= 1);
    expect(downs[0]?.code).toBe('uplink.timeout');
  });

  it.each<[string, (socket: Socket) => void]>([
    ['noise', (socket) => socket.write(Buffer.alloc(64))],
    ['a packet without an end', (socket) => socket.write(Buffer.alloc(400_000, 0x3f))],
    ['a second welcome', (socket) => socket.write(Buffer.concat([CONNACK_5, CONNACK_5]))],
    [
      'a message nobody asked for',
      (socket) =>
        socket.write(Buffer.concat([CONNACK_5, Buffer.from([0x30, 5, 0, 1, 0x61, 0, 0x62])])),
    ],
  ])('hangs up on %s', async (_, answer) => {
    const broker = tidy(await startScripted((socket) => answer(socket)));
    const { downs } = started(broker.port, { closeDeadlineMs: 50 });
    await until(() => downs.length >= 1);
    expect(downs[0]?.code).toBe('uplink.protocol');
  });

  it('survives whatever a broker sends', async () => {
    let answer: Buffer = Buffer.alloc(0);
    const broker = tidy(
      await startScripted((socket) => {
        socket.end(answer);
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(Buffer.alloc(0), CONNACK_5),
        async (noise, welcome) => {
          answer = Buffer.concat([welcome, noise]);
          const { transport, downs } = watched(broker.port, { closeDeadlineMs: 20 });
          transport.start();
          await until(() => downs.length > 0);
          await transport.close();
          expect(downs[0]?.code).toMatch(/^uplink\.(protocol|refused|closed|timeout|unreachable)$/);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('publish', () => {
  it('resolves when the broker has the message, retained or not', async () => {
    const broker = tidy(await startBroker());
    const { transport } = started(broker.port);
    await until(() => transport.connected);
    const online = { ...will, payload: encodeStatus('online') };
    expect((await transport.publish(online)).ok).toBe(true);
    expect((await transport.publish(eventMessage('one'))).ok).toBe(true);
    expect(
      broker.published.map(({ topic, payload, qos, retain }) => [topic, `${payload}`, qos, retain]),
    ).toEqual([
      [STATUS_TOPIC, '{"v":1,"status":"online"}', 1, true],
      [EVENT_TOPIC, 'one', 1, false],
    ]);
  });

  it('says that there is no connection', async () => {
    const { transport } = watched(1);
    expect(await transport.publish(eventMessage('x'))).toMatchObject({
      ok: false,
      fault: { code: 'uplink.offline' },
    });
    await transport.close();
    expect(await transport.publish(eventMessage('x'))).toMatchObject({
      ok: false,
      fault: { code: 'uplink.closed' },
    });
  });

  it('fails with the connection that carried it', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) socket.write(CONNACK_5);
        else socket.destroy();
      }),
    );
    const { transport } = started(broker.port);
    await until(() => transport.connected);
    expect(await transport.publish(eventMessage('x'))).toMatchObject({
      ok: false,
      fault: { code: 'uplink.closed' },
    });
  });

  it('says why the broker ends the connection', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) socket.write(CONNACK_5);
        // Session taken over.
        else socket.end(Buffer.from([0xe0, 2, 142, 0]));
      }),
    );
    const { transport, downs } = started(broker.port);
    await until(() => transport.connected);
    expect((await transport.publish(eventMessage('x'))).ok).toBe(false);
    await until(() => downs.length >= 1);
    expect(downs[0]).toMatchObject({ code: 'uplink.closed' });
    expect(downs[0]?.message).toContain('142');
  });

  it('takes a broker that does not acknowledge for gone', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) socket.write(CONNACK_5);
      }),
    );
    const { transport, downs, ups } = started(broker.port, {
      pubackDeadlineMs: 30,
      closeDeadlineMs: 50,
    });
    await until(() => transport.connected);
    const results = await Promise.all([
      transport.publish(eventMessage('x')),
      transport.publish(eventMessage('y')),
    ]);
    for (const result of results) {
      expect(result).toMatchObject({ ok: false, fault: { code: 'uplink.timeout' } });
    }
    await until(() => ups.length >= 2);
    expect(downs[0]?.code).toBe('uplink.timeout');
  });

  it('says that the broker will not have it', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) socket.write(CONNACK_5);
        else if (isPublish(bytes)) socket.write(Buffer.from([0x40, 3, ...packetId(bytes), 135]));
      }),
    );
    const { transport } = started(broker.port, { closeDeadlineMs: 50 });
    await until(() => transport.connected);
    expect(await transport.publish(eventMessage('x'))).toMatchObject({
      ok: false,
      fault: { code: 'uplink.rejected' },
    });
    expect(transport.connected).toBe(true);
  });
});

describe('Will and goodbye', () => {
  it('has the broker say offline for a device that vanished', async () => {
    const broker = tidy(await startBroker());
    const { transport } = started(broker.port);
    await until(() => transport.connected);
    broker.cut();
    await until(() => broker.published.length >= 1);
    expect(broker.published[0]).toMatchObject({ topic: STATUS_TOPIC, retain: true });
    expect(`${broker.published[0]?.payload}`).toBe('{"v":1,"status":"offline"}');
  });

  it('says offline itself on close, once, and connects no more', async () => {
    const broker = tidy(await startBroker());
    const { transport, ups } = started(broker.port);
    await until(() => transport.connected);
    await Promise.all([transport.close(), transport.close()]);
    transport.start();
    expect(transport.connected).toBe(false);
    const other = started(broker.port, { clientId: 'other' });
    await until(() => other.transport.connected);
    await other.transport.publish(eventMessage('after'));
    expect(broker.published.map(({ payload }) => `${payload}`)).toEqual([
      '{"v":1,"status":"offline"}',
      'after',
    ]);
    expect(ups.length).toBe(1);
  });

  it('ends within its bound when the broker hangs', async () => {
    const broker = tidy(
      await startScripted((socket, bytes) => {
        if (isConnect(bytes)) socket.write(CONNACK_5);
      }),
    );
    const { transport } = started(broker.port, { closeDeadlineMs: 30 });
    await until(() => transport.connected);
    const pending = transport.publish(eventMessage('x'));
    await transport.close();
    expect(await pending).toMatchObject({ ok: false, fault: { code: 'uplink.closed' } });
  });

  it('ends while it waits for the next attempt, and before it ever started', async () => {
    const broker = tidy(await startScripted((socket) => socket.destroy()));
    const { transport, downs } = started(broker.port, { random: () => 0.9 });
    await until(() => downs.length >= 1);
    await transport.close();
    expect(broker.connections()).toBe(1);
    await watched(1).transport.close();
  });
});

describe('options', () => {
  const options: TransportOptions = { url: '', clientId: 'd', will, clock, random: () => 0 };

  it('warns of plain text that leaves the machine, and sends no password that way', () => {
    expect(watched(1).warnings).toEqual([]);
    const away = { ...options, url: 'mqtt://broker.example', username: 'd' };
    const created = createTransport(away);
    expect(created.ok && created.value.warnings).toMatchObject([{ code: 'uplink.plain-text' }]);
    const open = createTransport({ ...away, password: 'secret' });
    expect(open).toMatchObject({ ok: false, fault: { code: 'uplink.plain-text' } });
    expect(JSON.stringify(open)).not.toContain('secret');
    const secure = createTransport({
      ...away,
      password: 'secret',
      url: 'mqtts://broker.example',
    });
    expect(secure.ok && secure.value.warnings).toEqual([]);
  });

  it.each<[string, Partial<TransportOptions>, string]>([
    ['a URL of another kind', { url: 'wss://broker.example' }, 'uplink.bad-url'],
    ['a root that is no PEM', { tls: { ca: '-----BEGIN CERTIFICATE-----\nxx' } }, 'uplink.tls'],
    ['a key without its certificate', { tls: { key: 'k' } }, 'uplink.tls'],
    ['a key that is no PEM', { tls: { cert: 'c', key: 'k' } }, 'uplink.tls'],
    ['TLS options without TLS', { url: 'mqtt://localhost', tls: {} }, 'uplink.tls'],
  ])('refuses %s', (_, changes, code) => {
    expect(createTransport({ ...options, url: 'mqtts://b.example', ...changes })).toMatchObject({
      ok: false,
      fault: { code },
    });
  });
});
