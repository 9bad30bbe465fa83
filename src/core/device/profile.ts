/**
 * Board profiles: what a board has, what Edgeward may take of it and where it can be asked.
 *
 * The same rules stand in `devices/profile.schema.json` for other readers; a test holds the two
 * together. A schema cannot compare two members, so `device.contradiction` is found only here.
 */
import { attempt, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { DEADLINE_MS_MAX, WASM_PAGES_MAX } from '../base/limits.ts';
import { refuseDevice } from './faults.ts';

const MEMORY_BYTES_MIN = 64 * 1024 * 1024;
const MEMORY_BYTES_MAX = 2 ** 42;
const WASM_PAGE_BYTES = 65_536;
const THREADS_MAX = 64;
const MILLI_C_MIN = -60_000;
const MILLI_C_MAX = 200_000;
const ZONE_TYPES_MAX = 16;
const REMARKS_MAX = 16;

const NAME = { pattern: /^[a-z0-9]+(-[a-z0-9]+)*$/, form: 'lower-case words joined by hyphens' };
const SYSFS_WORD = { pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, form: 'one file name' };
const PROBE_PATH = {
  // No leading slash and no segment that starts with a dot: a profile cannot leave its root.
  pattern: /^[A-Za-z0-9_][A-Za-z0-9_:@.-]*(\/[A-Za-z0-9_][A-Za-z0-9_:@.-]*)*$/,
  form: 'a path without a leading slash or dot segments',
};
const REMARK = { pattern: /^[\x20-\x7e]{1,400}$/, form: '1 to 400 printable ASCII characters' };

/** A file of a hwmon device; the device is found by its `name` because numbers change at boot. */
export interface HwmonAttribute {
  readonly hwmon: string;
  readonly attribute: string;
}

/** Milli-degrees Celsius at which the board itself starts to slow down, and its hard limit. */
export interface ThermalLimits {
  readonly warnMilliC: number;
  readonly criticalMilliC: number;
}

/** Where the board can be asked; every path is relative to an injectable root. */
export interface BoardProbes {
  /** In the format of Linux `/proc/meminfo`. */
  readonly memory: string;
  /** The thermal zone types that count; the hottest is judged. Empty: every zone. */
  readonly thermalZoneTypes: readonly string[];
  /** Reads 1 while the supply is too low. */
  readonly underVoltage?: HwmonAttribute;
  /** A hexadecimal flag word and the bits of it that mean "slowed down now". */
  readonly throttled?: { readonly path: string; readonly mask: number };
  /** The hwmon device whose `oc*_event_cnt` files count over-current events. */
  readonly overCurrentHwmon?: string;
  /** A file whose first line names the vendor's system release. */
  readonly release?: string;
}

export type Architecture = 'x64' | 'arm64';

export interface BoardProfile {
  readonly name: string;
  readonly architecture: Architecture;
  /** The smallest memory that boards of this name are sold with. */
  readonly memoryBytes: number;
  /** Below this much available memory the board counts as degraded. */
  readonly memoryAvailableWarnBytes: number;
  /** WebAssembly pages of 64 KiB that the inference worker may have. */
  readonly wasmPagesMax: number;
  readonly threads: number;
  /** Declared defaults, not measurements; a model's own budget may be tighter. */
  readonly runDeadlineMs: number;
  readonly sessionDeadlineMs: number;
  /** Absent where no limit is known: the temperature is then reported and not judged. */
  readonly thermal?: ThermalLimits;
  readonly probes: BoardProbes;
  /** Where the facts come from. */
  readonly sources: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Reads a decoded board profile of format `edgeward-board/1`; unknown members are refused.
 * Faults: `field.*`, `device.text`, `device.contradiction`.
 */
export function parseBoardProfile(json: unknown): Result<BoardProfile> {
  return attempt(() => {
    const fields = Fields.of('', json);
    fields.oneOf('profile', ['edgeward-board/1']);
    const thermal = fields.optional('thermal', () => readThermal(fields.map('thermal')));
    const profile: BoardProfile = {
      name: formed(fields, 'name', NAME),
      architecture: fields.oneOf('architecture', ['x64', 'arm64']),
      memoryBytes: fields.integer('memoryBytes', MEMORY_BYTES_MIN, MEMORY_BYTES_MAX),
      memoryAvailableWarnBytes: fields.integer('memoryAvailableWarnBytes', 0, MEMORY_BYTES_MAX),
      wasmPagesMax: fields.integer('wasmPagesMax', 1, WASM_PAGES_MAX),
      threads: fields.integer('threads', 1, THREADS_MAX),
      runDeadlineMs: fields.integer('runDeadlineMs', 1, DEADLINE_MS_MAX),
      sessionDeadlineMs: fields.integer('sessionDeadlineMs', 1, DEADLINE_MS_MAX),
      ...(thermal === undefined ? {} : { thermal }),
      probes: readProbes(fields.map('probes')),
      sources: remarks(fields, 'sources'),
      notes: remarks(fields, 'notes'),
    };
    fields.done();
    agree(profile);
    return profile;
  });
}

function agree(profile: BoardProfile): void {
  const { memoryBytes, memoryAvailableWarnBytes, wasmPagesMax, thermal } = profile;
  if (wasmPagesMax * WASM_PAGE_BYTES > memoryBytes) {
    const message = `wasmPagesMax ${wasmPagesMax} is more than memoryBytes ${memoryBytes}`;
    throw refuseDevice('device.contradiction', message);
  }
  if (memoryAvailableWarnBytes > memoryBytes) {
    const message = `memoryAvailableWarnBytes ${memoryAvailableWarnBytes} is above memoryBytes`;
    throw refuseDevice('device.contradiction', message);
  }
  if (thermal !== undefined && thermal.warnMilliC > thermal.criticalMilliC) {
    const message = `thermal.warnMilliC ${thermal.warnMilliC} is above thermal.criticalMilliC`;
    throw refuseDevice('device.contradiction', message);
  }
}

function readThermal(fields: Fields): ThermalLimits {
  const thermal = {
    warnMilliC: fields.integer('warnMilliC', MILLI_C_MIN, MILLI_C_MAX),
    criticalMilliC: fields.integer('criticalMilliC', MILLI_C_MIN, MILLI_C_MAX),
  };
  fields.done();
  return thermal;
}

function readProbes(fields: Fields): BoardProbes {
  const underVoltage = fields.optional('underVoltage', () => readHwmon(fields.map('underVoltage')));
  const throttled = fields.optional('throttled', () => readThrottled(fields.map('throttled')));
  const overCurrentHwmon = fields.optional('overCurrentHwmon', (name) =>
    formed(fields, name, SYSFS_WORD),
  );
  const release = fields.optional('release', (name) => formed(fields, name, PROBE_PATH));
  const probes: BoardProbes = {
    memory: formed(fields, 'memory', PROBE_PATH),
    thermalZoneTypes: texts(fields, 'thermalZoneTypes', ZONE_TYPES_MAX, SYSFS_WORD),
    ...(underVoltage === undefined ? {} : { underVoltage }),
    ...(throttled === undefined ? {} : { throttled }),
    ...(overCurrentHwmon === undefined ? {} : { overCurrentHwmon }),
    ...(release === undefined ? {} : { release }),
  };
  fields.done();
  return probes;
}

function readHwmon(fields: Fields): HwmonAttribute {
  const hwmon = formed(fields, 'hwmon', SYSFS_WORD);
  const attribute = formed(fields, 'attribute', SYSFS_WORD);
  fields.done();
  return { hwmon, attribute };
}

function readThrottled(fields: Fields): { path: string; mask: number } {
  const path = formed(fields, 'path', PROBE_PATH);
  const mask = fields.integer('mask', 1, 0x7fff_ffff);
  fields.done();
  return { path, mask };
}

interface Form {
  readonly pattern: RegExp;
  readonly form: string;
}

function formed(fields: Fields, name: string | number, form: Form): string {
  return inForm(fields.text(name), fields.at(name), form);
}

function remarks(fields: Fields, name: string): string[] {
  return texts(fields, name, REMARKS_MAX, REMARK);
}

function texts(fields: Fields, name: string, countMax: number, form: Form): string[] {
  return fields.list(name, countMax).map((value, index) => {
    return inForm(value, `${fields.at(name)}[${index}]`, form);
  });
}

function inForm(value: unknown, at: string, { pattern, form }: Form): string {
  if (typeof value === 'string' && value.length <= 400 && pattern.test(value)) return value;
  throw refuseDevice('device.text', `${at} must be ${form}`);
}
