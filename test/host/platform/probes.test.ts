/** The probes on trees in the form of each board, and on trees that are damaged. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { assessHealth } from '../../../src/core/device/health.ts';
import type { BoardProfile } from '../../../src/core/device/profile.ts';
import { loadBoardProfile } from '../../../src/host/platform/board.ts';
import { readRelease, sampleBoard } from '../../../src/host/platform/probes.ts';

const tree = (name: string): string => resolve(import.meta.dirname, 'trees', name);
const scratch = mkdtempSync(join(tmpdir(), 'probes-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function profile(name: string): Promise<BoardProfile> {
  const loaded = await loadBoardProfile(name);
  if (!loaded.ok) throw new Error(loaded.fault.message);
  return loaded.value;
}

const ALARM = 'sys/class/hwmon/hwmon0/in0_lcrit_alarm';
const FLAGS = 'sys/devices/platform/soc/soc:firmware/get_throttled';
const ZONE = 'sys/class/thermal/thermal_zone0';
let planted = 0;

/** A root that holds only the given files. */
function plant(files: Record<string, string>): string {
  const root = join(scratch, String(planted++));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('sampleBoard', () => {
  it('reads a Raspberry Pi that is well', async () => {
    const board = await profile('raspberry-pi-4');
    const sample = await sampleBoard(board, tree('raspberry-pi-4'));
    expect(sample).toEqual({
      temperatureMilliC: 48_312,
      memoryAvailableBytes: 711_420 * 1024,
      underVoltage: false,
      throttled: undefined,
      overCurrentEvents: undefined,
    });
    expect(assessHealth(board, sample).level).toBe('good');
  });

  it('reads a Raspberry Pi that is hot, short of memory and under-supplied', async () => {
    const board = await profile('raspberry-pi-4');
    const found = assessHealth(board, await sampleBoard(board, tree('raspberry-pi-4-hot')));
    expect(found.level).toBe('critical');
    expect(found.findings.map(({ code }) => code)).toEqual([
      'health.temperature-critical',
      'health.memory-low',
      'health.under-voltage',
    ]);
  });

  it.each([
    ['0x0\n', false],
    ['50000\n', false],
    ['5000e\n', true],
    ['4\n', true],
  ])('reads the Raspberry Pi flag word %j as throttled now: %s', async (text, throttled) => {
    const root = plant({ [FLAGS]: text });
    const sample = await sampleBoard(await profile('raspberry-pi-4'), root);
    expect(sample.throttled).toBe(throttled);
  });

  it('leaves out the Jetson Nano zone that always reads 100 degrees', async () => {
    const sample = await sampleBoard(await profile('jetson-nano'), tree('jetson-nano'));
    expect(sample.temperatureMilliC).toBe(34_000);
  });

  it('sums the over-current counters of a Jetson Orin Nano', async () => {
    const sample = await sampleBoard(await profile('jetson-orin-nano'), tree('jetson-orin-nano'));
    expect(sample).toMatchObject({ temperatureMilliC: 47_312, overCurrentEvents: 7 });
  });

  it('takes the hottest of all zones where the profile names none', async () => {
    const sample = await sampleBoard(await profile('generic-arm64'), tree('jetson-nano'));
    expect(sample.temperatureMilliC).toBe(100_000);
  });

  it('reports nothing on a tree without any of the files', async () => {
    const sample = await sampleBoard(await profile('raspberry-pi-4'), join(scratch, 'absent'));
    expect(Object.values(sample).every((value) => value === undefined)).toBe(true);
    expect(Object.keys(sample)).toHaveLength(5);
  });

  it.each([
    [
      'a temperature that is not a number',
      { [`${ZONE}/type`]: 'cpu-thermal', [`${ZONE}/temp`]: 'x' },
    ],
    ['a disabled sensor', { [`${ZONE}/type`]: 'cpu-thermal', [`${ZONE}/temp`]: '-256000\n' }],
    ['a zone without a type', { [`${ZONE}/temp`]: '40000\n' }],
    ['a memory line in another form', { 'proc/meminfo': 'MemAvailable: lots\n' }],
    ['a file that never ends', { 'proc/meminfo': 'MemAvailable: 1 kB\n'.repeat(2_000) }],
    [
      'an alarm that is neither 0 nor 1',
      { [ALARM]: '7\n', [ALARM.replace(/[^/]*$/, 'name')]: 'rpi_volt' },
    ],
    ['flags in another form', { [FLAGS]: 'no' }],
  ])('reports nothing for %s', async (_, files) => {
    const sample = await sampleBoard(await profile('raspberry-pi-4'), plant(files));
    expect(Object.values(sample).every((value) => value === undefined)).toBe(true);
  });

  it('does not wait for a pipe in the place of a file', async () => {
    const root = plant({ 'proc/other': '' });
    execFileSync('mkfifo', [join(root, 'proc/meminfo')]);
    const sample = await sampleBoard(await profile('raspberry-pi-4'), root);
    expect(sample.memoryAvailableBytes).toBeUndefined();
  });
});

describe('readRelease', () => {
  it('gives the first line of the vendor file', async () => {
    const line = await readRelease(await profile('jetson-nano'), tree('jetson-nano'));
    expect(line).toMatch(/^# R32 \(release\), REVISION: 7\.1/);
  });

  it('gives nothing without the file, or for a board that has none', async () => {
    expect(await readRelease(await profile('jetson-nano'), tree('raspberry-pi-4'))).toBeUndefined();
    expect(await readRelease(await profile('generic-x64'), tree('jetson-nano'))).toBeUndefined();
  });
});
