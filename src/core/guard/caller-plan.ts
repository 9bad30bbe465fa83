/** Before the inference: whether a caller may ask now (guard 7). What is refused costs him nothing. */
import type { MonotonicMs } from '../base/time.ts';
import type { CallerSettings, Principal } from './caller-settings.ts';
import {
  type CallerRecord,
  type CallersState,
  elapsedMs,
  placeOf,
  withRecord,
} from './caller-state.ts';
import { type Finding, finding, quoted } from './findings.ts';

export interface CallerStep {
  readonly state: CallersState;
  readonly findings: readonly Finding[];
}

/**
 * Takes one token of the caller's bucket and one query of his budget, or finds why not and changes
 * nothing: `caller.quarantined` (value: milliseconds left), `caller.rate` (value: milliseconds until
 * there is a token), `caller.budget` (value: queries of this period, threshold: the budget).
 *
 * In any span of T seconds at most `burst + perSecond T` queries pass; within one period, which
 * starts with its first query, exactly `budget`, so across the end of one up to twice as many.
 */
export function planCaller(
  state: CallersState,
  settings: CallerSettings,
  name: string,
  nowMs: MonotonicMs,
): CallerStep {
  const place = placeOf(state, settings, name, nowMs);
  const { principal, record } = place;
  const leftMs = quarantineLeftMs(record, nowMs);
  if (leftMs > 0) {
    const words = `${quoted(name)} is shut out for ${seconds(leftMs)} more`;
    return { state, findings: [finding('caller.quarantined', words, { value: leftMs })] };
  }
  const filled = refilled(record, principal, nowMs);
  const counted = inPeriod(filled, settings, nowMs);
  const refused = overRate(counted, principal, name) ?? overBudget(counted, principal, name);
  if (refused !== undefined) return { state, findings: [refused] };
  const charged = { ...counted, tokens: counted.tokens - 1, used: counted.used + 1 };
  return { state: withRecord(state, place, charged), findings: [] };
}

function quarantineLeftMs({ quarantinedUntilMs }: CallerRecord, nowMs: number): number {
  return quarantinedUntilMs === undefined ? 0 : elapsedMs(nowMs, quarantinedUntilMs);
}

function refilled(record: CallerRecord, principal: Principal, nowMs: number): CallerRecord {
  const sinceMs = elapsedMs(record.tokensAtMs, nowMs);
  return {
    ...record,
    tokens: Math.min(principal.burst, record.tokens + (sinceMs / 1000) * principal.perSecond),
    tokensAtMs: record.tokensAtMs + sinceMs,
  };
}

function inPeriod(record: CallerRecord, settings: CallerSettings, nowMs: number): CallerRecord {
  const sinceMs = elapsedMs(record.periodAtMs, nowMs);
  return sinceMs < settings.budgetPeriodMs
    ? record
    : { ...record, used: 0, periodAtMs: record.periodAtMs + sinceMs };
}

function overRate(
  { tokens }: CallerRecord,
  { perSecond }: Principal,
  name: string,
): Finding | undefined {
  if (tokens >= 1) return undefined;
  const waitMs = Math.max(1, Math.ceil(((1 - tokens) / perSecond) * 1000));
  const words = `${quoted(name)} may ask ${perSecond} times a second; again in ${seconds(waitMs)}`;
  return finding('caller.rate', words, { value: waitMs });
}

function overBudget(
  { used }: CallerRecord,
  { budget }: Principal,
  name: string,
): Finding | undefined {
  if (budget === 0 || used < budget) return undefined;
  const words = `${quoted(name)} has made the ${budget} queries of this period`;
  return finding('caller.budget', words, { value: used, threshold: budget });
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(4))} s`;
}
