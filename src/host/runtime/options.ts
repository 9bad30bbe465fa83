/**
 * What callers of the package may say, held to it: a misspelt option or an unknown profile would
 * otherwise quietly switch a protection off.
 */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { Fields, refuseField } from '../../core/base/fields.ts';
import { HEALTH_PERIOD_MS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { BoardProfile } from '../../core/device/profile.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { TrustProfile } from '../../core/trust/admissible.ts';
import { loadBoardProfile, thisBoard } from '../platform/board.ts';
import { systemClock } from '../platform/clock.ts';
import type { UplinkOptions } from './uplink.ts';

const PATH_CHARS_MAX = 4096;
const PROFILES: readonly TrustProfile[] = ['development', 'production'];

/** What a guard and a device trust and run on. */
interface TrustOptions {
  /** Path of the root file: the keys to trust. */
  readonly root: string;
  /** `production` refuses development keys; `development` by default. */
  readonly profile?: TrustProfile | undefined;
  /** This device's hardware class; bundles for another are refused. */
  readonly hardwareClass?: string | undefined;
  /** A board profile by name or path; the generic one of this machine by default. */
  readonly board?: string | undefined;
}

export interface GuardOptions extends TrustOptions {
  /** Path of the bundle. */
  readonly bundle: string;
  /** Refuses security versions below it. */
  readonly securityVersionMin?: number | undefined;
}

export interface DeviceOptions extends TrustOptions {
  /** Identity, floors, epoch and the installed bundle; made when it is not there. */
  readonly stateFolder: string;
  /** Installed first where it differs from what is installed; else the installed one boots. */
  readonly bundle?: string | undefined;
  /** `[A-Za-z0-9_-]{1,64}`, as the device name. */
  readonly group?: string | undefined;
  readonly deviceName?: string | undefined;
  readonly uplink?: UplinkOptions | undefined;
  readonly healthPeriodMs?: number | undefined;
  /** The machine's by default. */
  readonly clock?: Clock | undefined;
  /** Told of every event as it happens, before it is sealed. */
  readonly onEvent?: ((event: EdgeEvent) => void) | undefined;
  /** Lines for a log: what the uplink does, what could not be reported. */
  readonly log?: ((line: string) => void) | undefined;
}

/** The options with every default filled in. */
export interface ResolvedDevice
  extends Omit<DeviceOptions, 'board' | 'clock' | 'group' | 'profile' | 'healthPeriodMs'> {
  readonly profile: TrustProfile;
  readonly board: BoardProfile;
  readonly group: string;
  readonly healthPeriodMs: number;
  readonly clock: Clock;
}

/** Refuses with `field.*`: unknown members with the nearest known name, wrong types and profiles. */
export function checkGuardOptions(options: unknown): void {
  const fields = Fields.of('options', options);
  for (const name of ['bundle', 'root']) fields.text(name, PATH_CHARS_MAX);
  readShared(fields);
  fields.optional('securityVersionMin', (name) => fields.integer(name));
  fields.done();
}

/** Faults: `field.*` as above, `platform.*` and `device.*` of the board profile. */
export function resolveDevice(options: DeviceOptions): Promise<Result<ResolvedDevice>> {
  return attemptAsync(async () => {
    const fields = Fields.of('options', options);
    for (const name of ['stateFolder', 'root']) fields.text(name, PATH_CHARS_MAX);
    fields.optional('bundle', (name) => fields.text(name, PATH_CHARS_MAX));
    readShared(fields);
    for (const name of ['group', 'deviceName']) fields.optional(name, (n) => fields.text(n));
    fields.optional('healthPeriodMs', (name) => fields.integer(name, 1, 2 ** 31 - 1));
    fields.optional('uplink', (name) => checkUplink(fields.map(name)));
    fields.optional('clock', (name) => fields.map(name));
    for (const name of ['onEvent', 'log']) fields.optional(name, () => needFunction(fields, name));
    fields.done();
    return {
      ...options,
      profile: options.profile ?? 'development',
      board: need(await loadBoardProfile(options.board ?? thisBoard())),
      group: options.group ?? 'default',
      healthPeriodMs: options.healthPeriodMs ?? HEALTH_PERIOD_MS,
      clock: options.clock ?? systemClock,
    };
  });
}

function readShared(fields: Fields): void {
  fields.optional('profile', (name) => fields.oneOf(name, PROFILES));
  fields.optional('hardwareClass', (name) => fields.text(name));
  fields.optional('board', (name) => fields.text(name, PATH_CHARS_MAX));
}

function checkUplink(fields: Fields): void {
  fields.text('url', PATH_CHARS_MAX);
  for (const name of ['username', 'password']) {
    fields.optional(name, (n) => fields.text(n, PATH_CHARS_MAX));
  }
  fields.optional('tls', (name) => fields.map(name));
  fields.done();
}

function needFunction(fields: Fields, name: string): void {
  if (typeof fields.raw(name) === 'function') return;
  throw refuseField('field.type', `${fields.at(name)} must be a function`);
}
