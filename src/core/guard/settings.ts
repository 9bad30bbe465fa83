/**
 * What the signed metadata says about acting: one action per check family, and the few numbers
 * the deterministic checks need. The bundle room carries it as a map that it does not understand.
 */
import { attempt, type Result } from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import { FROZEN_FRAMES_MAX, LAST_GOOD_AGE_MS_MAX } from '../base/limits.ts';
import type { Check } from './findings.ts';

/** From least to most restrictive. */
export const ACTIONS: readonly Action[] = ['flag', 'substitute', 'withhold'];

export type Action = 'flag' | 'substitute' | 'withhold';

/** The families a maker chooses for; what the mode demands is not negotiable. */
export type ActingCheck = Exclude<Check, 'mode'>;

export interface GuardSettings {
  readonly actions: Readonly<Record<ActingCheck, Action>>;
  /** Identical frames in a row before `sensor.frozen`; 0 turns the check off, 1 is refused. */
  readonly frozenFrames: number;
  /** How old a released output may be and still stand in for a missing one; 0 never uses it. */
  readonly lastGoodMaxAgeMs: number;
  /** Judge and report without acting on findings. What the mode demands still holds. */
  readonly shadow: boolean;
  /** How far the sum of probabilities may be from 1. */
  readonly probabilitySumTolerance: number;
}

export const DEFAULT_GUARD_SETTINGS: GuardSettings = {
  actions: {
    contract: 'substitute',
    sensor: 'substitute',
    novelty: 'flag',
    output: 'substitute',
    inference: 'substitute',
  },
  frozenFrames: 3,
  lastGoodMaxAgeMs: 0,
  shadow: false,
  probabilitySumTolerance: 1e-3,
};

/**
 * Reads settings from a decoded map; members that are absent take their default. Faults: `field.*`.
 * `flag` is refused for `contract` and `inference`: there is no model output to flag then.
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
      shadow: fields.optional('shadow', (name) => fields.boolean(name)) ?? defaults.shadow,
      probabilitySumTolerance:
        fields.optional('probabilitySumTolerance', (name) => fields.number(name, 0, 1)) ??
        defaults.probabilitySumTolerance,
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
    ['shadow', settings.shadow],
    ['probabilitySumTolerance', settings.probabilitySumTolerance],
  ]);
}

const WITHOUT_FLAG: readonly Action[] = ['substitute', 'withhold'];

function parseActions(fields: Fields): Record<ActingCheck, Action> {
  const { actions } = DEFAULT_GUARD_SETTINGS;
  const read = (check: ActingCheck, choices: readonly Action[]): Action =>
    fields.optional(check, (name) => fields.oneOf(name, choices)) ?? actions[check];
  const parsed = {
    contract: read('contract', WITHOUT_FLAG),
    sensor: read('sensor', ACTIONS),
    novelty: read('novelty', ACTIONS),
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
