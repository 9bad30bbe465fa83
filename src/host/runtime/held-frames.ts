/**
 * Performs the table of held frames: keeps the model's output of each back, and hands its answer out
 * when a person has decided, or when nobody has in time.
 */
import { toHex } from '../../core/base/bytes.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { afterHold } from '../../core/guard/decision.ts';
import type { Judgement } from '../../core/guard/guard.ts';
import {
  beginHold,
  endHold,
  expireHolds,
  type Hold,
  type HoldEnding,
  type HoldLimits,
  NO_HOLDS,
  nextExpiryMs,
  waitingHold,
} from '../../core/guard/hold.ts';
import type { Mode } from '../../core/guard/mode.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';

export interface HeldParts {
  readonly clock: Clock;
  /** The mode of the session, which an answer carries. */
  readonly mode: () => Mode;
  readonly onEvent: (event: EdgeEvent) => void;
}

/** What the answer of a held frame says about its wait. */
export interface HoldRecord {
  readonly id: number;
  readonly ending: HoldEnding;
  /** Thumbprint of the operator who decided, in hexadecimal; absent where nobody signed. */
  readonly operator?: string;
}

interface HoldEnd {
  readonly hold: Hold;
  readonly ending: HoldEnding;
  readonly operator?: Uint8Array | undefined;
}

export class HeldFrames {
  readonly #parts: HeldParts;
  readonly #ends = new Map<number, (end: HoldEnd) => void>();
  #holds = NO_HOLDS;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  /**
   * The answer that a frame has when its wait is over. Without a place to wait, or an output to keep
   * back, it has one at once: `undefined`.
   */
  hold<T extends Judgement & { readonly frame: number }>(
    held: T,
    modelOutputs: NamedTensors | undefined,
    limits: HoldLimits,
  ): Promise<T & { readonly hold: HoldRecord }> | undefined {
    const { clock, onEvent } = this.#parts;
    if (this.#closed || modelOutputs === undefined) return undefined;
    const { holds, hold } = beginHold(this.#holds, held.frame, limits, clock.monotonicMs());
    this.#holds = holds;
    if (hold === undefined) return undefined;
    const answer = new Promise<T & { readonly hold: HoldRecord }>((resolve) => {
      this.#ends.set(hold.id, (end) => resolve(this.#answerOf(held, modelOutputs, end)));
    });
    this.#arm();
    const { id, frame } = hold;
    onEvent({ type: 'operator.held', hold: id, frame, deadlineMs: limits.holdMaxMs });
    return answer;
  }

  /** Whether an answer at this time would still count. */
  waits(id: number, nowMs: MonotonicMs): boolean {
    return waitingHold(this.#holds, id, nowMs) !== undefined;
  }

  /** A person's answer, given at `nowMs`; false where no such frame waited then. */
  answer(
    id: number,
    ending: 'release' | 'safe',
    nowMs: MonotonicMs,
    operator?: Uint8Array,
  ): boolean {
    const hold = waitingHold(this.#holds, id, nowMs);
    if (hold !== undefined) this.#end({ hold, ending, operator });
    return hold !== undefined;
  }

  endAll(ending: 'mode' | 'stopped'): void {
    for (const hold of this.#holds.waiting) this.#end({ hold, ending });
  }

  /** Ends all of them, and lets none wait any more. */
  close(): void {
    this.#closed = true;
    this.endAll('stopped');
  }

  #end(end: HoldEnd): void {
    this.#holds = endHold(this.#holds, end.hold.id);
    this.#tell(end);
    this.#arm();
  }

  #tell(end: HoldEnd): void {
    const { hold, ending, operator } = end;
    const ended = this.#ends.get(hold.id);
    this.#ends.delete(hold.id);
    ended?.(end);
    const { id, frame } = hold;
    const event = { type: 'operator.hold-ended', hold: id, frame, ending } as const;
    this.#parts.onEvent(operator === undefined ? event : { ...event, operator });
  }

  #answerOf<T extends Judgement>(
    held: T,
    modelOutputs: NamedTensors,
    { hold: { id }, ending, operator }: HoldEnd,
  ): T & { readonly hold: HoldRecord } {
    const by = operator && { operator: toHex(operator) };
    return {
      ...afterHold(held, modelOutputs, ending),
      mode: this.#parts.mode(),
      hold: { id, ending, ...by },
      words: `the wait ended (${ending}): ${held.words}`,
    };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const untilMs = nextExpiryMs(this.#holds);
    if (untilMs === undefined) return;
    const afterMs = Math.max(1, untilMs - this.#parts.clock.monotonicMs());
    this.#timer = setTimeout(() => this.#expire(), afterMs);
  }

  #expire(): void {
    const { holds, expired } = expireHolds(this.#holds, this.#parts.clock.monotonicMs());
    this.#holds = holds;
    for (const hold of expired) this.#tell({ hold, ending: 'expired' });
    this.#arm();
  }
}
