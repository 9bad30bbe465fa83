/**
 * What is remembered of frames that follow each other. The device's own program and each principal
 * that the signed policy declares a sensor have a stream of their own. Frames of other callers are
 * independent of each other and belong to none: a caller must not be able to thaw a frozen sensor, to
 * set the time or the label that the next frame of a sensor is held against, nor to receive, or to be,
 * the last good output that stands in for somebody else's.
 */

import type { MonotonicMs } from '../base/time.ts';
import { type CallerSettings, principalOf } from './caller-settings.ts';
import type { Decision, LastGood } from './decision.ts';
import { FROZEN_AT_START, type FrozenState } from './frozen-frame.ts';
import { SENSOR_AT_START, type SensorState } from './sensor-faults.ts';
import type { GuardSettings } from './settings.ts';
import { TEMPORAL_AT_START, type TemporalState } from './temporal-output.ts';

export interface FrameStream {
  readonly frozen: FrozenState;
  readonly sensors: SensorState;
  readonly temporal: TemporalState;
  readonly lastGood: LastGood | undefined;
}

/** By principal; `undefined` is the device's own program. As many as sensors are declared, and one. */
export type FrameStreams = ReadonlyMap<string | undefined, FrameStream>;

export const NO_STREAMS: FrameStreams = new Map();

const AT_START: FrameStream = {
  frozen: FROZEN_AT_START,
  sensors: SENSOR_AT_START,
  temporal: TEMPORAL_AT_START,
  lastGood: undefined,
};

/** Whether what comes from there tells of the world as a sensor of the device sees it. */
export function isSensor(settings: CallerSettings, principal: string | undefined): boolean {
  return principal === undefined || principalOf(settings, principal).kind === 'sensor';
}

/** Always as at the start for a caller that is no sensor. */
export function streamOf(streams: FrameStreams, principal: string | undefined): FrameStream {
  return streams.get(principal) ?? AT_START;
}

export function withStream(
  streams: FrameStreams,
  settings: CallerSettings,
  principal: string | undefined,
  stream: FrameStream,
): FrameStreams {
  return isSensor(settings, principal) ? new Map(streams).set(principal, stream) : streams;
}

/** Nothing is kept when the settings never use it. */
export function nextLastGood(
  { lastGood }: FrameStream,
  { lastGoodMaxAgeMs }: GuardSettings,
  { verdict, outputs }: Decision,
  nowMs: MonotonicMs,
): LastGood | undefined {
  if (lastGoodMaxAgeMs === 0) return undefined;
  return verdict === 'release' && outputs !== undefined ? { outputs, atMs: nowMs } : lastGood;
}
