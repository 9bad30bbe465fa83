/**
 * What the signed metadata says about acting: one action per check family, and the few numbers
 * the deterministic checks need. The bundle room carries it as a map that it does not understand.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import { FROZEN_FRAMES_MAX, HOLD_MS_MAX, HOLDS_MAX, LAST_GOOD_AGE_MS_MAX } from '../base/limits.ts';
import {
  type CallerSettings,
  callerSettingsToMap,
  DEFAULT_CALLER_SETTINGS,
  parseCallerSettings,
} from './caller-settings.ts';
import type { Check } from './findings.ts';
import {
  DEFAULT_DISCLOSURE,
  type DisclosureSettings,
  readDisclosure,
} from './output-minimisation.ts';
import {
  DEFAULT_SENSOR_SETTINGS,
  readSensorSettings,
  type SensorSettings,
} from './sensor-settings.ts';
import {
  DEFAULT_TEMPORAL_SETTINGS,
  readTemporalSettings,
  type TemporalSettings,
} from './temporal-output.ts';

/**
 * From least to most restrictive: what is held may still leave, if a person says so; what is
 * substituted never does.
 */
export const ACTIONS: readonly Action[] = ['flag', 'hold', 'substitute', 'withhold'];

export type Action = 'flag' | 'hold' | 'substitute' | 'withhold';

/** The families a maker chooses for; what the mode demands is not negotiable. */
export type ActingCheck = Exclude<Check, 'mode'>;

export interface GuardSettings {
  readonly actions: Readonly<Record<ActingCheck, Action>>;
  /** Identical frames in a row before `sensor.frozen`; 0 turns the check off, 1 is refused. */
  readonly frozenFrames: number;
  /** How old a released output may be and still stand in for a missing one; 0 never uses it. */
  readonly lastGoodMaxAgeMs: number;
  /** How long a held frame waits for a person before it falls to safe. */
  readonly holdMaxMs: number;
  /** How many frames may wait; a frame beyond them gets the safe output at once. */
  readonly holdsMax: number;
  /** Judge and report without acting on findings. What the mode demands still holds. */
  readonly shadow: boolean;
  /** How far the sum of probabilities may be from 1. */
  readonly probabilitySumTolerance: number;
  readonly sensors: SensorSettings;
  readonly temporal: TemporalSettings;
  /** What callers are told of an output. */
  readonly disclosure: DisclosureSettings;
  readonly callers: CallerSettings;
}

export const DEFAULT_GUARD_SETTINGS: GuardSettings = {
  actions: {
    contract: 'substitute',
    sensor: 'substitute',
    input: 'flag',
    novelty: 'flag',
    perturbation: 'flag',
    drift: 'flag',
    caller: 'withhold',
    output: 'substitute',
    inference: 'substitute',
  },
  frozenFrames: 3,
  lastGoodMaxAgeMs: 0,
  holdMaxMs: 30_000,
  holdsMax: 8,
  shadow: false,
  probabilitySumTolerance: 1e-3,
  sensors: DEFAULT_SENSOR_SETTINGS,
  temporal: DEFAULT_TEMPORAL_SETTINGS,
  disclosure: DEFAULT_DISCLOSURE,
  callers: DEFAULT_CALLER_SETTINGS,
};

/**
 * Reads settings from a decoded map; members that are absent take their default. Faults: `field.*`.
 * `flag` and `hold` are refused for `contract`, `caller` and `inference`: there is no model output
 * then.
 */
export function parseGuardSettings(value: unknown): Result<GuardSettings> {
  return attempt(() => {
    const fields = Fields.of('guard', value);
    const defaults = DEFAULT_GUARD_SETTINGS;
    const settings: GuardSettings = {
      actions: fields.optional('actions', (name) => parseActions(fields.map(name))) ?? {
        ...defaults.actions,
      },
      frozenFrames:
        fields.optional('frozenFrames', (name) => parseFrozenFrames(fields, name)) ??
        defaults.frozenFrames,
      lastGoodMaxAgeMs:
        fields.optional('lastGoodMaxAgeMs', (name) =>
          fields.integer(name, 0, LAST_GOOD_AGE_MS_MAX),
        ) ?? defaults.lastGoodMaxAgeMs,
      holdMaxMs:
        fields.optional('holdMaxMs', (name) => fields.integer(name, 1, HOLD_MS_MAX)) ??
        defaults.holdMaxMs,
      holdsMax:
        fields.optional('holdsMax', (name) => fields.integer(name, 1, HOLDS_MAX)) ??
        defaults.holdsMax,
      shadow: fields.optional('shadow', (name) => fields.boolean(name)) ?? defaults.shadow,
      probabilitySumTolerance:
        fields.optional('probabilitySumTolerance', (name) => fields.number(name, 0, 1)) ??
        defaults.probabilitySumTolerance,
      sensors: readSensorSettings(within(fields, 'sensors')),
      temporal: readTemporalSettings(within(fields, 'temporal')),
      disclosure: readDisclosure(within(fields, 'disclosure')),
      callers: fields.optional('callers', (name) =>
        need(parseCallerSettings(fields.raw(name))),
      ) ?? {
        ...defaults.callers,
      },
    };
    fields.done();
    return settings;
  });
}

/** The map that `parseGuardSettings` reads back to the same settings; plain values only. */
export function guardSettingsToMap(settings: GuardSettings): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['actions', new Map(Object.entries(settings.actions))],
    ['frozenFrames', settings.frozenFrames],
    ['lastGoodMaxAgeMs', settings.lastGoodMaxAgeMs],
    ['holdMaxMs', settings.holdMaxMs],
    ['holdsMax', settings.holdsMax],
    ['shadow', settings.shadow],
    ['probabilitySumTolerance', settings.probabilitySumTolerance],
    ['sensors', new Map(Object.entries(settings.sensors))],
    ['temporal', new Map(Object.entries(settings.temporal))],
    ['disclosure', new Map(Object.entries(settings.disclosure))],
    ['callers', callerSettingsToMap(settings.callers)],
  ]);
}

/** A map of settings that is absent is an empty one: each of its members has a default. */
function within(fields: Fields, name: string): Fields {
  return fields.optional(name, () => fields.map(name)) ?? new Fields(fields.at(name), new Map());
}

/** Where the model did not run there is nothing to flag or to hold. */
const WITHOUT_FLAG: readonly Action[] = ['substitute', 'withhold'];

function parseActions(fields: Fields): Record<ActingCheck, Action> {
  const { actions } = DEFAULT_GUARD_SETTINGS;
  const read = (check: ActingCheck, choices: readonly Action[]): Action =>
    fields.optional(check, (name) => fields.oneOf(name, choices)) ?? actions[check];
  const parsed = {
    contract: read('contract', WITHOUT_FLAG),
    sensor: read('sensor', ACTIONS),
    input: read('input', ACTIONS),
    novelty: read('novelty', ACTIONS),
    perturbation: read('perturbation', ACTIONS),
    drift: read('drift', ACTIONS),
    caller: read('caller', WITHOUT_FLAG),
    output: read('output', ACTIONS),
    inference: read('inference', WITHOUT_FLAG),
  };
  fields.done();
  return parsed;
}

function parseFrozenFrames(fields: Fields, name: string | number): number {
  const frames = fields.integer(name, 0, FROZEN_FRAMES_MAX);
  if (frames !== 1) return frames;
  // One frame is always identical to itself: every frame would be frozen.
  throw refuseField('field.range', `${fields.at(name)} is 1; use 0 for off, or at least 2`);
}
