/** What the slots tell about themselves while they work: one object for each step, for telemetry. */
import type { RungKind } from './boot-choice.ts';
import type { SlotName } from './slot-table.ts';

export type UpdateStep =
  /** Published and waiting; "installed" is said by `confirmed` only (hawkBit #3185). */
  | { readonly step: 'staged'; readonly slot: SlotName; readonly manifestSha256: Uint8Array }
  /** What was staged is removed; what runs is untouched. */
  | { readonly step: 'install-refused'; readonly fault: string }
  /** One or both copies of the boot record were damaged or behind; written anew. */
  | { readonly step: 'record-healed'; readonly damagedCopies: number }
  /** No copy of the boot record was left: nothing counts as confirmed any more. */
  | { readonly step: 'record-rebuilt'; readonly damagedCopies: number }
  | { readonly step: 'attempt-spent'; readonly slot: SlotName; readonly attemptsLeft: number }
  /** The attempt could not be made durable, so the release was not booted. */
  | { readonly step: 'trial-postponed'; readonly slot: SlotName; readonly fault: string }
  /** Refused; `bad` where the slot is given up, false where another root or list may readmit it. */
  | {
      readonly step: 'slot-refused';
      readonly slot: SlotName;
      readonly fault: string;
      readonly bad: boolean;
    }
  /** The medium did not give the bytes: nothing is said about them. */
  | { readonly step: 'slot-unreadable'; readonly slot: SlotName; readonly fault: string }
  | {
      readonly step: 'slot-chosen';
      readonly slot: SlotName;
      readonly kind: RungKind;
      readonly manifestSha256: Uint8Array;
    }
  | { readonly step: 'safe-output'; readonly fault: string }
  /** A confirm that was interrupted was taken up again at boot; the fault where it failed again. */
  | { readonly step: 'confirm-resumed'; readonly slot: SlotName; readonly fault?: string }
  | { readonly step: 'confirmed'; readonly slot: SlotName; readonly manifestSha256: Uint8Array }
  | { readonly step: 'reverted'; readonly slot: SlotName; readonly manifestSha256: Uint8Array };
