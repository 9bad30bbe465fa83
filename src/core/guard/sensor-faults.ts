/**
 * Faults of a sensor that show in a frame itself or in its place among others (guard 2), beside the
 * frozen frame. They are rules that a maker states, not statistics: no share of the false-alarm
 * budget is theirs, but calibration counts the rows that they would stop.
 */

import { toHex } from '../base/bytes.ts';
import type { IoSchema, ValueRange } from '../bundle/io-schema.ts';
import { sha256 } from '../crypto/digest.ts';
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { type Finding, finding, quoted } from './findings.ts';
import {
  type ImageLayout,
  type InputLayout,
  inputLayout,
  type SignalLayout,
  stridesOf,
  valuesOfRow,
} from './input-layout.ts';
import type { SensorSettings } from './sensor-settings.ts';
import { numbersOf } from './values.ts';

/** What is remembered from frame to frame. */
export interface SensorState {
  /** SHA-256 of the last frames in hexadecimal, the oldest first. */
  readonly seen: readonly string[];
  /** The capture time of the latest frame, ms of the sensor's own clock. */
  readonly lastAtMs: number | undefined;
}

export const SENSOR_AT_START: SensorState = { seen: [], lastAtMs: undefined };

/** A channel with fewer values than that may well be one value. */
export const STUCK_VALUES_MIN = 16;

/** One input of the schema with all that does not change from frame to frame. */
interface Watched {
  readonly name: string;
  readonly layout: InputLayout;
  readonly range: ValueRange | undefined;
}

export interface SensorCheck {
  /**
   * Findings of one frame that keeps the contract. `capturedAtMs` is when the sensor took it, by any
   * clock that does not run backwards; without it, time is not looked at.
   */
  step(
    state: SensorState,
    frame: NamedTensors,
    capturedAtMs?: number,
  ): { readonly state: SensorState; readonly findings: readonly Finding[] };
  /** What one frame shows by itself. */
  look(frame: NamedTensors): readonly Finding[];
}

/** Made once for a schema: layouts are found here, not for every frame. */
export function sensorCheck(schema: IoSchema, settings: SensorSettings): SensorCheck {
  const watched = schema.inputs.flatMap((input): Watched[] => {
    const layout = inputLayout(input);
    return layout === undefined ? [] : [{ name: input.name, layout, range: input.range }];
  });
  const look = (frame: NamedTensors): Finding[] =>
    watched.flatMap((input) => {
      const tensor = frame.get(input.name);
      return tensor === undefined ? [] : lookAt(input, tensor, settings);
    });
  return {
    look,
    step(state, frame, capturedAtMs) {
      const findings = look(frame);
      let { seen, lastAtMs } = state;
      if (settings.replayFrames > 0) {
        const digest = digestOf(frame);
        const back = seen.length - seen.lastIndexOf(digest);
        if (back <= seen.length) findings.push(replayed(back, settings.replayFrames));
        seen = [...seen, digest].slice(-settings.replayFrames);
      }
      if (settings.timeOrder && capturedAtMs !== undefined) {
        if (lastAtMs !== undefined && !(capturedAtMs >= lastAtMs)) {
          findings.push(backwards(capturedAtMs, lastAtMs));
        } else if (Number.isFinite(capturedAtMs)) lastAtMs = capturedAtMs;
      }
      return { state: { seen, lastAtMs }, findings };
    },
  };
}

function lookAt({ name, layout, range }: Watched, tensor: Tensor, settings: SensorSettings) {
  const findings: Finding[] = [];
  const values = numbersOf(tensor);
  if (values === undefined || values.length !== valuesOfRow(layout)) return findings;
  const where = `input ${quoted(name)}`;
  if (settings.saturatedShare > 0 && range !== undefined) {
    const [share, end] = saturation(values, range);
    if (share > settings.saturatedShare) {
      const words = `${percent(share)} of ${where} stand at ${end}`;
      const measured = { value: share, threshold: settings.saturatedShare };
      findings.push(finding('sensor.saturated', words, measured));
    }
  }
  if (layout.kind === 'table') return findings;
  if (settings.stuckChannel) findings.push(...stuckChannels(where, values, layout));
  if (layout.kind === 'signal' && settings.dropoutShare > 0) {
    findings.push(...dropouts(where, values, layout, settings.dropoutShare));
  }
  if (layout.kind === 'image' && settings.deadLines > 0) {
    const dead = deadLines(values, layout);
    if (dead > settings.deadLines) {
      const words = `${dead} rows or columns of ${where} hold one value each`;
      const measured = { value: dead, threshold: settings.deadLines };
      findings.push(finding('sensor.dead-lines', words, measured));
    }
  }
  return findings;
}

type Values = ArrayLike<number | bigint>;

/** The larger part of the values at one end of the range, and that end. */
function saturation(values: Values, { min, max }: ValueRange): [share: number, end: number] {
  let low = 0;
  let high = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (value <= min) low++;
    else if (value >= max) high++;
  }
  return low > high ? [low / values.length, min] : [high / values.length, max];
}

function stuckChannels(
  where: string,
  values: Values,
  layout: ImageLayout | SignalLayout,
): Finding[] {
  const count = values.length / layout.channels;
  if (count < STUCK_VALUES_MIN) return [];
  const stuck: number[] = [];
  for (let channel = 0; channel < layout.channels; channel++) {
    // A channel that lives differs within its first values: few are looked at.
    if (longestRun(values, layout, channel, true) === count) stuck.push(channel);
  }
  if (stuck.length === 0) return [];
  const words = `channel ${stuck.join(', ')} of ${where} holds one value`;
  return [finding('sensor.stuck-channel', words, { value: stuck.length, threshold: 0 })];
}

function dropouts(where: string, values: Values, layout: SignalLayout, share: number): Finding[] {
  const findings: Finding[] = [];
  for (let channel = 0; channel < layout.channels; channel++) {
    const run = longestRun(values, layout, channel, false) / layout.samples;
    if (run <= share) continue;
    const words = `${percent(run)} of channel ${channel} of ${where} are one value in a row`;
    findings.push(finding('sensor.dropout', words, { value: run, threshold: share }));
  }
  return findings;
}

/** The longest run of one value in a channel; with `atStart` the one that it begins with. */
function longestRun(
  values: Values,
  layout: ImageLayout | SignalLayout,
  channel: number,
  atStart: boolean,
): number {
  const strides = stridesOf(layout);
  const count = values.length / layout.channels;
  let longest = 0;
  let run = 0;
  let last: number | bigint | undefined;
  for (let i = 0, at = channel * strides.channel; i < count; i++, at += strides.step) {
    const value = values[at] as number | bigint;
    run = value === last ? run + 1 : 1;
    last = value;
    if (run > longest) longest = run;
    if (atStart && run <= i) return longest;
  }
  return longest;
}

/** Rows or columns, whichever are more, whose values are all the same in every channel. */
function deadLines(values: Values, layout: ImageLayout): number {
  const { channel, line, step } = stridesOf(layout);
  const { channels, height, width } = layout;
  const dead = (lines: number, along: number, stepAlong: number, stepAcross: number): number => {
    let count = 0;
    for (let i = 0; i < lines; i++) {
      let same = true;
      for (let c = 0; same && c < channels; c++) {
        const start = c * channel + i * stepAcross;
        const first = values[start];
        for (let j = 1; same && j < along; j++) same = values[start + j * stepAlong] === first;
      }
      if (same) count++;
    }
    return count;
  };
  return Math.max(dead(height, width, step, line), dead(width, height, line, step));
}

/** Names, types, sizes and every bit of the data; texts as they are. */
function digestOf(frame: NamedTensors): string {
  const parts = [...frame].map(([name, { dtype, dims, data }]) => {
    const bytes = ArrayBuffer.isView(data)
      ? toHex(sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)))
      : data;
    return [name, dtype, dims, bytes];
  });
  return toHex(sha256(new TextEncoder().encode(JSON.stringify(parts))));
}

function replayed(back: number, window: number): Finding {
  return finding('sensor.replayed', `the frame came ${back} frames before`, {
    value: back,
    threshold: window,
  });
}

function backwards(atMs: number, lastAtMs: number): Finding {
  return finding(
    'sensor.time-backwards',
    `captured at ${atMs} ms, the frame before at ${lastAtMs} ms`,
    { value: atMs, threshold: lastAtMs },
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
