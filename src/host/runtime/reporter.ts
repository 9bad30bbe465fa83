/**
 * Turns what happens into sealed messages: one hash chain per boot, starting at the birth. The
 * queue behind it is bounded; what it drops is told in the chain itself.
 */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { EVENT_BURST_MAX, EVENT_REFILL_MS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { CborMap } from '../../core/cose/value.ts';
import type { Signer } from '../../core/crypto/ed25519.ts';
import { type Birth, encodeBirth } from '../../core/telemetry/birth.ts';
import { NO_PREVIOUS, sealEnvelope } from '../../core/telemetry/envelope.ts';
import {
  type DropCounts,
  type EdgeEvent,
  encodeEvent,
  severityOf,
} from '../../core/telemetry/event.ts';
import { encodeHealth, type Health, mirrorHealth } from '../../core/telemetry/health.ts';
import type { OutgoingMessage } from '../../core/telemetry/queue.ts';
import { encodeStatus, type Status } from '../../core/telemetry/status.ts';
import {
  buildTopic,
  isRetained,
  type SignedKind,
  type TopicKind,
} from '../../core/telemetry/topic.ts';
import type { ClockState, Severity } from '../../core/telemetry/vocabulary.ts';

export interface ReporterParts {
  readonly group: string;
  readonly device: string;
  readonly signer: Signer;
  /** Boot counter: durable before the first message of this boot is signed. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly clockState: ClockState;
  /** What the outbox gave up since the last call, to be told in the chain. */
  readonly takeDrops: () => DropCounts | undefined;
  /** Puts a message in the outbox, and on its way where there is an uplink. */
  readonly send: (message: OutgoingMessage) => Result<number>;
}

export class Reporter {
  readonly #parts: ReporterParts;
  readonly #startMs: number;
  #sequence = 0;
  #previous: Uint8Array = NO_PREVIOUS;
  #tokens: number = EVENT_BURST_MAX;
  #refilledMs: number;
  #suppressed = 0;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#startMs = parts.clock.monotonicMs();
    this.#refilledMs = this.#startMs;
  }

  /** Events that were not sent because too many came at once; verdict counters still hold them. */
  get suppressed(): number {
    return this.#suppressed;
  }

  get clockState(): ClockState {
    return this.#parts.clockState;
  }

  get uptimeMs(): number {
    return Math.round(this.#parts.clock.monotonicMs() - this.#startMs);
  }

  /** The first message of a boot; everything else follows it in the chain. */
  birth(birth: Birth): Result<true> {
    return this.#seal('birth', encodeBirth(birth), 'critical');
  }

  /** Warnings and infos pass a token bucket: a bad sensor must not fill the network. */
  event(event: EdgeEvent): Result<true> {
    const severity = severityOf(event.type);
    if (severity !== 'critical' && !this.#takeToken()) {
      this.#suppressed++;
      return { ok: true, value: true };
    }
    return this.#seal('event', encodeEvent(event), severity);
  }

  /** Signed for collectors, and mirrored as JSON for people. */
  health(health: Health): Result<true> {
    return attempt(() => {
      need(this.#seal('health', encodeHealth(health), 'info'));
      const { device, clock } = this.#parts;
      this.#queue('json/health', mirrorHealth(device, clock.unixMs(), health), 'info');
      return true;
    });
  }

  /** The unsigned hint. */
  status(status: Status): void {
    this.#queue('status', encodeStatus(status), 'info');
  }

  #seal(type: SignedKind, body: CborMap, severity: Severity): Result<true> {
    return attempt(() => {
      // The chain starts with the birth and with nothing else.
      const drops = this.#sequence === 0 ? undefined : this.#parts.takeDrops();
      if (drops !== undefined) {
        this.#sealOne('event', encodeEvent({ type: 'telemetry.dropped', ...drops }), 'critical');
      }
      this.#sealOne(type, body, severity);
      return true;
    });
  }

  #sealOne(type: SignedKind, body: CborMap, severity: Severity): void {
    const { clock, clockState, signer, device, epoch } = this.#parts;
    const sequence = this.#sequence;
    const sealed = need(
      sealEnvelope({
        topic: this.#topic(type),
        type,
        device,
        epoch,
        sequence,
        previous: this.#previous,
        unixMs: clock.unixMs(),
        clockState,
        uptimeMs: this.uptimeMs,
        body,
        signer,
      }),
    );
    this.#sequence++;
    this.#previous = sealed.hash;
    this.#queue(type, sealed.bytes, severity, sequence);
  }

  #queue(kind: TopicKind, payload: Uint8Array, severity: Severity, sequence?: number): void {
    const message = { topic: this.#topic(kind), payload, retained: isRetained(kind), severity };
    need(this.#parts.send(sequence === undefined ? message : { ...message, sequence }));
  }

  #topic(kind: TopicKind): string {
    const { group, device } = this.#parts;
    return need(buildTopic({ group, device, kind }));
  }

  #takeToken(): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    const earned = Math.floor((nowMs - this.#refilledMs) / EVENT_REFILL_MS);
    this.#tokens = Math.min(EVENT_BURST_MAX, this.#tokens + earned);
    this.#refilledMs += earned * EVENT_REFILL_MS;
    if (this.#tokens === 0) return false;
    this.#tokens--;
    return true;
  }
}
