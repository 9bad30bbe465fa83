/** Boot, confirm, revert and what they tell, on slots of a simulated disk. */
import { describe, expect, it } from 'vitest';
import { TRIAL_ATTEMPTS } from '../../../src/core/base/limits.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { floorOf } from '../../../src/core/trust/floor.ts';
import { openSlots } from '../../../src/core/update/slots.ts';
import type { UpdateStep } from '../../../src/core/update/step.ts';
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
import { FIRST, GOLDEN, type Release, SECOND, THIRD, TRUST } from '../../simulate/releases.ts';
import { emptyDisk, SimDisk } from '../../simulate/sim-disk.ts';
import { accepted, codeOf } from '../base/outcome.ts';

interface Bench {
  readonly disk: SimDisk;
  readonly device: Device;
}

function bench(): Bench {
  const disk = new SimDisk(emptyDisk(FOLDER));
  return { disk, device: deviceOn(disk) };
}

function bring(device: Device, release: Release): void {
  const { slot } = accepted(install(device, release));
  boot(device);
  accepted(confirm(device, slot));
}

/** GOLDEN, and the first release confirmed in A and B. */
function confirmedBench(): Bench {
  const made = bench();
  accepted(provision(made.device, GOLDEN));
  bring(made.device, FIRST);
  made.device.steps.length = 0;
  return made;
}

/** The second release runs on trial in B. */
function trialBench(): Bench {
  const made = confirmedBench();
  accepted(install(made.device, SECOND));
  boot(made.device);
  made.device.steps.length = 0;
  return made;
}

const stateOf = ({ device }: Bench): string =>
  device.slots
    .status()
    .slots.map(({ entry }) => (entry.state === 'bad' ? entry.reason : entry.state))
    .join(', ');
const floorIn = ({ device }: Bench): number | undefined =>
  floorOf(accepted(device.floors.read()).record, 'generic-arm64', 'rotor')?.securityVersion;
const told = (steps: readonly UpdateStep[]): string[] => steps.map(({ step }) => step);
const damage = ({ disk }: Bench, path: string): void => disk.damage(`${FOLDER}/${path}`, 20);

describe('boot', () => {
  it('of an empty set gives the safe output and writes nothing', () => {
    const { device, disk } = bench();
    const outcome = boot(device);
    expect(outcome.booted).toBeUndefined();
    expect(outcome.refusal?.code).toBe('update.nothing-good');
    expect(told(device.steps)).toEqual(['safe-output']);
    expect(accepted(disk.list(FOLDER))).toEqual([]);
  });

  it('falls from a tampered slot to the other copy, to GOLDEN, to the safe output, telling each step', () => {
    const made = confirmedBench();
    const { device } = made;
    damage(made, 'slots/A/model.onnx');
    expect(boot(device).booted).toMatchObject({ slot: 'B', kind: 'other' });
    damage(made, 'slots/B/notice.txt');
    expect(boot(device).booted).toMatchObject({ slot: 'GOLDEN', kind: 'golden' });
    damage(made, 'slots/GOLDEN/manifest.suit');
    const last = boot(device);
    expect([last.booted, last.degraded]).toEqual([undefined, true]);
    expect(told(device.steps)).toEqual([
      'slot-refused',
      'slot-chosen',
      'slot-refused',
      'slot-chosen',
      'slot-refused',
      'safe-output',
    ]);
    expect(stateOf(made)).toMatch(/^bundle.file-digest, bundle.file-digest, \w+\.[a-z0-9-]+$/);
    // And again: never a crash loop, never a slot that comes back by itself.
    expect(boot(device).booted).toBeUndefined();
  });

  it('skips a slot that the medium does not give, and says nothing about its bytes', () => {
    const made = confirmedBench();
    made.disk.unreadable.add(`${FOLDER}/slots/A/model.onnx`);
    expect(boot(made.device).booted).toMatchObject({ slot: 'B', kind: 'other' });
    expect(made.device.steps[0]).toMatchObject({ step: 'slot-unreadable', fault: 'disk.io' });
    made.disk.unreadable.add(`${FOLDER}/slots/B/READY`);
    expect(boot(made.device).booted?.slot).toBe('GOLDEN');
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
    made.disk.unreadable.clear();
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
  });

  it('gives up no slot for a root that does not know the signer: another root may', () => {
    const made = confirmedBench();
    const trust = { ...TRUST, guardVersion: '0.0.1' };
    const outcome = made.device.slots.boot({ trust });
    expect(outcome.refusal?.code).toBe('trust.guard-too-old');
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
    expect(boot(made.device).booted?.slot).toBe('A');
  });

  it('gives the safe output where the floors cannot be read', () => {
    const made = confirmedBench();
    for (const copy of [0, 1]) damage(made, `floor.${copy}`);
    const outcome = boot(made.device);
    expect([outcome.booted, outcome.refusal?.code]).toEqual([undefined, 'update.record-mac']);
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
  });

  it('heals one lost copy of the record, and says so', () => {
    const made = confirmedBench();
    damage(made, 'boot.1');
    expect(made.device.slots.status().damagedCopies).toBe(1);
    expect(boot(made.device).booted?.slot).toBe('A');
    expect(told(made.device.steps)).toEqual(['record-healed', 'slot-chosen']);
    expect(made.device.slots.status().damagedCopies).toBe(0);
  });

  it('without a record runs what the floor attests, any number of times, until it is confirmed', () => {
    const made = confirmedBench();
    for (const copy of [0, 1]) damage(made, `boot.${copy}`);
    for (let count = 0; count < 2 * TRIAL_ATTEMPTS; count++) {
      expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'proven' });
    }
    expect(stateOf(made)).toBe('trial, trial, staged');
    expect(told(made.device.steps)[0]).toBe('record-rebuilt');
    accepted(confirm(made.device, 'A'));
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
    expect(made.device.slots.status().rebuilt).toBe(false);
  });

  it('without a record boots no other model, and nothing below the floor', () => {
    const made = confirmedBench();
    bring(made.device, SECOND);
    putByHand(made.disk, 'A', FIRST);
    putByHand(made.disk, 'B', FIRST);
    for (const copy of [0, 1]) damage(made, `boot.${copy}`);
    const outcome = boot(made.device);
    expect([outcome.booted, outcome.refusal?.code]).toEqual([
      undefined,
      'rollback.security-version',
    ]);
    expect(floorIn(made)).toBe(2);
  });

  it('takes no other release for the one that was recorded, however well it is signed', () => {
    const made = confirmedBench();
    putByHand(made.disk, 'A', THIRD);
    expect(boot(made.device).booted?.slot).toBe('B');
    expect(stateOf(made)).toBe('update.other-release, confirmed, staged');
    // READY kept, so that only the manifest tells.
    const kept = confirmedBench();
    const ready = accepted(kept.disk.read(`${FOLDER}/slots/A/READY`, 100));
    putByHand(kept.disk, 'A', THIRD);
    accepted(kept.disk.remove(`${FOLDER}/slots/A/READY`));
    accepted(accepted(kept.disk.create(`${FOLDER}/slots/A/READY`)).append(ready));
    expect(boot(kept.device).booted?.slot).toBe('B');
    expect(stateOf(kept)).toBe('update.other-release, confirmed, staged');
  });

  it('refuses a slot whose file grew, lost its name or its marker', () => {
    const made = confirmedBench();
    accepted(made.disk.remove(`${FOLDER}/slots/A/notice.txt`));
    const file = accepted(made.disk.create(`${FOLDER}/slots/A/notice.txt`));
    accepted(file.append(new Uint8Array(65).fill(65)));
    expect(boot(made.device).booted?.slot).toBe('B');
    accepted(made.disk.remove(`${FOLDER}/slots/B/model.onnx`));
    expect(boot(made.device).booted?.slot).toBe('GOLDEN');
    accepted(made.disk.remove(`${FOLDER}/slots/GOLDEN/READY`));
    expect(boot(made.device).booted).toBeUndefined();
    expect(stateOf(made)).toBe('update.slot-damaged, disk.not-found, update.not-ready');
  });

  it('does not try a release whose attempt cannot be counted', () => {
    const made = confirmedBench();
    accepted(install(made.device, SECOND));
    made.disk.readOnly = true;
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
    expect(made.device.steps.at(-2)).toMatchObject({
      step: 'trial-postponed',
      fault: 'disk.read-only',
    });
  });

  it('gives up a release that was left half written', () => {
    const made = confirmedBench();
    const stream = made.device.slots.openInstall({ trust: TRUST });
    accepted(stream.push(SECOND.bundle.subarray(0, 4000)));
    expect(boot(made.device).booted?.slot).toBe('A');
    expect(stateOf(made)).toBe('confirmed, update.interrupted, staged');
  });

  it('goes on whatever becomes of its reports', () => {
    const { disk, device } = confirmedBench();
    const slots = openSlots({
      disk,
      folder: FOLDER,
      macKey: new Uint8Array(32).fill(5),
      floors: device.floors,
      onStep: () => {
        throw new Error('the spool is full');
      },
    });
    expect(slots.boot({ trust: TRUST }).booted?.slot).toBe('A');
    expect(slots.status().reportsLost).toBe(1);
  });
});

describe('confirm', () => {
  it('makes a copy, raises the floor and keeps both', () => {
    const made = trialBench();
    expect(floorIn(made)).toBe(1);
    const { copy, bundle } = accepted(confirm(made.device, 'B'));
    expect([copy, bundle.meta.securityVersion, floorIn(made)]).toEqual(['A', 2, 2]);
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
    expect(made.device.slots.status()).toMatchObject({ active: 'B', redundancy: 2 });
    expect(told(made.device.steps)).toEqual(['confirmed']);
    damage(made, 'slots/B/model.onnx');
    expect(bootedModel(boot(made.device))).toEqual(SECOND.model);
  });

  it('counts no slot that the floor has overtaken as redundancy', () => {
    const made = trialBench();
    expect(made.device.slots.status().redundancy).toBe(2);
    accepted(confirm(made.device, 'B'));
    const golden = made.device.slots.status().slots.find(({ slot }) => slot === 'GOLDEN');
    expect(golden).toMatchObject({ ready: true, belowFloor: true });
  });

  it('twice changes neither the floor nor the generation of its record', () => {
    const made = trialBench();
    accepted(confirm(made.device, 'B'));
    const { generation } = accepted(made.device.floors.read()).record;
    accepted(confirm(made.device, 'B'));
    expect(accepted(made.device.floors.read()).record.generation).toBe(generation);
  });

  it('makes a lost copy anew', () => {
    const made = confirmedBench();
    damage(made, 'slots/B/model.onnx');
    damage(made, 'slots/A/READY');
    expect(boot(made.device).booted?.slot).toBe('GOLDEN');
    const healed = confirmedBench();
    damage(healed, 'slots/B/model.onnx');
    accepted(confirm(healed.device, 'A'));
    damage(healed, 'slots/A/model.onnx');
    expect(boot(healed.device).booted?.slot).toBe('B');
  });

  it('leaves a release alone that waits in the other slot', () => {
    const made = confirmedBench();
    accepted(install(made.device, SECOND));
    expect(accepted(confirm(made.device, 'A')).copy).toBeUndefined();
    expect(stateOf(made)).toBe('confirmed, trial, staged');
  });

  it('is refused for what never ran, for an empty slot and for what is inadmissible', () => {
    const made = confirmedBench();
    accepted(install(made.device, SECOND));
    expect(codeOf(confirm(made.device, 'B'))).toBe('update.not-tried');
    expect(codeOf(confirm(bench().device, 'A'))).toBe('update.no-trial');
    boot(made.device);
    const refused = made.device.slots.confirm('B', { ...TRUST, securityVersionMin: 3 });
    expect(codeOf(refused)).toBe('rollback.security-version');
    // Nothing was touched: the release before stands where it stood.
    expect(stateOf(made)).toBe('confirmed, trial, staged');
    expect(floorIn(made)).toBe(1);
  });

  it('that fails in the middle is finished by the next boot', () => {
    const made = trialBench();
    made.disk.unwritable = /A\/notice/;
    expect(codeOf(confirm(made.device, 'B'))).toBe('disk.io');
    expect(floorIn(made)).toBe(1);
    expect(made.device.slots.status().confirming).toBe('B');
    made.disk.unwritable = undefined;
    expect(codeOf(install(made.device, THIRD))).toBe('update.trial-pending');
    expect(boot(made.device).booted).toMatchObject({ slot: 'B', kind: 'confirmed' });
    expect(told(made.device.steps)).toContain('confirm-resumed');
    expect(floorIn(made)).toBe(2);
  });

  it('that can never be finished costs no attempts', () => {
    const made = trialBench();
    made.disk.unwritable = /A\/notice/;
    confirm(made.device, 'B');
    made.disk.readOnly = true;
    for (let count = 0; count < 2 * TRIAL_ATTEMPTS; count++) {
      expect(boot(made.device).booted).toMatchObject({ slot: 'B', kind: 'proven' });
    }
  });

  it('goes on with the copy where the original was lost in the middle', () => {
    const made = trialBench();
    // The copy is whole, and the floor could not be written.
    made.disk.unwritable = /floor/;
    expect(confirm(made.device, 'B').ok).toBe(false);
    made.disk.unwritable = undefined;
    expect(made.device.slots.status().slots[0]).toMatchObject({ slot: 'A', ready: true });
    damage(made, 'slots/B/model.onnx');
    const outcome = boot(made.device);
    expect(outcome.booted).toMatchObject({ slot: 'A', kind: 'proven', awaitsConfirm: true });
    accepted(confirm(made.device, 'A'));
    expect(stateOf(made)).toBe('confirmed, confirmed, staged');
    expect(floorIn(made)).toBe(2);
  });

  it('of GOLDEN copies it into a slot of its own', () => {
    const { device, disk } = bench();
    accepted(provision(device, GOLDEN));
    expect(boot(device).booted?.awaitsConfirm).toBe(true);
    expect(accepted(confirm(device, 'GOLDEN')).copy).toBe('A');
    expect(boot(device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
    expect(floorIn({ device, disk })).toBe(1);
  });
});

describe('revert', () => {
  it('takes the release on trial back', () => {
    const made = trialBench();
    expect(accepted(made.device.slots.revert(TRUST)).slot).toBe('A');
    expect(stateOf(made)).toBe('confirmed, update.reverted, staged');
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
  });

  it('without a trial prefers the other copy, then GOLDEN, and nothing below the floor', () => {
    const made = confirmedBench();
    expect(accepted(made.device.slots.revert(TRUST)).slot).toBe('B');
    damage(made, 'slots/A/model.onnx');
    expect(accepted(made.device.slots.revert(TRUST)).slot).toBe('GOLDEN');
    expect(boot(made.device).booted).toMatchObject({ slot: 'GOLDEN', awaitsConfirm: false });
    const newer = confirmedBench();
    bring(newer.device, SECOND);
    damage(newer, 'slots/A/model.onnx');
    expect(codeOf(newer.device.slots.revert(TRUST))).toBe('bundle.file-digest');
    expect(codeOf(bench().device.slots.revert(TRUST))).toBe('update.nothing-good');
  });

  it('a trial that is rejected is over at once', () => {
    const made = trialBench();
    const fault = { code: 'golden.mismatch', message: 'm', next: 'n' };
    accepted(made.device.slots.reject('B', fault));
    expect(codeOf(made.device.slots.reject('B', fault))).toBe('update.no-trial');
    expect(boot(made.device).booted?.slot).toBe('A');
    expect(stateOf(made)).toBe('confirmed, golden.mismatch, staged');
  });

  it('judges one slot alone without changing anything', () => {
    const made = trialBench();
    const { generation } = made.device.slots.status();
    const judged = made.device.slots.judge('B', 're-verify', { trust: TRUST });
    expect(accepted(judged).meta.securityVersion).toBe(2);
    expect(made.device.slots.status().generation).toBe(generation);
    expect(codeOf(bench().device.slots.judge('A', 'boot', { trust: TRUST }))).toBe(
      'update.no-trial',
    );
  });
});

describe('a trial', () => {
  it('has its attempts and no more, and then the release before runs', () => {
    const made = confirmedBench();
    accepted(made.device.slots.install(bytesSource(SECOND.bundle), { trust: TRUST }));
    for (let left = TRIAL_ATTEMPTS; left > 0; left--) {
      expect(boot(made.device).booted).toMatchObject({ slot: 'B', kind: 'trial' });
    }
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
    expect(stateOf(made)).toBe('confirmed, update.trial-exhausted, staged');
    expect(floorIn(made)).toBe(1);
  });
});
