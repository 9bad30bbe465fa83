/** Floor tier T2 against a real TPM emulator: what is restored, edited, or taken away. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMPTY_FLOOR, type FloorRecord } from '../../src/core/trust/floor.ts';
import type { FloorStore } from '../../src/core/trust/floor-store.ts';
import { openTpmIndex } from '../../src/host/platform/tpm-index.ts';
import { provisionTpmFloors } from '../../src/host/platform/tpm-provision.ts';
import { openFloorStore } from '../../src/host/store/floor-file.ts';
import { accepted, codeOf, faultIn } from '../core/base/outcome.ts';
import { SoftwareTpm, tpmMissing } from './software-tpm.ts';
import { counting, KEY, Machine, other } from './tpm-machine.ts';

const why = tpmMissing === '' ? '' : ` (skipped: ${tpmMissing})`;
let tpm: SoftwareTpm;

beforeAll(async () => {
  if (tpmMissing === '') tpm = await SoftwareTpm.start();
});
afterAll(() => tpm?.remove());

describe.skipIf(tpmMissing !== '')(`floors in a TPM${why}`, () => {
  it('are provisioned, committed, and there again after restarts and a loss of power', async () => {
    const machine = Machine.provisioned(tpm);
    expect(accepted(machine.open().read())).toEqual({
      record: EMPTY_FLOOR,
      damagedCopies: 0,
      healed: false,
    });
    for (let count = 1; count <= 6; count++) {
      const floors = machine.open();
      expect(floors.tier).toBe('T2');
      accepted(floors.write(counting(count)));
      expect(accepted(floors.read()).record).toEqual(counting(count));
      if (count % 3 === 0) {
        await tpm.kill();
        await tpm.start();
      }
      const after = accepted(machine.open().read());
      expect(after).toEqual({ record: counting(count), damagedCopies: 0, healed: false });
    }
  });

  it('refuse an old image of the card, however often, and take the newest one back', () => {
    const machine = Machine.provisioned(tpm, 2);
    const old = machine.snapshot();
    accepted(machine.open().write(counting(3)));
    accepted(machine.open().write(counting(4)));
    const newest = machine.snapshot();
    machine.restore(old);
    for (let boot = 0; boot < 3; boot++) {
      expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
      expect(codeOf(machine.open().write(counting(9)))).toBe('floor.rolled-back');
    }
    machine.restore(newest);
    expect(accepted(machine.open().read()).record).toEqual(counting(4));
  });

  it('refuse an image from just before the last commit, and a folder without records', () => {
    const machine = Machine.provisioned(tpm, 3);
    const old = machine.snapshot();
    accepted(machine.open().write(counting(4)));
    machine.restore(old);
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
    for (const index of [0, 1, 2, 3]) rmSync(machine.file(index), { force: true });
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
  });

  it('are not led back by files of T0 that hold the right key', () => {
    const machine = Machine.provisioned(tpm, 3);
    for (const index of [0, 1, 2, 3]) rmSync(machine.file(index), { force: true });
    accepted(openFloorStore(machine.folder, KEY).write(counting(1)));
    expect(codeOf(machine.open().read())).toBe('store.corrupt');
  });
});

describe.skipIf(tpmMissing !== '')(`a record edited by a holder of the device key${why}`, () => {
  it('is refused in place of the standing one', () => {
    const machine = Machine.provisioned(tpm, 3);
    const { pair, previous } = machine.standing();
    machine.forge(counting(2), previous, pair);
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
  });

  it('is refused as a pending one that lowers any floor or drops one', () => {
    const { floors, ...bare } = counting(3);
    const lower: FloorRecord[] = [
      counting(2),
      { ...counting(3), generation: 2 },
      { ...counting(3), rootVersion: 2 },
      { ...bare, floors: [] },
      { ...bare, floors: floors.map((floor) => ({ ...floor, securityVersion: 2 })) },
      { ...bare, floors: floors.map((floor) => ({ ...floor, sequenceNumber: 2 })) },
    ];
    const machine = Machine.provisioned(tpm, 3);
    const value = machine.value();
    for (const record of lower) {
      machine.forge(record, value, other(machine.standing().pair));
      expect(codeOf(machine.open().read())).toBe('floor.lowered');
      expect(codeOf(machine.open().write(counting(4)))).toBe('floor.lowered');
      expect(machine.value(), 'nothing was extended').toEqual(value);
      machine.forge(counting(2), new Uint8Array(32), other(machine.standing().pair));
    }
    expect(accepted(machine.open().read()).record).toEqual(counting(3));
  });

  it('is refused as a pending one without the record that stands', () => {
    const machine = Machine.provisioned(tpm, 3);
    const { pair } = machine.standing();
    const value = machine.value();
    machine.forge(counting(9), value, other(pair));
    for (const index of pair === 0 ? [0, 1] : [2, 3]) rmSync(machine.file(index));
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
    expect(machine.value()).toEqual(value);
  });

  it('cannot be written either: a write that lowers is refused', () => {
    const machine = Machine.provisioned(tpm, 3);
    expect(codeOf(machine.open().write(counting(2)))).toBe('floor.lowered');
    expect(accepted(machine.open().read()).record).toEqual(counting(3));
  });
});

describe.skipIf(tpmMissing !== '')(`a TPM that is not the one${why}`, () => {
  const missing = (floors: FloorStore): string => {
    const { code, message } = faultIn(floors.read());
    expect(code).toBe('floor.tier-missing');
    expect(codeOf(floors.write(counting(9)))).toBe('floor.tier-missing');
    return message;
  };

  it('never lowers the tier: index removed, made anew, or made an ordinary one', () => {
    const machine = Machine.provisioned(tpm, 2);
    const value = machine.value();
    const auth = `file:${join(machine.folder, 'tpm.auth')}`;
    const define = (attributes: string): Buffer =>
      tpm.tool('tpm2_nvdefine', ...[machine.indexText, '-C', 'o'], '-a', attributes, '-p', auth);
    tpm.tool('tpm2_nvundefine', machine.indexText, '-C', 'o');
    expect(missing(machine.open())).toContain('platform.tpm-index-missing');
    define('authread|authwrite|no_da|nt=extend');
    expect(missing(machine.open())).toContain('platform.tpm-index-unwritten');
    tpm.tool('tpm2_nvundefine', machine.indexText, '-C', 'o');
    // With the very value that the record needs, if only it could be believed.
    tpm.tool(
      'tpm2_nvdefine',
      ...[machine.indexText, '-C', 'o', '-s', '32', '-p', auth],
      ...['-a', 'authread|authwrite|no_da'],
    );
    const bytes = join(machine.folder, 'value');
    writeFileSync(bytes, value);
    const own = [machine.indexText, '-C', machine.indexText, '-P', auth];
    tpm.tool('tpm2_nvwrite', ...own, '-i', bytes);
    expect(machine.value()).toEqual(value);
    expect(missing(machine.open())).toContain('platform.tpm-index-kind');
    const index = openTpmIndex(machine.tpm, machine.folder, KEY);
    expect(codeOf(index.extend(value))).toBe('platform.tpm-index-kind');
  });

  it('cannot be led back by repeating every extend in a new index', () => {
    const machine = Machine.provisioned(tpm);
    // Nobody knows the first extend: the same key and record give no two the same value.
    expect(machine.value()).not.toEqual(Machine.provisioned(tpm).value());
    const lastDigest = (): Uint8Array => readFileSync(join(machine.folder, 'tpm.extend'));
    const digests = [lastDigest()];
    for (let count = 1; count <= 3; count++) {
      accepted(machine.open().write(counting(count)));
      digests.push(lastDigest());
    }
    const image = machine.snapshot();
    tpm.tool('tpm2_nvundefine', machine.indexText, '-C', 'o');
    const index = openTpmIndex(machine.tpm, machine.folder, KEY);
    accepted(index.define());
    for (const digest of digests) accepted(index.extend(digest));
    machine.restore(image);
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
  });

  it('is not looked for elsewhere: wrong and nameless TCTIs, and none from the environment', () => {
    const machine = Machine.provisioned(tpm, 1);
    const given = process.env['TPM2TOOLS_TCTI'];
    process.env['TPM2TOOLS_TCTI'] = tpm.tcti;
    try {
      for (const tcti of [
        'device:/dev/null',
        `${tpm.tcti}x`,
        'tabrmd:none',
        'swtpm:',
        'swtpm',
        '',
      ]) {
        const message = missing(machine.open({ tpm: { ...machine.tpm, tcti } }));
        expect(message).toContain('platform.tpm-unreachable');
      }
      process.env['TPM2TOOLS_TCTI'] = 'device:/dev/null';
      expect(accepted(machine.open().read()).record).toEqual(counting(1));
    } finally {
      if (given === undefined) delete process.env['TPM2TOOLS_TCTI'];
      else process.env['TPM2TOOLS_TCTI'] = given;
    }
  });

  it('is another one after a swap of the chip', async () => {
    const machine = Machine.provisioned(tpm, 1);
    const swapped = await SoftwareTpm.start();
    try {
      const options = { ...machine.tpm, tcti: swapped.tcti };
      expect(missing(machine.open({ tpm: options }))).toContain('platform.tpm-index-missing');
    } finally {
      await swapped.remove();
    }
  });
});

describe.skipIf(tpmMissing !== '')(`provisioning${why}`, () => {
  it('takes over what T0 had recorded, once, and leaves a provisioned folder as it is', () => {
    const machine = new Machine(tpm);
    accepted(openFloorStore(machine.folder, KEY).write(counting(5)));
    accepted(machine.provision());
    expect([0, 1].some((index) => existsSync(machine.file(index)))).toBe(false);
    const value = machine.value();
    accepted(machine.provision());
    expect(machine.value()).toEqual(value);
    expect(accepted(machine.open().read()).record).toEqual(counting(5));
  });

  it('may leave files of T0 behind where it was cut off, which the next writes replace', () => {
    const machine = Machine.provisioned(tpm);
    accepted(openFloorStore(machine.folder, KEY).write(counting(5)));
    expect(accepted(machine.open().read())).toMatchObject({
      record: EMPTY_FLOOR,
      damagedCopies: 2,
    });
    accepted(machine.open().write(counting(1)));
    expect(accepted(machine.open().read())).toMatchObject({
      record: counting(1),
      damagedCopies: 0,
    });
  });

  it('does not paper over a rollback', () => {
    const machine = Machine.provisioned(tpm, 1);
    const old = machine.snapshot();
    accepted(machine.open().write(counting(2)));
    machine.restore(old);
    expect(codeOf(machine.provision())).toBe('floor.rolled-back');
  });

  it('can be run again after being cut off before the tier is sealed', () => {
    const machine = new Machine(tpm);
    const index = openTpmIndex(machine.tpm, machine.folder, KEY);
    accepted(openFloorStore(machine.folder, KEY).write(counting(5)));
    accepted(index.define());
    expect(codeOf(index.define())).toBe('platform.tpm-index-exists');
    accepted(index.extend(new Uint8Array(32)));
    machine.forge(counting(5), machine.value(), 1);
    accepted(machine.provision());
    expect(accepted(machine.open().read()).record).toEqual(counting(5));
  });

  it('needs the owner password where there is one, and its own index', async () => {
    const owned = await SoftwareTpm.start();
    try {
      const machine = new Machine(owned);
      const auth = join(machine.folder, 'owner.auth');
      writeFileSync(auth, 'owner', { mode: 0o600 });
      owned.tool('tpm2_changeauth', '-c', 'o', `file:${auth}`);
      expect(codeOf(machine.provision())).toBe('platform.tpm-refused');
      accepted(machine.provision(auth));
      const stranger = mkdtempSync(join(owned.folder, 'state-'));
      const macKey = new Uint8Array(32).fill(2);
      const taken = provisionTpmFloors({ folder: stranger, macKey, tpm: machine.tpm });
      expect(codeOf(taken)).toBe('platform.tpm-refused');
    } finally {
      await owned.remove();
    }
  });
});
