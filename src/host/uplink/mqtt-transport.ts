/**
 * The uplink as the rest of Edgeward sees it: connected or not, and a publish that says whether the
 * broker has it. Speaks MQTT 5 and falls back to 3.1.1, reconnects with full-jitter backoff, and
 * keeps no message itself: what was not acknowledged stays in the outbox.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { attempt, err, type Fault, need, type Result } from '../../core/base/fault.ts';
import {
  CLOSE_DEADLINE_MS,
  CONNECT_DEADLINE_MS,
  IN_FLIGHT_MAX,
  PUBACK_DEADLINE_MS,
} from '../../core/base/limits.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { type Backoff, backOff, FRESH_BACKOFF } from '../../core/telemetry/backoff.ts';
import { type BrokerAddress, parseBrokerUrl } from './broker-url.ts';
import { refuseUplink, type UplinkFaultCode, uplinkFault } from './faults.ts';
import { type LinkEnd, MqttLink, type MqttMessage, type ProtocolVersion } from './mqtt-link.ts';
import type { TlsOptions } from './tls-options.ts';

/** PEM texts; a broker's certificate is always verified. */
export interface TransportOptions {
  /** See `parseBrokerUrl`. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: TlsOptions;
  /** Published by the broker when this device falls silent, and by `close`. */
  readonly will: MqttMessage;
  readonly clock: Clock;
  /** Uniform in [0, 1): the jitter of reconnection. */
  readonly random: () => number;
  readonly connectDeadlineMs?: number;
  readonly pubackDeadlineMs?: number;
  readonly closeDeadlineMs?: number;
}

export interface LinkWatcher {
  onConnect?(protocolVersion: ProtocolVersion): void;
  /** A connection was lost or could not be made; the next attempt is in `waitMs`. */
  onDisconnect?(fault: Fault<UplinkFaultCode>, waitMs: number): void;
}

/** What a publisher needs of an uplink. */
export interface Transport {
  readonly connected: boolean;
  /** How many publishes may await their acknowledgement. */
  readonly inFlightMax: number;
  watch(watcher: LinkWatcher): void;
  publish(message: MqttMessage): Promise<Result<void>>;
}

export interface NewTransport {
  readonly transport: MqttTransport;
  /** `uplink.plain-text`: worth telling the operator, no reason to stop. */
  readonly warnings: readonly Fault<UplinkFaultCode>[];
}

/** Checks everything that can be checked without a network. Faults: `uplink.bad-url`, `uplink.tls`. */
export function createTransport(options: TransportOptions): Result<NewTransport> {
  return attempt(() => {
    const broker = need(parseBrokerUrl(options.url));
    const secureContext = broker.secure ? secureContextOf(options.tls ?? {}) : undefined;
    if (!broker.secure && !broker.loopback && options.password !== undefined) {
      throw refuseUplink(
        'uplink.plain-text',
        `the password would go to ${broker.host} unencrypted`,
      );
    }
    if (!broker.secure && options.tls !== undefined) {
      throw refuseUplink('uplink.tls', 'TLS options are given for an mqtt: URL');
    }
    return {
      transport: new MqttTransport(options, broker, secureContext),
      warnings: warningsOf(broker),
    };
  });
}

export class MqttTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #broker: BrokerAddress;
  readonly #secureContext: SecureContext | undefined;
  readonly #watchers: LinkWatcher[] = [];
  #link: MqttLink | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #backoff: Backoff = FRESH_BACKOFF;
  #version: ProtocolVersion = 5;
  /** The broker answered in this version, or refused the other one by name. */
  #versionAgreed = false;
  #upSinceMs: MonotonicMs | undefined;
  #started = false;
  #closing: Promise<void> | undefined;

  constructor(
    options: TransportOptions,
    broker: BrokerAddress,
    secureContext: SecureContext | undefined,
  ) {
    this.#options = options;
    this.#broker = broker;
    this.#secureContext = secureContext;
  }

  get connected(): boolean {
    return this.#closing === undefined && this.#link?.up === true;
  }

  get inFlightMax(): number {
    return this.#link?.inFlightMax ?? IN_FLIGHT_MAX;
  }

  /** To be called before `start`; watchers are told in the order they came. */
  watch(watcher: LinkWatcher): void {
    this.#watchers.push(watcher);
  }

  /** Connects, and keeps connecting until `close`. */
  start(): void {
    if (this.#started || this.#closing !== undefined) return;
    this.#started = true;
    this.#connect();
  }

  /**
   * QoS 1; resolves on PUBACK. Faults: `uplink.offline`, `uplink.closed`, `uplink.timeout` (send it
   * again later), `uplink.rejected`, `uplink.size` (sending it again is of no use).
   */
  publish(message: MqttMessage): Promise<Result<void>> {
    if (this.#closing !== undefined) {
      return Promise.resolve(err(uplinkFault('uplink.closed', 'the uplink was closed')));
    }
    if (this.#link === undefined) {
      return Promise.resolve(err(uplinkFault('uplink.offline', 'there is no connection')));
    }
    return this.#link.publish(message);
  }

  /** Publishes the Will itself, says goodbye and ends within the close deadline. */
  close(): Promise<void> {
    this.#closing ??= this.#sayGoodbye();
    return this.#closing;
  }

  async #sayGoodbye(): Promise<void> {
    clearTimeout(this.#retryTimer);
    const link = this.#link;
    if (link === undefined) return;
    const deadlineMs = this.#options.closeDeadlineMs ?? CLOSE_DEADLINE_MS;
    const timer = setTimeout(() => link.destroy(), deadlineMs);
    if (link.up) await link.publish(this.#options.will);
    await link.end();
    clearTimeout(timer);
  }

  #connect(): void {
    this.#retryTimer = undefined;
    const { clientId, username, password, will, tls } = this.#options;
    this.#link = new MqttLink(
      {
        broker: this.#broker,
        secureContext: this.#secureContext,
        servername: tls?.servername,
        clientId,
        username,
        password,
        protocolVersion: this.#version,
        will,
        connectDeadlineMs: this.#options.connectDeadlineMs ?? CONNECT_DEADLINE_MS,
        pubackDeadlineMs: this.#options.pubackDeadlineMs ?? PUBACK_DEADLINE_MS,
      },
      { onUp: () => this.#onUp(), onDown: (end) => this.#onDown(end) },
    );
  }

  #onUp(): void {
    this.#versionAgreed = true;
    this.#upSinceMs = this.#options.clock.monotonicMs();
    for (const watcher of this.#watchers) watcher.onConnect?.(this.#version);
  }

  #onDown(end: LinkEnd): void {
    this.#link = undefined;
    if (this.#closing !== undefined) return;
    if (end.versionRefused && this.#version === 5) {
      // Not a failure of the way there, so no wait. It cannot repeat: 4 is never left again.
      this.#version = 4;
      this.#versionAgreed = true;
      this.#connect();
      return;
    }
    if (end.silent && !this.#versionAgreed) this.#version = this.#version === 5 ? 4 : 5;
    const upForMs =
      this.#upSinceMs === undefined ? 0 : this.#options.clock.monotonicMs() - this.#upSinceMs;
    this.#upSinceMs = undefined;
    const { backoff, waitMs } = backOff(this.#backoff, upForMs, this.#options.random());
    this.#backoff = backoff;
    this.#retryTimer = setTimeout(() => this.#connect(), waitMs);
    for (const watcher of this.#watchers) watcher.onDisconnect?.(end.fault, waitMs);
  }
}

function secureContextOf(tls: TlsOptions): SecureContext {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw refuseUplink('uplink.tls', 'a client certificate and its key come together');
  }
  try {
    // OpenSSL takes a text without any certificate for an empty list of roots.
    if (tls.ca !== undefined) new X509Certificate(tls.ca);
    return createSecureContext({
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      minVersion: 'TLSv1.2',
    });
  } catch (thrown) {
    // OpenSSL says what is wrong, and never quotes the key.
    throw refuseUplink('uplink.tls', thrown instanceof Error ? thrown.message : 'unusable PEM');
  }
}

function warningsOf(broker: BrokerAddress): readonly Fault<UplinkFaultCode>[] {
  if (broker.secure || broker.loopback) return [];
  return [uplinkFault('uplink.plain-text', `everything goes to ${broker.host} unencrypted`)];
}
