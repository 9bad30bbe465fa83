/** The table of held frames: who waits, until when, and that nobody waits for ever. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beginHold,
  endHold,
  expireHolds,
  type Holds,
  NO_HOLDS,
  nextExpiryMs,
  waitingHold,
} from '../../../src/core/guard/hold.ts';
import { ms } from './frames.ts';

const LIMITS = { holdMaxMs: 100, holdsMax: 2 };
const begun = (holds: Holds, frame: number, nowMs: number) =>
  beginHold(holds, frame, LIMITS, ms(nowMs));

describe('held frames', () => {
  it('get ids of their own, and an end', () => {
    const first = begun(NO_HOLDS, 7, 5);
    expect(first.hold).toEqual({ id: 1, frame: 7, untilMs: 105 });
    const second = begun(first.holds, 8, 9);
    expect(second.hold).toEqual({ id: 2, frame: 8, untilMs: 109 });
    expect(nextExpiryMs(second.holds)).toBe(105);
    expect(nextExpiryMs(NO_HOLDS)).toBeUndefined();
  });

  it('are never more than may wait, and a frame beyond takes no id', () => {
    const full = begun(begun(NO_HOLDS, 1, 0).holds, 2, 0).holds;
    const beyond = begun(full, 3, 0);
    expect(beyond).toEqual({ holds: full, hold: undefined });
    const freed = endHold(full, 1);
    expect(begun(freed, 4, 0).hold?.id).toBe(3);
  });

  it('are answered until their end and not at it, once, and by their own id', () => {
    const { holds } = begun(NO_HOLDS, 1, 0);
    expect(waitingHold(holds, 1, ms(99))?.frame).toBe(1);
    expect(waitingHold(holds, 1, ms(100))).toBeUndefined();
    expect(waitingHold(holds, 2, ms(0))).toBeUndefined();
    expect(waitingHold(endHold(holds, 1), 1, ms(0))).toBeUndefined();
  });

  it('expire exactly when no answer is taken any more', () => {
    const holds = begun(begun(NO_HOLDS, 1, 0).holds, 2, 50).holds;
    expect(expireHolds(holds, ms(99)).expired).toEqual([]);
    const at = expireHolds(holds, ms(100));
    expect(at.expired.map(({ frame }) => frame)).toEqual([1]);
    expect(at.holds.waiting.map(({ frame }) => frame)).toEqual([2]);
    // A clock that says nothing lets nobody wait on.
    expect(expireHolds(holds, ms(Number.NaN)).expired).toHaveLength(2);
  });

  it('stay within their bounds and lose none, whatever happens', () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constant('begin' as const), value: fc.nat(50) }),
      fc.record({ kind: fc.constant('end' as const), value: fc.nat(20) }),
      fc.record({ kind: fc.constant('expire' as const), value: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        let holds = NO_HOLDS;
        let nowMs = 0;
        const out: number[] = [];
        for (const { kind, value } of acts) {
          nowMs += kind === 'end' ? 0 : value;
          if (kind === 'begin') holds = begun(holds, 0, nowMs).holds;
          if (kind === 'end' && waitingHold(holds, value, ms(nowMs))) {
            holds = endHold(holds, value);
            out.push(value);
          }
          if (kind === 'expire') {
            const step = expireHolds(holds, ms(nowMs));
            holds = step.holds;
            out.push(...step.expired.map(({ id }) => id));
          }
          expect(holds.waiting.length).toBeLessThanOrEqual(LIMITS.holdsMax);
          const ids = [...out, ...holds.waiting.map(({ id }) => id)].sort((a, b) => a - b);
          expect(ids).toEqual(Array.from({ length: holds.lastId }, (_, i) => i + 1));
        }
      }),
    );
  });
});
