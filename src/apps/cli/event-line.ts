/** Events of a device as lines beside the results. */
import { toHex } from '../../core/base/bytes.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { note } from './terminal.ts';

export function showEvent(event: EdgeEvent): void {
  // The judgement of the frame says these.
  if (event.type.endsWith('.finding') || event.type === 'anomaly.novelty') return;
  const { type, ...members } = event;
  note(`${type} ${JSON.stringify(members, short)}`);
}

function short(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? toHex(value).slice(0, 12) : value;
}
