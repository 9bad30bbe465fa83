/**
 * The `status` hint: plain JSON that a broker may publish for a silent device (its Will), so it is
 * never signed and takes no place in the chain. Nothing may be decided on it.
 */
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { refuseTelemetry } from './faults.ts';

export const STATUSES = ['online', 'degraded', 'safe', 'paused', 'locked', 'offline'] as const;
export type Status = (typeof STATUSES)[number];

const STATUS_BYTES_MAX = 256;

export function encodeStatus(status: Status): Uint8Array {
  return utf8(JSON.stringify({ v: 1, status }));
}

/** Faults: `telemetry.json`, `telemetry.version`, `field.*`. */
export function decodeStatus(bytes: Uint8Array): Result<Status> {
  return attempt(() => {
    const fields = Fields.of('status', parseJson(bytes));
    if (fields.integer('v') !== 1) {
      throw refuseTelemetry('telemetry.version', 'the status is not of version 1');
    }
    const status = fields.oneOf('status', STATUSES);
    fields.done();
    return status;
  });
}

function parseJson(bytes: Uint8Array): unknown {
  const text = bytes.length <= STATUS_BYTES_MAX ? fromUtf8(bytes) : undefined;
  if (text === undefined) {
    throw refuseTelemetry('telemetry.json', `no UTF-8 text of at most ${STATUS_BYTES_MAX} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw refuseTelemetry('telemetry.json', 'the text is not JSON');
  }
}
