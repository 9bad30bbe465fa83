/** The states of a slot: every way that the table allows, and none beside it. */
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import { TRIAL_ATTEMPTS } from '../../../src/core/base/limits.ts';
import {
  advance,
  digestOf,
  SLOT_STATES,
  type SlotCause,
  type SlotEntry,
  type SlotState,
} from '../../../src/core/update/slot-table.ts';

const manifestSha256 = new Uint8Array(32).fill(1);

function entryIn(state: SlotState): SlotEntry {
  if (state === 'empty') return { state };
  if (state === 'bad') return { state, reason: 'bundle.file-digest' };
  if (state === 'trial') return { state, manifestSha256, attemptsLeft: 2 };
  return { state, manifestSha256 };
}

const CAUSES: Record<SlotCause['cause'], SlotCause> = {
  begin: { cause: 'begin', manifestSha256: new Uint8Array(32).fill(2) },
  publish: { cause: 'publish' },
  arm: { cause: 'arm' },
  spend: { cause: 'spend' },
  confirm: { cause: 'confirm' },
  refuse: { cause: 'refuse', reason: 'update.reverted' },
};

/** What becomes of each state, row by row as in the design. */
const EXPECTED: Record<SlotState, Partial<Record<SlotCause['cause'], SlotState>>> = {
  empty: { begin: 'staging', refuse: 'bad' },
  staging: { begin: 'staging', publish: 'staged', refuse: 'bad' },
  staged: { begin: 'staging', arm: 'trial', confirm: 'confirmed', refuse: 'bad' },
  trial: { begin: 'staging', arm: 'trial', spend: 'trial', confirm: 'confirmed', refuse: 'bad' },
  confirmed: { begin: 'staging', confirm: 'confirmed', refuse: 'bad' },
  bad: { begin: 'staging', refuse: 'bad' },
};

const ways = SLOT_STATES.flatMap((state) =>
  Object.values(CAUSES).map((cause) => [state, cause, EXPECTED[state][cause.cause]] as const),
);

describe('a slot', () => {
  it.each(ways.filter(([, , to]) => to !== undefined))(
    'goes from %s by %o to %s',
    (from, cause, to) => {
      expect(advance(entryIn(from), cause).state).toBe(to);
    },
  );

  it.each(ways.filter(([, , to]) => to === undefined))(
    'that is %s has no way by %o',
    (from, cause) => {
      expect(() => advance(entryIn(from), cause)).toThrow(AssertionFailure);
    },
  );

  it('spends attempts one by one, and none that it has not', () => {
    let entry = advance({ state: 'staged', manifestSha256 }, { cause: 'arm' });
    for (let left = TRIAL_ATTEMPTS; left > 0; left--) {
      expect(entry).toMatchObject({ state: 'trial', attemptsLeft: left });
      entry = advance(entry, { cause: 'spend' });
    }
    expect(entry).toMatchObject({ attemptsLeft: 0 });
    expect(() => advance(entry, { cause: 'spend' })).toThrow(AssertionFailure);
  });

  it('keeps its release until another one is begun, and its reason when it is given up', () => {
    const begun = advance(entryIn('confirmed'), CAUSES.begin);
    expect(digestOf(begun)).toEqual(new Uint8Array(32).fill(2));
    const bad = advance(begun, CAUSES.refuse);
    expect(bad).toEqual({ state: 'bad', reason: 'update.reverted' });
    expect(digestOf(bad)).toBeUndefined();
  });
});
