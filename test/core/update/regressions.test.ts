/**
 * Faults that others had to repair after the fact, each as the part of it that slots decide. What was
 * wrong there is said where the thread was read; MCUboot #1966 and RAUC #683 stand for what the design
 * names them for.
 */
import { describe, expect, it } from 'vitest';
import { TRIAL_ATTEMPTS } from '../../../src/core/base/limits.ts';
import { floorOf } from '../../../src/core/trust/floor.ts';
import { putByHand } from '../../simulate/attack-scenarios.ts';
import {
  boot,
  bootedModel,
  confirm,
  type Device,
  deviceOn,
  FOLDER,
  install,
  provision,
} from '../../simulate/device.ts';
import { FIRST, GOLDEN, SECOND, THIRD, TRUST } from '../../simulate/releases.ts';
import { emptyDisk, SimDisk } from '../../simulate/sim-disk.ts';
import { accepted, codeOf } from '../base/outcome.ts';

/** The first release confirmed in A and B, GOLDEN behind it. */
function device(): Device & { readonly disk: SimDisk } {
  const disk = new SimDisk(emptyDisk(FOLDER));
  const made = deviceOn(disk);
  accepted(provision(made, GOLDEN));
  accepted(install(made, FIRST));
  boot(made);
  accepted(confirm(made, 'A'));
  return { ...made, disk };
}

const floorIn = (made: Device): number | undefined =>
  floorOf(accepted(made.floors.read()).record, 'generic-arm64', 'rotor')?.securityVersion;

describe('MCUboot #1708: downgrade prevention that only one of several ways asked', () => {
  it('no way leads back below the floor: install, boot, revert, confirm', () => {
    const made = device();
    accepted(install(made, SECOND));
    boot(made);
    accepted(confirm(made, 'B'));
    expect(codeOf(install(made, FIRST))).toBe('rollback.security-version');
    expect(codeOf(provision(made, FIRST))).toBe('rollback.security-version');
    expect(codeOf(made.slots.judge('GOLDEN', 'revert', { trust: TRUST }))).toBe(
      'rollback.security-version',
    );
    expect(codeOf(confirm(made, 'GOLDEN'))).toBe('rollback.security-version');
    putByHand(made.disk, 'A', FIRST);
    putByHand(made.disk, 'B', FIRST);
    expect(boot(made).booted).toBeUndefined();
  });
});

describe('MCUboot #2282 and #2549: the counter rose before the release was confirmed', () => {
  it('an update that is interrupted, taken up again and tried leaves the floor where it was', () => {
    const made = device();
    const stream = made.slots.openInstall({ trust: TRUST });
    accepted(stream.push(SECOND.bundle.subarray(0, 3000)));
    // Power cycle, install again, power cycle at every boot on trial.
    boot(made);
    accepted(install(made, SECOND));
    for (let count = 0; count < TRIAL_ATTEMPTS; count++) {
      expect(boot(made).booted?.kind).toBe('trial');
      expect(floorIn(made)).toBe(1);
    }
    expect(bootedModel(boot(made))).toEqual(FIRST.model);
    expect(floorIn(made)).toBe(1);
  });
});

describe('MCUboot #1966: recovery is never empty', () => {
  it('whenever the floor has risen, each of two slots alone is enough', () => {
    for (const lost of ['A', 'B'] as const) {
      const made = device();
      accepted(install(made, SECOND));
      boot(made);
      accepted(confirm(made, 'B'));
      expect(floorIn(made)).toBe(2);
      made.disk.damage(`${FOLDER}/slots/${lost}/model.onnx`, 1);
      expect(bootedModel(boot(made))).toEqual(SECOND.model);
    }
  });
});

describe('RAUC #490: every boot spent an attempt, so that power cuts changed the slot', () => {
  it('a confirmed slot boots any number of times and writes nothing', () => {
    const made = device();
    let changes = 0;
    const watched = deviceOn(new SimDisk(made.disk.state, { onChange: () => changes++ }));
    for (let count = 0; count < 10 * TRIAL_ATTEMPTS; count++) {
      expect(boot(watched).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
    }
    expect(changes).toBe(0);
  });
});

describe('RAUC #683: no state of a slot vouches for its content', () => {
  it('a fallback is verified like every boot, and an interrupted install is no fallback', () => {
    const made = device();
    made.disk.unwritable = /B\/model/;
    expect(codeOf(install(made, SECOND))).toBe('disk.io');
    made.disk.unwritable = undefined;
    made.disk.damage(`${FOLDER}/slots/A/model.onnx`, 1);
    const outcome = boot(made);
    expect(outcome.booted).toMatchObject({ slot: 'GOLDEN', kind: 'golden' });
    expect(bootedModel(outcome)).toEqual(GOLDEN.model);
  });
});

describe('hawkBit #3185: success was reported while the device still ran the old release', () => {
  it('installing and booting say staged and chosen; confirmed is said after the flip, and only then', () => {
    const made = device();
    made.steps.length = 0;
    accepted(install(made, THIRD));
    boot(made);
    expect(made.steps.map(({ step }) => step)).toEqual(['staged', 'attempt-spent', 'slot-chosen']);
    const said = made.steps.length;
    made.disk.unwritable = /floor/;
    expect(confirm(made, 'B').ok).toBe(false);
    expect(made.steps.length).toBe(said);
    made.disk.unwritable = undefined;
    accepted(confirm(made, 'B'));
    expect(made.steps.at(-1)).toMatchObject({ step: 'confirmed', slot: 'B' });
    expect(made.slots.status().slots[1]?.entry.state).toBe('confirmed');
  });

  it('a release that fell back is not the one that is reported', () => {
    const made = device();
    accepted(install(made, SECOND));
    for (let count = 0; count <= TRIAL_ATTEMPTS; count++) boot(made);
    expect(made.steps.at(-1)).toMatchObject({ step: 'slot-chosen', slot: 'A', kind: 'confirmed' });
    expect(made.steps.filter(({ step }) => step === 'confirmed')).toHaveLength(1);
  });
});
