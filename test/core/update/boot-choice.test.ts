/** The ladder, as a pure function: what is tried in which order, and what is given up before. */
import { describe, expect, it } from 'vitest';
import { EMPTY_FLOOR, type FloorRecord } from '../../../src/core/trust/floor.ts';
import {
  bootPlan,
  type ReadyMark,
  type ReadyMarks,
  rebuiltRecord,
} from '../../../src/core/update/boot-choice.ts';
import { type BootRecord, EMPTY_BOOT_RECORD } from '../../../src/core/update/boot-record.ts';
import { DISK_FAULTS } from '../../../src/core/update/faults.ts';
import type { SlotEntry } from '../../../src/core/update/slot-table.ts';

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);
const FACTORY = new Uint8Array(32).fill(3);

const confirmed = (manifestSha256: Uint8Array): SlotEntry => ({
  state: 'confirmed',
  manifestSha256,
});
const staged = (manifestSha256: Uint8Array): SlotEntry => ({ state: 'staged', manifestSha256 });
const staging = (manifestSha256: Uint8Array): SlotEntry => ({ state: 'staging', manifestSha256 });
const trial = (manifestSha256: Uint8Array, attemptsLeft = 3): SlotEntry => ({
  state: 'trial',
  manifestSha256,
  attemptsLeft,
});

function recordOf(
  slots: Partial<BootRecord['slots']>,
  change: Partial<BootRecord> = {},
): BootRecord {
  return { ...EMPTY_BOOT_RECORD, ...change, slots: { ...EMPTY_BOOT_RECORD.slots, ...slots } };
}

function marksOf(marks: Partial<Record<'A' | 'B' | 'GOLDEN', Uint8Array | ReadyMark>>): ReadyMarks {
  const markOf = (value: Uint8Array | ReadyMark | undefined): ReadyMark =>
    value instanceof Uint8Array ? { digest: value } : (value ?? {});
  return { A: markOf(marks.A), B: markOf(marks.B), GOLDEN: markOf(marks.GOLDEN) };
}

const floorsWith = (manifestSha256: Uint8Array): FloorRecord => ({
  ...EMPTY_FLOOR,
  goldenSha256: FACTORY,
  floors: [
    { hardwareClass: 'pi', model: 'rotor', securityVersion: 1, sequenceNumber: 1, manifestSha256 },
  ],
});

/** `slot kind act`, with a `$` where an attempt is spent. */
function ladder(record: BootRecord | undefined, marks: ReadyMarks, floors = floorsWith(OLD)) {
  return bootPlan(record, marks, floors).rungs.map(
    ({ slot, kind, act, spends }) => `${slot} ${kind} ${act}${spends ? ' $' : ''}`,
  );
}

const whole = { A: OLD, B: OLD, GOLDEN: FACTORY };
const WHOLE = recordOf(
  { A: confirmed(OLD), B: confirmed(OLD), GOLDEN: staged(FACTORY) },
  { active: 'A' },
);

describe('the ladder', () => {
  it('has no rung where nothing was ever installed', () => {
    expect(ladder(undefined, marksOf({}))).toEqual([]);
  });

  it('goes from the preferred slot over its copy to GOLDEN', () => {
    expect(ladder(WHOLE, marksOf(whole))).toEqual([
      'A confirmed boot',
      'B other boot',
      'GOLDEN golden revert',
    ]);
    expect(ladder({ ...WHOLE, active: 'B' }, marksOf(whole))[0]).toBe('B confirmed boot');
    expect(ladder({ ...WHOLE, active: 'GOLDEN' }, marksOf(whole))[0]).toBe('GOLDEN golden revert');
  });

  it('tries a release on trial first, and an attempt is the price', () => {
    const record = recordOf(
      { A: confirmed(OLD), B: trial(NEW), GOLDEN: staged(FACTORY) },
      { active: 'A' },
    );
    expect(ladder(record, marksOf({ ...whole, B: NEW }))).toEqual([
      'B trial install $',
      'A confirmed boot',
      'GOLDEN golden revert',
    ]);
  });

  it('judges what the factory did not put into its slot as an install, with a record or without', () => {
    const planted = { A: OLD, B: OLD, GOLDEN: NEW };
    const record = recordOf({ GOLDEN: staged(NEW) });
    expect(ladder(record, marksOf(planted))).toEqual(['GOLDEN golden install']);
    expect(ladder(undefined, marksOf(planted)).at(-1)).toBe('GOLDEN golden install');
    expect(ladder(undefined, marksOf({ GOLDEN: OLD }))).toEqual(['GOLDEN golden boot']);
  });

  it('leaves a release alone that waits for its activation', () => {
    const record = recordOf({ A: confirmed(OLD), B: staged(NEW) }, { active: 'A' });
    expect(ladder(record, marksOf({ A: OLD, B: NEW }))).toEqual(['A confirmed boot']);
  });

  it('treats what is being confirmed as proven, and its finished copy too', () => {
    const record = recordOf(
      { A: staging(NEW), B: trial(NEW, 0) },
      { active: 'A', confirming: 'B' },
    );
    expect(ladder(record, marksOf({ B: NEW }))).toEqual(['B proven boot']);
    expect(ladder(record, marksOf({ A: NEW, B: NEW }))).toEqual(['B proven boot', 'A proven boot']);
  });
});

describe('before the ladder', () => {
  const givenUp = (record: BootRecord, marks: ReadyMarks) =>
    bootPlan(record, marks, floorsWith(OLD)).givenUp.map(({ slot, reason }) => `${slot} ${reason}`);

  it('an interrupted install, an exhausted trial, a missing marker and another one are given up', () => {
    expect(givenUp(recordOf({ B: staging(NEW) }), marksOf({}))).toEqual(['B update.interrupted']);
    expect(givenUp(recordOf({ B: trial(NEW, 0) }), marksOf({ B: NEW }))).toEqual([
      'B update.trial-exhausted',
    ]);
    expect(givenUp(WHOLE, marksOf({ A: OLD, GOLDEN: FACTORY }))).toEqual(['B update.not-ready']);
    expect(givenUp(WHOLE, marksOf({ ...whole, A: NEW }))).toEqual(['A update.other-release']);
  });

  it('a marker that the medium does not give says nothing about the slot', () => {
    const fault = { code: 'disk.io', message: 'm', next: DISK_FAULTS['disk.io'] };
    const plan = bootPlan(WHOLE, marksOf({ ...whole, A: { fault } }), floorsWith(OLD));
    expect(plan.givenUp).toEqual([]);
    expect(plan.unreadable).toEqual([{ slot: 'A', fault }]);
    expect(plan.record.slots.A).toEqual(confirmed(OLD));
    expect(plan.rungs.map(({ slot }) => slot)).toEqual(['B', 'GOLDEN']);
  });
});

describe('without a record', () => {
  it('nothing counts as confirmed', () => {
    const { slots, rebuilt } = rebuiltRecord(marksOf(whole));
    expect([slots.A.state, slots.B.state, slots.GOLDEN.state]).toEqual([
      'trial',
      'trial',
      'staged',
    ]);
    expect(rebuilt).toBe(true);
    expect(rebuiltRecord(marksOf({})).rebuilt).toBe(false);
  });

  it('what the floor attests goes first and costs nothing; the rest is judged like an install', () => {
    expect(ladder(undefined, marksOf({ A: NEW, B: OLD, GOLDEN: FACTORY }))).toEqual([
      'B proven boot',
      'A trial install $',
      'GOLDEN golden revert',
    ]);
  });
});
