import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALLER_STATE_BYTES_MAX, CALLERS_MAX } from '../../../src/core/base/limits.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  CALLER_FAULTS,
  decodeCallers,
  encodeCallers,
} from '../../../src/core/guard/caller-codec.ts';
import { judgeCaller } from '../../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../../src/core/guard/caller-plan.ts';
import { type CallersState, NO_CALLERS } from '../../../src/core/guard/caller-state.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { REFERENCE, settings, usualFrames } from './caller-frames.ts';
import { ms } from './frames.ts';

const MODEL = new Uint8Array(32).fill(7);
const SETTINGS = settings({ kills: 2, quarantineMs: 10_000, budgetPeriodMs: 20_000 });

/** After some frames and kills of some callers. */
function lived(acts: readonly (readonly [name: string, kill: boolean])[]): CallersState {
  const frames = usualFrames(1);
  let state = NO_CALLERS;
  acts.forEach(([name, killed], i) => {
    state = planCaller(state, SETTINGS, name, ms(10 * i)).state;
    const rules = { settings: SETTINGS, reference: REFERENCE };
    state = judgeCaller(state, rules, name, { ...frames(), killed }, ms(10 * i)).state;
  });
  return state;
}

/** All that is written: times as they are counted from `nowMs`, no frames. */
function written(state: CallersState, nowMs: number): unknown {
  const bytes = encodeCallers(state, MODEL, ms(nowMs));
  return accepted(decodeCallers(bytes, MODEL, SETTINGS, ms(0)));
}

const act = fc.tuple(fc.constantFrom('a', 'b', 'ü', '__proto__', ''), fc.boolean());
const LIVED = lived([
  ['a', false],
  ['a', true],
  ['b', false],
  ['a', true],
  ['', false],
]);
const bytesOf = (state: CallersState, nowMs = 100): Uint8Array =>
  encodeCallers(state, MODEL, ms(nowMs));
const decoded = (bytes: Uint8Array, rules = SETTINGS): ReturnType<typeof decodeCallers> =>
  decodeCallers(bytes, MODEL, rules, ms(0));

describe('the state of callers', () => {
  it('comes back as it was written, and is written again as the same bytes', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
        const bytes = bytesOf(lived(acts));
        const state = accepted(decoded(bytes));
        expect(bytesOf(state, 0)).toEqual(bytes);
        expect(written(state, 0)).toEqual(state);
      }),
    );
  });

  it('takes evidence, budgets and quarantines over a restart, and no frames', () => {
    const before = LIVED.records.get('a');
    const after = accepted(decoded(bytesOf(LIVED))).records.get('a');
    expect(before?.kept.length).toBeGreaterThan(0);
    expect(after).toMatchObject({
      ...{ used: before?.used, novelty: before?.novelty, near: before?.near },
      ...{ kept: [], last: undefined, periodAtMs: -100, killsAtMs: [-90, -70] },
      quarantinedUntilMs: 30 + 10_000 - 100,
    });
  });

  it('lets no time pass while the device is off', () => {
    const restarted = accepted(decodeCallers(bytesOf(LIVED), MODEL, SETTINGS, ms(5e9)));
    const [found] = planCaller(restarted, SETTINGS, 'a', ms(5e9)).findings;
    expect(found).toMatchObject({ code: 'caller.quarantined', value: 9_930 });
    expect(planCaller(restarted, SETTINGS, 'a', ms(5e9 + 9_930)).findings).toEqual([]);
  });

  it('is refused on another model, with the way forward', () => {
    const other = decodeCallers(bytesOf(LIVED), new Uint8Array(32), SETTINGS, ms(0));
    const fault = faultIn(other);
    expect(fault.code).toBe('caller.other-model');
    expect(CALLER_FAULTS['caller.other-model']).toBe(fault.next);
  });

  it('keeps the places of principals that newer settings declare', () => {
    const many = Array.from({ length: CALLERS_MAX }, (_, i) => [`n${i}`, false] as const);
    const bytes = bytesOf(lived(many));
    const declared = { kind: 'query', perSecond: 1, burst: 1, budget: 0 } as const;
    const newer = settings({
      principals: new Map([
        ['app', declared],
        ['n63', declared],
      ]),
    });
    const state = accepted(decodeCallers(bytes, MODEL, newer, ms(0)));
    expect(state.records.size).toBe(CALLERS_MAX - 1);
    expect(state.records.has('n63')).toBe(true);
    const { records } = planCaller(state, newer, 'app', ms(0)).state;
    expect(records.size).toBe(CALLERS_MAX);
    expect(codeOf(decodeCallers(bytesOf({ ...state, records }), MODEL, newer, ms(0)))).toBe(
      'accepted',
    );
  });

  it('fits its limit with every place taken by the longest name', () => {
    const acts = Array.from({ length: 2 * CALLERS_MAX }, (_, i) => {
      const name = `${String(i).padStart(3, '0')}${'語'.repeat(125)}`;
      return [name, true] as const;
    });
    const bytes = bytesOf(lived([...acts, ...acts]));
    expect(bytes.length).toBeLessThan(CALLER_STATE_BYTES_MAX);
    expect(accepted(decoded(bytes)).records.size).toBe(CALLERS_MAX);
  });
});

describe('hostile bytes', () => {
  const good = bytesOf(LIVED);

  it('are a fault or a state that can be stepped on and written, each flipped bit of it', () => {
    let faults = 0;
    for (let bit = 0; bit < 8 * good.length; bit++) {
      const bytes = good.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const result = decoded(bytes);
      if (!result.ok) {
        expect(result.fault.code).toMatch(/^(cbor|field|caller)\./);
        faults += 1;
        continue;
      }
      const { state } = planCaller(result.value, SETTINGS, 'a', ms(1));
      const rules = { settings: SETTINGS, reference: REFERENCE };
      const judged = judgeCaller(state, rules, 'a', usualFrames(9)(), ms(1)).state;
      expect(codeOf(decoded(bytesOf(judged)))).toBe('accepted');
    }
    expect(faults).toBeGreaterThan(good.length);
  });

  it('are a fault wherever they end early, and when they are anything else', () => {
    for (let end = 0; end < good.length; end++) {
      expect(codeOf(decoded(good.slice(0, end)))).toMatch(/^cbor\./);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(decoded(bytes))).toMatch(/^(cbor|field)\./);
      }),
    );
    expect(codeOf(decoded(new Uint8Array(CALLER_STATE_BYTES_MAX + 1)))).toBe('cbor.size');
  });

  it('cannot hold more records or kills than there may be', () => {
    const record = new Map<string, unknown>([
      ...([
        ['tokens', 1],
        ['used', 1],
        ['period-age', 0],
        ['kill-ages', []],
      ] as const),
      ...([
        ['novelty', [0, 0, 0, 0]],
        ['near', [0, 0, 0, 0]],
        ['flips', [0, 0, 0, 0]],
      ] as const),
    ]);
    const state = (records: unknown): Uint8Array =>
      encodeCbor(
        new Map<string, unknown>([
          ...([
            ['profile', 'edgeward-callers/1'],
            ['model', MODEL],
          ] as const),
          ['records', records],
        ]) as never,
      );
    const with1 = (changes: readonly [string, unknown][]): string =>
      codeOf(decoded(state(new Map([['a', new Map([...record, ...changes])]]))));
    expect(with1([])).toBe('accepted');
    expect(with1([['kill-ages', [1, 2, 3, 4]]])).toBe('field.range');
    expect(with1([['kill-ages', [-1]]])).toBe('field.range');
    expect(with1([['near', [0, 0, 0]]])).toBe('field.missing');
    expect(with1([['near', [0, 0, 0, -1]]])).toBe('field.range');
    expect(with1([['near', [0, 1e21, 0, 0]]])).toBe('field.range');
    expect(with1([['tokens', 2e9]])).toBe('field.range');
    expect(with1([['used', 2 ** 52 + 1]])).toBe('field.range');
    expect(with1([['quarantine-left', 3e9]])).toBe('field.range');
    expect(with1([['extra', 1]])).toBe('field.unknown');
    const full = Array.from({ length: CALLERS_MAX + 1 }, (_, i) => [`n${i}`, record] as const);
    expect(codeOf(decoded(state(new Map(full))))).toBe('field.range');
    expect(codeOf(decoded(state(new Map([['', record]]))))).toBe('field.range');
  });
});
