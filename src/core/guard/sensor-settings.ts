/** What the signed metadata demands of a sensor beyond the contract; every check is off at 0. */
import type { Fields } from '../base/fields.ts';
import { REPLAY_FRAMES_MAX, SENSOR_LINES_MAX } from '../base/limits.ts';

export interface SensorSettings {
  /** A channel of at least 16 values that are all the same is stuck. */
  readonly stuckChannel: boolean;
  /** Part of a channel that may be one value in a row; signals only. */
  readonly dropoutShare: number;
  /** Part of the values that may stand at one end of the range. */
  readonly saturatedShare: number;
  /** Rows, or columns, of one value that an image may have. */
  readonly deadLines: number;
  /** How many frames are remembered, so that none of them comes again. */
  readonly replayFrames: number;
  /** Frames carry the time of their capture, which must not go backwards. */
  readonly timeOrder: boolean;
}

/**
 * Only what no honest sensor does is on. How dark, flat or clipped a usual frame may be differs from
 * sensor to sensor: a maker states it, or leaves it to the input statistics, which learn it.
 */
export const DEFAULT_SENSOR_SETTINGS: SensorSettings = {
  stuckChannel: true,
  dropoutShare: 0,
  saturatedShare: 0,
  deadLines: 0,
  replayFrames: 0,
  timeOrder: true,
};

/** Reads the map `sensors`; refuses with `field.*`. */
export function readSensorSettings(fields: Fields): SensorSettings {
  const defaults = DEFAULT_SENSOR_SETTINGS;
  const flag = (name: 'stuckChannel' | 'timeOrder'): boolean =>
    fields.optional(name, () => fields.boolean(name)) ?? defaults[name];
  const share = (name: 'dropoutShare' | 'saturatedShare'): number =>
    fields.optional(name, () => fields.number(name, 0, 1)) ?? defaults[name];
  const count = (name: 'deadLines' | 'replayFrames', max: number): number =>
    fields.optional(name, () => fields.integer(name, 0, max)) ?? defaults[name];
  const settings = {
    stuckChannel: flag('stuckChannel'),
    dropoutShare: share('dropoutShare'),
    saturatedShare: share('saturatedShare'),
    deadLines: count('deadLines', SENSOR_LINES_MAX),
    replayFrames: count('replayFrames', REPLAY_FRAMES_MAX),
    timeOrder: flag('timeOrder'),
  };
  fields.done();
  return settings;
}
