/** `edgeward status`, `confirm`, `revert` and `check`: what the slots of a device hold, and their health. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { VerifiedBundle } from '../../core/trust/verify.ts';
import { digestOf, type SlotEntry, type SlotName } from '../../core/update/slot-table.ts';
import type { SlotsStatus } from '../../core/update/slots.ts';
import { loadBoardProfile, thisBoard } from '../../host/platform/board.ts';
import { systemClock } from '../../host/platform/clock.ts';
import { runningMode } from '../../host/runtime/device-state.ts';
import { refuseRuntime } from '../../host/runtime/faults.ts';
import { openModel, RUN_ROLES } from '../../host/runtime/loaded-model.ts';
import {
  changeSlots,
  lookAtSlots,
  type OpenFolder,
  provisionFolder,
} from '../../host/runtime/maintenance.ts';
import { EXIT_TRY_AGAIN } from './exit-codes.ts';
import { refuseCli } from './faults.ts';
import { floorStoreOf, maintenanceOf, type StateFolderOptions } from './state-folder.ts';
import { note, say, sayJson, styled } from './terminal.ts';

interface RunningOptions extends StateFolderOptions {
  readonly board?: string;
  readonly running?: boolean;
}

export interface ProvisionCommandOptions
  extends Pick<StateFolderOptions, 'state' | 'json' | 'floorTier' | 'tcti' | 'otpFor'> {
  readonly ownerAuthFile?: string;
  readonly irreversible?: boolean;
}

export async function provision(options: ProvisionCommandOptions): Promise<void> {
  const { state, ownerAuthFile, irreversible = false } = options;
  const floorStore = floorStoreOf(options);
  if (floorStore === undefined || floorStore.tier === 'T0' || floorStore.tier === 'none') {
    throw refuseCli('cli.option', '--floor-tier T1 or T2 is what needs provisioning');
  }
  if (floorStore.tier === 'T1' && !irreversible) {
    throw refuseCli('cli.option', 'fuses stay burnt: say so with --irreversible');
  }
  const tier = need(
    await provisionFolder({ stateFolder: state, floorStore, ownerAuthFile, irreversible }),
  );
  if (options.json === true) sayJson({ provisioned: tier });
  else
    say(`${styled('green', 'provisioned')} ${state}: the rollback floor is kept in tier ${tier}`);
}

export async function status(options: StateFolderOptions): Promise<void> {
  need(
    await lookAtSlots(maintenanceOf(options), ({ slots, floors, trust }) => {
      const shown = slots.status();
      const { record } = need(floors.read());
      const { root, revocations } = trust;
      const summary = {
        slots: shown.slots.map(({ slot, entry, ready, claim }) => ({
          ...{ slot, ...entryJson(entry) },
          ...claim,
          ready,
        })),
        active: shown.active ?? null,
        pin: shown.pin ?? null,
        redundancy: shown.redundancy,
        damagedCopies: shown.damagedCopies,
        floorTier: floors.tier,
        floors: record.floors.map(({ hardwareClass, model, securityVersion, sequenceNumber }) => ({
          ...{ class: hardwareClass, model, securityVersion, sequenceNumber },
        })),
        rootVersion: root.version,
        revocationVersion: revocations?.version ?? 0,
      };
      if (options.json === true) sayJson(summary);
      else showStatus(shown, summary);
    }),
  );
}

export async function confirm(options: RunningOptions): Promise<void> {
  const confirmed = need(
    await changeSlots(maintenanceOf(options), async (folder) => {
      const shown = folder.slots.status();
      const slot = onTrial(shown)?.slot ?? shown.active;
      if (slot === undefined) throw refuseCli('cli.slots', 'no slot holds a release');
      await proveItRuns(folder, slot, options);
      return need(folder.slots.confirm(slot, folder.trust));
    }),
  );
  const { name, version } = confirmed.bundle.meta;
  if (options.json === true) sayJson({ confirmed: confirmed.slot, name, version });
  else say(`${styled('green', 'confirmed')} ${name} ${version} in slot ${confirmed.slot}`);
}

export async function revert(options: StateFolderOptions): Promise<void> {
  const { slot, bundle } = need(
    await changeSlots(maintenanceOf(options), ({ slots, trust }) => need(slots.revert(trust))),
  );
  const { name, version } = bundle.meta;
  if (options.json === true) sayJson({ reverted: slot, name, version });
  else say(`the next boot takes ${name} ${version} from slot ${slot}`);
}

/** Exit 0 where the device is healthy, 75 where that is not known yet, else the fault's. */
export async function check(options: RunningOptions): Promise<void> {
  const { state, running } = options;
  const maintenance = maintenanceOf(options);
  const checked = need(
    await lookAtSlots(maintenance, async (folder) => {
      if (running === true) await needRunning(state);
      const shown = folder.slots.status();
      const trial = onTrial(shown);
      if (trial !== undefined) return { trial, shown };
      const active = nextBooted(shown);
      if (active === undefined) throw refuseCli('cli.slots', 'no release is confirmed');
      const bundle = await proveItRuns(folder, active, options);
      return { active, bundle, shown };
    }),
  );
  if (checked.trial !== undefined) {
    const { slot: trial, attemptsLeft } = checked.trial;
    process.exitCode = EXIT_TRY_AGAIN;
    if (options.json === true) sayJson({ healthy: null, trial, attemptsLeft });
    else {
      const left = `${attemptsLeft} attempts left, one for each start of the device`;
      note(`slot ${trial} is on trial and not confirmed yet (${left}): ask again`);
    }
    return;
  }
  const { active, bundle, shown } = checked;
  const { name, version } = bundle.meta;
  const { redundancy } = shown;
  if (options.json === true) sayJson({ healthy: true, slot: active, name, version, redundancy });
  else
    say(`${styled('green', 'healthy')} ${name} ${version} in slot ${active}, ${redundancy} good`);
}

/** A device that holds the folder and gives out what its model says. */
async function needRunning(state: string): Promise<void> {
  const mode = need(await runningMode(state));
  if (mode === undefined) throw refuseCli('cli.not-running', `no device runs on ${state}`);
  if (mode === 'nominal' || mode === 'degraded') return;
  throw refuseRuntime('runtime.not-releasing', `the device on ${state} is in mode ${mode}`);
}

/** Verifies a slot and runs its golden vectors in a worker of its own. */
async function proveItRuns(
  { slots, trust }: OpenFolder,
  slot: SlotName,
  { board }: RunningOptions,
): Promise<VerifiedBundle> {
  const bundle = need(slots.judge(slot, 're-verify', { trust, keep: RUN_ROLES }));
  const limits = need(await loadBoardProfile(board ?? thisBoard()));
  const { engine } = need(await openModel(bundle, limits, systemClock));
  await engine.close();
  return bundle;
}

function onTrial({ slots }: SlotsStatus): { slot: SlotName; attemptsLeft: number } | undefined {
  for (const { slot, entry } of slots) {
    if (entry.state === 'trial') return { slot, attemptsLeft: entry.attemptsLeft };
  }
  return undefined;
}

/** The preferred slot, or the copy that boots where that one is no more and was not made anew. */
function nextBooted({ slots, active }: SlotsStatus): SlotName | undefined {
  const confirmed = slots.filter(({ entry }) => entry.state === 'confirmed');
  if (active === 'GOLDEN' || confirmed.some(({ slot }) => slot === active)) return active;
  return confirmed[0]?.slot ?? active;
}

function entryJson(entry: SlotEntry): Record<string, unknown> {
  const digest = digestOf(entry);
  return {
    state: entry.state,
    ...(entry.state === 'trial' && { attemptsLeft: entry.attemptsLeft }),
    ...(entry.state === 'bad' && { reason: entry.reason }),
    ...(digest !== undefined && { manifestSha256: toHex(digest) }),
  };
}

function showStatus(
  { slots, active, pin, redundancy, damagedCopies }: SlotsStatus,
  summary: {
    readonly floorTier: string;
    readonly rootVersion: number;
    readonly revocationVersion: number;
    readonly floors: readonly {
      readonly model: string;
      readonly class: string;
      readonly securityVersion: number;
    }[];
  },
): void {
  for (const { slot, entry, ready, claim } of slots) {
    const digest = digestOf(entry);
    const more =
      entry.state === 'trial'
        ? `, ${entry.attemptsLeft} attempts left`
        : entry.state === 'bad'
          ? `: ${entry.reason}`
          : '';
    const name = claim === undefined ? '' : `  ${claim.name} ${claim.version}`;
    const what = digest === undefined ? name : `${name}  ${toHex(digest).slice(0, 12)}`;
    const broken = digest !== undefined && !ready ? '  not whole' : '';
    const mark = slot === active ? '*' : ' ';
    say(`${mark} ${slot.padEnd(6)} ${entry.state}${more}${what}${broken}`);
  }
  if (pin !== undefined) say(`pinned to ${pin.vendor}/${pin.hardwareClass}/${pin.model}`);
  for (const floor of summary.floors) {
    say(`floor of ${floor.model} on ${floor.class}: security version ${floor.securityVersion}`);
  }
  const { floorTier, rootVersion, revocationVersion: list } = summary;
  const revoked = list === 0 ? 'no revocation list' : `revocation list ${list}`;
  say(`floors in tier ${floorTier}, root version ${rootVersion}, ${revoked}`);
  say(`${redundancy} good slots (3 is whole)`);
  if (damagedCopies > 0)
    note(styled('yellow', `${damagedCopies} damaged copies of the boot record`, 'stderr'));
}
