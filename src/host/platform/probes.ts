/**
 * Asks a board how it is, through the files its profile names, under an injectable root.
 *
 * A file that is missing, unreadable or not in its documented form gives `undefined`: the judgement
 * of what that means is `core/device/health.ts`.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HealthSample } from '../../core/device/health.ts';
import type { BoardProfile, HwmonAttribute } from '../../core/device/profile.ts';
import { readSmallText } from './bounded-read.ts';

const PROBE_BYTES_MAX = 16 * 1024;
/** Zones or hwmon devices that are looked at. */
const ENTRIES_MAX = 64;
/** Disabled sensors report values such as -256000; no board runs outside these. */
const MILLI_C_MIN = -60_000;
const MILLI_C_MAX = 200_000;

const THERMAL = 'sys/class/thermal';
const HWMON = 'sys/class/hwmon';

/** One sample of the board; never rejects. `root` holds `proc`, `sys` and `etc`. */
export async function sampleBoard(
  { probes }: BoardProfile,
  root: string = '/',
): Promise<HealthSample> {
  const { memory, thermalZoneTypes, underVoltage, throttled, overCurrentHwmon } = probes;
  return {
    temperatureMilliC: await hottestZone(root, thermalZoneTypes),
    memoryAvailableBytes: availableBytes(await read(root, memory)),
    underVoltage: underVoltage && (await readAlarm(root, underVoltage)),
    throttled: throttled && anyBit(await read(root, throttled.path), throttled.mask),
    overCurrentEvents:
      overCurrentHwmon === undefined ? undefined : await countEvents(root, overCurrentHwmon),
  };
}

/** The vendor's release line, for example of `/etc/nv_tegra_release`; at most 256 characters. */
export async function readRelease(
  { probes }: BoardProfile,
  root: string = '/',
): Promise<string | undefined> {
  if (probes.release === undefined) return undefined;
  const line = (await read(root, probes.release))?.split('\n', 1)[0]?.trim().slice(0, 256);
  return line === '' ? undefined : line;
}

function read(root: string, path: string): Promise<string | undefined> {
  return readSmallText(join(root, path), PROBE_BYTES_MAX);
}

/** An empty list of types means every zone. */
async function hottestZone(root: string, types: readonly string[]): Promise<number | undefined> {
  let hottest: number | undefined;
  for (const zone of await entries(root, THERMAL, 'thermal_zone')) {
    const type = (await read(root, `${zone}/type`))?.trim();
    if (type === undefined || (types.length > 0 && !types.includes(type))) continue;
    const milliC = whole(await read(root, `${zone}/temp`));
    if (milliC === undefined || milliC < MILLI_C_MIN || milliC > MILLI_C_MAX) continue;
    hottest = Math.max(hottest ?? milliC, milliC);
  }
  return hottest;
}

/** `MemAvailable` of /proc/meminfo; the kernel writes kibibytes as "kB". */
function availableBytes(meminfo: string | undefined): number | undefined {
  const kibibytes = meminfo?.match(/^MemAvailable:\s+(\d{1,12}) kB$/m)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

async function readAlarm(root: string, alarm: HwmonAttribute): Promise<boolean | undefined> {
  const device = await findHwmon(root, alarm.hwmon);
  if (device === undefined) return undefined;
  const value = whole(await read(root, `${device}/${alarm.attribute}`));
  return value === 0 || value === 1 ? value === 1 : undefined;
}

/** The sum over all `oc*_event_cnt` files; `undefined` when one of them cannot be read. */
async function countEvents(root: string, hwmon: string): Promise<number | undefined> {
  const device = await findHwmon(root, hwmon);
  if (device === undefined) return undefined;
  let sum: number | undefined;
  for (const counter of await entries(root, device, 'oc')) {
    if (!/\/oc\d+_event_cnt$/.test(counter)) continue;
    const count = whole(await read(root, counter));
    if (count === undefined) return undefined;
    sum = (sum ?? 0) + count;
  }
  return sum;
}

/** The numbers of hwmon devices change from boot to boot; their names do not. */
async function findHwmon(root: string, name: string): Promise<string | undefined> {
  for (const device of await entries(root, HWMON, 'hwmon')) {
    if ((await read(root, `${device}/name`))?.trim() === name) return device;
  }
  return undefined;
}

async function entries(root: string, folder: string, prefix: string): Promise<string[]> {
  try {
    const names = await readdir(join(root, folder));
    const chosen = names.filter((name) => name.startsWith(prefix)).sort();
    return chosen.slice(0, ENTRIES_MAX).map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

function anyBit(text: string | undefined, mask: number): boolean | undefined {
  const flags = text?.trim();
  if (flags === undefined || !/^(0x)?[0-9a-fA-F]{1,8}$/.test(flags)) return undefined;
  return (Number.parseInt(flags, 16) & mask) !== 0;
}

function whole(text: string | undefined): number | undefined {
  const digits = text?.trim();
  return digits !== undefined && /^-?\d{1,12}$/.test(digits) ? Number(digits) : undefined;
}
