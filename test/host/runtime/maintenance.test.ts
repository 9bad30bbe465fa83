/** Commands on a device's slots beside it: a change waits its turn, a look changes nothing. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { loadIdentity } from '../../../src/host/platform/identity.ts';
import { lockSlots } from '../../../src/host/runtime/device-state.ts';
import {
  changeSlots,
  lookAtSlots,
  type MaintenanceOptions,
  type OpenFolder,
} from '../../../src/host/runtime/maintenance.ts';
import { lastEpoch } from '../../../src/host/store/boot-counter.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { CLASS, release, revocationBytes, rootBytes } from './releases.ts';

const folder = scratch();
const TWO = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 } as const;

function optionsFor(stateFolder: string, change: Partial<MaintenanceOptions> = {}) {
  const root = join(folder(), 'root.cbor');
  writeFileSync(root, rootBytes());
  const fixed = { profile: 'production', hardwareClass: CLASS } as const;
  return { stateFolder, roots: [root], ...fixed, ...change };
}

const install = (options: MaintenanceOptions, change = {}) =>
  changeSlots(options, ({ slots, trust }) =>
    need(slots.install(bytesSource(release(change)), { trust })),
  );
const states = ({ slots }: OpenFolder) => slots.status().slots.map(({ entry }) => entry.state);

/** Names and bytes of everything in a folder. */
const all = (state: string): string[] =>
  readdirSync(state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
    .map((path) => `${path} ${readFileSync(path).toString('base64')}`);

describe('a change', () => {
  it('makes a device of a fresh folder, whose records cannot be taken away any more', async () => {
    const state = folder();
    const options = optionsFor(state);
    expect(accepted(await install(options)).slot).toBe('A');
    const { macKey } = accepted(loadIdentity(state)).keys;
    expect(accepted(lastEpoch(state, macKey))).toBe(1);
    for (const name of ['floor.0', 'floor.1']) rmSync(join(state, name));
    expect(codeOf(await install(options, TWO))).toBe('floor.rolled-back');
    // A look that found nothing to be wrong here would call a device healthy that runs no model.
    expect(codeOf(await lookAtSlots(options, states))).toBe('floor.rolled-back');
  });

  it('counts no boot', async () => {
    const state = folder();
    const options = optionsFor(state);
    for (let i = 0; i < 3; i++) accepted(await changeSlots(options, () => true));
    const { macKey } = accepted(loadIdentity(state)).keys;
    expect(accepted(lastEpoch(state, macKey))).toBe(1);
  });

  it('waits for the one before it, and lets go of the lock when it is refused', async () => {
    const state = folder();
    const options = optionsFor(state);
    accepted(await install(options));
    const order: string[] = [];
    const slow = changeSlots(options, async () => {
      order.push('first begins');
      await new Promise((resolve) => setTimeout(resolve, 200));
      order.push('first ends');
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await changeSlots(options, () => void order.push('second'));
    await slow;
    expect(order).toEqual(['first begins', 'first ends', 'second']);
    expect(codeOf(await install(options, { hardwareClass: 'other' }))).toBe('trust.wrong-class');
    const { macKey } = accepted(loadIdentity(state)).keys;
    accepted(await lockSlots(state, macKey, 0)).release();
  });

  it('takes nothing where the key, the root or the list may not be trusted', async () => {
    const state = folder();
    const list = join(folder(), 'revocations.cbor');
    writeFileSync(list, revocationBytes());
    accepted(await install(optionsFor(state, { revocations: list })));
    expect(codeOf(await install(optionsFor(state), TWO))).toBe('revocation.missing');
    const none = optionsFor(state, { revocations: list, roots: [join(state, 'none')] });
    expect(codeOf(await install(none, TWO))).toBe('store.not-found');
    const pin = { vendor: 'vendor.invalid', hardwareClass: CLASS, model: 'another' };
    expect(codeOf(await install(optionsFor(state, { revocations: list, pin }), TWO))).toBe(
      'update.pinned',
    );
    writeFileSync(join(state, 'device.key'), 'short', { mode: 0o600 });
    expect(codeOf(await install(optionsFor(state, { revocations: list })))).toBe(
      'platform.identity',
    );
  });
});

describe('a look', () => {
  it('at a misspelt folder makes nothing of it', async () => {
    const state = folder();
    expect(codeOf(await lookAtSlots(optionsFor(state), states))).toBe('runtime.not-installed');
    const nowhere = join(state, 'none');
    expect(codeOf(await lookAtSlots(optionsFor(nowhere), states))).toBe('runtime.not-installed');
    expect(readdirSync(state)).toEqual([]);
  });

  it('changes no byte, neither at what is whole nor at what is damaged', async () => {
    const state = folder();
    const options = optionsFor(state);
    accepted(await install(options));
    for (const harm of [
      () => {},
      () => writeFileSync(join(state, 'boot.0'), 'torn'),
      () => writeFileSync(join(state, 'floor.1'), 'torn'),
      () => rmSync(join(state, 'root.cbor')),
      () => rmSync(join(state, 'slots/A/READY')),
      () => writeFileSync(join(state, 'boot.1'), 'torn'),
    ]) {
      harm();
      const before = all(state);
      accepted(
        await lookAtSlots(options, (open) => {
          open.slots.judge('A', 're-verify', { trust: open.trust });
          expect(codeOf(open.floors.write(accepted(open.floors.read()).record))).toBe(
            'store.write',
          );
          return states(open);
        }),
      );
      expect(all(state)).toEqual(before);
    }
  });

  it('goes beside a change that is under way', async () => {
    const options = optionsFor(folder());
    accepted(await install(options));
    const seen = await changeSlots(options, () => lookAtSlots(options, states));
    expect(accepted(accepted(seen))).toEqual(['trial', 'empty', 'empty']);
  });
});
