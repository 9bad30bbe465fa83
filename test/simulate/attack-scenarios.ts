/** What is done to a device in the simulation behind its back, and what must hold after it. */
import { toHex, utf8 } from '../../src/core/base/bytes.ts';
import { need } from '../../src/core/base/fault.ts';
import { readManifestEntry } from '../../src/core/bundle/layout.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { MANIFEST_PATH } from '../../src/core/bundle/ustar.ts';
import type { Disk } from '../../src/core/update/disk.ts';
import {
  READY_NAME,
  readClaims,
  segmentsOf,
  slotFolder,
} from '../../src/core/update/slot-layout.ts';
import type { SlotName } from '../../src/core/update/slot-table.ts';
import {
  bootOnce,
  confirmBooted,
  confirmedFirst,
  confirmedSecond,
  refusedWith,
  type Scenario,
  secondOnTrial,
} from './act.ts';
import { FOLDER, install } from './device.ts';
import { FIRST, GOLDEN, type Release, SECOND, THIRD } from './releases.ts';
import type { SimDisk } from './sim-disk.ts';

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

export const ATTACK_SCENARIOS: readonly Scenario[] = [
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
