/**
 * Drains an outbox into a transport, in order and with a bounded number in flight. A message leaves
 * the outbox when the broker acknowledged it and not before: a lost connection repeats, never loses.
 */
import type { Fault, Result } from '../../core/base/fault.ts';
import { IN_FLIGHT_MAX } from '../../core/base/limits.ts';
import type { Outbox, OutgoingMessage, QueuedMessage } from '../../core/telemetry/queue.ts';
import type { UplinkFaultCode } from './faults.ts';
import type { Transport } from './mqtt-transport.ts';

export interface PublisherWatcher {
  /** A message was given up because sending it again is of no use; the outbox counts it. */
  onDiscard?(message: OutgoingMessage, fault: Fault): void;
}

const HOPELESS: readonly string[] = [
  'uplink.rejected',
  'uplink.size',
] satisfies readonly UplinkFaultCode[];

/** One per outbox; starts by itself when the transport connects. */
export class Publisher {
  readonly #outbox: Outbox;
  readonly #transport: Transport;
  readonly #watcher: PublisherWatcher;
  readonly #inFlight = new Set<number>();
  readonly #waiters = new Set<() => void>();

  constructor(outbox: Outbox, transport: Transport, watcher: PublisherWatcher = {}) {
    this.#outbox = outbox;
    this.#transport = transport;
    this.#watcher = watcher;
    transport.watch({ onConnect: () => this.#pump() });
  }

  /** Puts a message in the outbox and sends it when its turn comes. Faults: those of the outbox. */
  send(message: OutgoingMessage): Result<number> {
    const pushed = this.#outbox.push(message);
    this.#pump();
    return pushed;
  }

  /** True when the outbox ran empty within the deadline. */
  flush(deadlineMs: number): Promise<boolean> {
    if (this.#outbox.depth.messages === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (empty: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(drained);
        resolve(empty);
      };
      const drained = (): void => finish(true);
      const timer = setTimeout(() => finish(false), deadlineMs);
      this.#waiters.add(drained);
    });
  }

  #pump(): void {
    if (this.#outbox.depth.messages === 0) for (const drained of this.#waiters) drained();
    if (!this.#transport.connected) return;
    const limit = Math.min(IN_FLIGHT_MAX, this.#transport.inFlightMax);
    for (const message of this.#outbox.peekBatch(limit)) {
      if (this.#inFlight.size >= limit) return;
      if (this.#inFlight.has(message.id)) continue;
      this.#inFlight.add(message.id);
      void this.#transport.publish(message).then((result) => this.#settle(message, result));
    }
  }

  #settle(message: QueuedMessage, result: Result<void>): void {
    this.#inFlight.delete(message.id);
    if (result.ok) this.#outbox.acknowledge(message.id);
    else if (HOPELESS.includes(result.fault.code)) {
      this.#outbox.discard(message.id);
      this.#watcher.onDiscard?.(message, result.fault);
    } else return;
    this.#pump();
  }
}
