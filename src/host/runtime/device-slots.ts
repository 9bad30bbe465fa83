/** The slots of a state folder on the real disk, and what they tell as events of the device. */
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import type { SetPin } from '../../core/update/boot-record.ts';
import { openSlots, type Slots } from '../../core/update/slots.ts';
import type { UpdateStep } from '../../core/update/step.ts';
import { realDisk } from '../store/disk.ts';

export interface DeviceSlotsInput {
  readonly stateFolder: string;
  readonly macKey: Uint8Array;
  readonly floors: FloorStore;
  /** From the image, where it fixes vendor, class and model. */
  readonly pin?: SetPin | undefined;
  readonly onEvent: (event: EdgeEvent) => void;
}

export function openDeviceSlots(input: DeviceSlotsInput): Slots {
  const { stateFolder, macKey, floors, pin, onEvent } = input;
  return openSlots({
    disk: realDisk,
    folder: stateFolder,
    macKey,
    floors,
    ...(pin !== undefined && { pin }),
    onStep: (step) => {
      const event = eventOf(step);
      if (event !== undefined) onEvent(event);
    },
  });
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
