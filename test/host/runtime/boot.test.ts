/** Booting: what may not run does not, whoever wants it to, and the reason is told. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { err, faultOf } from '../../../src/core/base/fault.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { floorOf } from '../../../src/core/trust/floor.ts';
import {
  type Booted,
  type BootInput,
  bootModel,
  bundleName,
} from '../../../src/host/runtime/boot.ts';
import { RUNTIME_FAULTS } from '../../../src/host/runtime/faults.ts';
import { installedBundlePath } from '../../../src/host/runtime/installation.ts';
import { type FloorStore, openFloorStore } from '../../../src/host/store/device-records.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { until } from '../uplink/brokers.ts';
import { workersAlive } from './alive.ts';
import {
  BOARD,
  CLASS,
  ECHO_IO,
  NAN_ON_ZEROS,
  policyFor,
  type ReleaseChange,
  ROOT,
  rowOf,
  shipped,
  stillClock,
} from './releases.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);

interface Machine {
  readonly state: string;
  readonly floors: FloorStore;
  readonly events: EdgeEvent[];
  /** Boots and, when a model came up, ends its worker again. */
  boot(offered?: ReleaseChange | string, change?: Partial<BootInput>): Promise<Booted>;
}

function machine(): Machine {
  const state = folder();
  const floors = openFloorStore(state, KEY);
  const events: EdgeEvent[] = [];
  return {
    state,
    floors,
    events,
    async boot(offered, change = {}) {
      events.length = 0;
      const bundlePath = typeof offered === 'object' ? shipped(folder(), offered) : offered;
      const booted = accepted(
        await bootModel({ ...inputFor(state, events), bundlePath, ...change }),
      );
      await booted.model?.engine.close();
      return booted;
    },
  };
}

function inputFor(stateFolder: string, events: EdgeEvent[]): BootInput {
  return {
    stateFolder,
    root: ROOT,
    floors: openFloorStore(stateFolder, KEY),
    profile: 'production',
    hardwareClass: CLASS,
    board: BOARD,
    clock: stillClock(),
    onEvent: (event) => events.push(event),
  };
}

const types = (events: readonly EdgeEvent[]): string[] =>
  events.map((event) => ('fault' in event ? `${event.type} ${event.fault}` : event.type));

describe('a first boot', () => {
  it('installs, verifies, runs and raises the floor', async () => {
    const { boot, events, floors } = machine();
    const { model, refusal, fallback } = await boot({});
    expect([refusal, fallback]).toEqual([undefined, undefined]);
    expect(types(events)).toEqual(['integrity.installed', 'integrity.boot-verified']);
    const bundle = model && bundleName(model.bundle);
    expect(bundle).toMatchObject({ name: 'echo', version: '1.0.0', securityVersion: 5 });
    expect(events.map((event) => ('bundle' in event ? event.bundle : 0))).toEqual([bundle, bundle]);
    const { record } = accepted(floors.read());
    expect(floorOf(record, CLASS, 'echo')).toMatchObject({ securityVersion: 5, sequenceNumber: 9 });
  });

  it('without anything installed has nothing to run and nothing to fall back to', async () => {
    const { boot, events } = machine();
    const { model, refusal, fallback } = await boot();
    expect([model, fallback]).toEqual([undefined, undefined]);
    expect(refusal).toMatchObject({
      code: 'runtime.not-installed',
      next: RUNTIME_FAULTS['runtime.not-installed'],
    });
    expect(types(events)).toEqual(['integrity.boot-refused runtime.not-installed']);
  });

  it('with a bundle that may not be installed is told why', async () => {
    const { boot, events, floors } = machine();
    const { refusal } = await boot({ hardwareClass: 'other' });
    expect(refusal?.code).toBe('trust.wrong-class');
    expect(types(events)).toEqual([
      'integrity.install-refused trust.wrong-class',
      'integrity.boot-refused trust.wrong-class',
    ]);
    expect(accepted(floors.read()).record.generation).toBe(0);
  });
});

describe('a later boot', () => {
  it('of the same release writes no bundle, offered or not', async () => {
    const { boot, events, state } = machine();
    await boot({});
    const before = readFileSync(installedBundlePath(state));
    expect((await boot({})).model).toBeDefined();
    expect(types(events)).toEqual(['integrity.boot-verified']);
    expect((await boot()).model).toBeDefined();
    expect(types(events)).toEqual(['integrity.boot-verified']);
    expect(readFileSync(installedBundlePath(state))).toEqual(before);
  });

  it('goes on with what is installed when something older is offered', async () => {
    const { boot, events } = machine();
    await boot({ version: '2.0.0', securityVersion: 6, sequenceNumber: 20 });
    const old = await boot({ version: '1.0.0', securityVersion: 5, sequenceNumber: 30 });
    expect(old.model?.bundle.meta.version).toBe('2.0.0');
    expect(types(events)).toEqual([
      'integrity.install-refused rollback.security-version',
      'integrity.boot-verified',
    ]);
    await boot({ version: '1.9.0', securityVersion: 6, sequenceNumber: 19 });
    expect(types(events)[0]).toBe('integrity.install-refused rollback.sequence');
    await boot('/nowhere/new.bundle');
    expect(types(events)[0]).toBe('integrity.install-refused store.not-found');
  });

  it('refuses an old release that was copied over the installed one', async () => {
    const { boot, events, state } = machine();
    await boot({ securityVersion: 4, version: '0.9.0' });
    const old = readFileSync(installedBundlePath(state));
    await boot({ securityVersion: 6, version: '2.0.0', sequenceNumber: 20 });
    writeFileSync(installedBundlePath(state), old);
    const { model, refusal, fallback } = await boot();
    expect(model).toBeUndefined();
    expect(refusal?.code).toBe('rollback.security-version');
    expect(rowOf(fallback)).toEqual([1, 2]);
    expect(types(events)).toEqual(['integrity.boot-refused rollback.security-version']);
  });

  it('never runs one flipped byte, and falls back to the safe output on record', async () => {
    const { boot, state } = machine();
    await boot({});
    const path = installedBundlePath(state);
    const whole = readFileSync(path);
    for (let i = 0; i < whole.length; i += 331) {
      const bad = Uint8Array.from(whole);
      bad[i] = (bad[i] as number) ^ 1;
      writeFileSync(path, bad);
      const { model, refusal, fallback } = await boot();
      expect([model, refusal === undefined], `byte ${i}`).toEqual([undefined, false]);
      expect(rowOf(fallback)).toEqual([1, 2]);
    }
    writeFileSync(path, whole);
    expect((await boot()).model).toBeDefined();
  });

  it('repairs a tampered installation from the same release', async () => {
    const { boot, events, state } = machine();
    await boot({});
    writeFileSync(installedBundlePath(state), 'garbage');
    expect((await boot({})).model).toBeDefined();
    expect(types(events)).toEqual(['integrity.installed', 'integrity.boot-verified']);
  });

  it('refuses the installed one on a device of another class', async () => {
    const { boot } = machine();
    await boot({});
    const moved = await boot(undefined, { hardwareClass: 'other' });
    expect(moved.refusal?.code).toBe('trust.wrong-class');
  });
});

describe('a bundle that verifies and does not work', () => {
  const strange = [{ name: 'x', dtype: 'float32', dims: [7] }] as const;
  const cases: [string, ReleaseChange][] = [
    ['runtime.self-test', { model: NAN_ON_ZEROS }],
    ['runtime.ports', { io: { ...ECHO_IO, inputs: strange } }],
    ['runtime.policy-mismatch', { policy: policyFor(new Uint8Array(32)), detection: 'reduced' }],
    ['inference.model', { model: new Uint8Array(99) }],
  ];

  it.each(cases)(
    'is refused with %s before it replaces one that works, and leaves no worker',
    async (code, change) => {
      const { boot, events, floors } = machine();
      const working = await boot({});
      await working.model?.engine.close();
      const before = accepted(floors.read()).record;
      const workers = workersAlive();
      const bad = { ...change, version: '9.0.0', securityVersion: 9, sequenceNumber: 90 };
      const { model, refusal } = await boot(bad);
      expect([model?.bundle.meta.version, refusal]).toEqual(['1.0.0', undefined]);
      expect(types(events)).toEqual([
        `integrity.install-refused ${code}`,
        'integrity.boot-verified',
      ]);
      expect(accepted(floors.read()).record.floors).toEqual(before.floors);
      await model?.engine.close();
      await until(() => workersAlive() === workers);
    },
  );

  it.each(cases)(
    'is refused with %s at boot where it was put by hand, with the safe output of the one before',
    async (code, change) => {
      const { boot, state, floors } = machine();
      await (await boot({})).model?.engine.close();
      const before = accepted(floors.read()).record;
      const bad = { ...change, version: '9.0.0', securityVersion: 9, sequenceNumber: 90 };
      copyFileSync(shipped(folder(), bad), installedBundlePath(state));
      const { model, refusal, fallback } = await boot();
      expect([model, refusal?.code]).toEqual([undefined, code]);
      expect(rowOf(fallback)).toEqual([1, 2]);
      expect(accepted(floors.read()).record).toEqual(before);
      // The floor was not raised, so the release before can be installed again.
      const again = await boot({});
      expect(again.model).toBeDefined();
      await again.model?.engine.close();
    },
  );
});

describe('the floor', () => {
  it('that cannot be read stops the boot', async () => {
    const { state } = machine();
    writeFileSync(`${state}/floor.0`, 'torn');
    writeFileSync(`${state}/floor.1`, 'torn');
    expect(codeOf(await bootModel(inputFor(state, [])))).toBe('store.corrupt');
  });

  it('that cannot be raised leaves nothing running', async () => {
    const { boot, floors, state } = machine();
    await boot({});
    const workers = workersAlive();
    const full = err(faultOf(STORE_FAULTS, 'store.write', 'ENOSPC'));
    const stuck = { ...inputFor(state, []), floors: { ...floors, write: () => full } };
    expect(faultIn(await bootModel(stuck)).code).toBe('store.write');
    await until(() => workersAlive() === workers);
  });

  it('of another device is none of this one', async () => {
    const { boot, state } = machine();
    await boot({});
    const other = openFloorStore(state, new Uint8Array(32).fill(2));
    const input = { ...inputFor(state, []), floors: other };
    expect(codeOf(await bootModel(input))).toBe('store.corrupt');
  });

  it('is not reached when the installation is a folder', async () => {
    const { boot, events, state, floors } = machine();
    mkdirSync(installedBundlePath(state));
    expect((await boot({})).refusal?.code).toBe('store.read');
    expect(types(events)).toEqual([
      'integrity.install-refused store.write',
      'integrity.boot-refused store.read',
    ]);
    expect(accepted(floors.read()).record.generation).toBe(0);
  });
});
