/** The slots of a state folder on the real disk, and what they tell as events of the device. */
import type { Fault } from '../../core/base/fault.ts';
import type { PayloadCheck } from '../../core/bundle/layout.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
import { slotFolder } from '../../core/update/slot-layout.ts';
import { openSlots, type Slots } from '../../core/update/slots.ts';
import type { UpdateStep } from '../../core/update/step.ts';
import { measuringDisk, sealFile } from '../platform/kernel-verity.ts';
import { realDisk } from '../store/disk.ts';

/**
 * How the payloads of a slot are verified at boot. `full` hashes every byte. `lazy` verifies what is
 * read as it is read, and leaves the rest. `kernel` lets fs-verity vouch for every page as it comes
 * from the medium, from the install on; what it cannot vouch for is hashed, and the reason is told.
 */
export type Verification = 'full' | 'lazy' | 'kernel';
export const VERIFICATIONS: readonly Verification[] = ['full', 'lazy', 'kernel'];

export interface DeviceSlotsInput {
  readonly stateFolder: string;
  readonly macKey: Uint8Array;
  readonly floors: FloorStore;
  /** From the image, where it fixes vendor, class and model. */
  readonly pin?: SetPin | undefined;
  /** `full` unless stated. */
  readonly verification?: Verification | undefined;
  readonly onEvent: (event: EdgeEvent) => void;
  readonly log?: ((line: string) => void) | undefined;
}

export interface DeviceSlots {
  readonly slots: Slots;
  /** For `slots.boot` and `slots.judge`. */
  readonly check: PayloadCheck;
}

export function openDeviceSlots(input: DeviceSlotsInput): DeviceSlots {
  const { stateFolder, macKey, floors, pin, verification = 'full', onEvent, log } = input;
  const told = new Set<string>();
  const tellOnce = (path: string, { code, message }: Fault): void => {
    if (!told.has(code)) log?.(`${path} is hashed: ${code}: ${message}`);
    told.add(code);
  };
  const kernel = verification === 'kernel' ? measuringDisk(realDisk, tellOnce) : undefined;
  const slots = openSlots({
    disk: kernel?.disk ?? realDisk,
    folder: stateFolder,
    macKey,
    floors,
    ...(pin !== undefined && { pin }),
    onStep: (step) => {
      if (kernel !== undefined) sealAfter(step, stateFolder, tellOnce);
      const event = eventOf(step);
      if (event !== undefined) onEvent(event);
    },
  });
  return { slots, check: kernel?.check ?? (verification === 'lazy' ? 'lazy' : 'full') };
}

/** What was published is never written again: its pages are the kernel's to vouch for from now on. */
function sealAfter(
  step: UpdateStep,
  stateFolder: string,
  tellOnce: (path: string, fault: Fault) => void,
): void {
  const written =
    step.step === 'staged' ? [step.slot] : step.step === 'confirmed' ? (['A', 'B'] as const) : [];
  for (const slot of written) {
    const folder = slotFolder(stateFolder, slot);
    const names = realDisk.list(folder);
    for (const name of names.ok ? names.value : []) {
      const sealed = sealFile(`${folder}/${name}`);
      if (!sealed.ok) tellOnce(`${folder}/${name}`, sealed.fault);
    }
  }
}

/**
 * What a step is to the fleet. Two are told by who knows more: the slot that was chosen, once its
 * model runs, and the end of a confirm, with the name of the release ("installed" is said no earlier,
 * hawkBit #3185).
 */
export function eventOf(step: UpdateStep): EdgeEvent | undefined {
  switch (step.step) {
    case 'staged':
      return moved(step.slot, 'staging', 'staged', 'install');
    case 'install-refused':
      return { type: 'integrity.install-refused', fault: step.fault };
    case 'record-healed':
    case 'record-rebuilt':
      return moved('boot-record', `damaged-${step.damagedCopies}`, step.step, 'boot');
    case 'attempt-spent':
      return moved(step.slot, 'trial', 'trial', `attempts-left-${step.attemptsLeft}`);
    case 'trial-postponed':
      return moved(step.slot, 'trial', 'postponed', step.fault);
    case 'slot-refused':
    case 'slot-unreadable':
      return { type: 'integrity.boot-refused', fault: step.fault, slot: step.slot };
    case 'confirm-resumed':
      return moved(step.slot, 'trial', 'confirming', step.fault ?? 'resumed');
    case 'reverted':
      return moved(step.slot, 'confirmed', 'active', 'revert');
    case 'safe-output':
    case 'slot-chosen':
    case 'confirmed':
      return undefined;
  }
}

function moved(slot: string, from: string, to: string, cause: string): EdgeEvent {
  return { type: 'update.slot-changed', slot, from, to, cause };
}
