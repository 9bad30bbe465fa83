/** Floor tier T1 against a recorded mailbox: fuses as a count, and what stands against the files. */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EMPTY_FLOOR, type FloorRecord, floorOf } from '../../../src/core/trust/floor.ts';
import type { FloorStore } from '../../../src/core/trust/floor-store.ts';
import { type FloorOptions, openFloors } from '../../../src/host/platform/floors.ts';
import { provisionOtpFloors } from '../../../src/host/platform/otp-floors.ts';
import { burnFuses, FUSES_MAX, readFuses } from '../../../src/host/platform/otp-fuses.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { FakeMailbox, shellProgram } from './programs.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const FULL = 0xffff_ffff;

/** A record in which `model` has this security version. */
function counting(securityVersion: number, model = 'm'): FloorRecord {
  const manifestSha256 = new Uint8Array(32).fill(3);
  const floor = { hardwareClass: 'c', model, securityVersion, sequenceNumber: 1, manifestSha256 };
  return { ...EMPTY_FLOOR, generation: securityVersion, floors: [floor] };
}

class Board {
  readonly folder: string = folder();
  readonly mailbox: FakeMailbox = new FakeMailbox(folder());

  static provisioned(): Board {
    const board = new Board();
    accepted(board.provision());
    return board;
  }

  get otp() {
    return { hardwareClass: 'c', model: 'm', vcmailbox: this.mailbox.path };
  }

  provision() {
    const { folder: at, otp } = this;
    return provisionOtpFloors({ folder: at, macKey: KEY, otp, irreversible: true });
  }

  open(changed: Partial<FloorOptions> = {}): FloorStore {
    return accepted(openFloors({ ...this.options, ...changed }));
  }

  get options(): FloorOptions {
    const { folder: at, otp } = this;
    return { tier: 'T1', folder: at, macKey: KEY, production: true, otp };
  }

  get count(): number {
    return accepted(readFuses(this.otp)).count;
  }
}

describe('the recorded mailbox', () => {
  it('answers as the documentation of the customer OTP shows', () => {
    const { path } = new FakeMailbox(folder());
    const said = (words: string): string =>
      execFileSync(path, words.split(' '), { encoding: 'utf8' }).trim();
    said('0x00038021 20 20 4 3 0x11111111 0x22222222 0x33333333');
    expect(said('0x00030021 20 20 4 3 0 0 0')).toBe(
      // The end mark of the tool's source follows what the page shows.
      '0x0000002c 0x80000000 0x00030021 0x00000014 0x80000014 0x00000000 0x00000003 ' +
        '0x11111111 0x22222222 0x33333333 0x00000000',
    );
  });
});

describe('fuses', () => {
  it('count from none to all of them, across rows, and burn nothing twice', () => {
    const { otp, mailbox } = new Board();
    expect(accepted(readFuses(otp))).toEqual({ count: 0, gapless: true });
    for (const count of [1, 2, 31, 32, 33, 64, 65, 200, 255, FUSES_MAX]) {
      accepted(burnFuses(otp, count));
      expect(accepted(readFuses(otp))).toEqual({ count, gapless: true });
      accepted(burnFuses(otp, count - 1));
      expect(accepted(readFuses(otp)).count).toBe(count);
    }
    mailbox.set({ rows: [0, 0, 0, 0, 0, 0, 0, 0x8000_0000] });
    expect(accepted(readFuses(otp))).toEqual({ count: 256, gapless: false });
  });

  it('that burnt in part leave gaps, which the next burn fills', () => {
    const { otp, mailbox } = new Board();
    mailbox.set({ rows: [0b1011, FULL, 1] });
    expect(accepted(readFuses(otp))).toEqual({ count: 65, gapless: false });
    accepted(burnFuses(otp, 65));
    expect(accepted(readFuses(otp))).toEqual({ count: 65, gapless: true });
  });

  it('that are locked or cannot be read are a fault, and so is anything else but an answer', () => {
    const { otp, mailbox } = new Board();
    mailbox.set({ rows: [1], lock: 'write-locked' });
    expect(accepted(readFuses(otp)).count).toBe(1);
    expect(codeOf(burnFuses(otp, 2))).toBe('platform.otp-reply');
    mailbox.set({ rows: [1], lock: 'unreadable' });
    expect(codeOf(readFuses(otp))).toBe('platform.otp-reply');
    const said = (lines: string): string =>
      codeOf(readFuses({ vcmailbox: shellProgram(folder(), 'vcmailbox', lines), deadlineMs: 500 }));
    const noDevice = 'echo "Can\'t open device file: /dev/vcio"; exit 255';
    expect(said(noDevice)).toBe('platform.otp-reply');
    expect(said("echo 'ioctl_set_msg failed:-1'; exit 255")).toBe('platform.otp-reply');
    expect(said(':')).toBe('platform.tool-output');
    expect(said('echo 0x1 0x2')).toBe('platform.tool-output');
    expect(said('echo 0x00000040 0x80000000')).toBe('platform.otp-reply');
    expect(said('exec cat /dev/zero')).toBe('platform.tool-output');
    expect(said('exec sleep 1000')).toBe('platform.tool-deadline');
    expect(codeOf(readFuses({ vcmailbox: `${folder()}/gone` }))).toBe('platform.tool-missing');
  });
});

describe('floors with fuses', () => {
  it('burn one for each step of the pinned model, and none for another', () => {
    const board = Board.provisioned();
    const floors = board.open();
    expect(floors.tier).toBe('T1');
    expect(accepted(floors.read())).toEqual({
      record: EMPTY_FLOOR,
      damagedCopies: 0,
      healed: false,
    });
    for (const count of [1, 2, 7, 40]) {
      accepted(floors.write(counting(count)));
      expect(board.count).toBe(count);
      expect(accepted(board.open().read())).toMatchObject({ record: counting(count) });
    }
    const two = { ...counting(40), generation: 41 };
    accepted(floors.write({ ...two, floors: [...two.floors, ...counting(90, 'n').floors] }));
    expect(board.count).toBe(40);
  });

  it('refuse an old image of the card', () => {
    const board = Board.provisioned();
    const old = folder();
    const copies = ['floor.0', 'floor.1'];
    accepted(board.open().write(counting(1)));
    for (const name of copies) copyFileSync(join(board.folder, name), join(old, name));
    accepted(board.open().write(counting(2)));
    for (const name of copies) copyFileSync(join(old, name), join(board.folder, name));
    expect(codeOf(board.open().read())).toBe('floor.rolled-back');
    expect(codeOf(board.open().write(counting(3)))).toBe('floor.rolled-back');
    expect(board.count, 'nothing was burnt').toBe(2);
  });

  it('heal a write that was cut off before, while and after the fuses burnt', () => {
    for (const rows of [[0b11], [0b1011], [0b1111]]) {
      const board = Board.provisioned();
      accepted(openFloorStore(board.folder, KEY).write(counting(4)));
      board.mailbox.set({ rows });
      const look = accepted(board.open({ readOnly: true }).read());
      expect(look).toMatchObject({ record: counting(4), healed: false });
      const healed = rows[0] !== 0b1111;
      expect(accepted(board.open().read())).toMatchObject({ record: counting(4), healed });
      expect(accepted(readFuses(board.otp))).toEqual({ count: 4, gapless: true });
    }
  });

  it('end at 256: a release above is refused before anything is written', () => {
    const board = Board.provisioned();
    accepted(board.open().write(counting(FUSES_MAX)));
    expect(codeOf(board.open().write(counting(FUSES_MAX + 1)))).toBe('floor.fuses-full');
    expect(accepted(board.open().read()).record).toEqual(counting(FUSES_MAX));
    accepted(openFloorStore(board.folder, KEY).write(counting(FUSES_MAX + 1)));
    expect(codeOf(board.open().read())).toBe('floor.fuses-full');
  });

  it('never become T0 where the fuses cannot be read or burnt', () => {
    const board = Board.provisioned();
    accepted(board.open().write(counting(1)));
    board.mailbox.set({ rows: [1], lock: 'unreadable' });
    expect(faultIn(board.open().read())).toMatchObject({ code: 'floor.tier-missing' });
    expect(codeOf(board.open().write(counting(2)))).toBe('floor.tier-missing');
    board.mailbox.set({ rows: [1], lock: 'write-locked' });
    expect(codeOf(board.open().write(counting(2)))).toBe('floor.tier-missing');
    expect(codeOf(board.open().read()), 'begun and not finished').toBe('floor.tier-missing');
    board.mailbox.set({ rows: [1] });
    expect(accepted(board.open().read())).toMatchObject({ record: counting(2), healed: true });
  });

  it('still have two copies of which one may be lost, and show when both are', () => {
    const board = Board.provisioned();
    accepted(board.open().write(counting(3)));
    copyFileSync(board.mailbox.path, join(board.folder, 'floor.0'));
    expect(accepted(board.open().read())).toMatchObject({ record: counting(3), damagedCopies: 1 });
    copyFileSync(board.mailbox.path, join(board.folder, 'floor.1'));
    expect(codeOf(board.open().read())).toBe('store.corrupt');
  });
});

describe('provisioning of fuses', () => {
  it('starts where the board counts already, keeps what T0 knew, and can be repeated', () => {
    const board = new Board();
    board.mailbox.set({ rows: [0b111] });
    const first = accepted(accepted(board.provision()).read()).record;
    expect(floorOf(first, 'c', 'm')).toMatchObject({ securityVersion: 3, sequenceNumber: 0 });
    accepted(board.provision());
    expect(accepted(board.open().read()).record).toEqual(first);

    const known = new Board();
    accepted(openFloorStore(known.folder, KEY).write(counting(5)));
    accepted(known.provision());
    expect(known.count).toBe(5);
    expect(accepted(known.open().read()).record).toEqual(counting(5));
  });

  it('leaves fuses alone that hold other data', () => {
    const board = new Board();
    board.mailbox.set({ rows: [0x1234_5678] });
    expect(codeOf(board.provision())).toBe('floor.fuses-taken');
    expect(codeOf(openFloors(board.options))).toBe('floor.tier-missing');
  });
});
