/** A scenario, what is known while it is played, and the steps that many of them begin with. */
import type { Result } from '../../src/core/base/fault.ts';
import type { BootOutcome } from '../../src/core/update/recovery.ts';
import type { Random } from '../fuzz/random.ts';
import { type Device, install, provision } from './device.ts';
import type { Operator } from './operator.ts';
import { FIRST, GOLDEN, type Release, SECOND } from './releases.ts';
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

/** GOLDEN and one release confirmed in A and B. */
export function confirmedFirst({ device, operator, expect, progress }: Act): void {
  expect(provision(device, GOLDEN).ok, 'GOLDEN is provisioned');
  expect(install(device, FIRST).ok, 'the first release is installed');
  confirmBooted(operator, device, expect);
  progress.securityVersion = 1;
}

export function confirmBooted(operator: Operator, device: Device, expect: Act['expect']): void {
  const outcome = operator.boot(device);
  expect(outcome.booted !== undefined, 'the release boots');
  if (outcome.booted !== undefined) {
    expect(operator.confirm(device, outcome.booted.slot).ok, 'the release is confirmed');
  }
}

export function secondOnTrial(act: Act): void {
  confirmedFirst(act);
  act.expect(install(act.device, SECOND).ok, 'the second release is installed');
  act.expect(bootOnce(act).booted?.kind === 'trial', 'the second release is on trial');
}

export function confirmedSecond(act: Act): void {
  secondOnTrial(act);
  act.expect(act.operator.confirm(act.device, 'B').ok, 'the second release is confirmed');
  act.progress.securityVersion = 2;
  act.progress.only = SECOND;
}

export function bootOnce({ device, operator, progress }: Act): BootOutcome {
  const outcome = operator.boot(device);
  if (outcome.booted?.kind === 'trial') progress.trialBoots++;
  return outcome;
}

export function confirmSecond(act: Act): void {
  const { device, operator, progress, expect } = act;
  expect(operator.confirm(device, 'B').ok, 'the second release is confirmed');
  progress.securityVersion = 2;
  progress.only = SECOND;
}

export const refusedWith = (result: Result<unknown>, code: string): boolean =>
  !result.ok && result.fault.code === code;
