/** Rollback: an old release, correctly signed, by every way into the device. */
import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { Machine, plant, trustIn, words } from './machine.ts';
import { ISSUED_S, release, rowOf } from './releases.ts';

const folder = scratch();
const machine = (): Machine => new Machine(folder());
const ONE = { version: '1.0.0', securityVersion: 5, sequenceNumber: 10 } as const;
const TWO = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 } as const;

describe('an old release, correctly signed', () => {
  const old = (): { device: Machine; backup: () => void } => {
    const device = machine().confirmed(ONE);
    const backup = device.slotsImage(folder());
    return { device: device.confirmed(TWO), backup };
  };

  it('is refused on install, by whatever way it comes', async () => {
    const { device } = old();
    const trust = trustIn();
    const source = () => bytesSource(release(ONE));
    expect(codeOf(device.slots.install(source(), { trust }))).toBe('rollback.security-version');
    expect(codeOf(device.slots.provision(source(), { trust }))).toBe('rollback.security-version');
    const stream = device.slots.openInstall({ trust });
    expect(codeOf(stream.push(release(ONE)))).toBe('rollback.security-version');
    expect(device.chosen().version).toBe('2.0.0');
  });

  it('is refused at boot with its files, READY and the boot record of its time', async () => {
    const { device, backup } = old();
    backup();
    const { model, refusal, fallback } = await device.boot();
    expect([model, refusal?.code]).toEqual([undefined, 'rollback.security-version']);
    expect(rowOf(fallback)).toEqual([1, 2]);
    expect(words(device.events)).toEqual([
      'boot-refused A rollback.security-version',
      'boot-refused B rollback.security-version',
      'boot-refused - rollback.security-version',
    ]);
    expect(device.floor()).toBe(6);
    const again = await device.boot();
    expect(again.refusal?.code).toBe('update.nothing-good');
    expect(again.refusal?.message).toContain('A bad: rollback.security-version');
    expect(device.floor()).toBe(6);
  });

  it('is refused on revert, on re-verify and on confirm, with the boot record of its time', () => {
    const { device, backup } = old();
    backup();
    const trust = trustIn();
    expect(codeOf(device.slots.revert(trust))).toBe('rollback.security-version');
    for (const slot of ['A', 'B'] as const) {
      for (const act of ['re-verify', 'boot', 'revert', 'confirm'] as const) {
        expect(codeOf(device.slots.judge(slot, act, { trust }))).toBe('rollback.security-version');
      }
      expect(codeOf(device.slots.confirm(slot, trust))).toBe('rollback.security-version');
    }
    expect(device.floor()).toBe(6);
  });

  it('is refused where no boot record is left: it is judged as it stands', () => {
    const { device, backup } = old();
    backup();
    for (const copy of ['boot.0', 'boot.1']) rmSync(`${device.state}/${copy}`);
    expect(device.chosen()).toEqual({ slot: undefined, version: undefined });
    expect(words(device.events)).toEqual([
      'boot-record damaged-0 to record-rebuilt: boot',
      'A trial to trial: attempts-left-2',
      'boot-refused A rollback.security-version',
      'B trial to trial: attempts-left-2',
      'boot-refused B rollback.security-version',
    ]);
  });

  it('in one slot only costs that slot: the other one boots', () => {
    const { device } = old();
    plant(device.path('B'), folder(), ONE);
    expect(device.slots.status()).toMatchObject({ active: 'B' });
    expect(device.chosen()).toEqual({ slot: 'A', version: '2.0.0' });
    expect(words(device.events)).toEqual(['boot-refused B update.other-release']);
    expect(device.states()).toEqual(['confirmed', 'bad', 'empty']);
  });
});

describe('with the floor as high as it is', () => {
  const SAME = { ...TWO, version: '1.9.0', sequenceNumber: 19 } as const;

  it('an older sequence that was put there by hand is an install, and refused as one', () => {
    const device = machine().confirmed(TWO);
    for (const copy of ['boot.0', 'boot.1']) rmSync(`${device.state}/${copy}`);
    for (const slot of ['A', 'B'] as const) plant(device.path(slot), folder(), SAME);
    expect(device.chosen().slot).toBeUndefined();
    expect(words(device.events)).toContain('boot-refused A rollback.sequence');
  });

  it('what has expired since it was confirmed boots on, and what expired before is refused', () => {
    const device = machine().confirmed({ ...TWO, installExpiryS: ISSUED_S + 2000 });
    const late = trustIn(undefined, { nowMs: ((ISSUED_S + 9000) * 1000) as UnixMs });
    expect(device.chosen(late).version).toBe('2.0.0');
    const source = bytesSource(release({ ...TWO, installExpiryS: ISSUED_S + 2000 }));
    expect(codeOf(device.slots.install(source, { trust: late }))).toBe('trust.expired');
    // Also where the record that says it was confirmed is lost: the floor says so too.
    for (const copy of ['boot.0', 'boot.1']) rmSync(`${device.state}/${copy}`);
    expect(device.chosen(late).version).toBe('2.0.0');
  });

  it('a trial that is brought back by an old boot record is judged by the floor of now', () => {
    const device = machine().confirmed(ONE);
    const trial = { version: '1.5.0', securityVersion: 5, sequenceNumber: 15 } as const;
    accepted(device.slots.install(bytesSource(release(trial)), { trust: trustIn() }));
    const backup = device.slotsImage(folder());
    device.chosen();
    accepted(device.slots.revert(trustIn()));
    device.confirmed(TWO);
    backup();
    expect(device.chosen().slot).toBeUndefined();
    expect(words(device.events).filter((said) => said.startsWith('boot-refused'))).toEqual([
      'boot-refused B rollback.security-version',
      'boot-refused A rollback.security-version',
    ]);
    expect(device.floor()).toBe(6);
  });

  it('GOLDEN below it is no way back either', async () => {
    const device = machine().factory(ONE).confirmed(TWO);
    for (const slot of ['A', 'B'] as const) device.flip(slot, 'model.onnx', 3);
    const { model, refusal, fallback } = await device.boot();
    expect([model, refusal?.code]).toEqual([undefined, 'rollback.security-version']);
    expect(rowOf(fallback)).toEqual([1, 2]);
    expect(words(device.events)).toEqual([
      'boot-refused A bundle.file-digest',
      'boot-refused B bundle.file-digest',
      'boot-refused GOLDEN rollback.security-version',
      'boot-refused - rollback.security-version',
    ]);
  });
});
