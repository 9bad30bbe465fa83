/** The way from a state folder to a model that runs, or to the reason why none does. */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, type Fault, faultOf, need, type Result } from '../../core/base/fault.ts';
import { GOLDEN_BOOT_RUNS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import { type PayloadCheck, readManifestEntry } from '../../core/bundle/layout.ts';
import { verifyTwice } from '../../core/crypto/second-opinion.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { openEnvelope } from '../../core/suit/envelope.ts';
import type { BundleName, EdgeEvent } from '../../core/telemetry/event.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import type { VerifiedBundle } from '../../core/trust/verify.ts';
import { UPDATE_FAULTS } from '../../core/update/faults.ts';
import type { BootedSlot } from '../../core/update/recovery.ts';
import type { Trust } from '../../core/update/slot-set.ts';
import type { SlotName } from '../../core/update/slot-table.ts';
import type { Slots } from '../../core/update/slots.ts';
import type { SlotStatus } from '../../core/update/status.ts';
import { openBundleFile } from '../store/bundle-file.ts';
import { RUNTIME_FAULTS } from './faults.ts';
import { type BoardLimits, type LoadedModel, openModel, RUN_ROLES } from './loaded-model.ts';
import { recordedSafeOutput } from './recorded-safe-output.ts';

export interface BootInput {
  readonly slots: Slots;
  /** How payloads are verified; `full` unless stated. */
  readonly check?: PayloadCheck | undefined;
  readonly floors: FloorStore;
  /** Or why nothing may be trusted: then nothing runs. */
  readonly trust: Result<Trust>;
  /** Installed first where no slot holds it. */
  readonly bundlePath?: string | undefined;
  readonly board: BoardLimits;
  readonly clock: Clock;
  readonly onEvent: (event: EdgeEvent) => void;
}

export interface Booted {
  readonly model: LoadedModel | undefined;
  /** Where the model was booted from. */
  readonly slot: SlotName | undefined;
  /** Why no model runs, where none does. */
  readonly refusal: Fault | undefined;
  /** For when no model runs: the safe output of the one confirmed last. */
  readonly fallback: NamedTensors | undefined;
  /** The device runs, and there is no other good slot to fall back to. */
  readonly degraded: boolean;
}

export const NOTHING_BOOTED: Booted = {
  ...{ model: undefined, slot: undefined, refusal: undefined, fallback: undefined },
  degraded: false,
};

/**
 * Installs a new bundle where one is given, then boots the first slot whose model runs, and confirms
 * it. There is always an outcome: without floors, without trust and without a slot it is the safe
 * output on record.
 */
export async function bootModel(input: BootInput): Promise<Booted> {
  const { trust } = input;
  if (!trust.ok) return safe(input, trust.fault);
  const { bundlePath, onEvent } = input;
  if (bundlePath === undefined) return climb(input, trust.value, undefined);
  const offer = judgeOffer(input.slots, bundlePath);
  if (offer.is === 'given-up') {
    onEvent({ type: 'integrity.install-refused', fault: offer.fault.code });
    return climb(input, trust.value, offer.fault);
  }
  const refused = offer.is === 'new' ? install(input, trust.value, bundlePath) : undefined;
  const booted = await climb(input, trust.value, refused);
  // Held and found to be damaged: the same release, offered again, is new.
  const heals = booted.model === undefined && offer.is === 'held';
  if (!heals || judgeOffer(input.slots, bundlePath).is !== 'new') return booted;
  if (install(input, trust.value, bundlePath) !== undefined) return booted;
  return climb(input, trust.value, undefined);
}

export function bundleName(bundle: VerifiedBundle): BundleName {
  const { name, version, securityVersion } = bundle.meta;
  return { name, version, digest: bundle.manifestSha256, securityVersion };
}

/** Down the ladder until a model runs: one that verifies and does not run here costs a rung. */
async function climb(
  input: BootInput,
  trust: Trust,
  notInstalled: Fault | undefined,
): Promise<Booted> {
  const { slots, check = 'full', board, clock, onEvent } = input;
  const except: SlotName[] = [];
  let refusal = notInstalled;
  for (;;) {
    const { booted, ...outcome } = slots.boot({ trust, keep: RUN_ROLES, except, check });
    if (booted === undefined) {
      if (outcome.refusal?.code !== 'update.nothing-good') refusal = outcome.refusal ?? refusal;
      return safe(input, refusal ?? nothingGood(input));
    }
    const opened = await openModel(booted.bundle, board, clock, GOLDEN_BOOT_RUNS);
    if (opened.ok) {
      const { slot, bundle } = booted;
      onEvent({ type: 'integrity.boot-verified', bundle: bundleName(bundle), slot });
      const model = opened.value;
      confirm(input, trust, booted);
      // A copy that could be made again is as good as the one that was lost; what the factory put
      // there is not what was lost.
      const fellBack = booted.kind === 'golden' && (outcome.degraded || except.length > 0);
      const degraded = fellBack || slots.status().redundancy < REDUNDANCY_MIN;
      return { model, slot, refusal: undefined, fallback: undefined, degraded };
    }
    refusal = opened.fault;
    except.push(booted.slot);
    giveUp(input, booted, opened.fault);
  }
}

/**
 * The floor rises and the copy is made. Where that fails, the release runs on unconfirmed: each
 * boot spends an attempt, and the confirm is tried again.
 */
function confirm(input: BootInput, trust: Trust, booted: BootedSlot): void {
  const { slots, onEvent } = input;
  const { slot, kind, bundle, awaitsConfirm } = booted;
  const { slots: before, redundancy } = slots.status();
  if (!awaitsConfirm && redundancy >= REDUNDANCY_MIN && !before.some(isDamaged)) return;
  // A slot that could not be read today, or that one wrong root refuses, is not written over.
  const kept = before.some(({ entry }) => entry.state === 'confirmed');
  if (kind === 'golden' && kept) return;
  const confirmed = slots.confirm(slot, trust);
  if (!confirmed.ok) {
    const { code } = confirmed.fault;
    const [from, to] = awaitsConfirm ? ['trial', 'unconfirmed'] : ['confirmed', 'without-copy'];
    onEvent({ type: 'update.slot-changed', slot, from, to, cause: code });
  } else if (awaitsConfirm) {
    onEvent({ type: 'integrity.installed', bundle: bundleName(bundle), slot });
  } else if (confirmed.value.copy !== undefined) {
    const { copy } = confirmed.value;
    const from = before.find((one) => one.slot === copy)?.entry.state ?? 'empty';
    onEvent({ type: 'update.slot-changed', slot: copy, from, to: 'confirmed', cause: 'copied' });
  }
}

/** Good slots: the one that runs and one to fall back to. */
const REDUNDANCY_MIN = 2;

/** A slot of the pair to be made anew, even where GOLDEN is left. */
function isDamaged({ slot, entry, ready }: SlotStatus): boolean {
  if (slot === 'GOLDEN') return false;
  if (entry.state === 'confirmed') return !ready;
  return entry.state === 'bad' && !isOfTheRelease(entry.reason);
}

function giveUp({ slots, onEvent }: BootInput, { slot, kind }: BootedSlot, fault: Fault): void {
  // A trial that cannot work is over; one that was too slow or crashed has its attempts.
  const rejected = kind === 'trial' && !isPassing(fault) && slots.reject(slot, fault).ok;
  if (!rejected) onEvent({ type: 'integrity.boot-refused', fault: fault.code, slot });
}

const PASSING: readonly string[] = [
  'inference.crashed',
  'inference.deadline',
  'inference.memory',
  'inference.respawn-budget',
  'inference.session-deadline',
  'runtime.soak',
];

function isPassing({ code }: Fault): boolean {
  return PASSING.includes(code);
}

type Offer =
  | { readonly is: 'new' | 'held' }
  /** It was tried here, and what was found out then still stands. */
  | { readonly is: 'given-up'; readonly fault: Fault };

/**
 * Whether a slot holds the release that was given, whole or given up. While its slot is not needed
 * for another one, a release that was given up is not tried again: where there is nothing else, a
 * process that it ends would end at every start. `edgeward install` tries it anew.
 */
function judgeOffer(slots: Slots, bundlePath: string): Offer {
  const digest = attempt(() => {
    const source = need(openBundleFile(bundlePath));
    try {
      return need(openEnvelope(need(readManifestEntry(source)).bytes)).manifestSha256;
    } finally {
      source.close();
    }
  });
  // What cannot be read is refused where it would be installed.
  if (!digest.ok) return { is: 'new' };
  const holding = slots
    .status()
    .slots.filter(({ marked }) => marked !== undefined && equalBytes(marked, digest.value));
  if (holding.some(({ ready }) => ready)) return { is: 'held' };
  for (const { slot, entry } of holding) {
    if (entry.state !== 'bad' || !isOfTheRelease(entry.reason)) continue;
    const message = `slot ${slot} held it and gave it up: ${entry.reason}`;
    return { is: 'given-up', fault: faultOf(RUNTIME_FAULTS, 'runtime.given-up', message) };
  }
  return { is: 'new' };
}

/** Nothing that was damaged: the release itself would be no better when it comes in again. */
function isOfTheRelease(reason: string): boolean {
  const family = reason.slice(0, reason.indexOf('.'));
  return (
    ['golden', 'guard', 'inference', 'policy', 'runtime'].includes(family) ||
    reason === 'update.trial-exhausted' ||
    reason === 'update.reverted'
  );
}

/** The fault where the bundle was refused; the slots tell it, unless it could not even be opened. */
function install({ slots, onEvent }: BootInput, trust: Trust, path: string): Fault | undefined {
  const opened = openBundleFile(path);
  if (!opened.ok) {
    onEvent({ type: 'integrity.install-refused', fault: opened.fault.code });
    return opened.fault;
  }
  try {
    // New here, and rare: both implementations judge its signatures.
    const staged = slots.install(opened.value, { trust, signatureCheck: verifyTwice });
    return staged.ok ? undefined : staged.fault;
  } finally {
    opened.value.close();
  }
}

function safe({ floors, onEvent }: BootInput, refusal: Fault): Booted {
  onEvent({ type: 'integrity.boot-refused', fault: refusal.code });
  const read = floors.read();
  const fallback = read.ok ? recordedSafeOutput(read.value.record) : undefined;
  return { ...NOTHING_BOOTED, refusal, fallback };
}

function nothingGood({ slots }: BootInput): Fault {
  const entries = slots.status().slots.map(({ slot, entry }) => ({ slot, ...entry }));
  const told = entries.map((entry) =>
    entry.state === 'bad' ? `${entry.slot} bad: ${entry.reason}` : `${entry.slot} ${entry.state}`,
  );
  const message = `slots: ${told.join(', ')}`;
  return entries.every(({ state }) => state === 'empty')
    ? faultOf(RUNTIME_FAULTS, 'runtime.not-installed', message)
    : faultOf(UPDATE_FAULTS, 'update.nothing-good', message);
}
