/** What the judge of a slot goes by: not a marker that anybody can write, and not one wrong start. */
import { describe, expect, it } from 'vitest';
import { isLasting } from '../../../src/core/update/slot-set.ts';
import { putByHand } from '../../simulate/attack-scenarios.ts';
import {
  boot,
  confirm,
  type Device,
  deviceOn,
  FOLDER,
  install,
  provision,
} from '../../simulate/device.ts';
import { FIRST, GOLDEN, type Release, release, THIRD } from '../../simulate/releases.ts';
import { emptyDisk, SimDisk } from '../../simulate/sim-disk.ts';
import { accepted } from '../base/outcome.ts';

interface Bench {
  readonly disk: SimDisk;
  readonly device: Device;
}

function bring(device: Device, wanted: Release): void {
  const { slot } = accepted(install(device, wanted));
  boot(device);
  accepted(confirm(device, slot));
}

/** GOLDEN, and the first release confirmed in A and B. */
function confirmedBench(): Bench {
  const disk = new SimDisk(emptyDisk(FOLDER));
  const device = deviceOn(disk);
  accepted(provision(device, GOLDEN));
  bring(device, FIRST);
  return { disk, device };
}

describe('a boot', () => {
  it('gives up no slot for one start with a wrong pin, or under a Node.js without ML-DSA', () => {
    const made = confirmedBench();
    const wrong = { vendor: 'example.com', hardwareClass: 'generic-arm64', model: 'stator' };
    const outcome = boot(deviceOn(made.disk, wrong));
    expect([outcome.booted, outcome.refusal?.code]).toEqual([undefined, 'update.pinned']);
    expect(made.device.slots.status().slots.map(({ entry }) => entry.state)).toEqual([
      'confirmed',
      'confirmed',
      'staged',
    ]);
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
    const lasting = (code: string): boolean => isLasting({ code, message: '', next: '' });
    expect(lasting('crypto.no-ml-dsa')).toBe(false);
    expect(lasting('crypto.bad-signature')).toBe(true);
  });

  it('without a record boots nothing from GOLDEN that the factory did not put there', () => {
    const emptied = (made: Bench): Bench => {
      for (const slot of ['A', 'B']) accepted(made.disk.remove(`${FOLDER}/slots/${slot}/READY`));
      for (const copy of [0, 1]) made.disk.damage(`${FOLDER}/boot.${copy}`, 20);
      return made;
    };
    const planted = confirmedBench();
    bring(planted.device, THIRD);
    const older = release('older', { securityVersion: 2, sequenceNumber: 2 });
    putByHand(planted.disk, 'GOLDEN', older);
    expect(boot(emptied(planted).device).refusal?.code).toBe('rollback.sequence');
    expect(boot(emptied(confirmedBench()).device).booted).toMatchObject({ slot: 'GOLDEN' });
  });
});
