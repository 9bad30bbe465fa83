/**
 * The states of a slot as a table:
 *
 *     EMPTY -> STAGING -> STAGED -> TRIAL(attempts left) -> CONFIRMED          any -> BAD(reason)
 *
 * Slots A and B take turns; GOLDEN holds what the factory put there and is STAGED or BAD.
 */
import { assert } from '../base/fault.ts';
import { TRIAL_ATTEMPTS } from '../base/limits.ts';

export type SlotName = 'A' | 'B' | 'GOLDEN';
export const SLOT_NAMES: readonly SlotName[] = ['A', 'B', 'GOLDEN'];

export type SlotState = 'empty' | 'staging' | 'staged' | 'trial' | 'confirmed' | 'bad';
export const SLOT_STATES: readonly SlotState[] = [
  'empty',
  'staging',
  'staged',
  'trial',
  'confirmed',
  'bad',
];

export type SlotEntry =
  | { readonly state: 'empty' }
  | { readonly state: 'staging' | 'staged' | 'confirmed'; readonly manifestSha256: Uint8Array }
  | {
      readonly state: 'trial';
      readonly manifestSha256: Uint8Array;
      /** Boots that may still be tried; at 0 the trial that runs is the last one. */
      readonly attemptsLeft: number;
    }
  /** `reason` is a fault code. */
  | { readonly state: 'bad'; readonly reason: string };

export type SlotCause =
  | { readonly cause: 'begin'; readonly manifestSha256: Uint8Array }
  | { readonly cause: 'publish' | 'arm' | 'spend' | 'confirm' }
  | { readonly cause: 'refuse'; readonly reason: string };

type Row = Partial<Record<SlotCause['cause'], SlotState>>;

/** What is not in the table is a programmer's error. */
const TABLE = {
  empty: { begin: 'staging', refuse: 'bad' },
  staging: { begin: 'staging', publish: 'staged', refuse: 'bad' },
  staged: { begin: 'staging', arm: 'trial', confirm: 'confirmed', refuse: 'bad' },
  // RAUC #490: attempts are spent here and nowhere else.
  trial: { begin: 'staging', arm: 'trial', spend: 'trial', confirm: 'confirmed', refuse: 'bad' },
  confirmed: { begin: 'staging', confirm: 'confirmed', refuse: 'bad' },
  bad: { begin: 'staging', refuse: 'bad' },
} as const satisfies Record<SlotState, Row>;

/** The entry after the cause; asserts that the table allows it. */
export function advance(entry: SlotEntry, cause: SlotCause): SlotEntry {
  const row: Row = TABLE[entry.state];
  const state = row[cause.cause];
  assert(state !== undefined, `a slot that is ${entry.state} cannot ${cause.cause}`);
  if (cause.cause === 'begin') return { state: 'staging', manifestSha256: cause.manifestSha256 };
  if (cause.cause === 'refuse') return { state: 'bad', reason: cause.reason };
  const manifestSha256 = digestOf(entry);
  assert(manifestSha256 !== undefined, 'only a slot with a release advances');
  if (state !== 'trial') {
    assert(state === 'staged' || state === 'confirmed', 'the table names no other state');
    return { state, manifestSha256 };
  }
  if (cause.cause === 'arm') return { state, manifestSha256, attemptsLeft: TRIAL_ATTEMPTS };
  assert(entry.state === 'trial' && entry.attemptsLeft > 0, 'an attempt is left to be spent');
  return { state, manifestSha256, attemptsLeft: entry.attemptsLeft - 1 };
}

/** The release that the entry names. */
export function digestOf(entry: SlotEntry): Uint8Array | undefined {
  return 'manifestSha256' in entry ? entry.manifestSha256 : undefined;
}
