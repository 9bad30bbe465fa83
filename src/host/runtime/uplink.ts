/** The uplink of a device: an outbox that fills while there is no network, and what drains it. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import type { Clock } from '../../core/base/time.ts';
import { MemoryOutbox, type Outbox, type OutgoingMessage } from '../../core/telemetry/queue.ts';
import { encodeStatus } from '../../core/telemetry/status.ts';
import { buildTopic } from '../../core/telemetry/topic.ts';
import { createTransport, type TlsOptions } from '../uplink/mqtt-transport.ts';
import { Publisher } from '../uplink/publisher.ts';

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
  parts: { readonly onConnect: () => void; readonly log: UplinkLog },
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
    const publisher = new Publisher(outbox, transport);
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
