import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import { SENSOR_AT_START, sensorCheck } from '../../../src/core/guard/sensor-faults.ts';
import {
  DEFAULT_SENSOR_SETTINGS,
  readSensorSettings,
  type SensorSettings,
} from '../../../src/core/guard/sensor-settings.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { float32, named, range } from './frames.ts';

const IMAGE: IoSchema = {
  inputs: [
    { name: 'x', dtype: 'float32', dims: [1, 2, 8, 8], layout: 'NCHW', range: range(0, 255) },
  ],
  outputs: [],
};
const SIGNAL: IoSchema = {
  inputs: [{ name: 'x', dtype: 'float32', dims: [1, 1, 64], layout: 'NCW', range: range(-1, 1) }],
  outputs: [],
};

const lively = (i: number): number => (i * 37) % 251;
const image = (value: (c: number, y: number, x: number) => number): NamedTensors =>
  named(
    'x',
    float32(
      [1, 2, 8, 8],
      Array.from({ length: 128 }, (_, i) => value(i >> 6, (i >> 3) & 7, i & 7)),
    ),
  );
const signal = (value: (i: number) => number): NamedTensors =>
  named(
    'x',
    float32(
      [1, 1, 64],
      Array.from({ length: 64 }, (_, i) => value(i)),
    ),
  );
const usual = image((c, y, x) => lively(c * 64 + y * 8 + x));

function codes(
  schema: IoSchema,
  changes: Partial<SensorSettings>,
  frames: readonly (readonly [NamedTensors, number?])[],
): string[] {
  const check = sensorCheck(schema, { ...DEFAULT_SENSOR_SETTINGS, ...changes });
  let state = SENSOR_AT_START;
  let codes: string[] = [];
  for (const [frame, atMs] of frames) {
    const step = check.step(state, frame, atMs);
    state = step.state;
    codes = step.findings.map(({ code }) => code);
  }
  return codes;
}

describe('a sensor fault', () => {
  it('is not a frame that lives, with every check on', () => {
    const all = { dropoutShare: 0.1, saturatedShare: 0.1, deadLines: 1, replayFrames: 9 };
    expect(codes(IMAGE, all, [[usual, 5]])).toEqual([]);
    expect(codes(SIGNAL, all, [[signal((i) => Math.sin(i)), 5]])).toEqual([]);
  });

  it('is a channel of one value, whatever the others do', () => {
    const stuck = image((c, y, x) => (c === 1 ? 7 : lively(y * 8 + x)));
    expect(codes(IMAGE, {}, [[stuck]])).toEqual(['sensor.stuck-channel']);
    expect(codes(IMAGE, { stuckChannel: false }, [[stuck]])).toEqual([]);
    const almost = image((c, y, x) => (c === 1 ? (y + x === 14 ? 8 : 7) : lively(y * 8 + x)));
    expect(codes(IMAGE, {}, [[almost]])).toEqual([]);
    expect(codes(SIGNAL, {}, [[signal(() => 0)]])).toEqual(['sensor.stuck-channel']);
  });

  it('is a signal that stands still for longer than its share', () => {
    const held = signal((i) => (i >= 20 && i < 36 ? 0.25 : Math.sin(i)));
    expect(codes(SIGNAL, { dropoutShare: 0.2 }, [[held]])).toEqual(['sensor.dropout']);
    expect(codes(SIGNAL, { dropoutShare: 0.25 }, [[held]])).toEqual([]);
    expect(codes(SIGNAL, {}, [[held]])).toEqual([]);
  });

  it('is too many values at one end of the range', () => {
    const clipped = signal((i) => Math.max(-1, Math.min(1, 1.5 * Math.sin(i / 3))));
    expect(codes(SIGNAL, { saturatedShare: 0.2 }, [[clipped]])).toEqual(['sensor.saturated']);
    expect(codes(SIGNAL, { saturatedShare: 0.4 }, [[clipped]])).toEqual([]);
  });

  it('is dead rows, and dead columns, in all channels', () => {
    const rows = image((c, y, x) => (y < 3 ? c : lively(c * 64 + y * 8 + x)));
    const columns = image((c, y, x) => (x > 5 ? 9 : lively(c * 64 + y * 8 + x)));
    const half = image((c, y, x) => (c === 0 && y < 3 ? 1 : lively(c * 64 + y * 8 + x)));
    expect(codes(IMAGE, { deadLines: 2 }, [[rows]])).toEqual(['sensor.dead-lines']);
    expect(codes(IMAGE, { deadLines: 3 }, [[rows]])).toEqual([]);
    expect(codes(IMAGE, { deadLines: 1 }, [[columns]])).toEqual(['sensor.dead-lines']);
    expect(codes(IMAGE, { deadLines: 1 }, [[half]])).toEqual([]);
  });

  it('is a frame that comes again within the window', () => {
    const other = (k: number) => signal((i) => Math.sin(i + k));
    const frames = [other(0), other(1), other(2), other(0)].map((frame) => [frame] as const);
    expect(codes(SIGNAL, { replayFrames: 3 }, frames)).toEqual(['sensor.replayed']);
    expect(codes(SIGNAL, { replayFrames: 2 }, frames)).toEqual([]);
    expect(codes(SIGNAL, {}, frames)).toEqual([]);
  });

  it('is a time that goes backwards, and stays one until it has caught up', () => {
    const at = (...times: number[]) => times.map((time) => [usual, time] as const);
    expect(codes(IMAGE, {}, at(10, 10, 11))).toEqual([]);
    expect(codes(IMAGE, {}, at(10, 9))).toEqual(['sensor.time-backwards']);
    expect(codes(IMAGE, {}, at(10, 8, 9))).toEqual(['sensor.time-backwards']);
    expect(codes(IMAGE, {}, at(10, 9, 10))).toEqual([]);
    expect(codes(IMAGE, {}, at(10, Number.NaN))).toEqual(['sensor.time-backwards']);
    expect(codes(IMAGE, { timeOrder: false }, at(10, 9))).toEqual([]);
    expect(codes(IMAGE, {}, [[usual, 10], [usual], [usual, 11]])).toEqual([]);
  });

  it('is never thrown, whatever the values', () => {
    const all = { dropoutShare: 0.1, saturatedShare: 0.1, deadLines: 1, replayFrames: 2 };
    const values = fc.array(fc.float(), { minLength: 0, maxLength: 130 });
    fc.assert(
      fc.property(values, fc.double(), (some, atMs) => {
        const frame = named('x', float32([1, 2, 8, 8], some));
        for (const schema of [IMAGE, SIGNAL]) codes(schema, all, [[frame, atMs], [frame]]);
      }),
    );
  });
});

describe('the settings of a sensor', () => {
  const read = (map: Record<string, unknown>) =>
    attempt(() => readSensorSettings(new Fields('sensors', new Map(Object.entries(map)))));

  it('take their defaults', () => {
    expect(read({})).toEqual({ ok: true, value: DEFAULT_SENSOR_SETTINGS });
    const some = { deadLines: 3, timeOrder: false };
    expect(read(some)).toEqual({ ok: true, value: { ...DEFAULT_SENSOR_SETTINGS, ...some } });
  });

  it.each([
    ['field.range', { dropoutShare: 1.5 }],
    ['field.range', { replayFrames: 5000 }],
    ['field.type', { stuckChannel: 1 }],
    ['field.unknown', { stuck: true }],
  ])('are refused with %s: %j', (code, map) => {
    expect(read(map)).toMatchObject({ ok: false, fault: { code } });
  });
});
