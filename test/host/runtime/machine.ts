/** A device's slots and floors on a real folder, booted in this process, and the hands of an attacker. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../../../src/core/base/fault.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { EMPTY_FLOOR, floorOf } from '../../../src/core/trust/floor.ts';
import type { FloorStore } from '../../../src/core/trust/floor-store.ts';
import type { RootSet } from '../../../src/core/trust/root.ts';
import type { Disk } from '../../../src/core/update/disk.ts';
import type { Trust } from '../../../src/core/update/slot-set.ts';
import type { SlotName } from '../../../src/core/update/slot-table.ts';
import { openSlots, type Slots } from '../../../src/core/update/slots.ts';
import { type Booted, type BootInput, bootModel } from '../../../src/host/runtime/boot.ts';
import { eventOf } from '../../../src/host/runtime/device-slots.ts';
import { EDGEWARD_VERSION } from '../../../src/host/runtime/version.ts';
import { realDisk } from '../../../src/host/store/disk.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted } from '../../core/base/outcome.ts';
import { BOARD, CLASS, type ReleaseChange, ROOT, release, stillClock } from './releases.ts';

export const MAC_KEY: Uint8Array = new Uint8Array(32).fill(1);

export function trustIn(root: RootSet = ROOT, change: Partial<Trust> = {}): Trust {
  return {
    root,
    profile: 'production',
    hardwareClass: CLASS,
    guardVersion: EDGEWARD_VERSION,
    nowMs: stillClock().unixMs(),
    ...change,
  };
}

export class Machine {
  readonly state: string;
  readonly floors: FloorStore;
  readonly slots: Slots;
  /** Of the last boot, and of what was done since. */
  readonly events: EdgeEvent[] = [];

  constructor(
    state: string,
    disk: Disk = realDisk,
    floors: FloorStore = openFloorStore(state, MAC_KEY),
  ) {
    this.state = state;
    this.floors = floors;
    this.slots = openSlots({
      ...{ disk, folder: state, macKey: MAC_KEY, floors },
      onStep: (step) => {
        const event = eventOf(step);
        if (event !== undefined) this.events.push(event);
      },
    });
  }

  /** Boots and, when a model came up, ends its worker again. */
  async boot(bundlePath?: string, change: Partial<BootInput> = {}): Promise<Booted> {
    this.events.length = 0;
    const booted = await bootModel({ ...this.input(), bundlePath, ...change });
    await booted.model?.engine.close();
    return booted;
  }

  input(): BootInput {
    const { slots, floors } = this;
    const trust: Result<Trust> = { ok: true, value: trustIn() };
    const onEvent = (event: EdgeEvent): void => void this.events.push(event);
    return { slots, floors, trust, board: BOARD, clock: stillClock(), onEvent };
  }

  /** Without a worker: what the slots alone choose. */
  chosen(trust: Trust = trustIn()): { slot: SlotName | undefined; version: string | undefined } {
    this.events.length = 0;
    const { booted } = this.slots.boot({ trust });
    return { slot: booted?.slot, version: booted?.bundle.meta.version };
  }

  /** Installed, booted once and confirmed, without a worker. */
  confirmed(change: ReleaseChange = {}, trust: Trust = trustIn()): this {
    accepted(this.slots.install(bytesSource(release(change)), { trust }));
    const { booted } = this.slots.boot({ trust });
    if (booted === undefined) throw new Error('nothing booted');
    accepted(this.slots.confirm(booted.slot, trust));
    return this;
  }

  factory(change: ReleaseChange): this {
    accepted(this.slots.provision(bytesSource(release(change)), { trust: trustIn() }));
    return this;
  }

  /** Of the echo model: its security version. */
  floor(): number | undefined {
    return floorOf(accepted(this.floors.read()).record, CLASS, 'echo')?.securityVersion;
  }

  states(): string[] {
    return this.slots.status().slots.map(({ entry }) => entry.state);
  }

  path(slot: SlotName, name = ''): string {
    return join(this.state, 'slots', slot, name);
  }

  flip(slot: SlotName, name: string, at = 0): void {
    flipByte(this.path(slot, name), at);
  }

  /** The whole folder as it is now, to be put back. */
  image(copy: string): () => void {
    cpSync(this.state, copy, { recursive: true });
    return () => putBack(copy, this.state, readdirSync(copy));
  }

  /** What lets an old release stand as it stood: its files, and the boot record that named them. */
  slotsImage(copy: string): () => void {
    cpSync(this.state, copy, { recursive: true });
    return () => putBack(copy, this.state, ['slots', 'boot.0', 'boot.1']);
  }
}

function putBack(from: string, to: string, names: readonly string[]): void {
  for (const name of names) {
    rmSync(join(to, name), { recursive: true, force: true });
    if (existsSync(join(from, name))) {
      cpSync(join(from, name), join(to, name), { recursive: true });
    }
  }
}

export function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** Puts a release whole into a slot, READY included, as who can write the folder and has no key. */
export function plant(target: string, scratchFolder: string, change: ReleaseChange): void {
  const none = { read: () => ({ ok: true, value: { record: EMPTY_FLOOR } }) as const };
  const write = () => ({ ok: true, value: true }) as const;
  const slots = openSlots({
    ...{ disk: realDisk, folder: scratchFolder, macKey: new Uint8Array(32).fill(9) },
    floors: { ...none, write },
  });
  const { slot } = accepted(slots.install(bytesSource(release(change)), { trust: trustIn() }));
  rmSync(target, { recursive: true, force: true });
  cpSync(join(scratchFolder, 'slots', slot), target, { recursive: true });
}

/** Events in few words. */
export function words(events: readonly EdgeEvent[]): string[] {
  return events.map((event) => {
    const name = event.type.split('.')[1];
    switch (event.type) {
      case 'integrity.boot-refused':
        return `${name} ${event.slot ?? '-'} ${event.fault}`;
      case 'integrity.install-refused':
        return `${name} ${event.fault}`;
      case 'integrity.installed':
      case 'integrity.boot-verified':
        return `${name} ${event.slot} ${event.bundle.version}`;
      case 'update.slot-changed':
        return `${event.slot} ${event.from} to ${event.to}: ${event.cause}`;
      default:
        return event.type;
    }
  });
}
