/** What a device may find in its slots and under them: each has one outcome, twice the same. */
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { err, faultOf, type Result } from '../../../src/core/base/fault.ts';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { cborMap } from '../../../src/core/cose/value.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import { modelOf } from '../../../src/core/trust/verify.ts';
import type { Disk } from '../../../src/core/update/disk.ts';
import { DISK_FAULTS, type DiskFaultCode } from '../../../src/core/update/faults.ts';
import { realDisk } from '../../../src/host/store/disk.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';
import { MAC_KEY, Machine, trustIn, words } from './machine.ts';
import { ECHO, ISSUED_S, release, shipped } from './releases.ts';

const folder = scratch();
const machine = (): Machine => new Machine(folder());
const TWO = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 } as const;

const failing = (code: DiskFaultCode) => err(faultOf(DISK_FAULTS, code, 'as the test says'));

/** The real disk, on which nothing can be written, or nothing after so many bytes. */
function poorDisk(code: DiskFaultCode, roomBytes = 0): Disk {
  let left = roomBytes;
  const no = (): Result<never> => failing(code);
  const writes = { create: no, rename: no, remove: no, makeFolder: no };
  if (code === 'disk.read-only') return { ...realDisk, ...writes };
  return {
    ...realDisk,
    create(path) {
      const made = realDisk.create(path);
      if (!made.ok) return made;
      const append = (bytes: Uint8Array): Result<true> => {
        left -= bytes.length;
        return left < 0 ? no() : made.value.append(bytes);
      };
      return { ok: true, value: { ...made.value, append } };
    },
  };
}

describe('the boot record', () => {
  it.each(['boot.0', 'boot.1'])(
    'damaged in one copy (%s) boots as ever and is healed',
    async (copy) => {
      const device = machine().confirmed(TWO);
      writeFileSync(join(device.state, copy), 'torn');
      expect((await device.boot()).model?.bundle.meta.version).toBe('2.0.0');
      expect(words(device.events)[0]).toBe('boot-record damaged-1 to record-healed: boot');
      expect(device.slots.status().damagedCopies).toBe(0);
      device.chosen();
      expect(words(device.events)).toEqual([]);
    },
  );

  it('damaged in both boots what the floor attests, and confirms it anew', async () => {
    const device = machine().confirmed(TWO);
    for (const copy of ['boot.0', 'boot.1']) writeFileSync(join(device.state, copy), 'torn');
    const { model, slot } = await device.boot();
    expect([model?.bundle.meta.version, slot]).toEqual(['2.0.0', 'A']);
    expect(words(device.events)).toEqual([
      'boot-record damaged-2 to record-rebuilt: boot',
      'boot-verified A 2.0.0',
      'installed A 2.0.0',
    ]);
    expect([device.floor(), device.states()]).toEqual([6, ['confirmed', 'confirmed', 'empty']]);
    await device.boot();
    expect(words(device.events)).toEqual(['boot-verified A 2.0.0']);
  });

  it('of another device, or with a state that nobody knows, counts as damaged', () => {
    const device = machine().confirmed(TWO);
    const whole = readFileSync(join(device.state, 'boot.0'));
    const other = new Machine(folder(), undefined, undefined);
    other.confirmed({ version: '1.0.0' });
    const strange = cborMap(
      ['profile', 'edgeward-boot/1'],
      ['generation', 99],
      ['rebuilt', false],
      [
        'slots',
        cborMap(...['A', 'B', 'GOLDEN'].map((n) => [n, cborMap(['state', 'blessed'])] as const)),
      ],
    );
    const cases: Uint8Array[] = [
      sealRecord(new Uint8Array(32).fill(2), whole.subarray(0, -32)),
      sealRecord(MAC_KEY, encodeCbor(strange)),
      sealRecord(MAC_KEY, new Uint8Array(0)),
      // The floor record, sealed by this very device.
      readFileSync(join(device.state, 'floor.0')),
      new Uint8Array(1 << 20),
    ];
    for (const [i, bytes] of cases.entries()) {
      for (const copy of ['boot.0', 'boot.1']) writeFileSync(join(device.state, copy), bytes);
      expect(device.chosen().version, `case ${i}`).toBe('2.0.0');
      expect(words(device.events)[0]).toBe('boot-record damaged-2 to record-rebuilt: boot');
      expect(device.floor()).toBe(6);
      accepted(device.slots.confirm('A', trustIn()));
    }
  });

  it('that is a pipe, a folder or a link to another one holds nobody up', () => {
    const device = machine().confirmed(TWO);
    const [zero, one] = ['boot.0', 'boot.1'].map((n) => join(device.state, n)) as [string, string];
    const elsewhere = join(folder(), 'boot');
    copyFileSync(zero, elsewhere);
    for (const path of [zero, one]) unlinkSync(path);
    makePipe(zero);
    symlinkSync(elsewhere, one);
    expect(device.chosen().version).toBe('2.0.0');
    expect(words(device.events)[0]).toBe('boot-record damaged-2 to record-rebuilt: boot');
    // What the link led to is untouched, and the link itself is gone.
    expect(readFileSync(elsewhere).length).toBeGreaterThan(0);
    for (const path of [zero, one]) {
      rmSync(path);
      mkdirSync(path);
    }
    for (let i = 0; i < 2; i++) expect(device.chosen().version).toBe('2.0.0');
  });
});

describe('a slot', () => {
  it('half written is given up, and what was confirmed boots', async () => {
    const device = machine().confirmed();
    const stream = device.slots.openInstall({ trust: trustIn() });
    const bytes = release(TWO);
    accepted(stream.push(bytes.subarray(0, bytes.length - 1100)));
    // The power is cut here: nobody cleans up.
    for (const said of [
      ['boot-refused B update.interrupted', 'boot-verified A 1.0.0'],
      ['boot-verified A 1.0.0'],
    ]) {
      expect((await device.boot()).model?.bundle.meta.version).toBe('1.0.0');
      expect(words(device.events).filter((one) => !one.includes('copied'))).toEqual(said);
    }
    accepted(device.slots.install(bytesSource(bytes), { trust: trustIn() }));
    expect(device.chosen().version).toBe('2.0.0');
  });

  it('with READY and no files, or without READY, is damaged', () => {
    const device = machine().confirmed();
    for (const name of ['manifest.suit', 'model.onnx']) rmSync(device.path('A', name));
    expect(device.chosen()).toEqual({ slot: 'B', version: '1.0.0' });
    expect(words(device.events)).toEqual(['boot-refused A disk.not-found']);
    rmSync(device.path('B', 'READY'));
    expect(device.chosen().slot).toBeUndefined();
    expect(words(device.events)).toEqual(['boot-refused B update.not-ready']);
    expect(device.floor()).toBe(5);
  });

  it('whose files are pipes, folders or links is refused without waiting', () => {
    const device = machine().confirmed();
    const back = device.image(folder());
    const copy = join(folder(), 'model.onnx');
    copyFileSync(device.path('A', 'model.onnx'), copy);
    const plants: ((path: string) => void)[] = [
      (path) => void makePipe(path),
      (path) => mkdirSync(path),
      (path) => symlinkSync(copy, path),
      (path) => symlinkSync('/dev/zero', path),
    ];
    for (const plantAt of plants) {
      for (const name of ['model.onnx', 'manifest.suit', 'READY']) {
        rmSync(device.path('A', name));
        plantAt(device.path('A', name));
        expect(device.chosen().slot).toBe('B');
        back();
      }
    }
  });

  it('that is a link is never written through', () => {
    const device = machine().confirmed();
    const victim = folder();
    writeFileSync(join(victim, 'precious'), 'untouched');
    rmSync(device.path('B'), { recursive: true });
    symlinkSync(victim, join(device.state, 'slots', 'B'));
    const installed = device.slots.install(bytesSource(release(TWO)), { trust: trustIn() });
    expect(codeOf(installed)).toBe('disk.denied');
    expect(readFileSync(join(victim, 'precious'), 'utf8')).toBe('untouched');
    expect(device.chosen().version).toBe('1.0.0');
  });

  it('that booted is kept in memory: the very bytes that were verified run', () => {
    const device = machine().confirmed();
    const { booted } = device.slots.boot({ trust: trustIn(), keep: ['model'] });
    for (const slot of ['A', 'B'] as const) writeFileSync(device.path(slot, 'model.onnx'), 'gone');
    expect(booted && modelOf(booted.bundle).bytes).toEqual(ECHO);
  });

  it('that cannot be read today is not written over with the factory release', async () => {
    const device = machine().factory({ version: '2.0.1', securityVersion: 6, sequenceNumber: 21 });
    device.confirmed(TWO);
    const ill: Disk = {
      ...realDisk,
      open: (path) => (/slots\/[AB]\//.test(path) ? failing('disk.io') : realDisk.open(path)),
      read: (path, max) =>
        /slots\/[AB]\//.test(path) ? failing('disk.io') : realDisk.read(path, max),
    };
    const shaky = new Machine(device.state, ill, device.floors);
    for (let i = 0; i < 2; i++) {
      const { model, slot, degraded } = await shaky.boot();
      expect([model?.bundle.meta.version, slot, degraded]).toEqual(['2.0.1', 'GOLDEN', true]);
      expect(words(shaky.events)).toEqual([
        'boot-refused A disk.io',
        'boot-refused B disk.io',
        'boot-verified GOLDEN 2.0.1',
      ]);
    }
    expect(device.chosen()).toEqual({ slot: 'A', version: '2.0.0' });
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'staged']);
  });
});

describe('a bundle that is offered', () => {
  it('with one flipped byte anywhere is refused, and nothing that runs is touched', () => {
    const device = machine().confirmed();
    const bytes = release(TWO);
    for (let i = 0; i < bytes.length; i += 97) {
      const bad = Uint8Array.from(bytes);
      bad[i] = (bad[i] as number) ^ 0x10;
      const refused = device.slots.install(bytesSource(bad), { trust: trustIn() });
      expect(codeOf(refused), `byte ${i}`).not.toBe('accepted');
    }
    expect(device.chosen()).toEqual({ slot: 'A', version: '1.0.0' });
    expect(device.floor()).toBe(5);
  });

  it('and changes while it is read is refused', () => {
    const device = machine().confirmed();
    // No slot holds it: what another slot holds is not read from here at all.
    const model = new Uint8Array(300).fill(7);
    const good = release({ ...TWO, model });
    const other = release({ ...TWO, model: model.toReversed().fill(8, 0, 1) });
    const payloadAt = Buffer.from(good).indexOf(model);
    const changed = Uint8Array.from(good);
    changed.set(other.subarray(payloadAt), payloadAt);
    const source = {
      sizeBytes: good.length,
      read: (offset: number, into: Uint8Array) => {
        // The manifest is read in pieces of its own; what follows it is another file by then.
        const bytes = offset < 2 * 512 ? good : changed;
        return bytesSource(bytes).read(offset, into);
      },
    };
    expect(codeOf(device.slots.install(source, { trust: trustIn() }))).toMatch(/^bundle\./);
    expect(device.chosen()).toEqual({ slot: 'A', version: '1.0.0' });
  });

  it.each([
    ['a pipe', (at: string) => makePipe(join(at, 'p')), 'store.read'],
    ['a folder', (at: string) => at, 'store.read'],
    ['nowhere', (at: string) => join(at, 'none'), 'store.not-found'],
  ])('as %s is waited for by nobody', async (_, made, code) => {
    const device = machine();
    expect((await device.boot(made(folder()))).refusal?.code).toBe(code);
    expect(words(device.events)).toEqual([`install-refused ${code}`, `boot-refused - ${code}`]);
  });
});

describe('a clock', () => {
  it('at 1970 revives nothing that expired, at 2099 stops nothing that was confirmed', () => {
    const device = machine().confirmed(TWO);
    const [in1970, in2099] = [5_000, 4_070_908_800_000].map((ms) =>
      trustIn(undefined, { nowMs: ms as UnixMs }),
    ) as [ReturnType<typeof trustIn>, ReturnType<typeof trustIn>];
    const change = { ...TWO, version: '3.0.0', sequenceNumber: 30 };
    const install = (expiryS: number, trust: typeof in1970): string =>
      codeOf(
        device.slots.install(bytesSource(release({ ...change, installExpiryS: expiryS })), {
          trust,
        }),
      );
    expect(install(ISSUED_S - 1, in1970)).toBe('trust.expired');
    expect(install(ISSUED_S + 1_000_000, in2099)).toBe('trust.expired');
    for (const trust of [in1970, in2099, in1970]) {
      expect(device.chosen(trust)).toEqual({ slot: 'A', version: '2.0.0' });
    }
    // 2099 was the clock's word and nobody's signature: it moves no floor.
    expect(accepted(device.floors.read()).record.clockFloorMs).toBe(ISSUED_S * 1000);
    expect(install(ISSUED_S + 1_000_000, in1970)).toBe('accepted');
  });
});

describe('a disk', () => {
  const poorFloors = (state: string) => ({
    ...openFloorStore(state, MAC_KEY),
    write: () => err(faultOf(STORE_FAULTS, 'store.write', 'EROFS')),
  });

  it('that cannot be written boots what is confirmed and postpones what is on trial', async () => {
    const device = machine().confirmed();
    accepted(device.slots.install(bytesSource(release(TWO)), { trust: trustIn() }));
    const poor = new Machine(device.state, poorDisk('disk.read-only'), poorFloors(device.state));
    for (let i = 0; i < 2; i++) {
      expect((await poor.boot()).model?.bundle.meta.version).toBe('1.0.0');
      expect(words(poor.events).slice(0, 2)).toEqual([
        'B trial to postponed: disk.read-only',
        'boot-verified A 1.0.0',
      ]);
    }
    expect((await device.boot()).model?.bundle.meta.version).toBe('2.0.0');
    expect(device.floor()).toBe(6);
  });

  it('that cannot be written takes no install, and says so', async () => {
    const device = machine().confirmed();
    const poor = new Machine(device.state, poorDisk('disk.read-only'), poorFloors(device.state));
    for (let i = 0; i < 2; i++) {
      expect((await poor.boot(shipped(folder(), TWO))).model?.bundle.meta.version).toBe('1.0.0');
      expect(words(poor.events)).toEqual([
        'install-refused disk.read-only',
        'boot-verified A 1.0.0',
      ]);
    }
    expect(device.states()).toEqual(['confirmed', 'confirmed', 'empty']);
  });

  it('that is full at any byte of an install leaves what runs untouched, and says so', () => {
    const device = machine().confirmed();
    const bytes = release(TWO);
    let full = 0;
    for (let room = 0; room < bytes.length * 2; room += 170) {
      const poor = new Machine(device.state, poorDisk('disk.full', room), device.floors);
      const code = codeOf(poor.slots.install(bytesSource(bytes), { trust: trustIn() }));
      if (code === 'accepted') break;
      full++;
      expect(code).toBe('disk.full');
      expect(words(poor.events), `${room}`).toEqual(['install-refused disk.full']);
      expect(device.chosen(), `${room}`).toEqual({ slot: 'A', version: '1.0.0' });
    }
    expect(full).toBeGreaterThan(8);
    expect(device.floor()).toBe(5);
  });

  it('that is full at any byte of a confirm boots the new release or the old one, and confirms later', () => {
    const device = machine().confirmed();
    accepted(device.slots.install(bytesSource(release(TWO)), { trust: trustIn() }));
    expect(device.chosen().version).toBe('2.0.0');
    const back = device.image(folder());
    let full = 0;
    for (let room = 0; room < 40_000; room += 170) {
      back();
      const poor = new Machine(device.state, poorDisk('disk.full', room), device.floors);
      const code = codeOf(poor.slots.confirm('B', trustIn()));
      if (code === 'accepted') break;
      full++;
      expect(code).toBe('disk.full');
      // The last of it is the record of what the floor says already.
      expect([5, 6]).toContain(device.floor());
      expect(device.chosen().version, `${room}`).toBe('2.0.0');
      accepted(device.slots.confirm('B', trustIn()));
      expect([device.floor(), device.states()]).toEqual([6, ['confirmed', 'confirmed', 'empty']]);
    }
    expect(full).toBeGreaterThan(8);
  });
});
