/** A whole device on a real TPM: what an old card image, an edited record and a lost TPM come to. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeFloor, encodeFloor } from '../../src/core/trust/floor.ts';
import { loadIdentity } from '../../src/host/platform/identity.ts';
import { type Device, startDevice } from '../../src/host/runtime/device.ts';
import { provisionFolder } from '../../src/host/runtime/maintenance.ts';
import type { DeviceOptions } from '../../src/host/runtime/options.ts';
import { accepted } from '../core/base/outcome.ts';
import { CLASS, rootBytes, shipped, stillClock } from '../host/runtime/releases.ts';
import { scratch } from '../host/store/folder.ts';
import { SoftwareTpm, tpmMissing } from './software-tpm.ts';

const folder = scratch();
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A provisioned folder on a TPM of its own, and its boots. */
async function machine() {
  const tpm = await SoftwareTpm.start();
  ends.push(() => tpm.remove());
  const state = join(folder(), 'state');
  const root = join(folder(), 'root.cbor');
  writeFileSync(root, rootBytes());
  const floorStore = { tier: 'T2', tpm: { tcti: tpm.tcti } } as const;
  const input = { stateFolder: state, floorStore, irreversible: false };
  expect(accepted(await provisionFolder(input))).toBe('T2');
  const events: string[] = [];
  return {
    tpm,
    state,
    events,
    async boot(change: Partial<DeviceOptions> = {}): Promise<Device> {
      events.length = 0;
      const device = accepted(
        await startDevice({
          ...{ stateFolder: state, root, profile: 'production', hardwareClass: CLASS },
          ...{ board: 'generic-x64', clock: stillClock(), floorStore },
          onEvent: (event) => {
            events.push('fault' in event ? `${event.type} ${event.fault}` : event.type);
          },
          ...change,
        }),
      );
      await device.stop();
      return device;
    },
  };
}

const offered = (securityVersion: number): { bundle: string } => ({
  bundle: shipped(folder(), {
    securityVersion,
    version: `${securityVersion}.0.0`,
    sequenceNumber: securityVersion,
  }),
});
const runs = (device: Device): string | undefined =>
  device.bundle?.meta.version ?? device.refusal?.code;

describe.skipIf(tpmMissing !== '')(`a device with its floor in a TPM (${tpmMissing})`, () => {
  it('refuses to run an old card image under a newer value, and says that it was rolled back', async () => {
    const { state, events, boot } = await machine();
    expect(runs(await boot(offered(5)))).toBe('5.0.0');
    const image = join(folder(), 'image');
    cpSync(state, image, { recursive: true });
    expect(runs(await boot(offered(6)))).toBe('6.0.0');
    const newest = join(folder(), 'newest');
    cpSync(state, newest, { recursive: true });
    rmSync(state, { recursive: true });
    cpSync(image, state, { recursive: true });
    for (let start = 0; start < 2; start++) {
      const old = await boot();
      expect([runs(old), old.mode]).toEqual(['floor.rolled-back', 'safe']);
      expect(events).toContain('integrity.boot-refused floor.rolled-back');
    }
    rmSync(state, { recursive: true });
    cpSync(newest, state, { recursive: true });
    expect(runs(await boot())).toBe('6.0.0');
  });

  it('refuses a record that a holder of the device key has edited', async () => {
    const { state, boot } = await machine();
    expect(runs(await boot(offered(5)))).toBe('5.0.0');
    expect(runs(await boot(offered(6)))).toBe('6.0.0');
    const { macKey } = accepted(loadIdentity(state)).keys;
    let edited = 0;
    for (const name of ['floor.0', 'floor.1', 'floor.2', 'floor.3']) {
      const path = join(state, name);
      const bytes = new Uint8Array(readFileSync(path));
      // The record lies whole in the file of this tier, under another MAC around it.
      for (let at = 0; at < bytes.length; at++) {
        const inner = decodeFloor(bytes.subarray(at, bytes.length - 32), macKey);
        if (!inner.ok) continue;
        const floors = inner.value.floors.map((floor) => ({ ...floor, securityVersion: 1 }));
        const forged = encodeFloor({ ...inner.value, floors }, macKey);
        writeFileSync(path, Buffer.concat([bytes.subarray(0, at), forged, bytes.subarray(-32)]));
        edited++;
        break;
      }
    }
    expect(edited).toBeGreaterThan(0);
    const device = await boot();
    expect(['floor.rolled-back', 'store.corrupt']).toContain(runs(device));
    expect(device.mode).toBe('safe');
  });

  it('never takes a lower tier where the TPM is missing or another tier is asked for', async () => {
    const { tpm, boot } = await machine();
    expect(runs(await boot(offered(5)))).toBe('5.0.0');
    await tpm.kill();
    expect(runs(await boot())).toBe('floor.tier-missing');
    expect(runs(await boot({ floorStore: { tier: 'T0' } }))).toBe('floor.tier-lowered');
    expect(runs(await boot({ floorStore: undefined }))).toBe('floor.tier-lowered');
    await tpm.start();
    expect(runs(await boot())).toBe('5.0.0');
  });
});
