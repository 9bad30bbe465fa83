/** Words that several telemetry records share, as closed lists: what a collector may rely on. */
import type { Mode } from '../guard/mode.ts';
import { type Member, measured, oneOf, optional, type Shape, text, whole } from './shape.ts';

export const MODES = ['nominal', 'degraded', 'safe', 'locked', 'paused'] as const;
export type ModeName = (typeof MODES)[number];

/** The mode as telemetry calls it. */
export function modeName(mode: Mode): ModeName {
  return mode.toLowerCase() as ModeName;
}

export const VERDICTS = ['release', 'flag', 'substitute', 'hold', 'withhold'] as const;
export type VerdictName = (typeof VERDICTS)[number];

/** Least first: what a full queue gives up first. */
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * `synced`: a time service vouches for it; `floor`: unsynced, but not before the newest time that
 * was proven; `unset`: the clock says nothing.
 */
export const CLOCK_STATES = ['synced', 'floor', 'unset'] as const;
export type ClockState = (typeof CLOCK_STATES)[number];

/** Fault and finding codes, names of slots, inputs and the like. */
const WORD_CHARS_MAX = 64;
const NAME_CHARS_MAX = 128;

export const word: Member<string> = text(WORD_CHARS_MAX);
export const name: Member<string> = text(NAME_CHARS_MAX);
export const mode: Member<ModeName> = oneOf(MODES);
export const verdict: Member<VerdictName> = oneOf(VERDICTS);
export const clockState: Member<ClockState> = oneOf(CLOCK_STATES);

/** What a guard finding says, without the input it was made on. */
export interface FindingSummary {
  /** For example `novelty.score`. */
  readonly code: string;
  /** The input or output it is about. */
  readonly tensor?: string;
  readonly value?: number;
  readonly threshold?: number;
  readonly p?: number;
}

export const FINDING: Shape<FindingSummary> = {
  code: word,
  tensor: optional(name),
  value: measured(),
  threshold: measured(),
  p: measured(0, 1),
};

export const count: Member<number> = whole();
