/**
 * What is remembered of each caller, and of whom. Declared principals have a record of their own in
 * any case. Others get one while there is room; those who come when there is none share ONE record,
 * its bucket, its budget and its guilt. Nothing is ever evicted: an attacker who floods the table
 * with names gains no fresh record by it, and cannot push out the one that he has.
 */
import { CALLERS_MAX } from '../base/limits.ts';
import { type Evidence, NO_EVIDENCE } from './caller-evidence.ts';
import {
  type CallerSettings,
  isPrincipalName,
  type Principal,
  principalOf,
} from './caller-settings.ts';
import type { KeptFrame } from './caller-vectors.ts';

/** All times are of the monotonic clock of this boot; they may lie before its start. */
export interface CallerRecord {
  /** In the bucket at `tokensAtMs`. */
  readonly tokens: number;
  readonly tokensAtMs: number;
  /** Queries since `periodAtMs`. */
  readonly used: number;
  readonly periodAtMs: number;
  readonly quarantinedUntilMs: number | undefined;
  /** The last kills, at most as many as shut out. */
  readonly killsAtMs: readonly number[];
  readonly novelty: Evidence;
  readonly near: Evidence;
  readonly flips: Evidence;
  /** The last frames that differ from each other, at most `CALLER_FRAMES_MAX`; none of a sensor. */
  readonly kept: readonly KeptFrame[];
  /** The frame before this one. */
  readonly last: Float32Array | undefined;
}

export interface CallersState {
  readonly records: ReadonlyMap<string, CallerRecord>;
  /** Of everybody who came when the table was full. */
  readonly shared: CallerRecord | undefined;
}

export const NO_CALLERS: CallersState = { records: new Map(), shared: undefined };

/** One caller's place in the state. */
export interface CallerPlace {
  /** `undefined` is the shared one. */
  readonly name: string | undefined;
  readonly principal: Principal;
  readonly record: CallerRecord;
}

/** Where a caller stands, with a new record for one who comes first. */
export function placeOf(
  state: CallersState,
  settings: CallerSettings,
  name: string,
  nowMs: number,
): CallerPlace {
  const known = state.records.get(name);
  const own = known !== undefined || mayHaveOwn(state, settings, name);
  const principal = principalOf(settings, own ? name : '');
  const record = (own ? known : state.shared) ?? newRecord(principal, nowMs);
  return { name: own ? name : undefined, principal, record };
}

/** The state with the record of one place replaced. */
export function withRecord(
  state: CallersState,
  { name }: CallerPlace,
  record: CallerRecord,
): CallersState {
  return name === undefined
    ? { ...state, shared: record }
    : { ...state, records: new Map(state.records).set(name, record) };
}

/** Records there may be of principals that are not declared: a place is kept for those that are. */
export function undeclaredMax(settings: CallerSettings): number {
  return CALLERS_MAX - settings.principals.size;
}

/** From `before` to `now`, never negative. */
export function elapsedMs(beforeMs: number, nowMs: number): number {
  return nowMs > beforeMs ? nowMs - beforeMs : 0;
}

function mayHaveOwn(state: CallersState, settings: CallerSettings, name: string): boolean {
  if (settings.principals.has(name)) return true;
  if (!isPrincipalName(name)) return false;
  let undeclared = 0;
  for (const other of state.records.keys()) if (!settings.principals.has(other)) undeclared += 1;
  return undeclared < undeclaredMax(settings);
}

function newRecord(principal: Principal, nowMs: number): CallerRecord {
  return {
    tokens: principal.burst,
    tokensAtMs: nowMs,
    used: 0,
    periodAtMs: nowMs,
    quarantinedUntilMs: undefined,
    killsAtMs: [],
    novelty: NO_EVIDENCE,
    near: NO_EVIDENCE,
    flips: NO_EVIDENCE,
    kept: [],
    last: undefined,
  };
}
