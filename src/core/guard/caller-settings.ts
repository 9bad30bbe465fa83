/**
 * What the signed metadata says about callers (guard 7): who they are, how much each may ask, and
 * how much evidence shuts one out. A principal is a named socket, token or node.
 */
import { attempt, type Result } from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import {
  CALLER_PERIOD_MS_MAX,
  CALLER_QUERIES_MAX,
  CALLERS_DECLARED_MAX,
  PRINCIPAL_CHARS_MAX,
  RESPAWN_WINDOW_MS,
  RESPAWNS_MAX,
} from '../base/limits.ts';

/**
 * `query`: its frames are independent of each other. `sensor`: each frame is like the one before it,
 * as in a video, so that what is near and what is made cannot be told apart (`caller-judge.ts`).
 */
export type PrincipalKind = 'query' | 'sensor';

export interface CallerAllowance {
  /** Tokens that come back to the bucket in a second; more than 0. */
  readonly perSecond: number;
  /** Tokens in a full bucket: queries at once, 1 at least. */
  readonly burst: number;
  /** Queries in one period; 0 sets no budget. */
  readonly budget: number;
}

export interface Principal extends CallerAllowance {
  readonly kind: PrincipalKind;
}

export interface CallerSettings {
  /** By name; each has a record of its own, whoever else asks. */
  readonly principals: ReadonlyMap<string, Principal>;
  /** Of every other principal; its kind is `query`. */
  readonly undeclared: CallerAllowance;
  /** From the first query of a period to its end. */
  readonly budgetPeriodMs: number;
  /**
   * Probability that an innocent caller is ever shut out by evidence, all three tests together, and
   * again after each time.
   */
  readonly alpha: number;
  /** A frame is unusual when its novelty p is at most this. */
  readonly noveltyLevel: number;
  /** Unusual frames that a caller may send in the long run, as a share; not below the level. */
  readonly noveltyShare: number;
  /** Frames near an earlier one of the same caller, as a share. */
  readonly nearShare: number;
  /** Frames near an earlier one that got another label, as a share. */
  readonly flipShare: number;
  readonly quarantineMs: number;
  /** Runs of one caller that were killed at their deadline within the window: shut out. */
  readonly kills: number;
  readonly killWindowMs: number;
}

const ALLOWANCES: Readonly<Record<PrincipalKind, CallerAllowance>> = {
  query: { perSecond: 20, burst: 40, budget: 50_000 },
  // A camera asks all day long.
  sensor: { perSecond: 200, burst: 200, budget: 0 },
};

/**
 * The shares leave room between what calibration measured and what is evidence: 5% of usual frames
 * have a p of at most 0.05, 1% lie near another one (`CallerReference`), fewer still with another
 * label. `kills` stays below the respawns that the engine has, so that some are left for others.
 */
export const DEFAULT_CALLER_SETTINGS: CallerSettings = {
  principals: new Map(),
  undeclared: ALLOWANCES.query,
  budgetPeriodMs: 86_400_000,
  alpha: 1e-4,
  noveltyLevel: 0.05,
  noveltyShare: 0.15,
  nearShare: 0.1,
  flipShare: 0.05,
  quarantineMs: 3_600_000,
  kills: 2,
  killWindowMs: 600_000,
};

/** Reads settings from a decoded map; members that are absent take their default. Faults: `field.*`. */
export function parseCallerSettings(value: unknown): Result<CallerSettings> {
  return attempt(() => {
    const fields = Fields.of('callers', value);
    const { undeclared, principals, ...defaults } = DEFAULT_CALLER_SETTINGS;
    const number = (name: keyof typeof defaults, min: number, max: number): number =>
      fields.optional(name, () => fields.number(name, min, max)) ?? defaults[name];
    const whole = (name: keyof typeof defaults, min: number, max: number): number =>
      fields.optional(name, () => fields.integer(name, min, max)) ?? defaults[name];
    const settings: CallerSettings = {
      principals:
        fields.optional('principals', (name) => parsePrincipals(fields.map(name))) ??
        new Map(principals),
      undeclared:
        fields.optional('undeclared', (name) => parseUndeclared(fields.map(name))) ?? undeclared,
      budgetPeriodMs: whole('budgetPeriodMs', 1_000, CALLER_PERIOD_MS_MAX),
      alpha: number('alpha', 1e-12, 0.1),
      noveltyLevel: number('noveltyLevel', 1e-6, 0.5),
      noveltyShare: number('noveltyShare', ...SHARE),
      nearShare: number('nearShare', ...SHARE),
      flipShare: number('flipShare', ...SHARE),
      quarantineMs: whole('quarantineMs', 1, CALLER_PERIOD_MS_MAX),
      // More of them, and the engine's own respawns would run out first.
      kills: whole('kills', 1, RESPAWNS_MAX),
      killWindowMs: whole('killWindowMs', RESPAWN_WINDOW_MS, CALLER_PERIOD_MS_MAX),
    };
    fields.done();
    if (settings.noveltyShare < settings.noveltyLevel) {
      throw refuseField(
        'field.range',
        `${fields.at('noveltyShare')} is ${settings.noveltyShare}, below noveltyLevel ` +
          `${settings.noveltyLevel}: usual frames would be evidence against every caller`,
      );
    }
    return settings;
  });
}

/** The map that `parseCallerSettings` reads back to the same settings; plain values only. */
export function callerSettingsToMap(settings: CallerSettings): ReadonlyMap<string, unknown> {
  const principals = [...settings.principals].map(
    ([name, principal]) => [name, new Map(Object.entries(principal))] as const,
  );
  return new Map<string, unknown>([
    ...Object.entries(settings),
    ['principals', new Map(principals)],
    ['undeclared', new Map(Object.entries(settings.undeclared))],
  ]);
}

/** 1 to 128 characters that can be written down: half a surrogate could not be told from another. */
export function isPrincipalName(name: string): boolean {
  return name !== '' && name.length <= PRINCIPAL_CHARS_MAX && !/\p{Cs}/u.test(name);
}

/** What a principal may do, by its name. */
export function principalOf(settings: CallerSettings, name: string): Principal {
  return settings.principals.get(name) ?? { kind: 'query', ...settings.undeclared };
}

/** Outside of it a bet would divide by nothing. */
const SHARE: readonly [number, number] = [1e-6, 0.9];

function parsePrincipals(fields: Fields): ReadonlyMap<string, Principal> {
  const names = fields.keys();
  if (names.length > CALLERS_DECLARED_MAX) {
    throw refuseField(
      'field.range',
      `${fields.path} declares ${names.length} principals, at most ${CALLERS_DECLARED_MAX}`,
    );
  }
  const principals = new Map<string, Principal>();
  for (const name of names) {
    if (typeof name !== 'string' || !isPrincipalName(name)) {
      throw refuseField(
        'field.range',
        `a name in ${fields.path} is not a text of 1 to ${PRINCIPAL_CHARS_MAX} characters`,
      );
    }
    const entry = fields.map(name);
    const kind = entry.oneOf<PrincipalKind>('kind', ['query', 'sensor']);
    principals.set(name, { kind, ...parseAllowance(entry, ALLOWANCES[kind]) });
    entry.done();
  }
  return principals;
}

function parseUndeclared(fields: Fields): CallerAllowance {
  const allowance = parseAllowance(fields, ALLOWANCES.query);
  fields.done();
  return allowance;
}

function parseAllowance(fields: Fields, defaults: CallerAllowance): CallerAllowance {
  return {
    perSecond:
      fields.optional('perSecond', (name) => fields.number(name, 1e-6, CALLER_QUERIES_MAX)) ??
      defaults.perSecond,
    burst:
      fields.optional('burst', (name) => fields.integer(name, 1, CALLER_QUERIES_MAX)) ??
      defaults.burst,
    budget:
      fields.optional('budget', (name) => fields.integer(name, 0, CALLER_QUERIES_MAX)) ??
      defaults.budget,
  };
}
