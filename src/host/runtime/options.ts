/**
 * What callers of the package may say, held to it: a misspelt option or an unknown profile would
 * otherwise quietly switch a protection off.
 */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { Fields, refuseField } from '../../core/base/fields.ts';
import { HEALTH_PERIOD_MS, ROOT_CHAIN_MAX } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { BoardProfile } from '../../core/device/profile.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { TrustProfile } from '../../core/trust/admissible.ts';
import { TIERS_RISING } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
import { loadBoardProfile, thisBoard } from '../platform/board.ts';
import { systemClock } from '../platform/clock.ts';
import { VERIFICATIONS, type Verification } from './device-slots.ts';
import type { FloorStoreOptions } from './device-state.ts';
import type { UplinkOptions } from './uplink.ts';

const PATH_CHARS_MAX = 4096;
const PROFILES: readonly TrustProfile[] = ['development', 'production'];

/** What a guard and a device trust and run on. */
interface TrustOptions {
  /** `production` refuses development keys; `development` by default. */
  readonly profile?: TrustProfile | undefined;
  /** This device's hardware class; bundles for another are refused. */
  readonly hardwareClass?: string | undefined;
  /** A board profile by name or path; the generic one of this machine by default. */
  readonly board?: string | undefined;
}

export interface GuardOptions extends TrustOptions {
  /** Path of the root file: the keys to trust. */
  readonly root: string;
  /** Path of the bundle. */
  readonly bundle: string;
  /** Path of a revocation list, to refuse what it names. */
  readonly revocations?: string | undefined;
  /** Refuses security versions below it. */
  readonly securityVersionMin?: number | undefined;
}

export interface DeviceOptions extends TrustOptions {
  /** Identity, floors, epoch and slots; made when it is not there. */
  readonly stateFolder: string;
  /**
   * Path of the root file, or several in the order of their versions: the first one is trusted until
   * a root is recorded, the others follow from it.
   */
  readonly root: string | readonly string[];
  /** Path of the revocation list; once one is recorded, nothing runs without it. */
  readonly revocations?: string | undefined;
  /** Vendor, hardware class and model of the slots, where the image fixes them. */
  readonly pin?: SetPin | undefined;
  /** Where the rollback floor is kept, as the image fixes it; two files (tier T0) by default. */
  readonly floorStore?: FloorStoreOptions | undefined;
  /** How the payloads of a slot are verified at boot; `full` by default. */
  readonly verification?: Verification | undefined;
  /** Installed first where no slot holds it; else what is installed boots. */
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
  fields.optional('revocations', (name) => fields.text(name, PATH_CHARS_MAX));
  readShared(fields);
  fields.optional('securityVersionMin', (name) => fields.integer(name));
  fields.done();
}

/** Faults: `field.*` as above, `platform.*` and `device.*` of the board profile. */
export function resolveDevice(options: DeviceOptions): Promise<Result<ResolvedDevice>> {
  return attemptAsync(async () => {
    const fields = Fields.of('options', options);
    fields.text('stateFolder', PATH_CHARS_MAX);
    checkRoots(fields);
    for (const name of ['bundle', 'revocations']) {
      fields.optional(name, (n) => fields.text(n, PATH_CHARS_MAX));
    }
    fields.optional('pin', (name) => checkPin(fields.map(name)));
    fields.optional('verification', (name) => fields.oneOf(name, VERIFICATIONS));
    fields.optional('floorStore', (name) => checkFloorStore(fields.map(name)));
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

/** The root files of the options, one or several. */
export function rootsOf(root: string | readonly string[]): readonly string[] {
  return typeof root === 'string' ? [root] : root;
}

function checkRoots(fields: Fields): void {
  if (!Array.isArray(fields.raw('root'))) {
    fields.text('root', PATH_CHARS_MAX);
    return;
  }
  const roots = fields.list('root', ROOT_CHAIN_MAX);
  if (roots.length > 0 && roots.every((path) => typeof path === 'string')) return;
  throw refuseField('field.type', `${fields.at('root')} must be a path or a list of paths`);
}

function checkPin(fields: Fields): void {
  for (const name of ['vendor', 'hardwareClass', 'model']) fields.text(name, 64);
  fields.done();
}

function checkFloorStore(fields: Fields): void {
  fields.oneOf('tier', TIERS_RISING);
  for (const name of ['tpm', 'otp']) fields.optional(name, (n) => fields.map(n));
  fields.done();
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
