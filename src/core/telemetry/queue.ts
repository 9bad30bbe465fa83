/**
 * The outbox between judgement and network: a port that a disk spool can fill, and a bounded one
 * in memory that drops the oldest of the least severity and keeps account of what it dropped.
 */
import { attempt, type Result } from '../base/fault.ts';
import { QUEUE_BYTES_MAX, QUEUE_MESSAGES_MAX } from '../base/limits.ts';
import type { DropCounts } from './event.ts';
import { refuseTelemetry } from './faults.ts';
import { SEVERITIES, type Severity } from './vocabulary.ts';

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The broker keeps it for late subscribers. */
  readonly retained: boolean;
  readonly severity: Severity;
  /** The place in the chain, where it has one. */
  readonly sequence?: number;
}

export interface QueuedMessage extends OutgoingMessage {
  /** Rises with every message pushed; never used twice by one outbox. */
  readonly id: number;
}

export interface OutboxDepth {
  readonly messages: number;
  readonly bytes: number;
  /** Since the outbox was made. */
  readonly dropped: number;
}

/** What the uplink drains. Messages stay until they are acknowledged or given up. */
export interface Outbox {
  readonly depth: OutboxDepth;
  /** Faults: `telemetry.size` for a message that could never be kept. */
  push(message: OutgoingMessage): Result<number>;
  /** The oldest `count` messages at most, oldest first; they stay. */
  peekBatch(count: number): readonly QueuedMessage[];
  /** Delivered: forget it. An id that is gone is ignored. */
  acknowledge(id: number): void;
  /** Undeliverable: forget it and account for it as dropped. An id that is gone is ignored. */
  discard(id: number): void;
  /** What was dropped since the last call, to be reported in the chain; then counts anew. */
  takeDrops(): DropCounts | undefined;
}

const NO_DROPS: DropCounts = { info: 0, warning: 0, critical: 0, sequenced: 0 };

/** The bounded outbox in memory: it survives the network, not the process. */
export class MemoryOutbox implements Outbox {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #messages = new Map<number, QueuedMessage>();
  #bytes = 0;
  #nextId = 1;
  #dropped = 0;
  #drops: DropCounts = NO_DROPS;

  constructor(messagesMax: number = QUEUE_MESSAGES_MAX, bytesMax: number = QUEUE_BYTES_MAX) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get depth(): OutboxDepth {
    return { messages: this.#messages.size, bytes: this.#bytes, dropped: this.#dropped };
  }

  push(message: OutgoingMessage): Result<number> {
    return attempt(() => {
      if (sizeOf(message) > this.#bytesMax) {
        throw refuseTelemetry('telemetry.size', `a message of ${sizeOf(message)} bytes`);
      }
      const queued = { ...message, id: this.#nextId++ };
      this.#messages.set(queued.id, queued);
      this.#bytes += sizeOf(queued);
      // The newcomer takes part: among equals the oldest goes, and a lesser newcomer goes itself.
      while (this.#messages.size > this.#messagesMax || this.#bytes > this.#bytesMax) {
        this.discard(leastOf(this.#messages.values()));
      }
      return queued.id;
    });
  }

  peekBatch(count: number): readonly QueuedMessage[] {
    const batch: QueuedMessage[] = [];
    for (const message of this.#messages.values()) {
      if (batch.length >= count) break;
      batch.push(message);
    }
    return batch;
  }

  acknowledge(id: number): void {
    this.#remove(id);
  }

  discard(id: number): void {
    const message = this.#remove(id);
    if (message === undefined) return;
    this.#dropped++;
    this.#drops = countDrop(this.#drops, message);
  }

  takeDrops(): DropCounts | undefined {
    const drops = this.#drops;
    this.#drops = NO_DROPS;
    return drops === NO_DROPS ? undefined : drops;
  }

  #remove(id: number): QueuedMessage | undefined {
    const message = this.#messages.get(id);
    if (message === undefined) return undefined;
    this.#messages.delete(id);
    this.#bytes -= sizeOf(message);
    return message;
  }
}

function sizeOf(message: OutgoingMessage): number {
  return message.topic.length + message.payload.length;
}

/** The oldest among those of the least severity. */
function leastOf(messages: Iterable<QueuedMessage>): number {
  let least: QueuedMessage | undefined;
  for (const message of messages) {
    if (least === undefined || rankOf(message) < rankOf(least)) least = message;
  }
  return least?.id ?? 0;
}

function rankOf(message: QueuedMessage): number {
  return SEVERITIES.indexOf(message.severity);
}

function countDrop(drops: DropCounts, message: QueuedMessage): DropCounts {
  const counted = { ...drops, [message.severity]: drops[message.severity] + 1 };
  const { sequence } = message;
  if (sequence === undefined) return counted;
  return {
    ...counted,
    sequenced: drops.sequenced + 1,
    firstSequence: Math.min(drops.firstSequence ?? sequence, sequence),
    lastSequence: Math.max(drops.lastSequence ?? sequence, sequence),
  };
}
