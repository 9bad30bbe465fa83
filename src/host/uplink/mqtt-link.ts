/**
 * One MQTT connection from its first packet to its end. It is never reused: MQTT.js keeps messages
 * of a lost connection in memory without bound and may lose them on replay (its issue 2015), so a
 * lost connection is thrown away whole and the outbox sends again.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
// The client alone, over a socket of ours: the package's own `connect` takes a proxy from the
// environment and has WebSockets.
import { MqttClient } from 'mqtt';
import { err, type Fault, ok, type Result } from '../../core/base/fault.ts';
import {
  IN_FLIGHT_MAX,
  INBOUND_PACKET_BYTES_MAX,
  KEEPALIVE_SECONDS,
} from '../../core/base/limits.ts';
import type { BrokerAddress } from './broker-url.ts';
import { type UplinkFaultCode, uplinkFault } from './faults.ts';

export interface MqttMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

/** 4 is MQTT 3.1.1. */
export type ProtocolVersion = 4 | 5;

export interface LinkOptions {
  readonly broker: BrokerAddress;
  /** Exactly for a secure broker. */
  readonly secureContext?: SecureContext | undefined;
  /** The name the broker's certificate must carry; its host by default. */
  readonly servername?: string | undefined;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly protocolVersion: ProtocolVersion;
  readonly will: MqttMessage;
  readonly connectDeadlineMs: number;
  readonly pubackDeadlineMs: number;
}

export interface LinkEnd {
  readonly fault: Fault<UplinkFaultCode>;
  /** The broker does not speak this protocol version. */
  readonly versionRefused: boolean;
  /** It hung up on the first packet without a word, as some do on a version they do not know. */
  readonly silent: boolean;
}

export interface LinkHandlers {
  onUp(): void;
  /** Exactly once, after every pending publish was settled. */
  onDown(end: LinkEnd): void;
}

type Stage = 'dialling' | 'asking' | 'up' | 'down';
type Settle = (result: Result<void>) => void;

// MQTT 5 section 2.4 and MQTT 3.1.1 section 3.2.2.3.
const UNSUPPORTED_VERSION_CODES = [1, 132];
const REASON_FAILURE = 128;

export class MqttLink {
  readonly #options: LinkOptions;
  readonly #handlers: LinkHandlers;
  readonly #socket: Socket;
  readonly #client: MqttClient;
  readonly #pending = new Set<Settle>();
  readonly #connectTimer: NodeJS.Timeout;
  #stage: Stage = 'dialling';
  #cause: Fault<UplinkFaultCode> | undefined;
  #versionRefused = false;
  #answered = false;
  #inboundBytes = 0;
  #ended: () => void = () => {};

  constructor(options: LinkOptions, handlers: LinkHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#socket = dial(options);
    this.#socket.once(options.broker.secure ? 'secureConnect' : 'connect', () => {
      if (this.#stage === 'dialling') this.#stage = 'asking';
    });
    this.#socket.on('error', (error) => this.#fail(this.#socketFault(error)));
    this.#socket.on('data', (chunk: Buffer) => this.#boundInbound(chunk.length));
    this.#client = this.#startClient();
    const { connectDeadlineMs } = options;
    this.#connectTimer = setTimeout(() => {
      this.#fail(uplinkFault('uplink.timeout', `no answer within ${connectDeadlineMs} ms`));
    }, connectDeadlineMs);
  }

  get up(): boolean {
    return this.#stage === 'up';
  }

  /** How many publishes the broker takes at once; one place is kept for the status. */
  get inFlightMax(): number {
    const receiveMaximum = this.#client.serverProperties?.receiveMaximum ?? IN_FLIGHT_MAX + 1;
    return Math.max(1, Math.min(IN_FLIGHT_MAX, receiveMaximum - 1));
  }

  /**
   * Resolves when the broker acknowledged it. Faults: `uplink.offline`, `uplink.size`,
   * `uplink.rejected`, and `uplink.timeout` or `uplink.closed` with the whole link.
   */
  publish(message: MqttMessage): Promise<Result<void>> {
    if (this.#stage !== 'up') {
      return Promise.resolve(err(uplinkFault('uplink.offline', 'there is no connection')));
    }
    const bytesMax = this.#client.serverProperties?.maximumPacketSize ?? Infinity;
    if (packetBytes(message) > bytesMax) {
      const seen = `${packetBytes(message)} bytes, the broker takes ${bytesMax}`;
      return Promise.resolve(err(uplinkFault('uplink.size', seen)));
    }
    return new Promise((resolve) => {
      const deadlineMs = this.#options.pubackDeadlineMs;
      const timer = setTimeout(() => {
        this.#fail(uplinkFault('uplink.timeout', `no acknowledgement within ${deadlineMs} ms`));
      }, deadlineMs);
      const settle: Settle = (result) => {
        clearTimeout(timer);
        this.#pending.delete(settle);
        resolve(result);
      };
      this.#pending.add(settle);
      this.#client.publish(
        message.topic,
        Buffer.from(message.payload),
        { qos: 1, retain: message.retained },
        (error) => settle(error == null ? ok(undefined) : err(this.#publishFault(error))),
      );
    });
  }

  /** Says goodbye, so that the broker keeps the Will to itself; resolves when the link is down. */
  end(): Promise<void> {
    if (this.#stage === 'down') return Promise.resolve();
    return new Promise((resolve) => {
      this.#ended = resolve;
      if (this.#stage === 'up') this.#client.end();
      else this.destroy();
    });
  }

  /** Ends it at once; the broker publishes the Will. */
  destroy(): void {
    this.#fail(uplinkFault('uplink.closed', 'closed by this side'));
  }

  #startClient(): MqttClient {
    const { will } = this.#options;
    const client = new MqttClient(() => this.#socket, {
      protocolId: 'MQTT',
      protocolVersion: this.#options.protocolVersion,
      clientId: this.#options.clientId,
      ...(this.#options.username === undefined ? {} : { username: this.#options.username }),
      ...(this.#options.password === undefined ? {} : { password: this.#options.password }),
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      // Ours fires first.
      connectTimeout: 2 * this.#options.connectDeadlineMs,
      will: {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 1,
        retain: will.retained,
      },
      ...(this.#options.protocolVersion === 5
        ? { properties: { maximumPacketSize: INBOUND_PACKET_BYTES_MAX } }
        : {}),
      // Its debug log would print payloads and passwords when the environment asks for it.
      log: () => {},
    });
    client.on('connect', () => this.#onConnack());
    client.on('error', (error) => this.#fail(this.#clientFault(error)));
    client.on('disconnect', ({ reasonCode }) => {
      this.#fail(uplinkFault('uplink.closed', `the broker said goodbye, reason ${reasonCode}`));
    });
    client.on('packetreceive', (packet) => {
      this.#inboundBytes = 0;
      this.#answered = true;
      // This client subscribes to nothing, and MQTT.js keeps QoS 2 messages without bound.
      if (packet.cmd === 'publish') {
        this.#fail(uplinkFault('uplink.protocol', 'a message that nobody asked for'));
      }
    });
    client.on('close', () => this.#onClose());
    return client;
  }

  #onConnack(): void {
    if (this.#stage === 'down' || this.#cause !== undefined) return;
    clearTimeout(this.#connectTimer);
    this.#stage = 'up';
    this.#handlers.onUp();
  }

  /** The first cause stands; what follows it are its echoes. */
  #fail(fault: Fault<UplinkFaultCode>): void {
    this.#cause ??= fault;
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#stage === 'down') return;
    const stage = this.#stage;
    const fault = this.#cause ?? this.#closeFault(stage);
    const silent = stage === 'asking' && !this.#answered && fault.code === 'uplink.refused';
    this.#stage = 'down';
    clearTimeout(this.#connectTimer);
    const lost = fault.code === 'uplink.timeout' ? 'uplink.timeout' : 'uplink.closed';
    for (const settle of [...this.#pending]) settle(err(uplinkFault(lost, fault.message)));
    this.#handlers.onDown({ fault, versionRefused: this.#versionRefused, silent });
    this.#ended();
  }

  #closeFault(stage: Stage): Fault<UplinkFaultCode> {
    if (stage === 'up') return uplinkFault('uplink.closed', 'the broker closed the connection');
    return uplinkFault('uplink.refused', 'the broker hung up before it answered');
  }

  #socketFault(error: NodeJS.ErrnoException): Fault<UplinkFaultCode> {
    const seen = `${error.code ?? error.name}: ${error.message}`;
    const { secure, host, port } = this.#options.broker;
    // TLS 1.3 reports a refused client certificate after the handshake, as an alert.
    const alert = error.code?.startsWith('ERR_SSL') === true;
    if (secure && (alert || (this.#stage === 'dialling' && !isNetworkError(error.code)))) {
      return uplinkFault('uplink.tls', seen);
    }
    if (this.#stage === 'up') return uplinkFault('uplink.closed', seen);
    if (this.#stage === 'asking') return uplinkFault('uplink.refused', seen);
    return uplinkFault('uplink.unreachable', `${host} port ${port}: ${seen}`);
  }

  #clientFault(error: Error & { readonly code?: unknown }): Fault<UplinkFaultCode> {
    if (this.#stage === 'asking' && typeof error.code === 'number') {
      this.#versionRefused = UNSUPPORTED_VERSION_CODES.includes(error.code);
      return uplinkFault('uplink.refused', `reason ${error.code}: ${error.message}`);
    }
    if (error.message === 'Keepalive timeout') return uplinkFault('uplink.timeout', error.message);
    return uplinkFault('uplink.protocol', error.message);
  }

  #publishFault(error: Error & { readonly code?: unknown }): Fault<UplinkFaultCode> {
    if (typeof error.code === 'number' && error.code >= REASON_FAILURE) {
      return uplinkFault('uplink.rejected', `reason ${error.code}: ${error.message}`);
    }
    return uplinkFault('uplink.closed', error.message);
  }

  /** A packet that never ends would be collected in memory without bound. */
  #boundInbound(bytes: number): void {
    this.#inboundBytes += bytes;
    if (this.#inboundBytes > 2 * INBOUND_PACKET_BYTES_MAX) {
      this.#fail(uplinkFault('uplink.protocol', `${this.#inboundBytes} bytes without a packet`));
    }
  }
}

function dial(options: LinkOptions): Socket {
  const { secure, host, port } = options.broker;
  if (!secure) return connectTcp({ host, port });
  const servername = options.servername ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({
    host,
    port,
    ...(options.secureContext === undefined ? {} : { secureContext: options.secureContext }),
    ...(servername === undefined ? {} : { servername }),
    // Said outright: an environment variable can turn the default off.
    rejectUnauthorized: true,
  });
}

/** Failures of the way there, not of the certificates. */
function isNetworkError(code: string | undefined): boolean {
  return /^E(?:CONN(?:REFUSED|ABORTED)|HOST|NET|TIMEDOUT|AI_|NOTFOUND|ADDR|ACCES|MFILE|PIPE)/.test(
    code ?? '',
  );
}

/** An upper bound of the PUBLISH packet: fixed header, topic, packet id, empty properties. */
function packetBytes(message: MqttMessage): number {
  return message.topic.length + message.payload.length + 10;
}
