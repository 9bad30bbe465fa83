/**
 * What is remembered of callers as bytes, so that a restart lets nobody out and gives nobody a new
 * budget. Bound to the model: evidence of another one says nothing.
 *
 * Times are written as durations, because a monotonic clock begins anew with each boot: while the
 * device is off no time passes for a caller, so neither a quarantine nor a period ends sooner by it.
 * The remembered frames are not written: features tell of the people and things that were seen, and
 * the evidence that was drawn from them is kept. After a restart a caller's frames are compared with
 * those since.
 */
import { equalBytes } from '../base/bytes.ts';
import {
  attempt,
  type FaultTable,
  need,
  type Refusal,
  type Result,
  refusing,
} from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import {
  CALLER_PERIOD_MS_MAX,
  CALLER_QUERIES_MAX,
  CALLER_STATE_BYTES_MAX,
  CALLERS_MAX,
  RESPAWNS_MAX,
} from '../base/limits.ts';
import type { MonotonicMs } from '../base/time.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { BETS, type Evidence } from './caller-evidence.ts';
import { type CallerSettings, isPrincipalName } from './caller-settings.ts';
import { type CallerRecord, type CallersState, elapsedMs, undeclaredMax } from './caller-state.ts';

export type CallerFaultCode = 'caller.other-model';

export const CALLER_FAULTS: FaultTable<CallerFaultCode> = {
  'caller.other-model': 'Begin anew: what is known of the callers was learnt on another model.',
};

const refuseCaller: (code: CallerFaultCode, message: string) => Refusal = refusing(CALLER_FAULTS);

const PROFILE = 'edgeward-callers/1';
/** Every step of it can still be counted. */
const TRIES_MAX: number = 2 ** 52;
/** Beyond the largest threshold that settings allow, times the largest bet. */
const BET_MAX = 1e20;

/** At most `CALLER_STATE_BYTES_MAX`. */
export function encodeCallers(
  state: CallersState,
  modelSha256: Uint8Array,
  nowMs: MonotonicMs,
): Uint8Array {
  const records = [...state.records].map(([name, record]) => [name, toMap(record, nowMs)] as const);
  return encodeCbor(
    cborMap(
      ['profile', PROFILE],
      ['model', modelSha256],
      ['records', cborMap(...records)],
      ['shared', state.shared && toMap(state.shared, nowMs)],
    ),
  );
}

/**
 * Total on hostile bytes: whatever is accepted can be stepped on and encoded again. Where newer
 * settings declare more principals, undeclared ones beyond the room that is left for them join those
 * who share. Faults: `caller.other-model`, `cbor.*`, `field.*`; after any of them the caller of this
 * begins with `NO_CALLERS` and says so.
 */
export function decodeCallers(
  bytes: Uint8Array,
  modelSha256: Uint8Array,
  settings: CallerSettings,
  nowMs: MonotonicMs,
): Result<CallersState> {
  return attempt(() => {
    const decoded = need(decodeCbor(bytes, { bytesMax: CALLER_STATE_BYTES_MAX }));
    const map = Fields.of('callers', decoded);
    map.oneOf('profile', [PROFILE]);
    if (!equalBytes(map.bytes('model', 32), modelSha256)) {
      throw refuseCaller('caller.other-model', 'the state is of another model');
    }
    const all = readRecords(map.map('records'), nowMs);
    const shared = map.optional('shared', (name) => readRecord(map.map(name), nowMs));
    map.done();
    return { records: fitting(all, settings), shared };
  });
}

function toMap(record: CallerRecord, nowMs: number): CborMap {
  const { quarantinedUntilMs } = record;
  return cborMap(
    // What would have come back since is not worth a second field.
    ['tokens', record.tokens],
    ['used', record.used],
    ['period-age', ageMs(record.periodAtMs, nowMs)],
    [
      'quarantine-left',
      quarantinedUntilMs === undefined ? undefined : ageMs(nowMs, quarantinedUntilMs),
    ],
    ['kill-ages', record.killsAtMs.map((atMs) => ageMs(atMs, nowMs))],
    ['novelty', [record.novelty.tries, ...record.novelty.bets]],
    ['near', [record.near.tries, ...record.near.bets]],
    ['flips', [record.flips.tries, ...record.flips.bets]],
  );
}

/** Whatever is older than the longest period is over in any case. */
function ageMs(fromMs: number, toMs: number): number {
  return Math.min(elapsedMs(fromMs, toMs), CALLER_PERIOD_MS_MAX);
}

function readRecords(map: Fields, nowMs: number): ReadonlyMap<string, CallerRecord> {
  const names = map.keys();
  if (names.length > CALLERS_MAX) {
    throw refuseField('field.range', `${map.path} has ${names.length} entries`);
  }
  const records = new Map<string, CallerRecord>();
  for (const name of names) {
    if (typeof name !== 'string' || !isPrincipalName(name)) {
      throw refuseField('field.range', `a name in ${map.path} is none of a principal`);
    }
    records.set(name, readRecord(map.map(name), nowMs));
  }
  return records;
}

function readRecord(map: Fields, nowMs: number): CallerRecord {
  const duration = (name: string | number): number => map.number(name, 0, CALLER_PERIOD_MS_MAX);
  const leftMs = map.optional('quarantine-left', duration);
  const kills = new Fields(map.at('kill-ages'), indexed(map.list('kill-ages', RESPAWNS_MAX)));
  const record: CallerRecord = {
    tokens: map.number('tokens', 0, CALLER_QUERIES_MAX),
    tokensAtMs: nowMs,
    used: map.integer('used', 0, TRIES_MAX),
    periodAtMs: nowMs - duration('period-age'),
    quarantinedUntilMs: leftMs === undefined ? undefined : nowMs + leftMs,
    killsAtMs: kills.keys().map((i) => nowMs - kills.number(i as number, 0, CALLER_PERIOD_MS_MAX)),
    novelty: readEvidence(map, 'novelty'),
    near: readEvidence(map, 'near'),
    flips: readEvidence(map, 'flips'),
    kept: [],
    last: undefined,
  };
  map.done();
  return record;
}

function readEvidence(map: Fields, name: string): Evidence {
  const list = new Fields(map.at(name), indexed(map.list(name, 1 + BETS)));
  const tries = list.integer(0, 0, TRIES_MAX);
  const bets = Array.from({ length: BETS }, (_, i) => list.number(1 + i, 0, BET_MAX));
  return { tries, bets };
}

function indexed(list: readonly unknown[]): ReadonlyMap<number, unknown> {
  return new Map(list.map((entry, i) => [i, entry]));
}

function fitting(
  all: ReadonlyMap<string, CallerRecord>,
  settings: CallerSettings,
): ReadonlyMap<string, CallerRecord> {
  let room = undeclaredMax(settings);
  return new Map([...all].filter(([name]) => settings.principals.has(name) || room-- > 0));
}
