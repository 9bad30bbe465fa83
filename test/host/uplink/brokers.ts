/** Brokers on loopback for the uplink tests: a real one in this process, and scripted bad ones. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Aedes, type AedesOptions, type AedesPublishPacket } from 'aedes';
import type { Fault } from '../../../src/core/base/fault.ts';
import type { Clock, MonotonicMs, UnixMs } from '../../../src/core/base/time.ts';
import { encodeStatus } from '../../../src/core/telemetry/status.ts';
import type { MqttMessage, ProtocolVersion } from '../../../src/host/uplink/mqtt-link.ts';
import {
  createTransport,
  type MqttTransport,
  type TransportOptions,
} from '../../../src/host/uplink/mqtt-transport.ts';

export interface TestBroker {
  readonly port: number;
  /** What clients published, in order; the Will among it. */
  readonly published: AedesPublishPacket[];
  /** Cuts every connection without a word. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startBroker(
  options: AedesOptions & { readonly port?: number; readonly tls?: TlsOptions } = {},
): Promise<TestBroker> {
  const { port, tls, ...aedesOptions } = options;
  const aedes = await Aedes.createBroker(aedesOptions);
  const published: AedesPublishPacket[] = [];
  aedes.on('publish', (packet) => {
    if (packet.topic.startsWith('edgeward/')) published.push(packet);
  });
  const handle = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    aedes.handle(socket);
  };
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  const listening = await listen(server, port ?? 0);
  return {
    published,
    port: listening.port,
    cut: listening.cut,
    async stop() {
      await listening.stop();
      await new Promise<void>((resolve) => aedes.close(resolve));
    },
  };
}

/** A server that answers whatever `onData` says; it counts its connections. */
export async function startScripted(
  onData: (socket: Socket, bytes: Buffer) => void,
  onConnect: (socket: Socket) => void = () => {},
): Promise<{ port: number; connections: () => number; stop: () => Promise<void> }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => onData(socket, bytes));
    onConnect(socket);
  });
  const listening = await listen(server, 0);
  return { port: listening.port, connections: () => connections, stop: listening.stop };
}

async function listen(
  server: Server,
  port: number,
): Promise<{ port: number; cut: () => void; stop: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    cut,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

/** Waits for as long as the test may run. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export const clock: Clock = {
  monotonicMs: () => performance.now() as MonotonicMs,
  unixMs: () => 0 as UnixMs,
};

export const STATUS_TOPIC = 'edgeward/v1/g/d/status';
export const EVENT_TOPIC = 'edgeward/v1/g/d/event';
export const will: MqttMessage = {
  topic: STATUS_TOPIC,
  payload: encodeStatus('offline'),
  retained: true,
};

export function eventMessage(text: string): MqttMessage {
  return { topic: EVENT_TOPIC, payload: new TextEncoder().encode(text), retained: false };
}

export interface Watched {
  readonly transport: MqttTransport;
  readonly warnings: readonly Fault[];
  /** Protocol version of every connection. */
  readonly ups: ProtocolVersion[];
  readonly downs: Fault[];
}

/** A transport that reconnects after 2 ms at most, whatever the backoff has grown to. */
export function watched(port: number, options: Partial<TransportOptions> = {}): Watched {
  const created = createTransport({
    url: `mqtt://127.0.0.1:${port}`,
    clientId: 'd',
    will,
    clock,
    random: () => 2e-6,
    ...options,
  });
  if (!created.ok) throw new Error(`${created.fault.code}: ${created.fault.message}`);
  const { transport, warnings } = created.value;
  const ups: ProtocolVersion[] = [];
  const downs: Fault[] = [];
  transport.watch({
    onConnect: (version) => ups.push(version),
    onDisconnect: (fault) => downs.push(fault),
  });
  return { transport, warnings, ups, downs };
}
