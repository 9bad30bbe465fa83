/** Booting: what may not run does not, whoever wants it to, and the reason is told. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { err, faultOf } from '../../../src/core/base/fault.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { floorOf } from '../../../src/core/trust/floor.ts';
import type { SlotName } from '../../../src/core/update/slot-table.ts';
import { type Booted, bundleName } from '../../../src/host/runtime/boot.ts';
import { RUNTIME_FAULTS } from '../../../src/host/runtime/faults.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { until } from '../uplink/brokers.ts';
import { workersAlive } from './alive.ts';
import { MAC_KEY, Machine, plant, trustIn, words } from './machine.ts';
import {
  CLASS,
  ECHO_IO,
  NAN_ON_ZEROS,
  policyFor,
  type ReleaseChange,
  release,
  rowOf,
  shipped,
} from './releases.ts';

const folder = scratch();
const machine = (): Machine => new Machine(folder());
const TWO = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 } as const;
const ONE = { version: '1.0.0', securityVersion: 5, sequenceNumber: 10 } as const;
const versionOf = ({ model }: Booted): string | undefined => model?.bundle.meta.version;

describe('a first boot', () => {
  it('installs, tries, confirms, copies and raises the floor, and says so in this order', async () => {
    const device = machine();
    const { model, slot, refusal, fallback, degraded } = await device.boot(shipped(folder()));
    expect([slot, refusal, fallback, degraded]).toEqual(['A', undefined, undefined, false]);
    expect(words(device.events)).toEqual([
      'A staging to staged: install',
      'A trial to trial: attempts-left-2',
      'boot-verified A 1.0.0',
      'installed A 1.0.0',
    ]);
    const bundle = model && bundleName(model.bundle);
    expect(bundle).toMatchObject({ name: 'echo', version: '1.0.0', securityVersion: 5 });
    expect(device.events.slice(2).map((e) => ('bundle' in e ? e.bundle : 0))).toEqual([
      bundle,
      bundle,
    ]);
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
    const { record } = accepted(device.floors.read());
    expect(floorOf(record, CLASS, 'echo')).toMatchObject({ securityVersion: 5, sequenceNumber: 9 });
    // A copy, and never a link: one bad sector must not cost both.
    const [a, b] = (['A', 'B'] as const).map((name) => device.path(name, 'model.onnx'));
    expect(readFileSync(a as string)).toEqual(readFileSync(b as string));
    expect(statSync(a as string).nlink).toBe(1);
  });

  it('without anything installed has nothing to run and nothing to fall back to', async () => {
    const device = machine();
    const { model, refusal, fallback } = await device.boot();
    expect([model, fallback]).toEqual([undefined, undefined]);
    expect(refusal).toMatchObject({
      code: 'runtime.not-installed',
      next: RUNTIME_FAULTS['runtime.not-installed'],
    });
    expect(words(device.events)).toEqual(['boot-refused - runtime.not-installed']);
  });

  it.each([
    ['trust.wrong-class', { hardwareClass: 'other' }],
    ['trust.guard-too-old', { guardVersionMin: '9.0.0' }],
    ['trust.root-too-old', { rootVersionMin: 9 }],
    ['trust.expired', { installExpiryS: 1_700_000_000 - 1 }],
  ] as const)('with a bundle that may not be installed is told %s', async (code, change) => {
    const device = machine();
    const { refusal } = await device.boot(shipped(folder(), change));
    expect(refusal?.code).toBe(code);
    expect(words(device.events)).toEqual([`install-refused ${code}`, `boot-refused - ${code}`]);
    expect(accepted(device.floors.read()).record.generation).toBe(0);
    expect(device.states()).toEqual(['empty', 'empty', 'empty']);
  });

  it('from the factory slot confirms a copy of it', async () => {
    const device = machine().factory({ version: '0.9.0' });
    const { slot, degraded } = await device.boot();
    expect([slot, degraded]).toEqual(['GOLDEN', false]);
    expect(words(device.events)).toEqual(['boot-verified GOLDEN 0.9.0', 'installed GOLDEN 0.9.0']);
    expect(device.states()).toEqual(['confirmed', 'empty', 'staged']);
    expect(device.chosen()).toEqual({ slot: 'A', version: '0.9.0' });
  });
});

describe('a later boot', () => {
  it('of the same release writes nothing, offered or not', async () => {
    const device = machine();
    await device.boot(shipped(folder()));
    const files = () =>
      ['boot.0', 'boot.1', 'floor.0', 'floor.1', 'slots/A/model.onnx', 'slots/B/READY'].map(
        (name) => statSync(`${device.state}/${name}`, { bigint: true }).ctimeNs,
      );
    const before = files();
    for (const offered of [shipped(folder()), undefined]) {
      expect(versionOf(await device.boot(offered))).toBe('1.0.0');
      expect(words(device.events)).toEqual(['boot-verified A 1.0.0']);
    }
    expect(files()).toEqual(before);
  });

  it('goes on with what is installed when something older is offered, or nothing readable', async () => {
    const device = machine().confirmed(TWO);
    const old = await device.boot(shipped(folder(), { ...ONE, sequenceNumber: 30 }));
    expect(versionOf(old)).toBe('2.0.0');
    expect(words(device.events)).toEqual([
      'install-refused rollback.security-version',
      'boot-verified A 2.0.0',
    ]);
    const behind = { version: '1.9.0', securityVersion: 6, sequenceNumber: 19 };
    await device.boot(shipped(folder(), behind));
    expect(words(device.events)[0]).toBe('install-refused rollback.sequence');
    await device.boot('/nowhere/new.bundle');
    expect(words(device.events)[0]).toBe('install-refused store.not-found');
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
  });

  it('on a device of another class runs nothing, and gives no slot up for it', async () => {
    const device = machine().confirmed();
    const trust = { ok: true, value: trustIn(undefined, { hardwareClass: 'other' }) } as const;
    const moved = await device.boot(undefined, { trust });
    expect([moved.refusal?.code, rowOf(moved.fallback)]).toEqual(['trust.wrong-class', [1, 2]]);
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
    expect(device.chosen().version).toBe('1.0.0');
  });
});

describe('a tampered slot', () => {
  it('falls to the last known good, then to GOLDEN, then to the safe output, step by step', async () => {
    const device = machine()
      .factory({ ...TWO, version: '2.0.1' })
      .confirmed(TWO);
    device.flip('A', 'model.onnx', 40);
    const one = await device.boot();
    expect([versionOf(one), one.slot, one.degraded]).toEqual(['2.0.0', 'B', false]);
    // GOLDEN is no reason to go on with one copy of what runs.
    expect(words(device.events)).toEqual([
      'boot-refused A bundle.file-digest',
      'boot-verified B 2.0.0',
      'A bad to confirmed: copied',
    ]);
    expect(device.slots.status()).toMatchObject({ active: 'B', redundancy: 3 });

    device.flip('A', 'model.onnx', 40);
    device.flip('B', 'manifest.suit', 300);
    const two = await device.boot();
    expect([versionOf(two), two.slot, two.degraded]).toEqual(['2.0.1', 'GOLDEN', true]);
    expect(words(device.events)).toEqual([
      'boot-refused B suit.digest',
      'boot-refused A bundle.file-digest',
      'boot-verified GOLDEN 2.0.1',
      'installed GOLDEN 2.0.1',
    ]);

    const { active } = device.slots.status();
    device.flip(active as SlotName, 'model.onnx', 41);
    device.flip('GOLDEN', 'READY', 3);
    const three = await device.boot();
    expect([three.model, three.slot, rowOf(three.fallback)]).toEqual([
      undefined,
      undefined,
      [1, 2],
    ]);
    expect(words(device.events)).toEqual([
      'boot-refused GOLDEN update.other-release',
      `boot-refused ${active} bundle.file-digest`,
      'boot-refused - bundle.file-digest',
    ]);
    expect(three.refusal?.code).toBe('bundle.file-digest');

    const four = await device.boot();
    expect([four.model, rowOf(four.fallback)]).toEqual([undefined, [1, 2]]);
    expect(words(device.events)).toEqual(['boot-refused - update.nothing-good']);
    expect(device.floor()).toBe(6);
  });

  it('never runs with one flipped byte in any of its files, and the rest of it is not mixed in', () => {
    const device = machine().confirmed();
    const back = device.image(folder());
    for (const name of ['manifest.suit', 'model.onnx', 'READY']) {
      const whole = readFileSync(device.path('A', name));
      for (let i = 0; i < whole.length; i += 7) {
        for (const slot of ['A', 'B'] as const) device.flip(slot, name, i);
        expect(device.chosen().slot, `${name} ${i}`).toBeUndefined();
        back();
      }
    }
    for (const slot of ['A', 'B'] as const) {
      writeFileSync(device.path(slot, 'model.onnx'), 'cut');
    }
    expect(device.chosen().slot).toBeUndefined();
    back();
    expect(device.chosen()).toEqual({ slot: 'A', version: '1.0.0' });
  });

  it('is repaired from the same release, and its second copy is made again', async () => {
    const device = machine().confirmed();
    for (const slot of ['A', 'B'] as const) device.flip(slot, 'model.onnx', 9);
    expect(versionOf(await device.boot(shipped(folder())))).toBe('1.0.0');
    expect(words(device.events)).toEqual([
      'boot-refused A bundle.file-digest',
      'boot-refused B bundle.file-digest',
      'boot-refused - bundle.file-digest',
      'A staging to staged: install',
      'A trial to trial: attempts-left-2',
      'boot-verified A 1.0.0',
      'installed A 1.0.0',
    ]);
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);

    device.flip('A', 'model.onnx', 9);
    await device.boot();
    expect(words(device.events)).toEqual([
      'boot-refused A bundle.file-digest',
      'boot-verified B 1.0.0',
      'A bad to confirmed: copied',
    ]);
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
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
  const later = { version: '9.0.0', securityVersion: 9, sequenceNumber: 90 };

  it.each(cases)(
    'is given up with %s in its trial, and leaves the floor, no worker and two good slots',
    async (code, change) => {
      const device = machine().confirmed();
      const before = accepted(device.floors.read()).record;
      const workers = workersAlive();
      const path = shipped(folder(), { ...change, ...later });
      const { model, refusal } = await device.boot(path);
      expect([model?.bundle.meta.version, refusal]).toEqual(['1.0.0', undefined]);
      expect(words(device.events)).toEqual([
        'B staging to staged: install',
        'B trial to trial: attempts-left-2',
        `boot-refused B ${code}`,
        'boot-verified A 1.0.0',
        'B bad to confirmed: copied',
      ]);
      expect(accepted(device.floors.read()).record).toEqual(before);
      await until(() => workersAlive() === workers);
    },
  );

  it('is given up on a device that has nothing else, and a second start does not try it again', async () => {
    const device = machine();
    const path = shipped(folder(), { model: NAN_ON_ZEROS });
    expect((await device.boot(path)).refusal?.code).toBe('runtime.self-test');
    const again = await device.boot(path);
    expect(again.refusal).toMatchObject({ code: 'runtime.given-up' });
    expect(again.refusal?.message).toBe('slot A held it and gave it up: runtime.self-test');
    expect(words(device.events)).toEqual([
      'install-refused runtime.given-up',
      'boot-refused - runtime.given-up',
    ]);
    // Another one is welcome.
    expect(versionOf(await device.boot(shipped(folder())))).toBe('1.0.0');
  });

  it('that ends its process has three starts, and then is not begun again', async () => {
    const device = machine();
    const path = shipped(folder());
    accepted(device.slots.install(bytesSource(release()), { trust: trustIn() }));
    // As if the process went away right after the choice.
    for (let i = 0; i < 3; i++) expect(device.chosen().slot).toBe('A');
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) codes.push((await device.boot(path)).refusal?.code);
    expect(codes).toEqual(['update.trial-exhausted', 'runtime.given-up', 'runtime.given-up']);
    expect(device.states()).toEqual(['bad', 'empty', 'empty']);
    // An operator may want it all the same.
    accepted(device.slots.install(bytesSource(release()), { trust: trustIn() }));
    expect(versionOf(await device.boot(path))).toBe('1.0.0');
  });

  it('is refused where it was put by hand, and its slot is given up', async () => {
    const device = machine().confirmed();
    for (const slot of ['A', 'B'] as const) {
      plant(device.path(slot), folder(), { ...later, model: NAN_ON_ZEROS });
    }
    const { model, refusal, fallback } = await device.boot();
    expect([model, refusal?.code]).toEqual([undefined, 'update.other-release']);
    expect(rowOf(fallback)).toEqual([1, 2]);
    expect(device.floor()).toBe(5);
    // The floor was not raised, so the release before can be installed again.
    expect(versionOf(await device.boot(shipped(folder())))).toBe('1.0.0');
  });
});

describe('the floor', () => {
  it('that cannot be read, or is of another device, stops the boot', async () => {
    const device = machine().confirmed();
    const other = new Machine(
      device.state,
      undefined,
      openFloorStore(
        device.state,
        MAC_KEY.map((b) => b + 1),
      ),
    );
    const foreign = await other.boot();
    expect([foreign.model, foreign.refusal?.code]).toEqual([undefined, 'store.corrupt']);
    for (const copy of ['floor.0', 'floor.1']) writeFileSync(`${device.state}/${copy}`, 'torn');
    const { model, refusal, fallback } = await device.boot(shipped(folder(), TWO));
    expect([model, refusal?.code, fallback]).toEqual([undefined, 'store.corrupt', undefined]);
    expect(words(device.events)).toEqual([
      'install-refused store.corrupt',
      'boot-refused - store.corrupt',
    ]);
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
  });

  it('that cannot be raised leaves the release that proved itself running, and unconfirmed', async () => {
    const device = machine().confirmed();
    const full = err(faultOf(STORE_FAULTS, 'store.write', 'ENOSPC'));
    const stuck = new Machine(device.state, undefined, { ...device.floors, write: () => full });
    const path = shipped(folder(), TWO);
    for (let i = 0; i < 4; i++) {
      const booted = await stuck.boot(path);
      expect([versionOf(booted), booted.degraded]).toEqual(['2.0.0', true]);
    }
    expect(words(stuck.events).at(-1)).toBe('B trial to unconfirmed: store.write');
    expect(device.floor()).toBe(5);
    // With a floor that can be raised it is confirmed after all, and the copy is whole.
    expect(versionOf(await device.boot(path))).toBe('2.0.0');
    expect([device.floor(), device.states()]).toEqual([6, ['confirmed', 'confirmed', 'empty']]);
  });
});
