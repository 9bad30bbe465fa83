/** What counts upwards in a floor record never goes down, whatever the record comes to hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { FLOOR_TIERS } from '../../../src/core/telemetry/birth.ts';
import { EMPTY_FLOOR, type FloorRecord } from '../../../src/core/trust/floor.ts';
import { needNotLowered, TIERS_RISING } from '../../../src/core/trust/floor-store.ts';
import { codeOf } from '../base/outcome.ts';

const judge = (before: FloorRecord, after: FloorRecord): string =>
  codeOf(attempt(() => needNotLowered(before, after)));

const floor = fc.record({
  hardwareClass: fc.constantFrom('c', 'd'),
  model: fc.constantFrom('m', 'n'),
  securityVersion: fc.nat(3),
  sequenceNumber: fc.nat(3),
  manifestSha256: fc.constant(new Uint8Array(32)),
});
const record: fc.Arbitrary<FloorRecord> = fc
  .record({
    generation: fc.nat(3),
    rootVersion: fc.nat(3),
    revocationVersion: fc.nat(3),
    clockFloorMs: fc.nat(3),
    floors: fc.uniqueArray(floor, { selector: (one) => one.hardwareClass + one.model }),
  })
  .map((numbers) => ({ ...EMPTY_FLOOR, ...numbers }));

/** Every number of a record by its name: the rule, said in another way. */
function numbersOf({ floors, ...rest }: FloorRecord): Map<string, number> {
  const numbers = Object.entries(rest).filter((entry): entry is [string, number] => {
    return typeof entry[1] === 'number';
  });
  const models = floors.flatMap(({ hardwareClass, model, securityVersion, sequenceNumber }) => [
    [`${hardwareClass} ${model} security`, securityVersion] as const,
    [`${hardwareClass} ${model} sequence`, sequenceNumber] as const,
  ]);
  return new Map([...numbers, ...models]);
}

describe('needNotLowered', () => {
  it('accepts a record exactly when no number of the one before is lower or gone', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(record, record, (before, after) => {
        const now = numbersOf(after);
        const risen = [...numbersOf(before)].every(([name, value]) => {
          return (now.get(name) ?? -1) >= value;
        });
        const verdict = judge(before, after);
        seen.add(verdict);
        expect(verdict).toBe(risen ? 'accepted' : 'floor.lowered');
        expect(judge(before, before)).toBe('accepted');
      }),
      { seed: 11, numRuns: 2_000 },
    );
    expect([...seen].sort()).toEqual(['accepted', 'floor.lowered']);
  });

  it.each([
    ['rootVersion', 'rootSha256'],
    ['revocationVersion', 'revocationSha256'],
  ] as const)('lets %s have one digest', (version, digest) => {
    const one = { ...EMPTY_FLOOR, [version]: 2, [digest]: new Uint8Array(32).fill(1) };
    const another = { ...one, [digest]: new Uint8Array(32).fill(2) };
    expect(judge(one, another)).toBe('floor.lowered');
    expect(judge(one, { ...EMPTY_FLOOR, [version]: 2 })).toBe('floor.lowered');
    expect(judge(one, { ...another, [version]: 3 })).toBe('accepted');
    expect(judge({ ...EMPTY_FLOOR, [version]: 2 }, one)).toBe('accepted');
    expect(judge(one, { ...one, generation: 1 })).toBe('accepted');
  });

  it('lets everything else change', () => {
    const before = { ...EMPTY_FLOOR, safeOutput: new Map([['a', 1]]) };
    expect(judge(before, { ...EMPTY_FLOOR, generation: 1 })).toBe('accepted');
  });
});

describe('the tiers', () => {
  it('are those that telemetry can report, in the same order', () => {
    expect(TIERS_RISING).toEqual(FLOOR_TIERS);
  });
});
