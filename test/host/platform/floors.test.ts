/** The tier in force: pinned, sealed, and never more or less than what was provisioned. */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EMPTY_FLOOR } from '../../../src/core/trust/floor.ts';
import type { FloorTier } from '../../../src/core/trust/floor-store.ts';
import { openFloors } from '../../../src/host/platform/floors.ts';
import { provisionOtpFloors } from '../../../src/host/platform/otp-floors.ts';
import { waitForProcesses } from '../../../src/host/platform/process-list.ts';
import { provisionTpmFloors } from '../../../src/host/platform/tpm-provision.ts';
import { isVolatileFolder, provisionTier } from '../../../src/host/store/floor-tier.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const tpm = { tcti: 'device:/dev/null', toolFolder: '/nowhere' };
const otp = { hardwareClass: 'c', model: 'm', vcmailbox: '/nowhere/vcmailbox' };
const open = (tier: FloorTier, at: string, production = false) =>
  openFloors({ tier, folder: at, macKey: KEY, production, tpm, otp });

/** Linux mounts it everywhere; elsewhere nothing is known to forget. */
const MEMORY = '/dev/shm';
const hasMemory = (() => {
  try {
    return statfsSync(MEMORY).type === 0x01021994;
  } catch {
    return false;
  }
})();

describe('openFloors', () => {
  it('opens files where nothing was provisioned, and says their tier', () => {
    const at = folder();
    expect(accepted(open('T0', at)).tier).toBe('T0');
    expect(accepted(open('none', at)).tier).toBe('none');
    expect(codeOf(open('T1', at))).toBe('floor.tier-missing');
    expect(codeOf(open('T2', at))).toBe('floor.tier-missing');
  });

  it.each([
    ['T1', 'T0', 'floor.tier-lowered'],
    ['T1', 'none', 'floor.tier-lowered'],
    ['T1', 'T2', 'floor.tier-missing'],
    ['T2', 'T0', 'floor.tier-lowered'],
    ['T2', 'T1', 'floor.tier-lowered'],
    ['T2', 'none', 'floor.tier-lowered'],
  ] as const)('on a folder of %s refuses %s as %s', (sealed, asked, code) => {
    const at = folder();
    accepted(provisionTier(at, KEY, sealed));
    expect(codeOf(open(asked, at))).toBe(code);
  });

  it('reports the tier it was asked for, and has no floor, while the hardware is away', () => {
    for (const tier of ['T1', 'T2'] as const) {
      const at = folder();
      accepted(provisionTier(at, KEY, tier));
      const floors = accepted(open(tier, at, true));
      expect(floors.tier).toBe(tier);
      expect(codeOf(floors.read())).toBe('floor.tier-missing');
      expect(codeOf(floors.write(EMPTY_FLOOR))).toBe('floor.tier-missing');
      const bare = openFloors({ tier, folder: at, macKey: KEY, production: true });
      expect(codeOf(bare)).toBe('floor.tier-missing');
    }
  });

  it('takes the higher tier of two seals, survives the loss of one, and not of both', () => {
    const at = folder();
    accepted(provisionTier(at, KEY, 'T2'));
    const seal = (index: number): string => join(at, `floor-tier.${index}`);
    writeFileSync(seal(0), 'torn');
    expect(codeOf(open('T0', at))).toBe('floor.tier-lowered');
    writeFileSync(seal(1), 'torn');
    expect(codeOf(open('T0', at))).toBe('store.corrupt');
    expect(codeOf(open('T2', at))).toBe('store.corrupt');
    accepted(provisionTier(at, new Uint8Array(32).fill(2), 'T0'));
    expect(codeOf(open('T0', at)), 'of another device').toBe('store.corrupt');
  });

  it('writes nothing when opened to be read', () => {
    const at = folder();
    const options = { tier: 'T0', folder: at, macKey: KEY, production: true } as const;
    const look = accepted(openFloors({ ...options, readOnly: true }));
    expect(accepted(look.read()).record).toEqual(EMPTY_FLOOR);
    expect(codeOf(look.write({ ...EMPTY_FLOOR, generation: 1 }))).toBe('store.write');
    expect(accepted(look.read()).record).toEqual(EMPTY_FLOOR);
  });

  it('needs a folder', () => {
    expect(codeOf(open('T0', `${folder()}/gone`))).toBe('store.read');
  });
});

describe('a folder in memory', () => {
  it('refuses tier none in production, wherever it is', () => {
    expect(codeOf(open('none', folder(), true))).toBe('floor.volatile');
  });

  it.skipIf(!hasMemory)('is none, whatever is asked for, and nothing in production', () => {
    const at = mkdtempSync(join(MEMORY, 'edgeward-test-'));
    try {
      expect(accepted(isVolatileFolder(at))).toBe(true);
      expect(accepted(open('T0', at)).tier).toBe('none');
      for (const tier of ['none', 'T0', 'T1', 'T2'] as const) {
        expect(codeOf(open(tier, at, true))).toBe('floor.volatile');
      }
    } finally {
      rmSync(at, { recursive: true });
    }
  });

  it('is told from one on a disk', () => {
    expect(accepted(isVolatileFolder(import.meta.dirname))).toBe(false);
    expect(codeOf(isVolatileFolder(`${folder()}/gone`))).toBe('store.read');
  });
});

describe('provisioning', () => {
  it('is refused where the folder has another tier, and where the hardware is away', () => {
    const at = folder();
    expect(codeOf(provisionTpmFloors({ folder: at, macKey: KEY, tpm }))).toBe(
      'platform.tool-missing',
    );
    const fuses = { folder: at, macKey: KEY, otp, irreversible: true } as const;
    expect(codeOf(provisionOtpFloors(fuses))).toBe('platform.tool-missing');
    expect(accepted(open('T0', at)).tier, 'nothing is sealed by failing').toBe('T0');
    accepted(provisionTier(at, KEY, 'T1'));
    expect(codeOf(provisionTpmFloors({ folder: at, macKey: KEY, tpm }))).toBe('floor.tier-lowered');
    const other = folder();
    accepted(provisionTier(other, KEY, 'T2'));
    expect(codeOf(provisionOtpFloors({ ...fuses, folder: other }))).toBe('floor.tier-lowered');
  });

  it('gives up over records that cannot be read', () => {
    const at = folder();
    mkdirSync(join(at, 'floor.0'));
    expect(codeOf(provisionTpmFloors({ folder: at, macKey: KEY, tpm }))).toBe('store.corrupt');
  });
});

describe('waitForProcesses', () => {
  it('waits no longer than it is told, and not at all for one that is not there', () => {
    expect(waitForProcesses(() => true, 40)).toBe(false);
    expect(waitForProcesses((words) => words.includes('no such word'), 0)).toBe(true);
    const own = process.argv[0] ?? '';
    expect(waitForProcesses((words) => words.includes(own), 0)).toBe(process.platform !== 'linux');
  });
});
