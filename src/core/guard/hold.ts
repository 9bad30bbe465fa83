/**
 * Frames that wait for a person, as a table: who waits, until when, and what ends it. At most
 * `holdsMax` wait; a frame beyond them gets the safe output at once. Time and answers come in as
 * values, and every way out but a person's release ends in the safe output.
 */
import type { MonotonicMs } from '../base/time.ts';

export interface HoldLimits {
  /** How long one frame waits. */
  readonly holdMaxMs: number;
  /** How many wait at a time. */
  readonly holdsMax: number;
}

/** One frame that waits. */
export interface Hold {
  /** Counts from 1 and is never given twice. */
  readonly id: number;
  readonly frame: number;
  /** From here on it has fallen to safe, whoever answers. */
  readonly untilMs: MonotonicMs;
}

export interface Holds {
  /** The last id that was given. */
  readonly lastId: number;
  /** In the order of their frames. */
  readonly waiting: readonly Hold[];
}

export const NO_HOLDS: Holds = { lastId: 0, waiting: [] };

/**
 * How a wait ends: by a person's answer, because nobody answered in time, because the mode does not
 * release model outputs any more, or with the session. Only `release` lets the model's output leave.
 */
export type HoldEnding = 'release' | (typeof HOLD_ENDS_SAFE)[number];

export const HOLD_ENDS_SAFE = ['safe', 'expired', 'mode', 'stopped'] as const;

/** The frame waits from now on; `hold` is `undefined` where too many do already. */
export function beginHold(
  { lastId, waiting }: Holds,
  frame: number,
  { holdMaxMs, holdsMax }: HoldLimits,
  nowMs: MonotonicMs,
): { readonly holds: Holds; readonly hold: Hold | undefined } {
  if (waiting.length >= holdsMax) return { holds: { lastId, waiting }, hold: undefined };
  const hold = { id: lastId + 1, frame, untilMs: (nowMs + holdMaxMs) as MonotonicMs };
  return { holds: { lastId: hold.id, waiting: [...waiting, hold] }, hold };
}

/** The frame that an answer ends; `undefined` for one that does not wait, or not any more. */
export function waitingHold(holds: Holds, id: number, nowMs: MonotonicMs): Hold | undefined {
  return holds.waiting.find((hold) => hold.id === id && nowMs < hold.untilMs);
}

export function endHold({ lastId, waiting }: Holds, id: number): Holds {
  return { lastId, waiting: waiting.filter((hold) => hold.id !== id) };
}

/** Takes out the frames whose time has come. */
export function expireHolds(
  { lastId, waiting }: Holds,
  nowMs: MonotonicMs,
): { readonly holds: Holds; readonly expired: readonly Hold[] } {
  return {
    holds: { lastId, waiting: waiting.filter(({ untilMs }) => nowMs < untilMs) },
    expired: waiting.filter(({ untilMs }) => !(nowMs < untilMs)),
  };
}

/** When the next frame falls to safe; `undefined` where none waits. */
export function nextExpiryMs({ waiting }: Holds): MonotonicMs | undefined {
  const least = Math.min(...waiting.map(({ untilMs }) => untilMs));
  return waiting.length === 0 ? undefined : (least as MonotonicMs);
}
