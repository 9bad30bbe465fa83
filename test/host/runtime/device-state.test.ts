/** A device that cannot have its key, its floors or its counter comes up with less, and says why. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { loadIdentity } from '../../../src/host/platform/identity.ts';
import { lockFolder } from '../../../src/host/platform/instance-lock.ts';
import { type Device, startDevice } from '../../../src/host/runtime/device.ts';
import {
  keepMode,
  lockSlots,
  openState,
  runningMode,
} from '../../../src/host/runtime/device-state.ts';
import type { DeviceOptions } from '../../../src/host/runtime/options.ts';
import { provisionTier } from '../../../src/host/store/floor-tier.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';
import { until } from '../uplink/brokers.ts';
import { workersAlive } from './alive.ts';
import { words } from './machine.ts';
import { CLASS, frame, rootBytes, rowOf, shipped, stillClock } from './releases.ts';

const folder = scratch();
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function optionsFor(state: string, change: Partial<DeviceOptions>): DeviceOptions {
  const rootPath = join(folder(), 'root.cbor');
  writeFileSync(rootPath, rootBytes());
  return {
    ...{ stateFolder: state, root: rootPath, profile: 'production', hardwareClass: CLASS },
    ...{ board: 'generic-x64', clock: stillClock(), ...change },
  };
}

async function started(state: string, change: Partial<DeviceOptions> = {}): Promise<Device> {
  const device = accepted(await startDevice(optionsFor(state, change)));
  ends.push(() => device.stop());
  return device;
}

/** A folder on which a device has run. */
async function used(): Promise<string> {
  const state = folder();
  await (await started(state, { bundle: shipped(folder()) })).stop();
  return state;
}

interface Seen {
  readonly code: string | undefined;
  readonly mode: string;
  readonly safe: number[] | undefined;
  readonly verdict: string;
}

/** Starts twice on the folder, which must give the same both times: no start makes it worse. */
async function seen(state: string, change: Partial<DeviceOptions> = {}): Promise<Seen> {
  const found: Seen[] = [];
  for (let i = 0; i < 2; i++) {
    const events: EdgeEvent[] = [];
    const onEvent = (event: EdgeEvent): void => void events.push(event);
    const device = await started(state, { onEvent, ...change });
    const { verdict, outputs, source } = await device.infer(frame(1, 2));
    const { refusal, mode } = device;
    if (refusal !== undefined) {
      expect(refusal.next).toMatch(/^[A-Z].*\.$/);
      expect(words(events)[0]).toBe(`boot-refused - ${refusal.code}`);
    }
    const safe = source === 'safe' ? rowOf(outputs) : undefined;
    found.push({ code: refusal?.code, mode, safe, verdict });
    await device.stop();
    await until(() => workersAlive() === 0);
  }
  expect(found[1]).toEqual(found[0]);
  return found[0] as Seen;
}

/** In SAFE, and with which safe output on record. */
const inSafe = (code: string, safe?: number[]): Seen => ({
  ...{ code, mode: 'safe', safe },
  verdict: safe === undefined ? 'withhold' : 'substitute',
});

/** The records of a folder, to see that nothing moved them. */
const recordsIn = (state: string): (Buffer | string)[] =>
  ['floor.0', 'floor.1', 'boot.0', 'boot.1'].map((name) =>
    existsSync(join(state, name)) ? readFileSync(join(state, name)) : 'none',
  );

describe('the device key', () => {
  it('that others can read, that is damaged, a folder or a pipe: no model, and no word signed', async () => {
    const state = await used();
    const path = join(state, 'device.key');
    const key = readFileSync(path);
    const before = recordsIn(state);
    const lines: string[] = [];
    const change = {
      uplink: { url: 'mqtt://127.0.0.1:1' },
      log: (line: string) => lines.push(line),
    };
    chmodSync(path, 0o640);
    expect(await seen(state, change)).toEqual(inSafe('store.loose-mode'));
    expect(lines[0]).toMatch(/^no telemetry: .*store\.loose-mode/);
    chmodSync(path, 0o600);
    for (const bytes of ['x'.repeat(9), '\0'.repeat(32), 'x'.repeat(33)]) {
      writeFileSync(path, bytes);
      expect(await seen(state)).toEqual(inSafe('platform.identity'));
    }
    rmSync(path);
    mkdirSync(path);
    expect(await seen(state)).toEqual(inSafe('store.read'));
    rmSync(path, { recursive: true });
    makePipe(path);
    expect((await seen(state)).code).toMatch(/^store\./);
    rmSync(path);
    expect(recordsIn(state)).toEqual(before);
    // Put back, it is the device that it was.
    writeFileSync(path, key, { mode: 0o600 });
    const whole = await started(state);
    expect([whole.mode, whole.epoch]).toEqual(['nominal', 2]);
  });

  it('that is gone while what it sealed is there is not made anew, nor one of another device taken', async () => {
    const state = await used();
    const key = readFileSync(join(state, 'device.key'));
    rmSync(join(state, 'device.key'));
    expect(await seen(state)).toEqual(inSafe('platform.identity'));
    expect(existsSync(join(state, 'device.key'))).toBe(false);
    const other = folder();
    accepted(loadIdentity(other));
    writeFileSync(join(state, 'device.key'), readFileSync(join(other, 'device.key')), {
      mode: 0o600,
    });
    expect(await seen(state)).toEqual(inSafe('store.corrupt'));
    writeFileSync(join(state, 'device.key'), key);
    expect((await seen(state)).mode).toBe('nominal');
  });
});

describe('the records', () => {
  it('torn, foreign or gone: no model and no floor made up in their place', async () => {
    const state = await used();
    const harmed = async (
      names: readonly string[],
      harm: (path: string) => void,
    ): Promise<Seen> => {
      const kept = names.map((name) => readFileSync(join(state, name)));
      for (const name of names) harm(join(state, name));
      const found = await seen(state);
      for (const [i, name] of names.entries()) {
        rmSync(join(state, name), { recursive: true, force: true });
        writeFileSync(join(state, name), kept[i] as Buffer, { mode: 0o600 });
      }
      return found;
    };
    const tear = (path: string): void => writeFileSync(path, 'torn');
    const remove = (path: string): void => rmSync(path);
    const fold = (path: string): void => {
      rmSync(path);
      mkdirSync(path);
    };
    const lead = (path: string): void => {
      rmSync(path);
      symlinkSync('/dev/zero', path);
    };
    const [floor, epoch] = [
      ['floor.0', 'floor.1'],
      ['epoch.0', 'epoch.1'],
    ] as const;
    for (const harm of [tear, remove, fold, lead]) {
      // A record that is gone is older than what was counted.
      const code = harm === remove ? 'floor.rolled-back' : 'store.corrupt';
      expect(await harmed(floor, harm), `${harm}`).toEqual(inSafe(code));
    }
    for (const harm of [tear, remove, fold]) {
      expect(await harmed(epoch, harm), `${harm}`).toEqual(inSafe('store.corrupt'));
    }
    // One copy is enough, of each.
    expect(await harmed(['floor.0', 'epoch.1'], tear)).toMatchObject({ mode: 'nominal' });
    expect((await started(state)).mode).toBe('nominal');
  });

  it('of a folder that is a file leave nothing but SAFE', async () => {
    const at = join(folder(), 'file');
    writeFileSync(at, '');
    expect(await seen(at)).toEqual(inSafe('store.write'));
    expect(await seen('/proc/nowhere/device')).toEqual(inSafe('store.write'));
  });
});

describe('a disk that cannot be written', () => {
  /** The folder, seen through a mount that is read-only: modes do not stop root. */
  function readOnly(state: string): string | undefined {
    const at = folder();
    try {
      execFileSync('mount', ['--bind', state, at], { stdio: 'ignore' });
      execFileSync('mount', ['-o', 'remount,bind,ro', at], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    ends.push(() => void execFileSync('umount', [at]));
    return at;
  }

  it('boots what is confirmed, takes nothing new, and sends nothing', async (context) => {
    const state = await used();
    const at = readOnly(state);
    if (at === undefined) return context.skip('mounts are not allowed here');
    const before = recordsIn(state);
    const lines: string[] = [];
    const change = {
      uplink: { url: 'mqtt://127.0.0.1:1' },
      log: (line: string) => lines.push(line),
    };
    const two = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 };
    for (const bundle of [undefined, shipped(folder(), two)]) {
      expect(await seen(at, { ...change, bundle })).toEqual({
        ...{ code: undefined, mode: 'nominal', safe: undefined, verdict: 'release' },
      });
    }
    expect(lines[0]).toMatch(/^no telemetry: .*store\.write/);
    expect(recordsIn(state)).toEqual(before);
  });

  it('and is empty gives SAFE', async (context) => {
    const at = readOnly(folder());
    if (at === undefined) return context.skip('mounts are not allowed here');
    expect(await seen(at, { bundle: shipped(folder()) })).toEqual(inSafe('store.write'));
  });

  it('but for the boot counter boots, and has no number to sign with', async () => {
    const state = await used();
    for (const i of [0, 1]) mkdirSync(join(state, `epoch.${i}.tmp`));
    const device = await started(state, { uplink: { url: 'mqtt://127.0.0.1:1' } });
    expect([device.mode, device.epoch]).toEqual(['nominal', 0]);
  });
});

describe('the floor tier', () => {
  const tpm = { tier: 'T2', tpm: { tcti: 'device:/nowhere' } } as const;

  it('T2 on a folder of tier T0: no model, whatever stands in the slots', async () => {
    const state = await used();
    const before = recordsIn(state);
    expect(await seen(state, { floorStore: tpm })).toEqual(inSafe('floor.tier-missing'));
    expect(await seen(state, { floorStore: { tier: 'T2' } })).toEqual(inSafe('floor.tier-missing'));
    expect(recordsIn(state)).toEqual(before);
    expect((await seen(state)).mode).toBe('nominal');
  });

  it('T2 with its TPM or its tools gone: never a lower one instead', async () => {
    const state = await used();
    const { macKey } = accepted(loadIdentity(state)).keys;
    accepted(provisionTier(state, macKey, 'T2'));
    expect(await seen(state, { floorStore: tpm })).toEqual(inSafe('floor.tier-missing'));
    const toolless = { ...tpm, tpm: { ...tpm.tpm, toolFolder: folder() } };
    expect(await seen(state, { floorStore: toolless })).toEqual(inSafe('floor.tier-missing'));
    for (const floorStore of [undefined, { tier: 'T0' }, { tier: 'none' }] as const) {
      const { code, mode } = await seen(state, { floorStore });
      expect(mode).toBe('safe');
      expect(['floor.tier-lowered', 'floor.volatile']).toContain(code);
    }
  });

  it('none under a production root is refused', async () => {
    expect(
      await seen(folder(), { floorStore: { tier: 'none' }, bundle: shipped(folder()) }),
    ).toEqual(inSafe('floor.volatile'));
  });
});

describe('the parts of a state', () => {
  it('of a fresh folder are whole: a first epoch, an empty floor', async () => {
    const state = accepted(await openState({ stateFolder: folder(), production: true }));
    ends.push(() => state.lock.release());
    expect([state.anonymous, state.floorTier, state.epoch]).toEqual([
      false,
      'T0',
      { ok: true, value: 1 },
    ]);
    expect(accepted(accepted(state.floors).read()).record).toMatchObject({ generation: 1 });
  });

  it('are of one process at a time, and the slots of one change at a time', async () => {
    const stateFolder = folder();
    const { macKey } = accepted(loadIdentity(stateFolder)).keys;
    expect(accepted(await runningMode(stateFolder))).toBeUndefined();
    accepted(keepMode(stateFolder, 'nominal'));
    expect(accepted(await runningMode(stateFolder))).toBeUndefined();
    const state = accepted(await openState({ stateFolder, production: true }));
    expect(codeOf(await openState({ stateFolder, production: true }))).toBe('platform.in-use');
    // The word of an earlier run is no word of this one.
    expect(accepted(await runningMode(stateFolder))).toBeUndefined();
    accepted(keepMode(stateFolder, 'degraded'));
    expect(accepted(await runningMode(stateFolder))).toBe('degraded');
    const slots = accepted(await lockSlots(stateFolder, macKey));
    expect(codeOf(await lockSlots(stateFolder, macKey, 0))).toBe('platform.in-use');
    const waiting = lockSlots(stateFolder, macKey);
    slots.release();
    accepted(await waiting).release();
    state.lock.release();
  });

  it('are had although somebody just asks whether a device runs', async () => {
    const stateFolder = folder();
    const { macKey } = accepted(loadIdentity(stateFolder)).keys;
    const asking = accepted(await lockFolder(stateFolder, macKey));
    const opening = openState({ stateFolder, production: true });
    asking.release();
    accepted(await opening).lock.release();
  });

  it('name the files of a device: what is not known does not stay behind', async () => {
    const state = await used();
    expect(readdirSync(state).sort()).toEqual([
      ...['boot.0', 'boot.1', 'device.key', 'device.pub', 'epoch.0', 'epoch.1'],
      ...['floor.0', 'floor.1', 'mode', 'root.cbor', 'slots', 'state.0', 'state.1'],
    ]);
  });
});
