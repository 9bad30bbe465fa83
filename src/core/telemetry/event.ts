/**
 * The closed union of what a device reports as it happens, each type with its severity and its
 * members. Never raw inputs: codes, values, digests.
 */
import { attempt, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import type { CborKey, CborMap, CborValue } from '../cose/value.ts';
import {
  digest,
  listOf,
  oneOf,
  optional,
  readRecord,
  record,
  type Shape,
  whole,
  writeRecord,
} from './shape.ts';
import {
  count,
  FINDING,
  type FindingSummary,
  type ModeName,
  mode,
  name,
  type Severity,
  type VerdictName,
  verdict,
  word,
} from './vocabulary.ts';

/** The first part of every event type. */
export const EVENT_FAMILIES = [
  'integrity',
  'anomaly',
  'input',
  'output',
  'inference',
  'mode',
  'update',
  'telemetry',
  'operator',
] as const;
export type EventFamily = (typeof EVENT_FAMILIES)[number];

/** Which bundle an event is about. */
export interface BundleName {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the manifest, 32 bytes. */
  readonly digest: Uint8Array;
  readonly securityVersion: number;
}

/** What was decided on one frame. */
interface FrameFindings {
  /** The frame's number in its session. */
  readonly frame: number;
  readonly verdict: VerdictName;
  /** SHA-256 of the manifest of the bundle that judged, 32 bytes. */
  readonly bundleDigest: Uint8Array;
  readonly findings: readonly FindingSummary[];
}

/** Members of every event type. Values that are not finite are left out when written. */
interface EventMembers {
  'integrity.boot-verified': { readonly bundle: BundleName; readonly slot?: string };
  'integrity.boot-refused': { readonly fault: string; readonly slot?: string };
  'integrity.installed': { readonly bundle: BundleName; readonly slot?: string };
  'integrity.install-refused': { readonly fault: string; readonly name?: string };
  'integrity.model-changed': { readonly expected: Uint8Array; readonly found: Uint8Array };
  'anomaly.novelty': FrameFindings;
  /** An alarm that this frame raised; that it stands is not repeated with each frame. */
  'anomaly.drift': FrameFindings;
  'anomaly.caller': FrameFindings & { readonly principal: string };
  'input.finding': FrameFindings;
  'output.finding': FrameFindings;
  'inference.deadline': { readonly frame: number; readonly deadlineMs: number };
  'inference.worker-respawned': { readonly cause: string; readonly respawns: number };
  'inference.budget-exhausted': { readonly respawns: number };
  'mode.changed': { readonly from: ModeName; readonly to: ModeName; readonly cause: string };
  /** A frame waits for a person: `hold` is what an operator answers to, by the deadline. */
  'operator.held': { readonly hold: number; readonly frame: number; readonly deadlineMs: number };
  /** Without an operator it was a local caller, the deadline, the mode or the end of the session. */
  'operator.hold-ended': {
    readonly hold: number;
    readonly frame: number;
    readonly ending: HoldEndName;
    readonly operator?: Uint8Array;
  };
  /** An act that was done; without an operator it was a local caller's, which only restricts. */
  'operator.act': {
    readonly verb: string;
    readonly from: ModeName;
    readonly to: ModeName;
    /** What an `acknowledge` is about. */
    readonly about?: string;
    /** The id that the operator gave to the act. */
    readonly id?: string;
    /** Thumbprint of the operator's key, 32 bytes. */
    readonly operator?: Uint8Array;
  };
  /** A signed act that changed nothing. */
  'operator.refused': { readonly fault: string };
  'update.slot-changed': {
    readonly slot: string;
    readonly from: string;
    readonly to: string;
    readonly cause: string;
  };
  /** The signed notice that explains a gap in the chain. */
  'telemetry.dropped': DropCounts;
}

/** Messages that a full queue gave up, and the sequence numbers that the chain lost with them. */
export interface DropCounts {
  readonly info: number;
  readonly warning: number;
  readonly critical: number;
  /** How many of them had a place in the chain. */
  readonly sequenced: number;
  readonly firstSequence?: number;
  readonly lastSequence?: number;
}

/** How a held frame's wait ended; only after `release` did the model's output leave. */
export const HOLD_ENDS = ['release', 'safe', 'expired', 'mode', 'stopped'] as const;
export type HoldEndName = (typeof HOLD_ENDS)[number];

export type EventType = keyof EventMembers;

/** One event: its type and the members of that type, in one flat record. */
export type EdgeEvent = {
  [T in EventType]: { readonly type: T } & EventMembers[T];
}[EventType];

const EVENT_FINDINGS_MAX = 16;

const BUNDLE: Shape<BundleName> = {
  name,
  version: word,
  digest,
  securityVersion: count,
};

const FRAME: Shape<FrameFindings> = {
  frame: count,
  verdict,
  bundleDigest: digest,
  findings: listOf(record(FINDING), EVENT_FINDINGS_MAX),
};

const EVENTS: {
  readonly [T in EventType]: {
    readonly severity: Severity;
    readonly shape: Shape<EventMembers[T]>;
  };
} = {
  'integrity.boot-verified': {
    severity: 'info',
    shape: { bundle: record(BUNDLE), slot: optional(word) },
  },
  'integrity.boot-refused': {
    severity: 'critical',
    shape: { fault: word, slot: optional(word) },
  },
  'integrity.installed': {
    severity: 'info',
    shape: { bundle: record(BUNDLE), slot: optional(word) },
  },
  'integrity.install-refused': {
    severity: 'warning',
    shape: { fault: word, name: optional(name) },
  },
  'integrity.model-changed': { severity: 'critical', shape: { expected: digest, found: digest } },
  'anomaly.novelty': { severity: 'warning', shape: FRAME },
  'anomaly.drift': { severity: 'warning', shape: FRAME },
  'anomaly.caller': { severity: 'warning', shape: { ...FRAME, principal: name } },
  'input.finding': { severity: 'warning', shape: FRAME },
  'output.finding': { severity: 'warning', shape: FRAME },
  'inference.deadline': { severity: 'warning', shape: { frame: count, deadlineMs: whole(1) } },
  'inference.worker-respawned': { severity: 'warning', shape: { cause: word, respawns: count } },
  'inference.budget-exhausted': { severity: 'critical', shape: { respawns: count } },
  'mode.changed': { severity: 'critical', shape: { from: mode, to: mode, cause: word } },
  'operator.held': {
    severity: 'warning',
    shape: { hold: whole(1), frame: count, deadlineMs: whole(1) },
  },
  'operator.hold-ended': {
    severity: 'warning',
    shape: { hold: whole(1), frame: count, ending: oneOf(HOLD_ENDS), operator: optional(digest) },
  },
  'operator.act': {
    severity: 'critical',
    shape: {
      verb: word,
      from: mode,
      to: mode,
      about: optional(word),
      id: optional(word),
      operator: optional(digest),
    },
  },
  'operator.refused': { severity: 'warning', shape: { fault: word } },
  'update.slot-changed': {
    severity: 'info',
    shape: { slot: word, from: word, to: word, cause: word },
  },
  'telemetry.dropped': {
    severity: 'warning',
    shape: {
      info: count,
      warning: count,
      critical: count,
      sequenced: count,
      firstSequence: optional(count),
      lastSequence: optional(count),
    },
  },
};

export const EVENT_TYPES: readonly EventType[] = Object.keys(EVENTS) as EventType[];

/** What a full queue keeps longest is what an operator must not miss. */
export function severityOf(type: EventType): Severity {
  return EVENTS[type].severity;
}

export function familyOf(type: EventType): EventFamily {
  return type.slice(0, type.indexOf('.')) as EventFamily;
}

/** The body of an `event` envelope: a map with text keys, `type` among them. */
export function encodeEvent(event: EdgeEvent): CborMap {
  const { type, ...members } = event;
  const written = writeRecord<object>(EVENTS[type].shape, members);
  return new Map<CborKey, CborValue>([['type', type], ...written]);
}

/** Strict: unknown types and members are refused. Faults: `field.*`. */
export function decodeEvent(body: CborValue): Result<EdgeEvent> {
  return attempt(() => {
    const fields = Fields.of('event', body);
    const type = fields.oneOf('type', EVENT_TYPES);
    return { type, ...readRecord<object>(EVENTS[type].shape, fields) } as EdgeEvent;
  });
}
