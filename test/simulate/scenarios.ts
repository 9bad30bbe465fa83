/** What a device goes through in the simulation, and what must hold wherever the power fails. */
import { need } from '../../src/core/base/fault.ts';
import {
  bootOnce,
  confirmBooted,
  confirmedFirst,
  confirmedSecond,
  confirmSecond,
  refusedWith,
  type Scenario,
  secondOnTrial,
} from './act.ts';
import { ATTACK_SCENARIOS } from './attack-scenarios.ts';
import { install, provision } from './device.ts';
import { FIRST, GOLDEN, LARGE, OTHER_MODEL, SECOND, STRANGE, THIRD, TRUST } from './releases.ts';

const nothing = (): void => undefined;

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
        // From no room for the record to none for the last file.
        act.disk.capacityBytes = act.disk.usedBytes() + act.random.below(1500);
        const staged = install(act.device, LARGE);
        act.disk.capacityBytes = Number.POSITIVE_INFINITY;
        act.expect(refusedWith(staged, 'disk.full'), 'a full disk refuses');
      }
    },
    allowed: [FIRST, GOLDEN],
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

export const SCENARIOS: readonly Scenario[] = [
  ...installScenarios,
  ...trialScenarios,
  ...ATTACK_SCENARIOS,
];
