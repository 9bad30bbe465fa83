/** The periodic health of a device: signed for collectors, mirrored as JSON for people. */
import { utf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import type { UnixMs } from '../base/time.ts';
import type { CborMap, CborValue } from '../cose/value.ts';
import { flag, optional, readRecord, record, type Shape, whole, writeRecord } from './shape.ts';
import { count, type ModeName, mode, type VerdictName } from './vocabulary.ts';

/** Every counter runs since boot. */
export interface Health {
  readonly mode: ModeName;
  readonly uptimeMs: number;
  /** Frames by verdict. */
  readonly verdicts: Readonly<Record<VerdictName, number>>;
  /** Of guarded inference; absent before the first frame. */
  readonly latencyUs?: LatencyUs;
  readonly queue: QueueHealth;
  readonly flashBytesWritten: number;
  readonly memoryBytes: number;
  /** Thousandths of a degree Celsius; absent where the board has no sensor. */
  readonly temperatureMilliC?: number;
  /** The board slows itself down; absent where it cannot be read. */
  readonly throttled?: boolean;
}

export interface LatencyUs {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface QueueHealth {
  readonly messages: number;
  readonly bytes: number;
  readonly dropped: number;
}

const TEMPERATURE_MILLI_C_MIN = -273_150;
const TEMPERATURE_MILLI_C_MAX = 1_000_000;

const VERDICT_COUNTS: Shape<Health['verdicts']> = {
  release: count,
  flag: count,
  substitute: count,
  hold: count,
  withhold: count,
};

const LATENCY: Shape<LatencyUs> = { p50: count, p95: count, p99: count };

const QUEUE: Shape<QueueHealth> = { messages: count, bytes: count, dropped: count };

const HEALTH: Shape<Health> = {
  mode,
  uptimeMs: count,
  verdicts: record(VERDICT_COUNTS),
  latencyUs: optional(record(LATENCY)),
  queue: record(QUEUE),
  flashBytesWritten: count,
  memoryBytes: count,
  temperatureMilliC: optional(whole(TEMPERATURE_MILLI_C_MIN, TEMPERATURE_MILLI_C_MAX)),
  throttled: optional(flag()),
};

/** The metric catalogue of `birth`. */
export const HEALTH_METRICS: readonly string[] = Object.keys(HEALTH);

/** The body of a `health` envelope. */
export function encodeHealth(health: Health): CborMap {
  return writeRecord(HEALTH, health);
}

/** Strict: unknown members are refused. Faults: `field.*`. */
export function decodeHealth(body: CborValue): Result<Health> {
  return attempt(() => readRecord(HEALTH, Fields.of('health', body)));
}

/** The JSON mirror on `json/health`: for dashboards, unsigned, trusted by no collector. */
export function mirrorHealth(device: string, time: UnixMs, health: Health): Uint8Array {
  return utf8(JSON.stringify({ v: 1, device, unixMs: time, ...health }));
}
