/** What a device goes through in the simulation, and what must hold wherever the power fails. */

import { toHex, utf8 } from '../../src/core/base/bytes.ts';
import { need, type Result } from '../../src/core/base/fault.ts';
import { readManifestEntry } from '../../src/core/bundle/layout.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { MANIFEST_PATH } from '../../src/core/bundle/ustar.ts';
import type { Disk } from '../../src/core/update/disk.ts';
import type { BootOutcome } from '../../src/core/update/recovery.ts';
import {
  READY_NAME,
  readClaims,
  segmentsOf,
  slotFolder,
} from '../../src/core/update/slot-layout.ts';
import type { SlotName } from '../../src/core/update/slot-table.ts';
import type { Random } from '../fuzz/random.ts';
import { type Device, FOLDER, install, provision } from './device.ts';
import type { Operator } from './operator.ts';
import {
  FIRST,
  GOLDEN,
  OTHER_MODEL,
  type Release,
  SECOND,
  STRANGE,
  THIRD,
  TRUST,
} from './releases.ts';
import type { SimDisk } from './sim-disk.ts';

/** What is known for certain at a moment, because a call has returned. */
export interface Progress {
  /** The floor that can no longer be lost. */
  securityVersion: number;
  /** Boots that handed out the release on trial. */
  trialBoots: number;
  /** Since a confirm returned, nothing else may boot. */
  only: Release | undefined;
}

export interface Act {
  readonly device: Device;
  readonly disk: SimDisk;
  readonly operator: Operator;
  readonly progress: Progress;
  readonly random: Random;
  /** Something that must hold while the power is on. */
  readonly expect: (holds: boolean, what: string) => void;
}

export interface Scenario {
  readonly name: string;
  /** Before the power may fail. */
  readonly prepare: (act: Act) => void;
  readonly run: (act: Act) => void;
  /** What may boot besides the safe output. */
  readonly allowed: readonly Release[];
  /** The safe output is a violation: something was confirmed. */
  readonly mustBoot: boolean;
  /** ... also when the bytes of any one slot are damaged. */
  readonly redundant: boolean;
  /** The release on trial never proves itself: it must be left after its attempts. */
  readonly trialDies?: boolean;
}

const nothing = (): void => undefined;

/** GOLDEN and one release confirmed in A and B. */
function confirmedFirst({ device, operator, expect, progress }: Act): void {
  expect(provision(device, GOLDEN).ok, 'GOLDEN is provisioned');
  expect(install(device, FIRST).ok, 'the first release is installed');
  confirmBooted(operator, device, expect);
  progress.securityVersion = 1;
}

function confirmBooted(operator: Operator, device: Device, expect: Act['expect']): void {
  const outcome = operator.boot(device);
  expect(outcome.booted !== undefined, 'the release boots');
  if (outcome.booted !== undefined) {
    expect(operator.confirm(device, outcome.booted.slot).ok, 'the release is confirmed');
  }
}

function secondOnTrial(act: Act): void {
  confirmedFirst(act);
  act.expect(install(act.device, SECOND).ok, 'the second release is installed');
  act.expect(bootOnce(act).booted?.kind === 'trial', 'the second release is on trial');
}

function confirmedSecond(act: Act): void {
  secondOnTrial(act);
  act.expect(act.operator.confirm(act.device, 'B').ok, 'the second release is confirmed');
  act.progress.securityVersion = 2;
  act.progress.only = SECOND;
}

function bootOnce({ device, operator, progress }: Act): BootOutcome {
  const outcome = operator.boot(device);
  if (outcome.booted?.kind === 'trial') progress.trialBoots++;
  return outcome;
}

function confirmSecond(act: Act): void {
  const { device, operator, progress, expect } = act;
  expect(operator.confirm(device, 'B').ok, 'the second release is confirmed');
  progress.securityVersion = 2;
  progress.only = SECOND;
}

const refusedWith = (result: Result<unknown>, code: string): boolean =>
  !result.ok && result.fault.code === code;

/** Puts a release into a slot as somebody with a card reader does. */
export function putByHand(disk: Disk, slot: SlotName, release: Release): void {
  const folder = slotFolder(FOLDER, slot);
  for (const name of need(disk.list(folder))) need(disk.remove(`${folder}/${name}`));
  const manifest = need(readManifestEntry(bytesSource(release.bundle))).bytes;
  const claims = need(readClaims(manifest));
  const write = (name: string, bytes: Uint8Array): void => {
    const file = need(disk.create(`${folder}/${name}`));
    need(file.append(bytes));
    need(file.sync());
  };
  write(MANIFEST_PATH, manifest);
  for (const segment of segmentsOf(manifest, claims.files)) {
    if (!('file' in segment)) continue;
    const end = segment.offset + segment.sizeBytes;
    write(segment.file.path, release.bundle.slice(segment.offset, end));
  }
  write(READY_NAME, utf8(`${toHex(claims.manifestSha256)}\n`));
  need(disk.syncFolder(folder));
}

function loseRecord(disk: SimDisk, how: 'torn' | 'gone'): void {
  for (const copy of [0, 1]) {
    if (how === 'torn') disk.damage(`${FOLDER}/boot.${copy}`, 7);
    else need(disk.remove(`${FOLDER}/boot.${copy}`));
  }
  need(disk.syncFolder(FOLDER));
}

const installScenarios: readonly Scenario[] = [
  {
    name: 'first install',
    prepare: nothing,
    run: (act) => {
      act.expect(install(act.device, FIRST).ok, 'the first release is installed');
      bootOnce(act);
    },
    allowed: [FIRST],
    mustBoot: false,
    redundant: false,
  },
  {
    name: 'first confirm',
    prepare: (act) => {
      need(install(act.device, FIRST));
      bootOnce(act);
    },
    run: (act) => {
      act.expect(act.operator.confirm(act.device, 'A').ok, 'the first release is confirmed');
      Object.assign(act.progress, { securityVersion: 1, only: FIRST });
    },
    allowed: [FIRST],
    mustBoot: false,
    redundant: false,
  },
  {
    name: 'factory',
    prepare: (act) => need(provision(act.device, GOLDEN)),
    run: (act) => {
      confirmBooted(act.operator, act.device, act.expect);
      Object.assign(act.progress, { securityVersion: 1, only: GOLDEN });
    },
    allowed: [GOLDEN],
    mustBoot: true,
    redundant: false,
  },
  {
    name: 'update',
    prepare: confirmedFirst,
    run: (act) => {
      act.expect(install(act.device, SECOND).ok, 'the second release is installed');
      bootOnce(act);
      confirmSecond(act);
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'install while trial',
    prepare: secondOnTrial,
    run: (act) => {
      act.expect(
        refusedWith(install(act.device, THIRD), 'update.trial-pending'),
        'a release that runs on trial is not overwritten',
      );
      act.expect(act.device.slots.revert(TRUST).ok, 'the trial is taken back');
      act.expect(install(act.device, THIRD).ok, 'the third release is installed');
      bootOnce(act);
    },
    allowed: [FIRST, SECOND, THIRD, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'refused installs',
    prepare: confirmedFirst,
    run: (act) => {
      const damaged = SECOND.bundle.slice();
      const at = damaged.length - 3072 + act.random.below(700);
      damaged[at] = (damaged[at] as number) ^ 1;
      const broken = { ...SECOND, bundle: damaged };
      act.expect(!install(act.device, broken).ok, 'a damaged bundle is refused');
      const cut = { ...SECOND, bundle: SECOND.bundle.slice(0, -800) };
      act.expect(!install(act.device, cut).ok, 'a cut bundle is refused');
      act.expect(!install(act.device, STRANGE).ok, 'a stranger is refused');
      act.expect(
        refusedWith(install(act.device, OTHER_MODEL), 'update.pinned'),
        'another model is refused',
      );
    },
    allowed: [FIRST, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'disk full',
    prepare: confirmedFirst,
    run: (act) => {
      for (let round = 0; round < 3; round++) {
        act.disk.capacityBytes = act.disk.usedBytes() + act.random.below(500);
        const staged = install(act.device, THIRD);
        act.disk.capacityBytes = Number.POSITIVE_INFINITY;
        act.expect(!staged.ok || round > 0, 'a full disk refuses');
        if (staged.ok) return;
      }
    },
    allowed: [FIRST, GOLDEN, THIRD],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'new golden',
    prepare: confirmedSecond,
    run: (act) => act.expect(provision(act.device, THIRD).ok, 'a newer GOLDEN is provisioned'),
    allowed: [SECOND, THIRD],
    mustBoot: true,
    redundant: true,
  },
];

const trialScenarios: readonly Scenario[] = [
  {
    name: 'trial that fails',
    prepare: (act) => {
      confirmedFirst(act);
      need(install(act.device, SECOND));
    },
    run: (act) => {
      for (let count = 0; count < 5; count++) bootOnce(act);
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
    trialDies: true,
  },
  {
    name: 'trial that is rejected',
    prepare: secondOnTrial,
    run: (act) => {
      const fault = { code: 'golden.mismatch', message: 'm', next: 'n' };
      act.expect(act.device.slots.reject('B', fault).ok, 'the trial is given up');
      act.expect(bootOnce(act).booted?.kind === 'confirmed', 'the confirmed release boots');
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
    trialDies: true,
  },
  {
    name: 'confirm',
    prepare: secondOnTrial,
    run: confirmSecond,
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'confirm interrupted',
    prepare: (act) => {
      secondOnTrial(act);
      // The record says so, and slot A is half emptied.
      act.disk.unwritable = /A\/notice/;
      act.expect(!act.operator.confirm(act.device, 'B').ok, 'the copy is interrupted');
      act.disk.unwritable = undefined;
    },
    run: (act) => {
      const outcome = bootOnce(act);
      act.expect(outcome.booted?.kind === 'confirmed', 'the boot has finished the confirm');
      Object.assign(act.progress, { securityVersion: 2, only: SECOND });
    },
    allowed: [SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'last attempt confirmed',
    prepare: (act) => {
      secondOnTrial(act);
      bootOnce(act);
      bootOnce(act);
    },
    run: confirmSecond,
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'revert',
    prepare: secondOnTrial,
    run: (act) => {
      act.expect(act.device.slots.revert(TRUST).ok, 'the trial is taken back');
      const outcome = bootOnce(act);
      act.expect(outcome.booted?.slot === 'A', 'the release before boots');
      act.expect(act.device.slots.revert(TRUST).ok, 'GOLDEN is what is left to revert to');
      act.expect(bootOnce(act).booted?.slot === 'GOLDEN', 'GOLDEN boots');
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
];

const attackScenarios: readonly Scenario[] = [
  {
    name: 'rollback attempt',
    prepare: confirmedSecond,
    run: (act) => {
      act.expect(
        refusedWith(install(act.device, FIRST), 'rollback.security-version'),
        'an older release is refused',
      );
      putByHand(act.disk, 'B', FIRST);
      act.expect(bootOnce(act).booted?.slot === 'A', 'the copy boots');
    },
    allowed: [SECOND],
    mustBoot: true,
    redundant: false,
  },
  {
    name: 'rollback without a record',
    prepare: confirmedSecond,
    run: (act) => {
      putByHand(act.disk, act.random.pick(['A', 'B'] as const), FIRST);
      loseRecord(act.disk, act.random.pick(['torn', 'gone'] as const));
      bootOnce(act);
    },
    allowed: [SECOND],
    mustBoot: true,
    redundant: false,
  },
  {
    name: 'tampered slot',
    prepare: confirmedFirst,
    run: (act) => {
      const name = act.random.pick(['model.onnx', 'notice.txt', 'manifest.suit', 'READY']);
      act.disk.damage(`${slotFolder(FOLDER, 'A')}/${name}`, act.random.below(1000));
      const outcome = bootOnce(act);
      act.expect(outcome.booted?.slot === 'B', 'the other confirmed copy boots');
      act.expect(outcome.degraded, 'the device says that it is degraded');
      act.expect(act.operator.confirm(act.device, 'B').ok, 'the lost copy is made anew');
      act.expect(act.device.slots.status().redundancy === 3, 'all slots are good again');
    },
    allowed: [FIRST, GOLDEN],
    mustBoot: true,
    redundant: false,
  },
  {
    name: 'both slots tampered',
    prepare: (act) => {
      confirmedFirst(act);
      for (const slot of ['A', 'B'] as const) {
        act.disk.damage(`${slotFolder(FOLDER, slot)}/model.onnx`, act.random.below(1000));
      }
    },
    run: (act) => {
      act.expect(bootOnce(act).booted?.slot === 'GOLDEN', 'GOLDEN boots');
      act.expect(act.operator.confirm(act.device, 'GOLDEN').ok, 'GOLDEN is copied and confirmed');
      act.expect(bootOnce(act).booted?.slot === 'A', 'its copy boots');
    },
    allowed: [GOLDEN],
    mustBoot: true,
    redundant: false,
  },
  {
    name: 'boot record torn',
    prepare: confirmedFirst,
    run: (act) => {
      loseRecord(act.disk, act.random.pick(['torn', 'gone'] as const));
      // Many boots: what the floor attests is not lost to a few power cuts.
      for (let count = 0; count < 5; count++) {
        act.expect(bootOnce(act).booted !== undefined, 'what was confirmed boots');
      }
      confirmBooted(act.operator, act.device, act.expect);
    },
    allowed: [FIRST, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'boot record torn on trial',
    prepare: secondOnTrial,
    run: (act) => {
      loseRecord(act.disk, act.random.pick(['torn', 'gone'] as const));
      for (let count = 0; count < 3; count++) bootOnce(act);
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
  {
    name: 'read-only disk',
    prepare: (act) => {
      confirmedFirst(act);
      need(install(act.device, SECOND));
      act.disk.readOnly = true;
      act.expect(
        refusedWith(install(act.device, THIRD), 'disk.read-only'),
        'a read-only disk refuses',
      );
      const outcome = bootOnce(act);
      act.expect(outcome.booted?.slot === 'A', 'what cannot be counted is not tried');
      act.disk.readOnly = false;
    },
    run: (act) => {
      act.expect(bootOnce(act).booted?.kind === 'trial', 'the trial begins when it can');
    },
    allowed: [FIRST, SECOND, GOLDEN],
    mustBoot: true,
    redundant: true,
  },
];

export const SCENARIOS: readonly Scenario[] = [
  ...installScenarios,
  ...trialScenarios,
  ...attackScenarios,
];
