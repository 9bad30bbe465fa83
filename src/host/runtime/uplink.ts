/** The uplink of a device: an outbox that fills while there is no network, and what drains it. */
import { attempt, need, Refusal, type Result } from '../../core/base/fault.ts';
import { QUEUE_BYTES_MAX, QUEUE_MESSAGES_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { DropCounts } from '../../core/telemetry/event.ts';
import { MemoryOutbox, type Outbox, type OutgoingMessage } from '../../core/telemetry/queue.ts';
import { encodeStatus } from '../../core/telemetry/status.ts';
import { buildTopic } from '../../core/telemetry/topic.ts';
import { createTransport } from '../uplink/mqtt-transport.ts';
import { Publisher } from '../uplink/publisher.ts';
import type { TlsOptions } from '../uplink/tls-options.ts';

const FLUSH_DEADLINE_MS = 2_000;

export interface UplinkOptions {
  /** `mqtts://HOST[:PORT]`, or `mqtt://` on loopback. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: TlsOptions;
}

/** What happened on the way to the broker, in words, for a log. */
export type UplinkLog = (line: string) => void;

export interface Uplink {
  readonly outbox: Outbox;
  send(message: OutgoingMessage): Result<number>;
  /** Sends what waits, as far as a short deadline allows, and says goodbye. */
  close(): Promise<void>;
}

/**
 * What the outbox gave up, as soon as there is room to tell it. A notice in a full queue would push
 * out what it tells of: many of them, being critical, everything that is not, and then the birth.
 */
export function dropsToTell(outbox: Outbox): DropCounts | undefined {
  const { messages, bytes } = outbox.depth;
  const full = messages > QUEUE_MESSAGES_MAX / 2 || bytes > QUEUE_BYTES_MAX / 2;
  return full ? undefined : outbox.takeDrops();
}

/** Without a broker: messages stay in the bounded outbox. */
export function noUplink(): Uplink {
  const outbox = new MemoryOutbox();
  return { outbox, send: (message) => outbox.push(message), close: async () => {} };
}

/** Starts connecting and keeps at it. Faults: `uplink.bad-url`, `uplink.tls`, `telemetry.id`. */
export function connectUplink(
  options: UplinkOptions,
  name: { readonly group: string; readonly device: string },
  clock: Clock,
  parts: {
    /** Refuses a broker that is reached in plain text, except on loopback. */
    readonly encryptedOnly?: boolean;
    readonly onConnect: () => void;
    readonly log: UplinkLog;
  },
): Result<Uplink> {
  return attempt(() => {
    const topic = need(buildTopic({ ...name, kind: 'status' }));
    const { transport, warnings } = need(
      createTransport({
        ...options,
        clientId: `edgeward-${name.device}`,
        will: { topic, payload: encodeStatus('offline'), retained: true },
        clock,
        random: Math.random,
      }),
    );
    if (parts.encryptedOnly === true) for (const warning of warnings) throw new Refusal(warning);
    for (const warning of warnings) parts.log(`${warning.message}. ${warning.next}`);
    transport.watch({
      onConnect: (version) => {
        parts.log(`connected to ${options.url}, MQTT ${version === 5 ? '5' : '3.1.1'}`);
        // The broker may have published our Will meanwhile.
        parts.onConnect();
      },
      onDisconnect: (fault, waitMs) =>
        parts.log(`${fault.code}: ${fault.message}; next attempt in ${Math.round(waitMs)} ms`),
    });
    const outbox = new MemoryOutbox();
    const publisher = new Publisher(outbox, transport, {
      // A broker that refuses its topics leaves a device connected and unheard.
      onDiscard: ({ topic: on }, { code, message, next }) =>
        parts.log(`${code}: ${message}; gave up a message on ${on}. ${next}`),
    });
    transport.start();
    return {
      outbox,
      send: (message) => publisher.send(message),
      async close() {
        await publisher.flush(FLUSH_DEADLINE_MS);
        await transport.close();
      },
    };
  });
}
